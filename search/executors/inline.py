"""Evaluation in this process."""

from __future__ import annotations

from auxnas.search.evaluation.two_stages import StageProgress
from auxnas.search.executors.base import Evaluate, no_job_error
from auxnas.search.settings.search import Settings
from auxnas.search.trials.records import Job, Outcome


class Inline:
    """Evaluates one job at a time in this process."""

    places = 1

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate
        self._waiting: list[tuple[Job, StageProgress]] = []

    @classmethod
    def make(cls, evaluate: Evaluate, settings: Settings) -> Inline:
        """One of these, whatever the settings."""
        return cls(evaluate)

    def submit(self, job: Job, progress: StageProgress) -> None:
        """Keeps the job until ``next``."""
        self._waiting.append((job, progress))

    def next(self) -> tuple[int, Outcome]:
        """Evaluates the job."""
        if not self._waiting:
            raise no_job_error()
        job, progress = self._waiting.pop(0)
        return job.number, self._evaluate(job, progress)

    def close(self) -> None:
        """Nothing is held."""
