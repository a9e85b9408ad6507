"""Errors of predicted depth: sums over pixels, and the figures that are made of them."""

from __future__ import annotations

from collections.abc import Mapping
from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = np.ndarray[Any, Any]
Floats = NDArray[np.float64]

ERRORS = (
    *("rmse", "rmse_log", "abs_rel", "sq_rel", "delta1", "delta2", "delta3"),
    *("log10", "silog", "silog_half"),
)
"""Names of the figures, in the order of the paper's Table 3."""

TERMS = 10
"""Numbers of a row of sums."""
_THRESHOLD = 1.25
"""Ratio of depths below which a pixel is right; delta 2 and 3 are its powers."""


def error_sums(predicted: Array, truth: Array) -> Floats:
    """Terms of the figures, added over pixels: (TERMS,).

    The number of pixels; the squared error, and that of the natural logarithms; the absolute
    error and the squared one over the truth; the difference of the logarithms, its magnitude;
    and how many ratios are below 1.25, 1.25^2, 1.25^3.

    Args:
        predicted: metres of the pixels that count, more than 0.
        truth: likewise.
    """
    guess, depth = predicted.astype(np.float64), truth.astype(np.float64)
    error, logs = guess - depth, np.log(guess) - np.log(depth)
    ratio = np.maximum(guess / depth, depth / guess)
    squared = error * error
    terms = (
        *(squared, logs * logs, np.abs(error) / depth, squared / depth, logs, np.abs(logs)),
        *(ratio < _THRESHOLD**power for power in (1, 2, 3)),
    )
    return np.array([guess.size, *(term.sum() for term in terms)], np.float64)


def error_figures(row: Floats) -> Mapping[str, float]:
    """The figures of a row of sums of one pixel at least.

    ``rmse`` (metres) and ``rmse_log`` (natural logarithms) are roots of mean squares;
    ``abs_rel`` and ``sq_rel`` are relative to the truth; ``delta1`` to ``delta3`` are shares
    of pixels with a ratio strictly below 1.25 and its powers; ``log10`` is the mean magnitude
    of the logarithms' difference. With d that of the natural logarithms, ``silog`` is
    100 sqrt(mean d^2 - (mean d)^2), as BTS and KITTI have it, and ``silog_half`` is
    sqrt(mean d^2 - (mean d)^2 / 2), as mmsegmentation has it.
    """
    means = [float(value) for value in row[1:] / row[0]]
    squared, logs, absolute, relative, shift, magnitude, *ratios = means
    return dict(
        zip(
            ERRORS,
            (
                *(sqrt(squared), sqrt(logs), absolute, relative, *ratios, magnitude / log(10)),
                100 * sqrt(max(0.0, logs - shift * shift)),
                sqrt(max(0.0, logs - shift * shift / 2)),
            ),
            strict=True,
        )
    )
