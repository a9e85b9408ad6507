"""Progress on stderr: bars on a terminal, elsewhere now and then a line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from auxnas.backends.progress import Advance, Forecast, format_duration
from auxnas.terminal import Terminal

_EVERY = 0.25
"""Seconds between two drawings of a bar."""


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
        spoken, ended, forecast = False, False, Forecast()

        def advance(done: int, text: str = "") -> None:
            nonlocal last, spoken, ended
            now, ended = monotonic(), done >= total
            forecast.note(done, now)
            if now - last < self._every or done >= total:
                return
            last, spoken = now, True
            left = forecast.left(total - done)
            rest = "" if left is None else f", {format_duration(left)} left"
            self.say(f"{title}: {100 * done // total} %{text and ', ' + text}{rest}")

        yield advance
        if spoken and ended:
            self.say(f"{title}: done in {format_duration(monotonic() - started)}")

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Nothing is in the way of a line on stdout."""
        yield


class Live:
    """Bars that move, one a task under way, with lines above them.

    They are drawn within ``Advance`` and ``say`` only, never by a thread of their own: what
    is timed between two calls runs alone.
    """

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

        drawn = 0.0

        def advance(done: int, text: str = "") -> None:
            nonlocal drawn
            due = monotonic() - drawn > _EVERY
            bars.update(bar, completed=done, text=text, refresh=due)
            drawn = monotonic() if due else drawn

        try:
            yield advance
        finally:
            bars.remove_task(bar)
            if not bars.tasks:
                bars.stop()
                self._bars = None

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Takes the bars away while a line is printed on stdout."""
        bars = self._bars
        if bars is not None:
            bars.stop()
        yield
        if bars is not None:
            bars.start()

    def _started(self) -> Progress:
        bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[text]}"),
            TimeRemainingColumn(compact=True),
            console=self._console,
            transient=True,
            auto_refresh=False,
        )
        bars.start()
        return bars


def display_on_stderr() -> Live | Plain:
    """Live where stderr is a terminal, plain where it is not."""
    console = Terminal(stderr=True)
    return Live(console) if console.is_terminal else Plain(console)
