"""Long trainings as jobs of an executor, whose outcomes are scores and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from auxnas.backends.base import Learner, TrainingStep, TrialFailure
from auxnas.compiler import Program
from auxnas.compiler.tasks import Sums
from auxnas.genotype import Genotype
from auxnas.search.evaluation.two_stages import StageProgress
from auxnas.search.storage.cache import json_digest
from auxnas.search.storage.checkpoint import Checkpoint, CheckpointFolder, Entry
from auxnas.search.storage.folders import TRAINING
from auxnas.search.training.context import TrainingContext
from auxnas.search.training.run import start_program
from auxnas.search.training.training import LongTraining
from auxnas.search.trials.records import COMPLETE, FAILED, Failure, Job, Outcome, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob(Job):
    """A job with all that tells a training from the others.

    Attributes:
        start: the network before training.
        name: of the training's folder.
        key: digest of all that decides what it comes to.
    """

    start: Program = field(repr=False)
    name: str
    key: str

    @classmethod
    def of(cls, context: TrainingContext, number: int, genotype: Genotype) -> TrainingJob:
        """The job of a training that was begun."""
        folder = context.folder
        key = json_digest(folder.name, (folder / TRAINING).read_text(encoding="utf-8"))
        start = start_program(context)
        return cls(number, genotype, context.seed, start=start, name=folder.name, key=key)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOutcome(Outcome):
    """The end of a training.

    Attributes:
        sums: the network's statistics.
        history: an entry for every part.
    """

    sums: Sums = field(repr=False)
    history: Sequence[Entry] = field(repr=False)


@dataclass(frozen=True)
class LongTrainings:
    """Trains the networks of jobs; an outcome depends on the job and on these alone.

    Attributes:
        training: any of the trainings, which have all but network and folder in common.
        folder: of their checkpoints.
    """

    training: LongTraining
    folder: CheckpointFolder

    @property
    def learner(self) -> Learner:
        """Trains."""
        return self.training.learner

    def __call__(self, job: Job, progress: StageProgress) -> Outcome:
        """Trains, or goes on from the last checkpoint on this machine."""
        if not isinstance(job, TrainingJob):
            raise TypeError(f"job {job.number} has no network to train")

        def watched(step: TrainingStep) -> None:
            progress(1, step)

        with self.folder.of(job.name, job.key) as folder:
            training = replace(self.training, program=job.start, folder=folder, watched=watched)
            try:
                program, sums, history = training.run()
            except TrialFailure as failure:
                return Outcome(FAILED, failure=Failure(failure.kind, failure.detail))
            if self.folder.apart:  # else it is kept until the result is
                Checkpoint.remove(folder)
        score = training.task.score(sums)
        stage = Stage(score.reward, score.metrics, history[-1]["seconds"])
        return TrainingOutcome(
            state=COMPLETE, stages=(stage,), program=program, sums=sums, history=history
        )
