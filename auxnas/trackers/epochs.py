"""A long training's epochs as figures for trackers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from auxnas.search.settings.resolving import flatten
from auxnas.search.settings.training import TrainingSettings
from auxnas.search.storage.checkpoint import Entry
from auxnas.trackers.base import Tracker
from auxnas.trackers.session import Trackers

_STEPS = ("epoch", "phase")


class EpochLog:
    """Tells trackers of each part of a training, in the sessions that it has.

    Args:
        trackers: begun at the first part, when the training's folder is there.
        folder: the training's.
        settings: its settings.
    """

    def __init__(self, trackers: Trackers, folder: Path, settings: TrainingSettings) -> None:
        self._trackers, self._folder = trackers, folder
        self._settings = dict(flatten(settings.model_dump(mode="json")))

    def __call__(self, history: Sequence[Entry]) -> None:
        """Logs the entries that are new; a step is an epoch."""
        trackers = self._trackers
        for track in trackers.tracks or trackers.begin(self._folder, self._settings):
            for entry in history[track.logged("epochs") :]:
                track.tell(partial(_log_entry, entry))
            track.record(epochs=len(history))


def _log_entry(entry: Entry, tracker: Tracker) -> None:
    numbers = {name: value for name, value in entry.items() if isinstance(value, int | float)}
    figures = {name: float(value) for name, value in numbers.items() if name not in _STEPS}
    tracker.log_scalars(figures, int(entry["epoch"]))
