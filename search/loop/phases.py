"""Phase of a run under way, in a file that other processes can read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from auxnas.backends.progress import Advance, Display, Forecast
from auxnas.compiler.files import atomic_write
from auxnas.search.storage.folders import PROGRESS

READING, LIMITS, PRETRAINING = "reading the data", "checking the limits", "pre-training"
STORING, SEARCHING = "storing features", "searching"
"""Phases of a run, in order."""

_PHASES = {
    "checking the data": READING,
    "reading the images": READING,
    "limits": LIMITS,
    "pre-training the encoder": PRETRAINING,
    "waiting for an encoder": PRETRAINING,
    "computing encoder outputs": STORING,
}
"""By what the titles of tasks begin with; all others are trials."""


@dataclass
class _Task:
    """Task under way: its total, the part done now, and what foretells the rest."""

    title: str
    total: int
    done: int
    text: str = ""
    forecast: Forecast = field(default_factory=Forecast)

    def row(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "task": self.title,
            "share": self.done / self.total,
            "text": self.text,
            "seconds_left": self.forecast.left(self.total - self.done),
        }


class RecordingDisplay:
    """A display that also keeps in a file what is under way.

    Args:
        display: destination of progress.
        folder: the run's; nothing is written before it is there.
        every: seconds from one writing to the next, tasks that begin or end apart.
    """

    def __init__(self, display: Display, folder: Path, every: float = 5.0) -> None:
        self._display, self._path, self._every = display, folder / PROGRESS, every
        self._tasks: list[_Task] = []
        self._phase, self._written = "", 0.0

    def say(self, line: str) -> None:
        """Passes it on."""
        self._display.say(line)

    @contextmanager
    def task(self, title: str, total: int, begun: int = 0) -> Iterator[Advance]:
        """Passes it on, and keeps how far it is."""
        task = _Task(title, total, begun)
        self._tasks.append(task)
        self._phase = next(
            (p for start, p in _PHASES.items() if title.startswith(start)), SEARCHING
        )
        self._write()

        def told(done: int, text: str = "") -> None:
            advance(done, text)
            task.done, task.text = done, text
            task.forecast.note(done, monotonic())
            if monotonic() - self._written >= self._every:
                self._write()

        with self._display.task(title, total, begun) as advance:
            yield told
        self._tasks.remove(task)  # not after an error: what was under way is still told then
        self._write()

    def _write(self) -> None:
        """Writes the file; without room for it the run goes on."""
        self._written = monotonic()
        value = {"phase": self._phase, "tasks": [task.row() for task in self._tasks]}
        if self._path.parent.is_dir():
            with suppress(OSError), atomic_write(self._path) as path:
                path.write_text(json.dumps(value) + "\n", encoding="utf-8")


def remove_phase(folder: Path) -> None:
    """Removes the file of a run that has ended."""
    (folder / PROGRESS).unlink(missing_ok=True)


def read_phase(folder: Path) -> tuple[str | None, list[dict[str, Any]]]:
    """The phase of the run in ``folder`` and its tasks under way, as last written; else None."""
    try:
        found = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
        rows = [
            {
                "task": str(row["task"]),
                "share": float(row["share"]),
                "text": str(row["text"]),
                "seconds_left": None if row["seconds_left"] is None else float(row["seconds_left"]),
            }
            for row in found["tasks"]
        ]
        return str(found["phase"]), rows
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None, []
