"""A run's figures for TensorBoard.

A step is a trial's number, as ``nassearch top`` counts; of the controller, how many trials
it had been told. Each session writes the whole run anew, out of the journal, so nothing is
missing or there twice however the sessions before it ended (of very many trials some, evenly
apart); and it writes in the order of
the trials, whatever order they end in: TensorBoard takes a step back for a restart and
forgets what came after it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from auxnas.backends.base import BackendUnavailable
from auxnas.compiler.files import atomic_write
from auxnas.search.evaluation.two_stages import StageProgress, proceed_probability
from auxnas.search.loop.watching import Watcher
from auxnas.search.settings.search import Settings
from auxnas.search.storage.journal import Journal
from auxnas.search.trials.records import PENDING, SCORED, Trial

FOLDER = "tensorboard"
"""In a run's folder."""
OWN = "sessions.json"
"""In that: names of the event files that are ours."""

SHOWN = 5_000
"""Trials of earlier sessions that a session writes again, about: a long run's stand evenly apart.
TensorBoard shows 1,000 of them."""

Updates = Sequence[Mapping[str, float]]
"""Updates of a controller, each with ``told`` and its figures."""


def require_tensorboard() -> Any:
    """The class that writes event files.

    Raises:
        BackendUnavailable: when TensorBoard is not installed.
    """
    try:
        from tensorboard.summary import Writer
    except ModuleNotFoundError as error:
        raise BackendUnavailable("tensorboard = true", str(error.name), "report") from None
    return Writer


@contextmanager
def with_tensorboard(
    settings: Settings, folder: Path, journal: Journal, watcher: Watcher
) -> Iterator[Watcher]:
    """``watcher``, with TensorBoard told of everything too where the settings ask for it.

    Args:
        settings: of the run.
        folder: the run's.
        journal: the run's; knows what the controller has come to.
        watcher: another watcher, told of the same.

    Raises:
        BackendUnavailable: when TensorBoard is needed and not installed.
    """
    if not settings.tensorboard:
        yield watcher
        return

    search = settings.search
    p = partial(proceed_probability, search.proceed, search.proceed_half_life)
    with Board(folder / FOLDER, journal.trials(), journal.updates, p, watcher) as board:
        yield board


class Board:
    """Writes event files, and passes all it is told on to another watcher. Use it in ``with``.

    Args:
        folder: where to; event files of earlier sessions are replaced.
        trials: those of earlier sessions.
        updates: the controller's so far, after the first so many; none of a searcher without one.
        proceed: p at a trial's number, from 0.
        watcher: the other one.
    """

    def __init__(
        self,
        folder: Path,
        trials: list[Trial],
        updates: Callable[[int], Updates],
        proceed: Callable[[int], float],
        watcher: Watcher,
    ) -> None:
        self._updates, self._proceed, self._watcher = updates, proceed, watcher
        self._written = self._learnt = 0
        self._best = -inf
        make = require_tensorboard()
        _discard(folder)
        before = _events(folder)
        self._writer = make(str(folder))
        with atomic_write(folder / OWN) as path:
            path.write_text(json.dumps(sorted(_events(folder) - before)))
        self._catch_up(trials, max(1, len(trials) // SHOWN))

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.close()

    def started(self, trial: Trial) -> StageProgress:
        """Passes it on."""
        return self._watcher.started(trial)

    def finished(self, trial: Trial, trials: list[Trial]) -> None:
        """Writes what is known now, and passes it on."""
        self._watcher.finished(trial, trials)
        self._catch_up(trials)

    def _catch_up(self, trials: list[Trial], every: int = 1) -> None:
        """Writes trials up to the first that has not ended, and the controller's updates.

        Args:
            trials: all so far.
            every: one in so many is written.
        """
        while self._written < len(trials) and trials[self._written].state != PENDING:
            trial = trials[self._written]
            if trial.state in SCORED and trial.reward is not None:
                self._best = max(trial.reward, self._best)
            if self._written % every == 0:
                self._trial(trial)
            self._written += 1
        for update in self._updates(self._learnt):
            if self._learnt % every == 0:
                figures = {f"controller/{name}": v for name, v in update.items() if name != "told"}
                self._write(figures, int(update["told"]))
            self._learnt += 1
        self._writer.flush()

    def _trial(self, trial: Trial) -> None:
        figures = dict(_figures(trial)) | {"p": self._proceed(trial.number)}
        if self._best > -inf:
            figures["best"] = self._best
        self._write(figures, trial.number + 1)

    def _write(self, figures: Mapping[str, float], step: int) -> None:
        for tag, value in figures.items():
            self._writer.add_scalar(tag, value, step)


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


def _figures(trial: Trial) -> Iterator[tuple[str, float]]:
    """Figures of a trial that has ended, by tag."""
    if trial.reward is not None:
        yield "reward", trial.reward
    if trial.latency is not None:
        yield "latency_ms", trial.latency
    for number, stage in enumerate(trial.stages, 1):
        yield f"stage{number}/reward", stage.reward
        yield f"stage{number}/seconds", stage.seconds
        for name, value in stage.metrics.items():
            yield f"stage{number}/{name}", value
