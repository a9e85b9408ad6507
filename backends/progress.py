"""Progress of work that takes a while: where it goes is the caller's choice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from typing import Protocol

_MARKS = 64
"""Reports that a forecast remembers at most."""


class Advance(Protocol):
    """Callback of a task's progress: units done, and a text beside the bar."""

    def __call__(self, done: int, text: str = "") -> None:
        """Reports ``done`` units; drawn or printed at intervals."""


class Display(Protocol):
    """Destination of progress; a terminal's are in ``auxnas.progress``."""

    def say(self, line: str) -> None:
        """A line that stays."""

    def task(self, title: str, total: int, begun: int = 0) -> AbstractContextManager[Advance]:
        """Context of a task of ``total`` units, ``begun`` of which an earlier process has done."""


class Silent:
    """Display that shows nothing."""

    def say(self, line: str) -> None:
        """Nothing."""

    @contextmanager
    def task(self, title: str, total: int, begun: int = 0) -> Iterator[Advance]:
        """Nothing."""
        yield _ignore


class ToldOnce:
    """Display of another one, which gets each line but once: what several works begin with."""

    def __init__(self, display: Display) -> None:
        self._display, self._said, self.task = display, set[str](), display.task

    def say(self, line: str) -> None:
        """A line that stays, if it was not said before."""
        if line not in self._said:
            self._said.add(line)
            self._display.say(line)


def _ignore(done: int, text: str = "") -> None:
    """An ``Advance`` to nowhere."""


class Forecast:
    """Estimate of the time that work still takes, at the pace of the later half of what was seen.

    What came before the first report counts for nothing: the first step of a training takes many
    times as long as others.
    """

    def __init__(self) -> None:
        self._marks: list[tuple[float, float]] = []

    def note(self, done: float, now: float) -> None:
        """Notes how much is done at a time in seconds."""
        if not self._marks or done > self._marks[-1][0]:
            self._marks.append((done, now))
        if len(self._marks) > _MARKS:
            del self._marks[1:-1:2]

    def left(self, rest: float) -> float | None:
        """Seconds that ``rest`` takes; None until the second report of progress."""
        if len(self._marks) < 2:
            return None
        (begun, since), (done, now) = self._marks[(len(self._marks) - 1) // 2], self._marks[-1]
        return (now - since) / (done - begun) * rest

    def least(self, rest: float) -> float | None:
        """Seconds that ``rest`` takes at the fastest pace that was seen between two reports."""
        pairs = pairwise(self._marks)
        paces = [(now - since) / (done - begun) for (begun, since), (done, now) in pairs]
        return min(paces) * rest if paces else None


def format_duration(seconds: float) -> str:
    """A duration for people: ``42 s``, ``3:07``, ``2:05:09``."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{rest} s"
