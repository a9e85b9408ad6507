"""Progress of work that takes a while: where it goes is the caller's choice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


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


def _ignore(done: int, text: str = "") -> None:
    """An ``Advance`` to nowhere."""


def time_left(seconds: float, done: int, rest: int) -> float | None:
    """Seconds that ``rest`` takes when ``done`` took ``seconds``; None when nothing is done."""
    return seconds / done * rest if done > 0 else None


def format_duration(seconds: float) -> str:
    """A duration for people: ``42 s``, ``3:07``, ``2:05:09``."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{rest} s"
