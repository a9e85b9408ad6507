"""The seam of executors, which evaluate trials.

One of your own is found by its place; see ``search.seams``, and ``examples/executor.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from auxnas.search.errors import SearchError, SettingsError
from auxnas.search.evaluation.two_stages import StageProgress
from auxnas.search.settings.search import Settings
from auxnas.search.trials.records import FAILED, LOST, SCORED, Failure, Job, Outcome, Stage

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
            job: the one to evaluate.
            progress: is told how it goes, in the calling process; need not be called.
        """

    def next(self) -> tuple[int, Outcome]:
        """Waits for a job to end, whichever is first: its number and how it ended.

        Raises:
            SearchError: when no job is under way, when nothing can be evaluated any more, or
                for an error that is a bug rather than a trial's failure.
        """

    def close(self) -> None:
        """Ends what is under way and frees what is held; called once, whatever happened."""


@runtime_checkable
class Attachable(Protocol):
    """An executor that keeps files in the run's folder, and has something to say."""

    def attach(self, folder: Path, say: Callable[[str], None]) -> None:
        """Called once, before the first job.

        Args:
            folder: the run's.
            say: takes a line for people.
        """


def no_job_error() -> SearchError:
    """The error of ``next`` where no job is under way."""
    return SearchError("search.executor", "no job is under way", "next() after submit()")


def outcome_fault(outcome: Any) -> str | None:
    """First fault of an outcome, which a user's executor may have made; None for a sound one.

    A reward may be infinite or NaN: the trial fails then.
    """
    if not isinstance(outcome, Outcome):
        return f"{type(outcome).__name__}, expected Outcome"
    if outcome.state not in (*SCORED, FAILED, LOST):
        return f"state {outcome.state!r:.40}, expected {', '.join((*SCORED, FAILED, LOST))}"
    if outcome.state in SCORED and not outcome.stages:
        return f"{outcome.state} without a stage, expected one at least"
    failure = outcome.failure
    if failure is None and outcome.state == FAILED:
        return "failed without a failure, expected one"
    if failure is not None and not _typed(failure, Failure, kind=str, detail=str):
        return f"failure {failure!r:.80}, expected Failure with text"
    for stage in outcome.stages:
        if not _is_stage(stage):
            return f"stage {stage!r:.80}, expected Stage with numbers, and finite seconds"
    return None


def _typed(value: Any, kind: type, /, **fields: type) -> bool:
    return isinstance(value, kind) and all(
        isinstance(getattr(value, name), expected) for name, expected in fields.items()
    )


def _is_stage(stage: Any) -> bool:
    if not _typed(stage, Stage, metrics=Mapping):
        return False
    numbers = [stage.reward, stage.seconds, stage.batch_size or 0, *stage.metrics.values()]
    return all(map(_is_number, numbers)) and isfinite(stage.seconds)


def _is_number(value: Any) -> bool:
    """Whether JSON and SQLite have the value as a number: numpy's float32 is none, for one."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def evaluates_elsewhere(settings: Settings) -> bool:
    """Whether trials are evaluated outside this process.

    Raises:
        SettingsError: as ``executor_name``.
    """
    return executor_name(settings) != "inline"


def executor_name(settings: Settings) -> str:
    """The executor that the settings name, or else the one that they need.

    Raises:
        SettingsError: for one that cannot do what the other settings ask for.
    """
    asked = [name for name in ("workers", "trial_timeout") if getattr(settings, name)]
    name = settings.search.executor
    if name == "inline" and asked:
        found = f"inline, which has no {' and no '.join(asked)}"
        raise SettingsError("search.executor", found, "processes, or none of these settings")
    clustered = settings.cluster.address is not None
    if clustered and name in ("inline", "processes"):
        raise SettingsError("search.executor", f"{name}, with a cluster.address", "ray, or none")
    if (clustered or name == "ray") and settings.threads is None:
        expected = "a number, which all machines can give a trial: --set threads=1"
        raise SettingsError("threads", "none, with a cluster", expected)
    return name or ("ray" if clustered else "processes" if asked else "inline")
