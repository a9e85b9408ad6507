"""Trials of a run, with what the loop asks of them kept as they end rather than searched for."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from itertools import groupby

from auxnas.search.trials.records import PENDING, REUSED, SCORED, Trial


class Ledger:
    """The trials of a run and their standing.

    Before batch k is asked for, the searcher is told of the trials below ``first - lag``, where
    ``first`` is the number of the batch's first trial; of these and no others its early-stop
    baseline is the mean. So what a trial depends on is fixed by its number, whichever end first.

    Args:
        trials: those of the journal, in order; not changed.
        lag: number of the last trials before a batch that it does not depend on.
        reuse: whether a trial waits for an isomorphic earlier one, whose reward it may share.

    Attributes:
        trials: all, in order.
        under_way: numbers of those that are being evaluated.
        told: how many of the first trials the searcher has been told of.
        ended: how many of the first trials have all ended.
    """

    def __init__(self, trials: Iterable[Trial] = (), lag: int = 0, reuse: bool = True) -> None:
        self.trials: list[Trial] = []
        self.under_way: set[int] = set()
        self.told = self.ended = 0
        self._lag, self._reuse = lag, reuse
        self._ready: list[int] = []
        self._waiting: dict[str, deque[int]] = {}
        self._sources: dict[str, Trial] = {}
        self._baselines: list[float | None] = []
        self._summed, self._sum, self._scored = 0, 0.0, 0
        self._closed = False
        self._ranked: list[tuple[float, int]] = []
        for _, members in groupby(trials, key=lambda trial: trial.batch):
            self.told = self._due
            self.add(list(members))
        if self._due <= self.ended:
            self.told = self._due

    @property
    def batches(self) -> int:
        """Number of batches."""
        return len(self._baselines)

    @property
    def _due(self) -> int:
        """Trials that the searcher is to be told of before it is asked again."""
        return max(0, len(self.trials) - self._lag)

    @property
    def open(self) -> bool:
        """Whether the next batch can be asked for: all that it depends on has ended."""
        return self.told == self._due and not self._closed

    def close(self) -> None:
        """Lets no batch follow."""
        self._closed = True

    def add(self, members: Sequence[Trial]) -> None:
        """Adds the next batch."""
        self._baselines.append(self._mean_first_reward(self._due))
        self.trials += members
        for trial in members:
            if trial.state != PENDING:
                self._note_end(trial)
            elif not self._reuse:
                heappush(self._ready, trial.number)
            else:
                line = self._waiting.setdefault(trial.key, deque())
                if not line:
                    heappush(self._ready, trial.number)
                line.append(trial.number)

    def _mean_first_reward(self, below: int) -> float | None:
        """Mean stage-1 reward of the scored trials below a number that only grows."""
        for trial in self.trials[self._summed : below]:
            if trial.state in SCORED:
                self._sum += trial.stages[0].reward
                self._scored += 1
        self._summed = below
        return self._sum / self._scored if self._scored else None

    def baseline(self, trial: Trial) -> float | None:
        """Mean stage-1 reward of what its batch depends on; None where nothing is scored."""
        return self._baselines[trial.batch]

    def ready(self) -> Trial | None:
        """The first trial that can begin; the isomorphic ones behind one that can wait for it."""
        return self.trials[self._ready[0]] if self._ready else None

    def begin(self) -> None:
        """Takes the first trial that can begin as under way."""
        self.under_way.add(heappop(self._ready))

    def put_back(self, number: int) -> None:
        """Takes a trial that was under way as one that can begin."""
        self.under_way.remove(number)
        heappush(self._ready, number)

    def end(self, trial: Trial) -> None:
        """Takes a trial that was under way as ended, as it is."""
        self.under_way.remove(trial.number)
        self.trials[trial.number] = trial
        self._note_end(trial)
        line = self._waiting.get(trial.key)
        if line:
            line.popleft()
            if line:
                heappush(self._ready, line[0])
            else:
                del self._waiting[trial.key]

    def _note_end(self, trial: Trial) -> None:
        if trial.state in SCORED:
            insort(self._ranked, (-(trial.reward or 0.0), trial.number))
        if self._reuse and trial.state in SCORED:
            self._sources.setdefault(trial.key, trial)
        while self.ended < len(self.trials) and self.trials[self.ended].state != PENDING:
            self.ended += 1

    def best(self, count: int) -> list[Trial]:
        """The first ``count`` of ``best_of(trials)``."""
        return [self.trials[number] for _, number in self._ranked[:count]]

    def reused(self, trial: Trial) -> Trial | None:
        """``trial`` with the reward of an isomorphic earlier one; None when there is none."""
        source = self._sources.get(trial.key)
        if source is None:
            return None
        return replace(trial, state=REUSED, reward=source.reward, source=source.number)

    def tell(self) -> list[Trial]:
        """Trials that the searcher is to be told of now; none before all of them have ended."""
        first, due = self.told, self._due
        if due > self.ended:
            return []
        self.told = due
        return self.trials[first:due]
