"""Records of a search: jobs, trials, their stages and outcomes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from auxnas.compiler import Program
from auxnas.genotype import Genotype

PENDING, COMPLETE, STOPPED, REUSED, FAILED = "pending", "complete", "stopped", "reused", "failed"
"""States of a trial: proposed; through both stages; ended after the first; isomorphic to
an earlier trial, whose reward it shares; failed for a typed reason."""

STATES = (PENDING, COMPLETE, STOPPED, REUSED, FAILED)

LOST = "lost"
"""State of an outcome where the machine failed: no result, and never a trial's state."""

SCORED = (COMPLETE, STOPPED)
"""States of a trial that was trained and scored itself."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Result of a stage of training.

    Attributes:
        reward: of the validation, from the task's score.
        metrics: components of the reward, by name.
        seconds: how long it took; never compared.
        batch_size: images a step: half of what the settings say where memory ran out.
    """

    reward: float
    metrics: Mapping[str, float]
    seconds: float = field(default=0.0, compare=False)
    batch_size: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Reason that a trial has no reward.

    Attributes:
        kind: ``oom``, ``nan``, ``timeout``, ``crash`` or ``invalid``.
        detail: one line for people.
    """

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Figures:
    """Costs of a network, as described and without auxiliary heads.

    Attributes:
        parameters: how many.
        multiply_adds: of its convolutions, at the run's image size.
        latency: milliseconds for one image of that size, compiled; None if not measured.
        constant: whether its output does not depend on the image.
    """

    parameters: int
    multiply_adds: int
    latency: float | None = None
    constant: bool = False


@dataclass(frozen=True, slots=True)
class Rejection:
    """A genotype that was over a limit: neither trained nor told of to the searcher.

    Attributes:
        genotype: the proposal.
        limit: ``constant``, ``params``, ``madds`` or ``latency_ms``.
        detail: one line for people.
    """

    genotype: Genotype
    limit: str
    detail: str


@dataclass(frozen=True, slots=True)
class Job:
    """A trial as an evaluator gets it: everything that its outcome may depend on.

    Attributes:
        number: the trial's number, from 0.
        genotype: the one to train.
        seed: of everything random in it.
        baseline: mean stage-1 reward of the earlier batches; None when there is none.
        proceed: probability of going on below the baseline.
    """

    number: int
    genotype: Genotype
    seed: int
    baseline: float | None = None
    proceed: float = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a job.

    Attributes:
        state: ``complete``, ``stopped``, ``failed`` or ``lost``.
        stages: the stages that ended, in order.
        failure: reason that it failed or was lost, if it did.
        program: the trained network, unless it failed.
    """

    state: str
    stages: tuple[Stage, ...] = ()
    failure: Failure | None = None
    program: Program | None = field(default=None, repr=False)


def lost(detail: str, stages: tuple[Stage, ...] = ()) -> Outcome:
    """The outcome of a job that the machine lost: a process or a node is gone.

    Args:
        detail: one line for people.
        stages: the stages that had ended, in order.
    """
    return Outcome(LOST, stages, Failure("crash", detail))


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial as the journal keeps it.

    Attributes:
        number: from 0, in the order of proposal.
        batch: the batch of proposals it belongs to, from 0.
        genotype: the proposal.
        key: names its isomorphism class.
        seed: of everything random in it.
        state: see the module's constants.
        stages: the stages that ended.
        reward: what the searcher is told: the last stage's, weighted by the latency where
            the settings say so, or the shared one.
        source: number of the trial whose reward it shares.
        failure: reason that it failed, if it did.
        parameters: see ``Figures``; None where the network cannot be built.
        multiply_adds: likewise.
        latency: likewise; a measured time, never compared.
    """

    number: int
    batch: int
    genotype: Genotype
    key: str
    seed: int
    state: str = PENDING
    stages: tuple[Stage, ...] = ()
    reward: float | None = None
    source: int | None = None
    failure: Failure | None = None
    parameters: int | None = None
    multiply_adds: int | None = None
    latency: float | None = field(default=None, compare=False)

    @property
    def metrics(self) -> Mapping[str, float]:
        """The last stage's metrics."""
        return self.stages[-1].metrics if self.stages else {}

    @property
    def seconds(self) -> float:
        """Seconds that its stages took."""
        return sum(stage.seconds for stage in self.stages)


def trial_seed(seed: int, number: int) -> int:
    """The seed of trial ``number`` of a run: 32 bits that depend on nothing else."""
    digest = hashlib.sha256(f"auxnas trial {seed} {number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def best_of(trials: list[Trial]) -> list[Trial]:
    """Trials with a reward of their own, the best first; the earlier of two equals."""
    found = [trial for trial in trials if trial.state in SCORED]
    return sorted(found, key=lambda trial: (-(trial.reward or 0.0), trial.number))
