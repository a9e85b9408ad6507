"""A bar on stderr, where that is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

Advance = Callable[[int], None]
"""Called with how many of the total are done."""

_EVERY = 0.25
"""Seconds between two drawings."""


@contextmanager
def bar(title: str, total: int) -> Iterator[Advance]:
    """A bar that is gone when the work is.

    It is drawn within ``Advance`` only, never by a thread of its own: what is timed
    between two calls runs alone.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(compact=True),
    )
    shown = Progress(
        *columns,
        console=console,
        transient=True,
        auto_refresh=False,
        disable=not console.is_terminal,
    )
    drawn = 0.0
    with shown:
        task = shown.add_task(title, total=total)

        def advance(done: int) -> None:
            nonlocal drawn
            shown.update(task, completed=done)
            if monotonic() - drawn > _EVERY:
                drawn = monotonic()
                shown.refresh()

        yield advance
