"""The loop of a search: propose a batch, evaluate its trials, tell the searcher.

Everything that a trial's outcome depends on is in its job: the genotype, a seed derived
from the run's seed and the trial's number, and what the trials came to that its batch may
depend on; see ``search.loop.ledger``. So a run gives the same journal whether it is left
alone, interrupted or killed and continued, at any width, and in whatever order trials end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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
from auxnas.search.loop.ledger import Ledger
from auxnas.search.loop.proposals import Measure, draw_proposals
from auxnas.search.loop.replay import AskRecorder, due_snapshot, restore_searcher, tell_searcher
from auxnas.search.loop.watching import Watcher
from auxnas.search.searchers import Searcher
from auxnas.search.settings.search import LatencySettings, LimitSettings
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.schema import Snapshot
from auxnas.search.trials.limits import weighted_reward
from auxnas.search.trials.records import (
    FAILED,
    LOST,
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

    @property
    def best(self) -> int:
        """Number of the best trials whose networks are kept."""

    def prune(self, best: Sequence[Trial], count: int) -> None:
        """Drops those of the first ``count`` trials but the best."""


@dataclass(frozen=True)
class Rules:
    """Rules by which a run decides.

    Attributes:
        seed: everything random derives from it.
        batch: genotypes proposed at a time.
        lag: how many of the last trials before a batch it does not depend on.
        update_every: trials that the searcher is told of at a time; None for all that there are.
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
    lag: int = 0
    update_every: int | None = None
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
        rules, trials = self.rules, self.journal.trials()
        restore_searcher(
            self.searcher, self.journal, trials, self.say, rules.lag, rules.update_every
        )
        self._known.update({trial.key: _figures(trial) for trial in trials})
        ledger = Ledger(trials, rules.lag, rules.reuse)
        self._prune(ledger)
        while True:
            self._start(ledger, until)
            if not ledger.under_way:
                return ledger.trials
            number, outcome = self.executor.next()
            if number not in ledger.under_way:
                found = f"trial {number + 1} ended, which is not under way"
                raise SearchError("search.executor", found, "each job that was submitted, once")
            fault = outcome_fault(outcome)
            if fault is not None:
                raise SearchError("search.executor", f"trial {number + 1} ended as {fault}")
            if outcome.state == LOST:
                outcome = self._lost(number, outcome)
            if outcome.state == LOST:
                ledger.put_back(number)
            else:
                self._end(self._judged(ledger.trials[number], outcome), ledger)

    def _start(self, ledger: Ledger, until: Until) -> None:
        """Begins as many trials as there are places for."""
        while len(ledger.under_way) < self.executor.places:
            trial = self._next(ledger, until)
            if trial is None:
                return
            ledger.begin()
            reused = ledger.reused(trial)
            if reused is not None:
                self._end(reused, ledger)
                continue
            self.executor.submit(self.job(trial, ledger), self.watcher.started(trial))

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

    def _next(self, ledger: Ledger, until: Until) -> Trial | None:
        """The trial to begin next, proposed where none can begin; None while there is none."""
        while ledger.ready() is None and ledger.open:
            number = len(ledger.trials)
            if not (until.begins(number, self.clock.total) and self._propose(ledger)):
                return None
        trial = ledger.ready()
        if trial is None or not until.begins(trial.number, self.clock.total):
            return None
        return trial

    def _propose(self, ledger: Ledger) -> bool:
        """Adds the next batch to the ledger and the journal; whether there was one.

        Raises:
            SearchError: when there is none at all.
        """
        rules, first = self.rules, len(ledger.trials)
        asked = AskRecorder(self.searcher)
        drawn, rejected = draw_proposals(asked, rules.batch, self._figures, rules.limits, self.say)
        if not (drawn or first):
            raise SearchError("search.searcher", "proposed nothing", "genotypes, of its first ask")
        if not drawn:
            self.say(f"search.searcher: no more proposals after {first} trials")
            ledger.close()
            return False
        batch = ledger.batches
        fresh = [self._pending(n, batch, *pair) for n, pair in enumerate(drawn, first)]
        ledger.add(fresh)
        updates, searcher = self._learn(ledger)
        session = self.clock.session
        self.journal.propose(fresh, asked.counts, rejected, session, searcher, updates)
        return True

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

    def _end(self, ended: Trial, ledger: Ledger) -> None:
        """Records a trial that has ended: in the ledger, the journal, and the searcher."""
        ledger.end(ended)
        updates, searcher = self._learn(ledger)
        self.journal.finish(ended, searcher, self.clock.session, updates)
        if ended.state in SCORED:
            self._prune(ledger)
        self.watcher.finished(ended, ledger.trials)

    def _prune(self, ledger: Ledger) -> None:
        self.weights.prune(ledger.best(self.weights.best), len(ledger.trials))

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

    def job(self, trial: Trial, ledger: Ledger) -> Job:
        """The job of ``trial``: all that its outcome may depend on."""
        start, half_life = self.rules.proceed, self.rules.half_life
        proceed = proceed_probability(start, half_life, trial.number)
        return Job(trial.number, trial.genotype, trial.seed, ledger.baseline(trial), proceed)

    def _learn(self, ledger: Ledger) -> tuple[Sequence[Mapping[str, float]], Snapshot | None]:
        """Tells the searcher what is due; its updates, and itself when it is to be stored."""
        news = ledger.tell()
        if not news:
            return (), None
        updates = tell_searcher(self.searcher, news, self.rules.update_every)
        count = len(ledger.trials)
        return updates, due_snapshot(self.journal, self.searcher, ledger.batches, count)


def _figures(trial: Trial) -> Figures | None:
    """Costs of a trial's network as journalled; None where it cannot be built."""
    if trial.parameters is None or trial.multiply_adds is None:
        return None
    return Figures(trial.parameters, trial.multiply_adds, trial.latency)
