"""The loop of a search: propose a batch, evaluate it trial by trial, tell the searcher.

Everything that a trial's outcome depends on is in its job: the genotype, a seed derived
from the run's seed and the trial's number, and what the earlier batches came to. So a
run gives the same journal whether it is left alone, interrupted or killed and continued,
and in whatever order a batch's trials end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from compiler import Program
from search.evaluator import StageProgress, proceed_probability
from search.journal import Journal
from search.searchers import Searcher
from search.trials import (
    FAILED,
    PENDING,
    REUSED,
    SCORED,
    Job,
    Outcome,
    Trial,
    trial_seed,
)

Evaluate = Callable[[Job, StageProgress], Outcome]
Figures = Callable[[Trial], tuple[int, int]]
"""Parameters and multiply-adds of a trial's network as described."""


class Watcher(Protocol):
    """Is told what happens."""

    def started(self, trial: Trial) -> StageProgress:
        """A trial is about to be evaluated; returns its progress callback."""

    def finished(self, trial: Trial, trials: list[Trial]) -> None:
        """A trial has ended and is in the journal; ``trials`` are all so far."""


class WeightKeeper(Protocol):
    """Keeps the trained networks that matter."""

    def keep(self, trial: Trial, program: Program) -> None:
        """Stores a network, before the journal knows of it."""

    def prune(self, trials: list[Trial]) -> None:
        """Drops all but the best one's."""


@dataclass(frozen=True)
class Policy:
    """How a run decides.

    Attributes:
        seed: everything random derives from it.
        batch: genotypes proposed at a time.
        proceed: p of section 3.2.1 at the first trial.
        half_life: trials in which it falls by half.
        reuse: whether isomorphic genotypes share a reward.
    """

    seed: int
    batch: int
    proceed: float
    half_life: float
    reuse: bool = True


@dataclass(frozen=True)
class Driver:
    """A run in progress."""

    journal: Journal
    searcher: Searcher
    evaluate: Evaluate
    figures: Figures
    policy: Policy
    weights: WeightKeeper
    watcher: Watcher

    def run(self, count: int) -> list[Trial]:
        """Goes on until ``count`` trials have ended; returns all of them.

        Safe to interrupt or kill at any moment: what has ended is kept, and the next
        call, in this process or another, goes on from there.
        """
        state = self.journal.searcher_state()
        if state is not None:
            self.searcher.restore(state)
        trials = self.journal.trials()
        self.weights.prune(trials)
        while sum(trial.state != PENDING for trial in trials) < count:
            if all(trial.state != PENDING for trial in trials):
                trials += self._propose(len(trials))
            self._advance(trials)
        return trials

    def _propose(self, first: int) -> list[Trial]:
        """The next batch, stored as pending."""
        number = first // self.policy.batch
        genotypes = self.searcher.ask(self.policy.batch)
        trials = [
            Trial(place, number, genotype, genotype.key(), trial_seed(self.policy.seed, place))
            for place, genotype in enumerate(genotypes, first)
        ]
        self.journal.propose(trials, self.searcher.state())
        return trials

    def _advance(self, trials: list[Trial]) -> None:
        """Ends the first pending trial, in ``trials`` and in the journal."""
        pending = next(trial for trial in trials if trial.state == PENDING)
        parameters, multiply_adds = self.figures(pending)
        pending = replace(pending, parameters=parameters, multiply_adds=multiply_adds)
        ended = self._reused(pending, trials) or self._evaluated(pending, trials)
        trials[pending.number] = ended
        self.journal.finish(ended, self._learn(ended.batch, trials))
        self.weights.prune(trials)
        self.watcher.finished(ended, trials)

    def _reused(self, trial: Trial, trials: list[Trial]) -> Trial | None:
        """``trial`` with the reward of an isomorphic one; None when there is none."""
        if not self.policy.reuse:
            return None
        for earlier in trials[: trial.number]:
            if earlier.key == trial.key and earlier.state in SCORED:
                return replace(trial, state=REUSED, reward=earlier.reward, source=earlier.number)
        return None

    def _evaluated(self, trial: Trial, trials: list[Trial]) -> Trial:
        outcome = self.evaluate(self.job(trial, trials), self.watcher.started(trial))
        ended = replace(trial, state=outcome.state, stages=outcome.stages, failure=outcome.failure)
        if outcome.state == FAILED:
            return ended
        ended = replace(ended, reward=outcome.stages[-1].reward)
        if outcome.program is not None:
            self.weights.keep(ended, outcome.program)
        return ended

    def job(self, trial: Trial, trials: list[Trial]) -> Job:
        """What ``trial``'s outcome may depend on."""
        policy = self.policy
        proceed = proceed_probability(policy.proceed, policy.half_life, trial.number)
        baseline = mean_first_reward(trials, trial.batch)
        return Job(trial.number, trial.genotype, trial.seed, baseline, proceed)

    def _learn(self, batch: int, trials: list[Trial]) -> dict[str, object] | None:
        """Tells the searcher of a batch that is over; returns its state then.

        Failed trials are not told: a failure says nothing of how good a genotype is.
        """
        members = [trial for trial in trials if trial.batch == batch]
        if any(trial.state == PENDING for trial in members):
            return None
        self.searcher.tell([trial for trial in members if trial.state != FAILED])
        return dict(self.searcher.state())


def mean_first_reward(trials: list[Trial], batch: int) -> float | None:
    """Mean stage-1 reward of the scored trials in batches before ``batch``."""
    found = [t.stages[0].reward for t in trials if t.batch < batch and t.state in SCORED]
    return sum(found) / len(found) if found else None
