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
        targets: (height, width) and target of each photograph, or none.
        task: says how far two outputs are from each other, and how good one is.
        head: what gives the outputs.
    """

    views: Sequence[HeldOutView]
    targets: Sequence[tuple[Size, Array]]
    task: Task
    head: str = "logits"

    def drops(self, runner: Runner, limit: float | None = None) -> dict[Size, float]:
        """Disagreement with the float model by size.

        Args:
            runner: of the network.
            limit: past which nobody asks by how much: once the photographs that were run
                disagree so much that the mean is past it even if all others agreed, what is
                known to be reached is the answer.
        """
        found = dict[Size, float]()
        for view in self.views:
            found[view.size] = self._drop(runner, view, limit)
            if limit is not None and found[view.size] > limit:
                return found
        return found

    def _drop(self, runner: Runner, view: HeldOutView, limit: float | None) -> float:
        outputs, drop = list[Array](), 0.0
        for feed in view.feeds:
            outputs.append(runner(feed)[MAIN])
            if limit is None and len(outputs) < len(view.feeds):
                continue
            apart = self._apart(outputs, view.expected[: len(outputs)])
            drop = apart * len(outputs) / len(view.feeds)
            if limit is not None and drop > limit:
                break
        return drop

    def outputs(self, runner: Runner) -> list[Array]:
        """A network's output at the first size, by photograph."""
        return [runner(feed)[MAIN] for feed in self.views[0].feeds]

    def distance(self, outputs: Sequence[Array]) -> float | None:
        """Mean distance of choices from the float model's, in pixels; None of what has none."""
        apart = self.task.distance(np.concatenate(outputs), np.concatenate(self.views[0].expected))
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
        known = {value for _, target in self.targets for value in np.unique(target).tolist()}
        return tuple(n for n in range(len(self.task.classes)) if n not in known and self.targets)

    def score(self, outputs: Sequence[Array]) -> Score | None:
        """Score of what ``outputs`` gave; None where no labels are given.

        Raises:
            ValueError: when nothing that counts is in the labels.
        """
        if not self.targets:
            return None
        added = dict[str, Any]()
        for found, (size, label) in zip(outputs, self.targets, strict=True):
            output = self.task.sized(found[0], self.head, size, self.views[0].size)
            for name, value in self.task.measure(output, label[None]).items():
                added[name] = added.get(name, 0) + value
        return self.task.score(added)
