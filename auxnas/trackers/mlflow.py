"""MLflow: to ``$MLFLOW_TRACKING_URI``, else where MLflow keeps its runs by default."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auxnas.trackers.base import PROJECT, TrackedRun, Tracker
from auxnas.trackers.finding import library_of

_PARAMETERS, _LENGTH = 100, 500
"""Most parameters in a request, and characters of one."""


class MlflowTracker(Tracker):
    """A run of the experiment ``$MLFLOW_EXPERIMENT_NAME``, else ``auxnas``."""

    library = "mlflow"

    def __init__(self, run: TrackedRun) -> None:
        super().__init__(run)
        mlflow = library_of("mlflow")
        self._entities = mlflow.entities
        self._client = mlflow.MlflowClient()
        if run.identity:
            self._client.update_run(run.identity, status="RUNNING")
            self.identity = run.identity
            return
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        found = self._client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else self._client.create_experiment(name)
        self.identity = self._client.create_run(experiment, run_name=run.name).info.run_id
        param = mlflow.entities.Param
        rows = [param(key, str(value)[:_LENGTH]) for key, value in run.settings.items()]
        for start in range(0, len(rows), _PARAMETERS):
            self._client.log_batch(self.identity, params=rows[start : start + _PARAMETERS])

    def log_scalars(self, figures: Mapping[str, float], step: int) -> None:
        """Metrics at a step."""
        now, metric = int(1000 * time.time()), self._entities.Metric
        rows: list[Any] = [metric(name, value, now, step) for name, value in figures.items()]
        self._client.log_batch(self.identity, metrics=rows)

    def log_picture(self, name: str, path: Path) -> None:
        """An artefact of the run, which MLflow shows."""
        self._client.log_artifact(self.identity, str(path), "pictures")

    def log_file(self, path: Path) -> None:
        """An artefact of the run."""
        self._client.log_artifact(self.identity, str(path))

    def finish(self) -> None:
        """Marks the run as finished."""
        self._client.set_terminated(self.identity)
