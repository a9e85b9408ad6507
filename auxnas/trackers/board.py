"""A run's trials, and its controller's updates, as figures for trackers.

A step is a trial's number, as ``nassearch top`` counts; of the controller, how many trials it had
been told. Trials are written in their order, whatever order they end in: TensorBoard takes a step
back for a restart and forgets what came after it. A tracker that is written anew by each session
gets the whole run out of the journal (of very many trials some, evenly apart); another goes on
behind what the sessions before have logged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import inf

from auxnas.search.evaluation.two_stages import StageProgress, proceed_probability
from auxnas.search.loop.context import RunContext
from auxnas.search.loop.watching import Watcher
from auxnas.search.settings.resolving import flatten
from auxnas.search.storage.journal import Journal
from auxnas.search.trials.records import PENDING, SCORED, Trial
from auxnas.trackers.session import Track, Trackers, names_of
from auxnas.trackers.tensorboard import FOLDER

SHOWN = 5_000
"""Trials of earlier sessions that a session writes again, about: a long run's stand evenly apart.
TensorBoard shows 1,000 of them."""

Updates = Sequence[Mapping[str, float]]
"""Updates of a controller, each with ``told`` and its figures."""


def run_trackers(context: RunContext, log: Sequence[str] = ()) -> Trackers:
    """The trackers of a run: those in ``log``, of its earlier sessions, and in its settings.

    Raises:
        PluginError: for a name that is none.
        SettingsError: for code that a file alone asks for.
        BackendUnavailable: when the library of one is not installed.
    """
    asked = [*log, *[FOLDER] * context.settings.tensorboard]
    return Trackers(names_of(context.folder, asked), context.display)


def with_trackers(
    trackers: Trackers, context: RunContext, journal: Journal, watcher: Watcher
) -> Watcher:
    """``watcher``, with each tracker told of everything too."""
    search = context.settings.search
    p = partial(proceed_probability, search.proceed, search.proceed_half_life)
    settings = dict(flatten(context.settings.model_dump(mode="json")))
    for track in trackers.begin(context.folder, settings):
        watcher = Board(track, journal.trials(), journal.updates, p, watcher)
    return watcher


class Board:
    """Tells one tracker of trials, and passes all it is told on to another watcher.

    Args:
        track: the tracker's.
        trials: those of earlier sessions.
        updates: the controller's so far, after the first so many; none of a searcher without one.
        proceed: p at a trial's number, from 0.
        watcher: the other one.
    """

    def __init__(
        self,
        track: Track,
        trials: list[Trial],
        updates: Callable[[int], Updates],
        proceed: Callable[[int], float],
        watcher: Watcher,
    ) -> None:
        self._track, self._updates = track, updates
        self._proceed, self._watcher = proceed, watcher
        self._first, self._learnt = track.logged("trials"), track.logged("updates")
        self._written, self._best = 0, -inf
        self._catch_up(trials, max(1, (len(trials) - self._first) // SHOWN))

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
            if self._written >= self._first and self._written % every == 0:
                self._trial(trial)
            self._written += 1
        for update in self._updates(self._learnt):
            if self._learnt % every == 0:
                figures = {f"controller/{name}": v for name, v in update.items() if name != "told"}
                self._write(figures, int(update["told"]))
            self._learnt += 1
        self._track.record(trials=max(self._written, self._first), updates=self._learnt)

    def _trial(self, trial: Trial) -> None:
        figures = dict(_figures(trial)) | {"p": self._proceed(trial.number)}
        if self._best > -inf:
            figures["best"] = self._best
        self._write(figures, trial.number + 1)

    def _write(self, figures: Mapping[str, float], step: int) -> None:
        self._track.tell(lambda tracker: tracker.log_scalars(figures, step))


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
