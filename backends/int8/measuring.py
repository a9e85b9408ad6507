"""Distance of an int8 network from its float model, and its speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from auxnas.backends.base import Runner
from auxnas.compiler import MAIN, Size
from auxnas.compiler.tasks import Score, Task

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
        targets: of each photograph, or none.
        task: says how far two outputs are from each other, and how good one is.
        head: what gives the outputs.
    """

    views: Sequence[HeldOutView]
    targets: Sequence[Array]
    task: Task
    head: str = "logits"

    def drops(self, runner: Runner) -> dict[Size, float]:
        """Disagreement with the float model by size."""
        return {
            view.size: self._apart([runner(feed)[MAIN] for feed in view.feeds], view.expected)
            for view in self.views
        }

    def distance(self, runner: Runner) -> float | None:
        """Mean distance of choices from the float model's, in pixels; None of what has none."""
        view = self.views[0]
        found, expected = [runner(feed)[MAIN] for feed in view.feeds], view.expected
        apart = self.task.distance(np.concatenate(found), np.concatenate(expected))
        return None if apart is None else float(apart.mean())

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
        """Classes that no target has; none where there are no targets, or none of classes."""
        if not self.task.target.classes:
            return ()
        known = {value for target in self.targets for value in np.unique(target).tolist()}
        return tuple(n for n in range(len(self.task.classes)) if n not in known and self.targets)

    def score(self, runner: Runner) -> Score | None:
        """Score of a network; None where no labels are given.

        Raises:
            ValueError: when nothing that counts is in the labels.
        """
        if not self.targets:
            return None
        feeds, added = self.views[0].feeds, dict[str, Any]()
        for feed, label in zip(feeds, self.targets, strict=True):
            size = (label.shape[0], label.shape[1])
            output = self.task.sized(runner(feed)[MAIN][0], self.head, size, self.views[0].size)
            for name, value in self.task.measure(output, label[None]).items():
                added[name] = added.get(name, 0) + value
        return self.task.score(added)
