"""Where trials are evaluated: in this process here, in others in ``search.workers``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from auxnas.search.evaluator import StageProgress
from auxnas.search.trials import Job, Outcome

Evaluate = Callable[[Job, StageProgress], Outcome]


class Executor(Protocol):
    """Evaluates jobs, some at a time.

    Attributes:
        places: how many at a time.
    """

    @property
    def places(self) -> int:
        """How many jobs can be under way."""

    def submit(self, job: Job, progress: StageProgress) -> None:
        """Begins a job; no more than ``places`` may be under way."""

    def next(self) -> tuple[int, Outcome]:
        """Waits for a job to end, whichever is first: its number and how it ended.

        Raises:
            SearchError: for an error that is a bug rather than a trial's failure.
        """


class Inline:
    """Evaluates one job at a time in this process."""

    places = 1

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate
        self._waiting: list[tuple[Job, StageProgress]] = []

    def submit(self, job: Job, progress: StageProgress) -> None:
        """Keeps the job until ``next``."""
        self._waiting.append((job, progress))

    def next(self) -> tuple[int, Outcome]:
        """Evaluates the job."""
        job, progress = self._waiting.pop(0)
        return job.number, self._evaluate(job, progress)
