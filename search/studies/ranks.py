"""Rank correlation, and summaries of small samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SHUFFLES = 10_000

Floats = NDArray[np.float64]


def ranks(values: Sequence[float]) -> Floats:
    """Positions in ascending order from 1; equal values share the mean of theirs."""
    _, which, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: Floats = (last - (counts - 1) / 2)[which]
    return shared


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rank correlation: the correlation of the ranks, from -1 to 1.

    None where it is not defined: fewer than two pairs, or one side all equal.
    """
    one, other = _centred(ranks(first)), _centred(ranks(second))
    scale = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / scale if scale else None


def p_value(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Two-sided p-value of a rank correlation, by permutation.

    The share of 10,000 random pairings, always the same ones, that come as far; the
    observed pairing counts among them. None where there is no correlation.
    """
    observed = spearman(first, second)
    if observed is None:
        return None
    one, other = _centred(ranks(first)), _centred(ranks(second))
    rng = np.random.default_rng(0)
    shuffled = rng.permuted(np.tile(other, (_SHUFFLES, 1)), axis=1) @ one
    far = np.abs(shuffled) >= abs(one @ other) * (1 - 1e-12)
    return float((far.sum() + 1) / (_SHUFFLES + 1))


def _centred(values: Floats) -> Floats:
    return values - values.mean() if len(values) else values


def box_summary(values: Sequence[float]) -> dict[str, Any]:
    """Count, mean, and the five numbers of a box plot; None for each where there is none."""
    names = ("least", "lower_quartile", "median", "upper_quartile", "most")
    if not values:
        return {"count": 0, "mean": None, **dict.fromkeys(names)}
    found = np.quantile(np.asarray(values, dtype=np.float64), (0, 0.25, 0.5, 0.75, 1))
    numbers = dict(zip(names, found.tolist(), strict=True))
    return {"count": len(values), "mean": float(np.mean(values)), **numbers}
