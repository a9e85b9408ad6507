"""Photographs to network inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from auxnas.backends.images.reading import resize_rgb
from auxnas.compiler import Size
from auxnas.compiler.interface import Interface

Array = np.ndarray[Any, Any]


def network_input(image: Array, size: Size, interface: Interface) -> dict[str, Array]:
    """The input ``image`` of a network with these ends, one image of ``size``."""
    pixels = resize_rgb(image, size)[None]
    if interface.format == "nhwc-uint8":
        return {"image": pixels}
    mean, deviation = (np.array(v, np.float32) for v in (interface.mean, interface.deviation))
    values = (pixels.astype(np.float32) / 255 - mean) / deviation
    return {"image": np.ascontiguousarray(values.transpose(0, 3, 1, 2), np.float32)}


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
