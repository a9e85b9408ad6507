"""The loop of a search: propose a batch, evaluate its trials, tell the searcher.

Everything that a trial's outcome depends on is in its job: the genotype, a seed derived
from the run's seed and the trial's number, and what the earlier batches came to. So a
run gives the same journal whether it is left alone, interrupted or killed and continued,
and in whatever order a batch's trials end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile
from math import isfinite
from typing import Protocol

from auxnas.backends.progress import Silent
from auxnas.compiler import Program
from auxnas.genotype import Genotype
from auxnas.search.errors import SearchError
from auxnas.search.evaluation.two_stages import proceed_probability
from auxnas.search.executors.base import Executor, outcome_fault
from auxnas.search.loop.bounds import RunClock, Until
from auxnas.search.loop.proposals import Measure, draw_proposals
from auxnas.search.loop.replay import (
    AskRecorder,
    due_snapshot,
    is_over,
    restore_searcher,
    tell_searcher,
)
from auxnas.search.loop.watching import Watcher
from auxnas.search.searchers import Searcher
from auxnas.search.settings.search import LatencySettings, LimitSettings
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.schema import Snapshot
from auxnas.search.trials.limits import weighted_reward
from auxnas.search.trials.records import (
    FAILED,
    LOST,
    PENDING,
    REUSED,
    SCORED,
    Failure,
    Figures,
    Job,
    Outcome,
    Trial,
    trial_seed,
)


class WeightKeeper(Protocol):
    """Store of the best trials' networks."""

    def keep(self, trial: Trial, program: Program) -> None:
        """Stores a network, before the journal knows of it."""

    def prune(self, trials: list[Trial]) -> None:
        """Drops all but the best ones'."""


@dataclass(frozen=True)
class Rules:
    """Rules by which a run decides.

    Attributes:
        seed: everything random derives from it.
        batch: genotypes proposed at a time.
        proceed: p of section 3.2.1 at the first trial.
        half_life: trials in which it falls by half.
        retries: how often a job that the machine lost is begun again.
        reuse: whether isomorphic genotypes share a reward.
        limits: on the costs of a genotype that is tried.
        latency: weight of latency in a reward.
    """

    seed: int
    batch: int
    proceed: float
    half_life: float
    retries: int = 2
    reuse: bool = True
    limits: LimitSettings = field(default_factory=LimitSettings)
    latency: LatencySettings = field(default_factory=LatencySettings)


