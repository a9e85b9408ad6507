"""Scores of joints for people: metrics by name, and a row for each joint."""

from __future__ import annotations

from collections.abc import Mapping

from auxnas.compiler.tasks.base import Metric, ScoreTable, Sums
from auxnas.compiler.tasks.pose.published import part_shares
from auxnas.compiler.tasks.pose.scores import DISTANCES, PCK, PCK_SUMS, PCKH, PCKH_SUMS
from auxnas.compiler.tasks.pose.skeletons import Skeleton

METRICS = {
    "oks": Metric("mean OKS"),
    "pckh_50": Metric("PCKh@0.5"),
    "pckh_10": Metric("PCKh@0.1"),
    "pckh_11": Metric("PCKh@0.11 (0.1 in published tables)"),
    "pck_20": Metric("PCK@0.2"),
}
"""Metrics by name; a score has those that the labels allow."""


def joint_shares(sums: Sums) -> list[dict[str, float]]:
    """Of each joint the share of hits by metric, of those that it counts in."""
    found: list[dict[str, float]] = [{} for _ in sums[DISTANCES]]
    for name, parts in ((PCKH_SUMS, PCKH), (PCK_SUMS, PCK)):
        for shares, (count, *hits) in zip(found, sums[name].tolist(), strict=True):
            if count:
                shares |= {part: hit / count for part, hit in zip(parts, hits, strict=True)}
    return found


def joint_table(metrics: Mapping[str, float], sums: Sums, skeleton: Skeleton) -> ScoreTable:
    """A row a joint, the metrics of all below.

    Args:
        metrics: of the score.
        sums: that it is of.
        skeleton: whose joints these are.
    """
    shares = joint_shares(sums)
    shown = [name for name in (*PCKH, *PCK) if any(name in each for each in shares)]
    counts = sums[DISTANCES][:, 0].astype(int)
    rows = (
        (joint, f"{count:,}", *(f"{each[name]:.4f}" if name in each else "" for name in shown))
        for joint, count, each in zip(skeleton.joints, counts, shares, strict=True)
    )
    parts = ", ".join(f"{name} {part:.4f}" for name, part in part_shares(sums, skeleton).items())
    left = [skeleton.joints[place] for place in skeleton.unscored]
    lines = [f"{METRICS[name].title} {value:.4f}" for name, value in metrics.items()]
    return ScoreTable(
        ("joint", "labelled", *(METRICS[name].title for name in shown)),
        tuple(rows),
        ("all", f"{counts.sum():,}", *(f"{metrics[name]:.4f}" for name in shown)),
        (
            ", ".join(lines),
            *([f"{' and '.join(left)} count in no mean"] if left else []),
            *([f"PCKh@0.5 of both sides: {parts}"] if parts else []),
        ),
    )
