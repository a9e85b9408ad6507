"""Tables of PCKh as MPII's results are published: a column a part of the body, both sides."""

from __future__ import annotations

import numpy as np

from auxnas.compiler.tasks.base import Sums
from auxnas.compiler.tasks.pose.scores import PCKH, PCKH_SUMS, pose_figures
from auxnas.compiler.tasks.pose.skeletons import Skeleton


def part_shares(sums: Sums, skeleton: Skeleton, metric: str = "pckh_50") -> dict[str, float]:
    """The share of hits of each part that counts, the mean of its left and its right joint.

    Args:
        sums: of persons, as ``pose_sums`` gives them.
        skeleton: of these persons.
        metric: one of ``PCKH``.
    """
    count, *hits = np.asarray(sums[PCKH_SUMS]).T
    found = hits[list(PCKH).index(metric)] / np.maximum(count, 1)
    shares: dict[str, list[float]] = {}
    for place, part in enumerate(skeleton.parts):
        if place not in skeleton.unscored and count[place]:
            shares.setdefault(part, []).append(float(found[place]))
    return {part: float(np.mean(values)) for part, values in shares.items()}


def published_table(sums: Sums, skeleton: Skeleton) -> dict[str, float]:
    """Percentages: of each part at 0.5, and the means over all joints that count."""
    means = pose_figures(sums, skeleton)
    shares = {**part_shares(sums, skeleton), **{name: means[name] for name in PCKH}}
    return {name: 100 * share for name, share in shares.items()}
