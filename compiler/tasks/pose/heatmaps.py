"""Targets of pose: Gaussian maps (Xiao et al. 2018)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxnas.compiler.tasks.pose.joints import ABSENT
from auxnas.compiler.tasks.target import Size

Array = np.ndarray[Any, Any]
Floats = NDArray[np.float32]

STRIDE = 4
"""Of an image's side by that of its maps, whatever a decoder's own stride is."""
_REACH = 3.0
"""Deviations from its peak that a Gaussian ends at."""


def map_size(size: Size) -> Size:
    """(height, width) of the maps of an image of ``size``."""
    return -(-size[0] // STRIDE), -(-size[1] // STRIDE)


def gaussian_maps(joints: Array, size: Size, sigma: float = 2.0) -> tuple[Floats, Floats]:
    """The map of each joint, 1 at the cell that is nearest to it, and each one's weight.

    Args:
        joints: (K, 3) x, y, flag, in pixels of the image.
        size: (height, width) of the maps.
        sigma: the Gaussians' deviation, in cells.

    Returns:
        (K, height, width), and (K,): 1, or 0 for a joint that is absent or whose Gaussian lies
        outside the map.
    """
    height, width = size
    reach = int(_REACH * sigma)
    maps = np.zeros((len(joints), height, width), np.float32)
    weights = (joints[:, 2] > ABSENT).astype(np.float32)
    columns, rows = np.trunc(joints[:, :2] / STRIDE + 0.5).astype(int).T
    for joint in np.flatnonzero(weights):
        x, y = int(columns[joint]), int(rows[joint])
        if x - reach >= width or y - reach >= height or x + reach + 1 < 0 or y + reach + 1 < 0:
            weights[joint] = 0
            continue
        across, down = (
            np.exp(-((np.arange(n) - at) ** 2) / (2 * sigma**2)) * (abs(np.arange(n) - at) <= reach)
            for n, at in ((width, x), (height, y))
        )
        maps[joint] = down[:, None] * across
    return maps, weights
