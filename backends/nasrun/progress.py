"""A bar on stderr, where that is a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

_EVERY = 0.25
"""Seconds between two drawings."""


class Bar:
    """Shows how many of a total are done."""

    def __init__(self, shown: Progress, title: str, total: int) -> None:
        self._shown, self._drawn = shown, 0.0
        self._task = shown.add_task(title, total=total)

    def advance(self, done: int) -> None:
        """Tells how many are done; draws now and then."""
        self._shown.update(self._task, completed=done)
        if monotonic() - self._drawn > _EVERY:
            self._drawn = monotonic()
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
    console = Console(stderr=True)
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
