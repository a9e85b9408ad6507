"""Watchers of a run: told of each trial, they change nothing."""

from __future__ import annotations

from typing import Protocol

from auxnas.search.evaluation.two_stages import StageProgress, ignore_progress
from auxnas.search.trials.records import Trial


class Watcher(Protocol):
    """Observer of a run's trials."""

    def started(self, trial: Trial) -> StageProgress:
        """A trial is about to be evaluated; returns its progress callback."""

    def finished(self, trial: Trial, trials: list[Trial]) -> None:
        """A trial has ended and is in the journal; ``trials`` are all so far."""


class Unwatched:
    """Watcher that shows nothing."""

    def started(self, trial: Trial) -> StageProgress:
        """Nothing."""
        return ignore_progress

    def finished(self, trial: Trial, trials: list[Trial]) -> None:
        """Nothing."""
