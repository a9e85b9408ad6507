"""What is asked of a network, and how well it does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxnas.search.errors import SettingsError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Score:
    """How well a network did.

    Attributes:
        reward: what a searcher is told, from 0 to 1.
        metrics: what it is made of, by name.
    """

    reward: float
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Segmentation:
    """One class a pixel (paper, section 4.1).

    Attributes:
        classes: the class names.
        ignore: classes that count in no mean: background in VOC, which the paper leaves
            out for its many pixels. A pixel of theirs given another class is a false
            positive of that class all the same.
    """

    classes: tuple[str, ...]
    ignore: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.ignore:
            if name not in self.classes:
                known = ", ".join(self.classes)
                raise SettingsError("task.ignore", f"no class {name!r}", f"some of {known}")

    def score(self, confusion: NDArray[Any]) -> Score:
        """The score of ``confusion``, (classes, classes) counts: row truth, column guess.

        The reward is the geometric mean of

        * ``miou``: mean over the classes of intersection over union; a class that is
          neither present nor predicted does not count;
        * ``fwiou``: the same weighted by the classes' numbers of pixels;
        * ``accuracy``: mean over the classes present of the share of their pixels found.

        Raises:
            ValueError: when no pixel is of a class that counts.
        """
        counts = np.asarray(confusion, dtype=np.float64)
        counted = np.array([name not in self.ignore for name in self.classes])
        truth, hits = counts.sum(axis=1), np.diag(counts)
        iou, seen = _intersection_over_union(counts)
        present, seen = counted & (truth > 0), counted & seen
        if not present.any():
            raise ValueError("confusion: no pixel of a class that counts")
        metrics = {
            "miou": float(iou[seen].mean()),
            "fwiou": float(iou[present] @ truth[present] / truth[present].sum()),
            "accuracy": float(_ratio(hits, truth)[present].mean()),
        }
        reward = float(np.prod(list(metrics.values())) ** (1 / len(metrics)))
        return Score(reward, metrics)

    def class_iou(self, confusion: NDArray[Any]) -> dict[str, float | None]:
        """Intersection over union of every class; None where neither present nor predicted."""
        iou, seen = _intersection_over_union(np.asarray(confusion, dtype=np.float64))
        rows = zip(self.classes, iou.tolist(), seen.tolist(), strict=True)
        return {name: value if known else None for name, value, known in rows}


def _intersection_over_union(counts: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """The ratio of every class (0 where there is nothing), and which are present or predicted."""
    hits, both = np.diag(counts), counts.sum(axis=1) + counts.sum(axis=0)
    return _ratio(hits, both - hits), both > 0


def _ratio(part: Floats, whole: Floats) -> Floats:
    """``part / whole``, 0 where there is nothing to divide."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
