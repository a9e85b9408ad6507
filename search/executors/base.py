"""The seam of executors, which evaluate trials.

One of your own is found by its place; see ``search.seams``, and ``examples/executor.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from auxnas.search.errors import SettingsError
from auxnas.search.evaluation.two_stages import StageProgress
from auxnas.search.settings.search import Settings
from auxnas.search.trials.records import Job, Outcome

Evaluate = Callable[[Job, StageProgress], Outcome]


class Executor(Protocol):
    """Evaluates jobs, some at a time.

    A job's outcome depends on the job alone, so a run's journal is the same whatever executes
    it. Every job submitted ends once: with what ``evaluate`` returned, with a failure of the
    trial's own (``timeout``), or ``lost`` where the machine failed. A lost job is submitted
    again, with the same seed.
    """

    @property
    def places(self) -> int:
        """Number of jobs that can be under way, 1 at least; it may change meanwhile."""

    def submit(self, job: Job, progress: StageProgress) -> None:
        """Begins a job; no more than ``places`` are under way.

        Args:
            job: what to evaluate.
            progress: is told how it goes, in the calling process; need not be called.
        """

    def next(self) -> tuple[int, Outcome]:
        """Waits for a job to end, whichever is first: its number and how it ended.

        Raises:
            SearchError: when nothing can be evaluated any more, or for an error that is a bug
                rather than a trial's failure.
        """

    def close(self) -> None:
        """Ends what is under way and frees what is held; called once, whatever happened."""


def executor_name(settings: Settings) -> str:
    """The executor that the settings name, or else the one that they need.

    Raises:
        SettingsError: for one that cannot do what the other settings ask for.
    """
    asked = [name for name in ("workers", "trial_timeout") if getattr(settings, name)]
    if settings.search.executor == "inline" and asked:
        found = f"inline, which has no {' and no '.join(asked)}"
        raise SettingsError("search.executor", found, "processes, or none of these settings")
    return settings.search.executor or ("processes" if asked else "inline")
