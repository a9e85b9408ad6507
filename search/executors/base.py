"""The seam of executors, which evaluate trials.

One of your own is found by its place; see ``search.seams``, and ``examples/executor.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from auxnas.search.errors import SearchError, SettingsError
from auxnas.search.evaluation.two_stages import StageProgress
from auxnas.search.seams import EXECUTORS
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


class ExecutorClass(Protocol):
    """Class of executors of ours; of a user's each of these may be missing, and is not asked then.

    Attributes:
        here: whether jobs are evaluated in this process; False if missing.
    """

    @staticmethod
    def suits(settings: Settings) -> bool:
        """Whether it is the one to take where the settings name none; one of ours is."""

    @staticmethod
    def check(settings: Settings) -> None:
        """Raises a ``SettingsError`` for settings that it cannot do; makes nothing.

        A class that inherits from one of ours has other limits: its own ``check`` alone is asked.
        """

    @staticmethod
    def contact(settings: Settings) -> None:
        """Raises a ``SettingsError`` for machines that cannot be had, before much is computed."""


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
    return not getattr(_class(executor_name(settings)), "here", False)


def executor_name(settings: Settings) -> str:
    """The executor that the settings name, or else the first of ours that suits them.

    Raises:
        SettingsError: for one that cannot do what the other settings ask for.
    """
    name = settings.search.executor or next(
        name for name in EXECUTORS.table if _class(name).suits(settings)
    )
    found = _class(name)
    if "check" in getattr(found, "__dict__", {}):
        found.check(settings)
    return name


def _class(name: str) -> type[ExecutorClass]:
    return cast(type[ExecutorClass], EXECUTORS.find(name))


def contact_executor(settings: Settings) -> None:
    """Finds out at once whether the executor can be made, where it can say so.

    Raises:
        SettingsError: when it cannot, for what the executor finds.
        BackendUnavailable: when its library is not installed.
    """
    contact = getattr(_class(executor_name(settings)), "contact", None)
    if contact is not None:
        contact(settings)


def check_no_cluster(settings: Settings) -> None:
    """Checks that no cluster is asked for, by an executor of this machine.

    Raises:
        SettingsError: where one is.
    """
    if settings.cluster.address is not None:
        found = f"{settings.search.executor}, with a cluster.address"
        raise SettingsError("search.executor", found, "ray, or none")
