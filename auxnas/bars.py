"""How far things are, on stderr: a bar on a terminal, elsewhere now and then a line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from auxnas.console import note
from auxnas.terminal import Terminal

_EVERY = 0.25
"""Seconds between two drawings."""
_LINE_EVERY = 15.0
"""Seconds between two lines, and before the first."""


class Bar:
    """Shows how many of a total are done."""

    def __init__(self, shown: Progress, title: str, total: int) -> None:
        self._shown, self._title, self._total = shown, title, total
        self._every = _LINE_EVERY if shown.disable else _EVERY
        self._drawn = monotonic()
        self._task = shown.add_task(title, total=total)

    def advance(self, done: int) -> None:
        """Tells how many are done; draws now and then."""
        self._shown.update(self._task, completed=done)
        now = monotonic()
        if now - self._drawn <= self._every:
            return
        self._drawn = now
        if self._shown.disable:
            note(f"{self._title}: {done}/{self._total}")
        else:
            self._shown.refresh()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Takes the bar away while a line is printed."""
        self._shown.stop()
        yield
        self._shown.start()


@contextmanager
def bar(title: str, total: int) -> Iterator[Bar]:
    """A bar that is gone when the work is.

    It is drawn within ``Bar.advance`` only, never by a thread of its own: what is timed
    between two calls runs alone.
    """
    console = Terminal(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(
        *columns,
        console=console,
        transient=True,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=not console.is_terminal,
    ) as shown:
        yield Bar(shown, title, total)
