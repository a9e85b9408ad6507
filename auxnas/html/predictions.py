"""Predictions of the best network on validation images: the run's own picture, or a new one."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from auxnas.backends.progress import Silent
from auxnas.console import error_line
from auxnas.html.runs import Run
from auxnas.pictures import draw_predictions
from auxnas.pictures import prediction_examples as found
from auxnas.search.loop.context import RunContext
from auxnas.search.settings.recorded import recorded_settings, recorded_space
from auxnas.search.settings.search import Settings
from auxnas.search.trials.records import Trial


def prediction_picture(run: Run, cache: Path) -> tuple[bytes, str]:
    """A PNG picture of the best trial's predictions, and why there is none if there is none.

    The picture that the run left is taken where it is of its best trial; in a run under
    way the network that is kept looks at a few images itself.
    """
    if not run.best:
        return b"", "no trial has a reward yet"
    try:
        left = _left(run, run.best[0])
        return (left or _made(run, run.best[0], cache)), ""
    except (ValueError, OSError, RuntimeError) as error:
        return b"", error_line(error)


def _left(run: Run, best: Trial) -> bytes | None:
    """The picture beside ``best.json``, where both are of ``best``."""
    try:
        document = json.loads((run.folder / "best.json").read_text(encoding="utf-8"))
        if document["result"]["trial"] != best.number + 1:
            return None
        return (run.folder / "predictions.png").read_bytes()
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _made(run: Run, best: Trial, cache: Path) -> bytes:
    """A new picture; reads a few images and nothing more."""
    recorded_space(run.settings)  # which adds primitives of the user's own
    settings = recorded_settings(
        run.settings, Settings, "model.encoder", "task.name", "data.source"
    )
    context = RunContext(settings, run.folder, cache, Silent())
    with TemporaryDirectory() as folder:
        path = Path(folder) / "predictions.png"
        palette = context.data.training.dataset.palette
        draw_predictions(found(context, best), context.data.task, palette, path)
        return path.read_bytes()
