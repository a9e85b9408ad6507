"""Trackio: into its local database, in ``$TRACKIO_DIR`` where that is set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from auxnas.trackers.base import PROJECT, TrackedRun, Tracker
from auxnas.trackers.finding import library_of


class TrackioTracker(Tracker):
    """A run of the project ``$TRACKIO_PROJECT``, else ``auxnas``."""

    library = "trackio"

    def __init__(self, run: TrackedRun) -> None:
        super().__init__(run)
        self._trackio = library_of("trackio")
        self.identity = run.identity or f"{run.name}-{uuid4().hex[:6]}"
        self._run = self._trackio.init(
            os.environ.get("TRACKIO_PROJECT", PROJECT),
            self.identity,
            config=dict(run.settings),
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def log_scalars(self, figures: Mapping[str, float], step: int) -> None:
        """Figures at a step."""
        self._run.log(dict(figures), step=step)

    def log_picture(self, name: str, path: Path) -> None:
        """An image of the run."""
        self._run.log({name: self._trackio.Image(str(path))})

    def log_file(self, path: Path) -> None:
        """An artefact of the run."""
        self._run.log_artifact(str(path))

    def finish(self) -> None:
        """Waits for the database, and ends the session."""
        self._run.finish()
