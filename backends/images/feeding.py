"""Photographs to network inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from auxnas.backends.images.reading import resize_rgb
from auxnas.compiler import Size
from auxnas.compiler.encoders import IMAGENET, Normalisation
from auxnas.compiler.interface import Interface

Array = np.ndarray[Any, Any]


def normalise(images: Array, by: Normalisation = IMAGENET) -> Array:
    """Input of a network: value / 255, minus the mean, over the deviation, channels first.

    Args:
        images: uint8 RGB ``(n, height, width, 3)``.
        by: the encoder's mean and deviation.

    Returns:
        float32 ``(n, 3, height, width)``, contiguous.
    """
    scale, shift = normalisation_terms(by)
    result = np.empty((images.shape[0], 3, *images.shape[1:3]), dtype=np.float32)
    for channel in range(3):
        np.multiply(images[..., channel], scale[channel], out=result[:, channel])
        result[:, channel] -= shift[channel]
    return result


def normalisation_terms(by: Normalisation) -> tuple[Array, Array]:
    """Of each channel what a byte is multiplied by, and what is then taken off: float32 (3,)."""
    deviation = np.array(by.deviation, dtype=np.float32)
    return 1 / (255 * deviation), np.array(by.mean, dtype=np.float32) / deviation


def network_input(image: Array, size: Size, interface: Interface) -> dict[str, Array]:
    """The input ``image`` of a network with these ends, one image of ``size``."""
    pixels = resize_rgb(image, size)[None]
    if interface.format == "nhwc-uint8":
        return {"image": pixels}
    return {"image": normalise(pixels, interface.normalisation)}


def input_batches(
    images: Sequence[Array], count: int, size: Size, interface: Interface
) -> Iterator[dict[str, Array]]:
    """The inputs of ``count`` images at a time; the first ones fill up the last batch."""
    for start in range(0, len(images), count):
        some = (images[index % len(images)] for index in range(start, start + count))
        yield {
            "image": np.concatenate(
                [network_input(each, size, interface)["image"] for each in some]
            )
        }
