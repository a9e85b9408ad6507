"""Evaluations that data bring of their own, as COCO's of joints: figures that are no sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from auxnas.compiler.tasks import Sums, Task

Array = np.ndarray[Any, Any]


class AnswerRecorder:
    """A task that keeps the answers that it measures, in their order.

    Attributes:
        task: the task, which all else is asked of.
        answers: of the images measured so far.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.answers: list[Array] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.task, name)

    def measure(self, output: Array, target: Array) -> Sums:
        """The task's statistics of a batch."""
        self.answers.extend(self.task.answer(output))
        return self.task.measure(output, target)
