"""Pictures laid over the images that they are of."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_STRIP = 256
"""Rows that are mixed at once: bounds the memory that large images take."""


def overlaid(image: Array, picture: Array, alpha: float, edges: Array | None = None) -> Array:
    """The image with a picture over it, contours at full strength.

    Args:
        image: (H, W, 3) uint8.
        picture: (H, W, 3) uint8.
        alpha: share of the picture, 0 to 1.
        edges: (H, W) bool, the contours; None for none.
    """
    mixed = np.empty_like(image)
    for start in range(0, len(image), _STRIP):
        rows = slice(start, start + _STRIP)
        colours = picture[rows]
        found = np.round((1 - alpha) * image[rows] + alpha * colours.astype(np.float32))
        mixed[rows] = found.astype(np.uint8)
        if edges is not None:
            mixed[rows] = np.where(edges[rows, :, None], colours, mixed[rows])
    return mixed


def contours(labels: Array) -> Array:
    """(H, W) bool: pixels whose right or lower neighbour is of another class."""
    edges = np.zeros(labels.shape, bool)
    edges[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edges[:-1] |= labels[:-1] != labels[1:]
    return edges
