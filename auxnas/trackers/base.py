"""Tracker: a log of one run or training in another tool."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = "auxnas"
"""Project, or experiment, of all runs where the tool's own variable names none."""


@dataclass(frozen=True)
class TrackedRun:
    """A run or a training, as a tracker is told of it when it is made.

    Attributes:
        name: of its folder.
        folder: its folder.
        settings: by dotted name, plain data.
        identity: what ``Tracker.identity`` was in the session before; empty in the first.
    """

    name: str
    folder: Path
    settings: Mapping[str, Any]
    identity: str = ""


class Tracker(ABC):
    """Log of one run; one of your own is a subclass, made with a ``TrackedRun``.

    To make it begins the log, or goes on with that of ``run.identity``. Any method may raise:
    the run goes on without it.

    Attributes:
        library: module that has to be there, of the extra of its name; empty for none.
        anew: whether every session writes the whole run from the beginning.
        identity: text by which a later session goes on with the same log.
    """

    library: str = ""
    anew: bool = False
    identity: str = ""

    def __init__(self, run: TrackedRun) -> None:
        self.run = run

    @abstractmethod
    def log_scalars(self, figures: Mapping[str, float], step: int) -> None:
        """Logs numbers by name; a step is a trial, from 1, or an epoch. Steps may go back."""

    @abstractmethod
    def log_picture(self, name: str, path: Path) -> None:
        """Logs a picture at the end of the run."""

    @abstractmethod
    def log_file(self, path: Path) -> None:
        """Logs a file that the run leaves at its end."""

    def flush(self) -> None:
        """Writes what is logged so far; by default that has been done."""
        return

    @abstractmethod
    def finish(self) -> None:
        """Ends the session's part of the log."""
