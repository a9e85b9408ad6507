"""Persons found in boxes: their scores, and those that are found twice."""

from __future__ import annotations

from typing import Any

import numpy as np

from auxnas.compiler.tasks.pose.scores import object_similarity
from auxnas.compiler.tasks.pose.skeletons import Skeleton

Array = np.ndarray[Any, Any]

LEAST_SCORE = 0.2
"""Joints that score no more do not count in a person's score."""
MOST_ALIKE = 0.9
"""OKS above which the less certain of two persons is left out."""


def person_score(box: float, joints: Array, least: float = LEAST_SCORE) -> float:
    """Score of a person: the box's, times the mean of the joints' that are above ``least``.

    Args:
        box: score of the box.
        joints: (K,) scores of the joints.
        least: 0 comes out where no joint is above it.
    """
    counted = joints[joints > least]
    return float(box * counted.mean()) if len(counted) else 0.0


def distinct_persons(
    found: Array, scores: Array, areas: Array, skeleton: Skeleton, most: float = MOST_ALIKE
) -> list[int]:
    """Positions of the persons of one image that are no more certain one's, best first.

    Args:
        found: (N, K, 2 or more) x and y.
        scores: (N,).
        areas: (N,) pixels of their boxes' regions; of two persons the mean counts.
        skeleton: whose joints these are.
        most: OKS of two that are both kept.
    """
    places = found[..., :2].astype(np.float64)
    left, kept = list(np.argsort(-scores, kind="stable")), []
    while left:
        best, *rest = left
        kept.append(int(best))
        apart = np.linalg.norm(places[rest] - places[best], axis=-1)
        every = np.ones(apart.shape, bool)
        alike = object_similarity(apart, every, (areas[rest] + areas[best]) / 2, skeleton)
        left = [each for each, oks in zip(rest, alike, strict=True) if oks <= most]
    return kept
