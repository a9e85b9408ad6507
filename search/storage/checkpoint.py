"""Checkpoint of a long training: state and history in one file that is always whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from auxnas.backends.base import TrainingState
from auxnas.backends.caching import make_private
from auxnas.backends.progress import Display
from auxnas.compiler import CompilerError
from auxnas.compiler.files import atomic_write, put_aside
from auxnas.compiler.temporaries import discard_temporaries
from auxnas.search.errors import RunLockedError
from auxnas.search.storage.cache import load_kept, save_kept
from auxnas.search.storage.lock import run_lock

NAME, LOG = "checkpoint.safetensors", "metrics.jsonl"
"""The checkpoint in a training's folder, and its history for people and plots."""
DAMAGED = "checkpoint.damaged.safetensors"
"""Name that a damaged checkpoint is moved to."""

Entry = Mapping[str, Any]
"""Log entry of a part of the training: ``epoch``, ``phase``, ``loss``, ``rate``, ``seconds``, and
after a validation its metrics."""
Told = Callable[[Sequence[Entry]], None]
"""Told of a training's history as it grows."""


def ignore_history(history: Sequence[Entry]) -> None:
    """Nothing."""


@dataclass(frozen=True)
class Checkpoint:
    """A training between two epochs.

    Attributes:
        state: the learner's state; None before the first epoch.
        history: an entry for every part so far.
    """

    state: TrainingState | None = None
    history: Sequence[Entry] = field(default_factory=tuple)

    @property
    def epoch(self) -> int:
        """Number of epochs done."""
        return int(self.history[-1]["epoch"]) if self.history else 0

    def save(self, folder: Path) -> None:
        """Writes both files, the checkpoint first: it is what counts."""
        save_kept(folder / NAME, self.state or {}, {"history": list(self.history)})
        self.write_log(folder)

    def write_log(self, folder: Path) -> None:
        """Writes the history."""
        with atomic_write(folder / LOG) as path:
            path.write_text("".join(json.dumps(entry) + "\n" for entry in self.history))

    @classmethod
    def load(cls, folder: Path, display: Display) -> Checkpoint:
        """The checkpoint in ``folder``; the beginning where there is none or it is damaged.

        What a killed process left of one half written is removed, and its log completed.
        """
        discard_temporaries(folder)
        if not (folder / NAME).exists():
            return cls()
        try:
            state, known = load_kept(folder / NAME)
            found = cls(state, tuple(known["history"]))
        except (CompilerError, KeyError, TypeError, ValueError) as error:
            kept = put_aside(folder / NAME, DAMAGED)
            display.say(
                f"the checkpoint is damaged ({error}) and kept as {kept}: training from the"
                " beginning"
            )
            return cls()
        found.write_log(folder)
        display.say(f"going on after epoch {found.epoch}")
        return found

    @staticmethod
    def remove(folder: Path) -> None:
        """Removes the checkpoint of a finished training; the log stays."""
        (folder / NAME).unlink(missing_ok=True)


@dataclass(frozen=True)
class CheckpointFolder:
    """Folder of the checkpoints of some trainings, each in a folder in it.

    Attributes:
        path: the folder.
        apart: whether it is in a cache, where trainings of all runs have theirs; else those
            folders are the trainings' own.
    """

    path: Path
    apart: bool = False

    @contextmanager
    def of(self, name: str, key: str) -> Iterator[Path]:
        """The folder of a training, or one for a while where another attempt at it has that.

        Args:
            name: of the training's own folder.
            key: digest of all that decides what the training comes to.
        """
        folder = self.path / (key if self.apart else name)
        make_private(folder)
        with ExitStack() as held:
            try:
                held.enter_context(run_lock(folder))
            except RunLockedError:
                folder = Path(held.enter_context(TemporaryDirectory()))
            yield folder
