"""Evaluation in this process."""

from __future__ import annotations

from auxnas.search.errors import SettingsError
from auxnas.search.evaluation.two_stages import StageProgress
from auxnas.search.executors.base import Evaluate, check_no_cluster, no_job_error
from auxnas.search.settings.search import Settings
from auxnas.search.trials.records import Job, Outcome


class Inline:
    """Evaluates one job at a time in this process."""

    places = 1
    here = True

    def __init__(self, evaluate: Evaluate, settings: Settings | None = None) -> None:
        self._evaluate = evaluate
        self._waiting: list[tuple[Job, StageProgress]] = []

    @staticmethod
    def suits(settings: Settings) -> bool:
        """Whether nothing is asked for that takes other processes."""
        return settings.cluster.address is None and not _asked(settings)

    @staticmethod
    def check(settings: Settings) -> None:
        """Checks that nothing is asked for that this cannot do."""
        check_no_cluster(settings)
        if asked := _asked(settings):
            found = f"{settings.search.executor}, which has no {' and no '.join(asked)}"
            raise SettingsError("search.executor", found, "processes, or none of these settings")

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


def _asked(settings: Settings) -> list[str]:
    """Settings that are given, and take other processes."""
    return [name for name in ("workers", "trial_timeout") if getattr(settings, name)]
