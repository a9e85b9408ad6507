"""Scores of joints: OKS, PCKh and PCK, from sums over persons.

OKS (COCO): the mean over a person's labelled joints of exp(-d^2 / (2 (2 sigma)^2 area)), d the
distance of a joint from its truth. PCKh (MPII): the share of joints that are no farther from
their truth than a part of the head's size; PCK: of the torso's length.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxnas.compiler.tasks.base import Sums
from auxnas.compiler.tasks.pose.joints import ABSENT, HEAD, ROOT_AREA
from auxnas.compiler.tasks.pose.skeletons import Skeleton

Array = np.ndarray[Any, Any]
Floats = NDArray[np.float64]

PCKH = {"pckh_50": 0.5, "pckh_10": 0.1, "pckh_11": 0.11}
"""Parts of the head's size; published tables call 0.11 0.1."""
PCK = {"pck_20": 0.2}
"""Parts of the torso's length."""
TORSO = ("left_shoulder", "right_hip")
"""Joints that the torso lies between."""

OKS_SUMS, PCKH_SUMS, PCK_SUMS, DISTANCES = "oks", "pckh", "pck", "distances"
"""Names of the sums: (2,) persons and OKS; (K, 1 + thresholds) joints and hits, of PCKh and of
PCK; (K, 2) joints, and the sum of their distances in pixels of the crop."""
_SPACING = float(np.spacing(1))


def pose_sums(found: Array, labels: Array, skeleton: Skeleton) -> Sums:
    """Sums over some persons.

    Args:
        found: (N, K, 2 or more) x and y.
        labels: (N, K + 1, 3) of the truth.
        skeleton: of both.
    """
    known = labels[:, :-1, 2] > ABSENT
    apart = np.linalg.norm(found[..., :2].astype(np.float64) - labels[:, :-1, :2], axis=-1)
    heads, torsos = labels[:, -1, HEAD].astype(np.float64), _torsos(labels, skeleton)
    return {
        OKS_SUMS: _oks_sums(apart, known, labels[:, -1, ROOT_AREA].astype(np.float64), skeleton),
        PCKH_SUMS: _hits(apart, known, heads, PCKH),
        PCK_SUMS: _hits(apart, known, torsos, PCK),
        DISTANCES: np.stack([known.sum(0), (apart * known).sum(0)], 1).astype(np.float64),
    }


def object_similarity(apart: Array, known: Array, areas: Array, skeleton: Skeleton) -> Floats:
    """OKS of persons (N,), NaN for one without labelled joints.

    Args:
        apart: (N, K) distances in pixels.
        known: (N, K) whether the joint is labelled.
        areas: (N,) in pixels.
        skeleton: whose joints these are.
    """
    variances = (2 * np.array(skeleton.sigmas)) ** 2
    near = np.exp(-(apart**2) / (2 * variances * (areas[:, None] + _SPACING)))
    counts = known.sum(1)
    found: Floats = np.where(counts, (near * known).sum(1) / np.maximum(counts, 1), np.nan)
    return found


def _oks_sums(apart: Floats, known: Array, roots: Floats, skeleton: Skeleton) -> Floats:
    counted = (roots > 0) & known.any(1)
    found = object_similarity(apart[counted], known[counted], roots[counted] ** 2, skeleton)
    return np.array([counted.sum(), found.sum()], np.float64)


def _torsos(labels: Array, skeleton: Skeleton) -> Floats:
    """Length of each person's torso, 0 where it is not known."""
    if not set(TORSO) <= set(skeleton.joints):
        return np.zeros(len(labels))
    ends = labels[:, [skeleton.joints.index(each) for each in TORSO]].astype(np.float64)
    lengths = np.linalg.norm(ends[:, 0, :2] - ends[:, 1, :2], axis=-1)
    return np.where((ends[..., 2] > ABSENT).all(1), lengths, 0)


def _hits(apart: Floats, known: Array, units: Floats, parts: Mapping[str, float]) -> Floats:
    """(K, 1 + parts): joints that count, and those within each part of the person's unit."""
    counted = known & (units > 0)[:, None]
    ratios = apart / np.where(units > 0, units, 1)[:, None]
    hits = [(counted & (ratios <= part)).sum(0) for part in parts.values()]
    return np.stack([counted.sum(0), *hits], axis=1).astype(np.float64)


def pose_figures(sums: Sums, skeleton: Skeleton) -> dict[str, float]:
    """The figures that the sums have persons for; means of PCK are over all joints that count."""
    scored = [n for n in range(len(skeleton)) if n not in skeleton.unscored]
    found: dict[str, float] = {}
    persons, similarity = (float(each) for each in sums[OKS_SUMS])
    if persons:
        found["oks"] = similarity / persons
    for name, parts in ((PCKH_SUMS, PCKH), (PCK_SUMS, PCK)):
        joints, *hits = sums[name][scored].sum(0)
        if joints:
            found |= {part: float(hit / joints) for part, hit in zip(parts, hits, strict=True)}
    return found