@dataclass(frozen=True)
class Driver:
    """A run in progress."""

    journal: Journal
    searcher: Searcher
    executor: Executor
    measure: Measure
    rules: Rules
    weights: WeightKeeper
    watcher: Watcher
    clock: RunClock = field(default_factory=RunClock)
    say: Callable[[str], None] = Silent().say
    _known: dict[str, Figures | None] = field(default_factory=dict, init=False)
    _losses: Counter[int] = field(default_factory=Counter, init=False)

    def run(self, until: Until) -> list[Trial]:
        """Goes on to the bound given; returns all trials.

        Safe to interrupt or kill at any moment: what has ended is kept, and another driver
        of the same journal, in this process or the next, goes on from there.

        Raises:
            SearchError: when no proposal is within the limits, or a worker cannot work.
            JournalError: when the journal cannot be written.
        """
        trials = self.journal.trials()
        restore_searcher(self.searcher, self.journal, trials, self.say)
        self.weights.prune(trials)
        under_way: set[int] = set()
        while True:
            self._start(trials, under_way, until)
            if not under_way:
                return trials
            number, outcome = self.executor.next()
            if number not in under_way:
                found = f"trial {number + 1} ended, which is not under way"
                raise SearchError("search.executor", found, "each job that was submitted, once")
            fault = outcome_fault(outcome)
            if fault is not None:
                raise SearchError("search.executor", f"trial {number + 1} ended as {fault}")
            under_way.remove(number)
            if outcome.state == LOST:
                outcome = self._lost(number, outcome)
            if outcome.state != LOST:
                self._end(self._judged(trials[number], outcome), trials)

    def _start(self, trials: list[Trial], under_way: set[int], until: Until) -> None:
        """Begins as many trials as there are places for."""
        while len(under_way) < self.executor.places:
            trial = self._next(trials, under_way, until)
            if trial is None:
                return
            reused = self._reused(trial, trials)
            if reused is not None:
                self._end(reused, trials)
                continue
            self.executor.submit(self.job(trial, trials), self.watcher.started(trial))
            under_way.add(trial.number)

    def _lost(self, number: int, outcome: Outcome) -> Outcome:
        """A lost outcome, whose trial stays pending and is begun again; at last a failed one.

        Losses are counted from the start of this process.
        """
        failure = outcome.failure or Failure("crash", "lost")
        self._losses[number] += 1
        losses = self._losses[number]
        if losses <= self.rules.retries:
            self.say(f"trial {number + 1}: lost ({failure.detail}), begun again with the same seed")
            return outcome
        detail = f"{failure.detail}, lost {losses} times" if losses > 1 else failure.detail
        return replace(outcome, state=FAILED, failure=replace(failure, detail=detail))

    def _next(self, trials: list[Trial], under_way: set[int], until: Until) -> Trial | None:
        """The trial to begin next; None while there is none.

        Trials begin in order, and one waits for an isomorphic one that is under way: it
        may share that one's reward.
        """
        pending = [trial for trial in trials if trial.state == PENDING]
        if not until.begins(len(trials) - len(pending) + len(under_way), self.clock.total):
            return None
        if not pending:
            pending = self._propose(trials)
        trial = next((trial for trial in pending if trial.number not in under_way), None)
        if trial is None or not self.rules.reuse:
            return trial
        return None if any(trials[n].key == trial.key for n in under_way) else trial

    def _propose(self, trials: list[Trial]) -> list[Trial]:
        """Adds the next batch to ``trials`` and to the journal, as pending; empty at the end.

        Raises:
            SearchError: when there is none at all.
        """
        batch = trials[-1].batch + 1 if trials else 0
        self._known.update({trial.key: _figures(trial) for trial in trials})
        rules = self.rules
        asked = AskRecorder(self.searcher)
        drawn, rejected = draw_proposals(asked, rules.batch, self._figures, rules.limits, self.say)
        if not (drawn or trials):
            raise SearchError("search.searcher", "proposed nothing", "genotypes, of its first ask")
        if not drawn:
            self.say(f"search.searcher: no more proposals after {len(trials)} trials")
            return []
        fresh = [self._pending(n, batch, *pair) for n, pair in enumerate(drawn, len(trials))]
        self.journal.propose(fresh, asked.counts, rejected, self.clock.session)
        trials += fresh
        return fresh

    def _pending(
        self, number: int, batch: int, genotype: Genotype, figures: Figures | None
    ) -> Trial:
        seed = trial_seed(self.rules.seed, number)
        trial = Trial(number, batch, genotype, genotype.key(), seed)
        if figures is None:
            return trial
        return replace(
            trial,
            parameters=figures.parameters,
            multiply_adds=figures.multiply_adds,
            latency=figures.latency,
        )

    def _figures(self, genotype: Genotype) -> Figures | None:
        """Costs of a genotype's network; measured once for each isomorphism class."""
        key = genotype.key()
        if key not in self._known:
            self._known[key] = self.measure(genotype)
        return self._known[key]

    def _end(self, ended: Trial, trials: list[Trial]) -> None:
        """Records a trial that has ended: in ``trials``, the journal, and the searcher."""
        trials[ended.number] = ended
        update, searcher = self._learn(ended.batch, trials)
        self.journal.finish(ended, searcher, self.clock.session, update)
        self.weights.prune(trials)
        self.watcher.finished(ended, trials)

    def _reused(self, trial: Trial, trials: list[Trial]) -> Trial | None:
        """``trial`` with the reward of an isomorphic one; None when there is none."""
        if not self.rules.reuse:
            return None
        for earlier in trials[: trial.number]:
            if earlier.key == trial.key and earlier.state in SCORED:
                return replace(trial, state=REUSED, reward=earlier.reward, source=earlier.number)
        return None

    def _judged(self, trial: Trial, outcome: Outcome) -> Trial:
        """``trial`` as it ended; its network is kept before the journal knows of it.

        A failed one has the stages before the first without a finite reward.
        """
        ended = replace(trial, state=outcome.state, stages=outcome.stages, failure=outcome.failure)
        if outcome.state == FAILED:
            scored = takewhile(lambda stage: isfinite(stage.reward), outcome.stages)
            return replace(ended, stages=tuple(scored))
        rewards = [stage.reward for stage in outcome.stages]
        if not all(map(isfinite, rewards)):
            failure = Failure("nan", f"rewards {', '.join(map(str, rewards))}")
            return replace(trial, state=FAILED, failure=failure)
        reward = weighted_reward(rewards[-1], trial.latency, self.rules.latency)
        ended = replace(ended, reward=reward)
        if outcome.program is not None:
            self.weights.keep(ended, outcome.program)
        return ended

    def job(self, trial: Trial, trials: list[Trial]) -> Job:
        """The job of ``trial``: all that its outcome may depend on."""
        start, half_life = self.rules.proceed, self.rules.half_life
        proceed = proceed_probability(start, half_life, trial.number)
        baseline = mean_first_reward(trials, trial.batch)
        return Job(trial.number, trial.genotype, trial.seed, baseline, proceed)

    def _learn(
        self, batch: int, trials: list[Trial]
    ) -> tuple[Mapping[str, float] | None, Snapshot | None]:
        """Tells the searcher of a batch that is over; its update, and itself when due."""
        members = [trial for trial in trials if trial.batch == batch]
        if not is_over(members):
            return None, None
        update = tell_searcher(self.searcher, members)
        return update, due_snapshot(self.journal, self.searcher, batch, len(trials))


def _figures(trial: Trial) -> Figures | None:
    """Costs of a trial's network as journalled; None where it cannot be built."""
    if trial.parameters is None or trial.multiply_adds is None:
        return None
    return Figures(trial.parameters, trial.multiply_adds, trial.latency)


def mean_first_reward(trials: list[Trial], batch: int) -> float | None:
    """Mean stage-1 reward of the scored trials in batches before ``batch``."""
    found = [t.stages[0].reward for t in trials if t.batch < batch and t.state in SCORED]
    return sum(found) / len(found) if found else None
