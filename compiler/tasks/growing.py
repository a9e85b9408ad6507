"""Outputs brought to the size of an image, as a network itself does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Size = tuple[int, int]

_STRIP = 1 << 23
"""Numbers in a strip of full-size scores: bounds the memory that large images take."""


def grown(output: Array, size: Size) -> Array:
    """(channels, h, w) grown bilinearly to (height, width), half-pixel centres."""
    return _strips(output, size, lambda strip: strip, np.empty((len(output), *size), output.dtype))


def classify(scores: Array, size: Size) -> Array:
    """The largest channel at every pixel, scores grown bilinearly to ``size`` before.

    Args:
        scores: (classes, h, w).
        size: (height, width) of the image.

    Returns:
        (height, width) uint8.
    """
    return _strips(scores, size, lambda strip: strip.argmax(0), np.empty(size, np.uint8))


def _strips(maps: Array, size: Size, of: Callable[[Array], Array], result: Array) -> Array:
    """Fills ``result`` with what ``of`` makes of the grown maps, strip by strip of rows."""
    height, width = size
    low, high, part = _samples(maps.shape[2], width)
    step = max(1, _STRIP // (maps.shape[0] * width))
    top, bottom, weight = _samples(maps.shape[1], height)
    for start in range(0, height, step):
        rows = slice(start, start + step)
        weights = weight[rows, None]
        mixed = maps[:, top[rows]] * (1 - weights) + maps[:, bottom[rows]] * weights
        result[..., rows, :] = of(mixed[:, :, low] * (1 - part) + mixed[:, :, high] * part)
    return result


def _samples(length: int, wanted: int) -> tuple[Array, Array, Array]:
    """Of each of ``wanted`` samples: the two neighbours among ``length``, the second's part."""
    places = np.clip((np.arange(wanted) + 0.5) * length / wanted - 0.5, 0, length - 1)
    low = np.floor(places).astype(np.intp)
    return low, np.minimum(low + 1, length - 1), (places - low).astype(np.float32)


def resize_nearest(labels: Array, size: Size) -> Array:
    """(h, w) labels at ``size``: those of the nearest pixel."""
    rows, columns = (
        ((np.arange(wanted) + 0.5) * length / wanted).astype(np.intp)
        for length, wanted in zip(labels.shape, size, strict=True)
    )
    found: Array = labels[rows[:, None], columns]
    return found
