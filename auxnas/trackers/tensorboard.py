"""TensorBoard: event files in the run's folder ``tensorboard``.

Each session writes the whole run anew, so nothing is missing or there twice however the sessions
before it ended; event files of others stay.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from auxnas.compiler.files import atomic_write
from auxnas.trackers.base import TrackedRun, Tracker
from auxnas.trackers.finding import library_of

FOLDER = "tensorboard"
"""In a run's folder."""
OWN = "sessions.json"
"""In that: names of the event files that are ours."""


class TensorboardTracker(Tracker):
    """Event files; those of our earlier sessions are replaced."""

    library = "tensorboard"
    anew = True

    def __init__(self, run: TrackedRun) -> None:
        super().__init__(run)
        folder = run.folder / FOLDER
        make = library_of("tensorboard.summary").Writer
        _discard(folder)
        before = _events(folder)
        self._writer = make(str(folder))
        with atomic_write(folder / OWN) as path:
            path.write_text(json.dumps(sorted(_events(folder) - before)))

    def log_scalars(self, figures: Mapping[str, float], step: int) -> None:
        """Scalars by tag."""
        for tag, value in figures.items():
            self._writer.add_scalar(tag, value, step)

    def log_picture(self, name: str, path: Path) -> None:
        """Nothing: TensorBoard shows what is in the folder's files of events alone."""

    def log_file(self, path: Path) -> None:
        """Nothing: the file is in the run's folder as it is."""

    def flush(self) -> None:
        """Writes what is logged so far."""
        self._writer.flush()

    def finish(self) -> None:
        """Closes the file."""
        self._writer.close()


def _events(folder: Path) -> set[str]:
    """Names of event files, whoever wrote them."""
    return {path.name for path in folder.glob("events.out.tfevents.*")}


def _discard(folder: Path) -> None:
    """Removes the event files of our earlier sessions; none behind a link."""
    if folder.is_symlink():
        return
    try:
        own = json.loads((folder / OWN).read_text())
    except (OSError, ValueError):
        return
    names = [name for name in own if isinstance(name, str)] if isinstance(own, list) else []
    for name in _events(folder).intersection(names):
        (folder / name).unlink(missing_ok=True)
