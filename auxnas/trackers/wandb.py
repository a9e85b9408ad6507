"""Weights & Biases: online or, with ``$WANDB_MODE`` offline, into the run's folder ``wandb``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from auxnas.trackers.base import PROJECT, TrackedRun, Tracker
from auxnas.trackers.finding import library_of

STEP = "step"
"""Figure that the others are drawn over: W&B's own steps never go back."""


class WandbTracker(Tracker):
    """A run of the project ``$WANDB_PROJECT``, else ``auxnas``."""

    library = "wandb"

    def __init__(self, run: TrackedRun) -> None:
        super().__init__(run)
        self._wandb = library_of("wandb")
        self.identity = run.identity or uuid4().hex[:12]
        self._run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=run.name,
            id=self.identity,
            resume="allow",
            dir=str(run.folder),
            config=dict(run.settings),
            settings=self._wandb.Settings(silent=True, console="off"),
        )
        self._run.define_metric(STEP)
        self._run.define_metric("*", step_metric=STEP)

    def log_scalars(self, figures: Mapping[str, float], step: int) -> None:
        """Figures over our step."""
        self._run.log({**figures, STEP: step})

    def log_picture(self, name: str, path: Path) -> None:
        """An image of the run."""
        self._run.log({name: self._wandb.Image(str(path))})

    def log_file(self, path: Path) -> None:
        """A file of the run."""
        self._run.save(str(path), base_path=str(path.parent), policy="now")

    def finish(self) -> None:
        """Ends the session."""
        self._run.finish()
