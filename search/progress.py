"""Showing how far things are: live on a terminal, plain lines elsewhere. All on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import monotonic
from typing import Protocol

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from auxnas.terminal import Terminal

Advance = Callable[[int, str], None]
"""Called with how much is done, and what to say beside it."""


class Display(Protocol):
    """Where progress goes."""

    def say(self, line: str) -> None:
        """A line that stays."""

    def task(self, title: str, total: int, begun: int = 0) -> AbstractContextManager[Advance]:
        """Something with a known end, of which ``begun`` is behind an earlier process."""


class Silent:
    """Says nothing."""

    def say(self, line: str) -> None:
        """Nothing."""

    @contextmanager
    def task(self, title: str, total: int, begun: int = 0) -> Iterator[Advance]:
        """Nothing."""
        yield lambda done, text: None


class Plain:
    """Lines: one every ``every`` seconds of a task, and one at the end of a long one."""

    def __init__(self, console: Terminal, every: float = 15.0) -> None:
        self._console, self._every = console, every

    def say(self, line: str) -> None:
        """Prints the line."""
        self._console.print(line, soft_wrap=True)

    @contextmanager
    def task(self, title: str, total: int, begun: int = 0) -> Iterator[Advance]:
        """Prints title, share done and time left."""
        started = last = monotonic()
        spoken = ended = False

        def advance(done: int, text: str) -> None:
            nonlocal last, spoken, ended
            now, ended = monotonic(), done >= total
            if now - last < self._every or done >= total:
                return
            last, spoken = now, True
            left = time_left(now - started, done - begun, total - done)
            rest = "" if left is None else f", {clock(left)} left"
            self.say(f"{title}: {100 * done // total} %{text and ', ' + text}{rest}")

        yield advance
        if spoken and ended:
            self.say(f"{title}: done in {clock(monotonic() - started)}")


class Live:
    """Bars that move, one a task under way, with lines above them."""

    def __init__(self, console: Terminal) -> None:
        self._console = console
        self._bars: Progress | None = None

    def say(self, line: str) -> None:
        """Prints the line above the bars."""
        self._console.print(line)

    @contextmanager
    def task(self, title: str, total: int, begun: int = 0) -> Iterator[Advance]:
        """A bar that is gone when the task is."""
        bars = self._bars = self._bars or self._started()
        bar = bars.add_task(title, total=total, completed=begun, text="")
        try:
            yield lambda done, text: bars.update(bar, completed=done, text=text)
        finally:
            bars.remove_task(bar)
            if not bars.tasks:
                bars.stop()
                self._bars = None

    def _started(self) -> Progress:
        bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[text]}"),
            TimeRemainingColumn(compact=True),
            console=self._console,
            transient=True,
        )
        bars.start()
        return bars


def display_on_stderr() -> Display:
    """Live where stderr is a terminal, plain where it is not."""
    console = Terminal(stderr=True)
    return Live(console) if console.is_terminal else Plain(console)


def time_left(seconds: float, done: int, rest: int) -> float | None:
    """Seconds that ``rest`` takes when ``done`` took ``seconds``; None when nothing is done."""
    return seconds / done * rest if done > 0 else None


def clock(seconds: float) -> str:
    """A duration for people: ``42 s``, ``3:07``, ``2:05:09``."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{rest} s"
