"""A person's label beside the maps of its joints, in one array, as batches and losses take it.

A target is (h, w, K + 1): a Gaussian map for each joint, NaN all over where the joint does not
count in the loss, and a last channel whose first numbers are those of the label, row by row,
from which the exact places are scored.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from auxnas.compiler.errors import CompilerError
from auxnas.compiler.tasks.pose.heatmaps import STRIDE

Array = np.ndarray[Any, Any]


def packed(maps: Array, weights: Array, label: Array) -> Array:
    """The target (h, w, K + 1) of maps (K, h, w), their weights (K,) and the label (K + 1, 3).

    Raises:
        CompilerError: for maps too small to hold the label.
    """
    joints, height, width = maps.shape
    if label.size > height * width:
        size = f"an image of {STRIDE * height}x{STRIDE * width}"
        expected = f"at least {label.size * STRIDE**2} pixels, for {joints} joints"
        raise CompilerError("pose", size, expected)
    target = np.zeros((height, width, joints + 1), np.float32)
    counted = np.where(weights[:, None, None] > 0, maps, np.nan)
    target[..., :-1] = np.moveaxis(counted, 0, -1)
    target[..., -1].flat[: label.size] = label.ravel()
    return target


def unpacked(targets: Array) -> Array:
    """The labels (N, K + 1, 3) in targets (N, h, w, K + 1)."""
    rows = targets.shape[-1]
    flat = targets[..., -1].reshape(len(targets), -1)
    return flat[:, : 3 * rows].reshape(-1, rows, 3)
