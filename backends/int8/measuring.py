"""Distance of an int8 network from its float model, and its speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from auxnas.backends.artefacts.predict import classify, resize_nearest
from auxnas.backends.base import Runner
from auxnas.compiler import MAIN, Size
from auxnas.compiler.tasks import IGNORE, Segmentation, Task

Array = np.ndarray[Any, Any]
Feed = dict[str, Array]

TINY = 1e-30


@dataclass(frozen=True)
class HeldOutView:
    """The held-out photographs at one size.

    Attributes:
        size: (height, width).
        feeds: a photograph each.
        expected: the float model's output on each.
    """

    size: Size
    feeds: Sequence[Feed]
    expected: Sequence[Array]


@dataclass(frozen=True)
class Judge:
    """Compares networks with the float one on the held-out photographs.

    Attributes:
        views: at the size that was asked for; where the network takes any, at others too.
        labels: (H, W) uint8 of each photograph, or none.
        classes: how many there are.
        task: says how far two outputs are from each other.
    """

    views: Sequence[HeldOutView]
    labels: Sequence[Array]
    classes: int
    task: Task = field(default_factory=Segmentation)

    def drops(self, runner: Runner) -> dict[Size, float]:
        """Disagreement with the float model by size: the share of pixels of another label."""
        return {
            view.size: self._apart([runner(feed)[MAIN] for feed in view.feeds], view.expected)
            for view in self.views
        }

    def _apart(self, found: Sequence[Array], expected: Sequence[Array]) -> float:
        return self.task.disagreement(np.concatenate(found), np.concatenate(expected))

    def error(self, runner: Runner, most: int) -> float:
        """Mean error on the first ``most`` photographs, over the float output's mean size.

        It grades layers of which not one changes a label. For a network that gives
        labels it is the share of labels changed.
        """
        view = self.views[0]
        found = [runner(feed)[MAIN] for feed in view.feeds[:most]]
        expected = view.expected[:most]
        if expected[0].dtype == np.uint8:
            return self._apart(found, expected)
        wrong = sum(float(np.abs(a - b).mean()) for a, b in zip(found, expected, strict=True))
        return wrong / max(sum(float(np.abs(each).mean()) for each in expected), TINY)

    @property
    def missing(self) -> tuple[int, ...]:
        """Classes that no label has; none where no labels are given."""
        known = {int(value) for label in self.labels for value in np.unique(label)}
        return tuple(n for n in range(self.classes) if n not in known) if self.labels else ()

    def miou(self, runner: Runner) -> float | None:
        """Mean IoU of a network; None where no labels are given."""
        if not self.labels:
            return None
        view = self.views[0]
        outputs = [runner(feed)[MAIN] for feed in view.feeds]
        return mean_iou(outputs, self.labels, self.classes)


def mean_iou(outputs: Sequence[Array], labels: Sequence[Array], classes: int) -> float:
    """Mean over the classes that occur of intersection over union.

    Scores grow bilinearly to the labels' size first, label maps by nearest pixel. Pixels
    labelled 255 do not count; a class that is in neither labels nor output is left out.
    """
    counts = np.zeros((classes, classes), np.int64)
    for output, label in zip(outputs, labels, strict=True):
        guess = _at_size(output, label)
        known = label != IGNORE
        pairs = label[known].astype(np.int64) * classes + guess[known]
        counts += np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
    hits = counts.diagonal()
    union = counts.sum(0) + counts.sum(1) - hits
    return float((hits[union > 0] / union[union > 0]).mean()) if union.any() else 0.0


def _at_size(output: Array, label: Array) -> Array:
    size = (label.shape[0], label.shape[1])
    return (
        resize_nearest(output[0, 0], size)
        if output.dtype == np.uint8
        else classify(output[0], size)
    )
