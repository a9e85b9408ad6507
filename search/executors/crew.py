"""Seats, each a process somewhere that evaluates one job at a time, and their messages."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from auxnas.backends.base import TrainingStep
from auxnas.genotype.errors import describe_error
from auxnas.search.trials.records import Job, Outcome, Stage


@dataclass(frozen=True, slots=True)
class Beat:
    """A seat is alive, and nothing else is new."""

    seat: int


@dataclass(frozen=True, slots=True)
class Readied:
    """A seat waits for its first job.

    Attributes:
        seat: its number.
        host: name of its machine.
        fingerprint: of that machine's arithmetic; empty where it is not compared.
    """

    seat: int
    host: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Began:
    """A seat has begun an attempt: what happens from here on is the job's doing."""

    seat: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Advanced:
    """Progress of an attempt; the arguments of ``StageProgress``."""

    seat: int
    attempt: int
    stage: int
    step: TrainingStep
    before: Stage | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of an attempt; without an outcome where it was dropped."""

    seat: int
    attempt: int
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Raised:
    """An attempt ended in an error that is a bug: its line, and its traceback."""

    seat: int
    attempt: int
    line: str
    trace: str


@dataclass(frozen=True, slots=True)
class Vanished:
    """A seat is gone.

    Attributes:
        seat: its number.
        how: the reason in words, which name no machine: they are compared.
        kind: of the failure that it is for a job that was under way: ``crash`` or ``oom``.
    """

    seat: int
    how: str
    kind: str = "crash"


@dataclass(frozen=True, slots=True)
class Refused:
    """A seat cannot take part, for a reason that names its machine."""

    seat: int
    reason: str


def bug_text(error: BaseException) -> tuple[str, str]:
    """Line and traceback of an error that is a bug, or of a user's code that ends the process."""
    trace = traceback.format_exc()
    if not isinstance(error, SystemExit):
        return describe_error(error), trace
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"SystemExit in {Path(frame.filename).name}, line {frame.lineno}: {error}"
    return f"{where}, expected an exception that says why", trace


class Dropped(BaseException):
    """Ends an attempt that is not needed any more; no code of users catches it."""


Message = Beat | Readied | Began | Advanced | Ended | Raised | Vanished | Refused


class Crew(Protocol):
    """Machinery that holds seats. It decides nothing, and never blocks but in ``hear``.

    A number names one seat for ever. Of a seat that was ended there may still be messages.
    """

    def start(self, seat: int) -> None:
        """Begins to make a seat, which takes as long as it takes: perhaps there is no room."""

    def give(self, seat: int, attempt: int, job: Job) -> None:
        """Hands a job to a seat that waits."""

    def drop(self, seat: int) -> None:
        """The attempt at hand is not needed any more and may end soon."""

    def end(self, seat: int) -> None:
        """Ends a seat, whatever it is at, if it is there at all."""

    def hear(self, seconds: float) -> Sequence[Message]:
        """All messages that have come, in each seat's order; waits so long for one at most."""

    def lack(self) -> str:
        """Reason in words that seats are not made, as far as that is known."""

    def close(self) -> None:
        """Ends all seats."""
