"""Training and scoring one genotype in two stages (paper, section 3.2.1)."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol

from numpy.typing import NDArray

from auxnas.backends.base import (
    Examples,
    Learner,
    Optimiser,
    Progress,
    Recipe,
    TrainingStep,
    TrialFailure,
)
from auxnas.compiler import (
    MAIN,
    CompilerError,
    Graph,
    ModelSpec,
    Program,
    encoder_outputs,
    lower,
    split_graph,
)
from auxnas.compiler.tasks import Score, Task
from auxnas.compiler.weights import USUAL_START, OutputStart, initial_params
from auxnas.genotype import GenotypeError
from auxnas.search.settings.stages import StageSettings
from auxnas.search.trials.records import COMPLETE, FAILED, STOPPED, Failure, Job, Outcome, Stage


class StageProgress(Protocol):
    """Callback of a trial's progress."""

    def __call__(self, stage: int, step: TrainingStep, before: Stage | None = None) -> None:
        """Training stands at ``step`` of ``stage`` (1 or 2).

        ``before`` is how the stage before ended, if there was one.
        """


LEAST_BATCH = 2
"""Batch norm has no deviation of a single example."""

DECODER = ("decoder.", "auxiliary")
"""Start of the names of a decoder's parameters."""


def ignore_progress(stage: int, step: TrainingStep, before: Stage | None = None) -> None:
    """A progress callback that says nothing."""


@dataclass(frozen=True)
class Material:
    """Examples that one stage trains and validates on."""

    train: Examples
    val: Examples


@dataclass(frozen=True)
class TwoStages:
    """Evaluates jobs; its outcome depends on the job and on these alone.

    Attributes:
        learner: trains and scores programs.
        task: of the network; gives targets and scores.
        spec: of the network around a genotype.
        encoder: the encoder's weights at the start.
        first: stored encoder outputs.
        second: images.
        stage1: how the decoder is trained.
        stage2: how the whole network is.
        start: what the outputs' convolutions begin with.
        give_up: share of the baseline below which a first stage that no second one would follow
            ends after half of its epochs; 0 for none.
    """

    learner: Learner
    task: Task
    spec: ModelSpec
    encoder: Mapping[str, NDArray[Any]]
    first: Material
    second: Material
    stage1: StageSettings
    stage2: StageSettings
    start: OutputStart = USUAL_START
    give_up: float = 0.0

    def __call__(self, job: Job, progress: StageProgress = ignore_progress) -> Outcome:
        """Evaluates ``job``; ``TrialFailure`` becomes a failed outcome, other errors are raised."""
        stages: list[Stage] = []
        try:
            return self._run(job, stages, progress)
        except TrialFailure as failure:
            found = Failure(failure.kind, failure.detail)
            return Outcome(FAILED, tuple(stages), found)

    def _run(self, job: Job, stages: list[Stage], progress: StageProgress) -> Outcome:
        """Both stages in turn; each that ends is added to ``stages``."""
        graph = _lowered(job, self.spec)
        _, decoder = split_graph(graph, encoder_outputs(graph))
        params = {**initial_params(graph, job.seed, self.start), **self.encoder}
        program = Program(graph, params, job.genotype.key())
        for number, part in ((1, decoder), (2, graph)):
            before = stages[-1] if stages else None

            def told(
                step: TrainingStep, number: int = number, before: Stage | None = before
            ) -> None:
                progress(number, step, before)

            trained, stage = self._stage(number, _with_graph(program, part), job, told)
            program = _with_graph(trained, graph)
            stages.append(stage)
            if number == 1 and not continues_to_stage2(job, stage.reward):
                return Outcome(STOPPED, tuple(stages), program=program)
        return Outcome(COMPLETE, tuple(stages), program=program)

    def _stage(
        self, number: int, program: Program, job: Job, progress: Progress
    ) -> tuple[Program, Stage]:
        """Trains and scores; where memory runs out, once more at half the batch size."""
        settings = self.stage1 if number == 1 else self.stage2
        try:
            return self._attempt(number, program, job, settings, progress)
        except TrialFailure as failure:
            if failure.kind != "oom" or settings.batch_size < 2 * LEAST_BATCH:
                raise
        # What the failed attempt held is free only now, with the error that held it.
        halved = settings.model_copy(update={"batch_size": settings.batch_size // 2})
        return self._attempt(number, program, job, halved, progress)

    def _attempt(
        self, number: int, program: Program, job: Job, settings: StageSettings, progress: Progress
    ) -> tuple[Program, Stage]:
        material = self.first if number == 1 else self.second
        recipe, started = stage_recipe(settings, self.task), monotonic()
        least = self._least(job) if number == 1 else 0.0
        trained, score = self._fitted(program, material, recipe, job.seed + number, progress, least)
        return trained, Stage(
            score.reward, score.metrics, monotonic() - started, settings.batch_size
        )

    def _least(self, job: Job) -> float:
        """The reward after half of a first stage that its other half is worth; 0 for any."""
        if job.baseline is None or _is_drawn(job):
            return 0.0
        return self.give_up * job.baseline

    def _fitted(
        self,
        program: Program,
        material: Material,
        recipe: Recipe,
        seed: int,
        progress: Progress,
        least: float,
    ) -> tuple[Program, Score]:
        """Trains and scores; a reward below ``least`` after half of the epochs is the last."""
        learner, half = self.learner, (recipe.epochs + 1) // 2
        if least <= 0 or half == recipe.epochs:
            trained = learner.fit(program, material.train, recipe, seed, progress)
            return trained, self._score(trained, material.val, recipe.batch_size)
        plan = (program, material.train, recipe, seed)
        trained, state = learner.fit_part(*plan, range(half), None, progress)
        score = self._score(trained, material.val, recipe.batch_size)
        if score.reward < least:
            return trained, score
        trained, _ = learner.fit_part(*plan, range(half, recipe.epochs), state, progress)
        return trained, self._score(trained, material.val, recipe.batch_size)

    def _score(self, trained: Program, val: Examples, batch_size: int) -> Score:
        """The score of the main output.

        Raises:
            TrialFailure: ``invalid`` for a reward that is not from 0 to 1.
        """
        main = _with_graph(trained, trained.graph.select([MAIN]))
        score = self.task.score(self.learner.measure(main, val, self.task, batch_size))
        if score.reward < 0 or score.reward > 1:  # one that is no number is the driver's to say
            said = f"the task {self.task.name} gave a reward of {score.reward}, expected 0 to 1"
            raise TrialFailure("invalid", said)
        return score


def _lowered(job: Job, spec: ModelSpec) -> Graph:
    """The network of a job.

    Raises:
        TrialFailure: ``invalid`` for a genotype that none can be built of.
    """
    try:
        return lower(job.genotype, spec)
    except (GenotypeError, CompilerError) as error:
        raise TrialFailure("invalid", str(error)) from error


def continues_to_stage2(job: Job, reward: float) -> bool:
    """Whether a second stage follows a first one with ``reward``.

    It does above the mean reward of the earlier batches' first stages (or where there is
    none), else with probability ``job.proceed``; the draw depends on the trial's seed only.
    """
    if job.baseline is None or reward > job.baseline:
        return True
    return _is_drawn(job)


def _is_drawn(job: Job) -> bool:
    """Whether a second stage follows whatever the first one's reward."""
    return random.Random(f"proceed {job.seed}").random() < job.proceed


def proceed_probability(start: float, half_life: float, number: int) -> float:
    """p of trial ``number``: ``start`` at the first, halved every ``half_life`` trials.

    The paper anneals p from 0.9 over the search without saying how. Here it depends on
    the trial's number alone, so that a run can be continued beyond its first end.
    """
    return start * float(0.5 ** (number / half_life))


def stage_recipe(settings: StageSettings, task: Task) -> Recipe:
    """Recipe of a stage's training.

    The encoder's group is empty in stage 1, whose graph has no encoder.
    """
    decoder = tuple(Optimiser(prefix, "adam", settings.decoder_rate) for prefix in DECODER)
    return Recipe(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        optimisers=(*decoder, Optimiser("encoder.", "sgd", settings.encoder_rate, momentum=0.9)),
        polyak=settings.polyak,
        auxiliary=settings.auxiliary,
        distillation=settings.distillation,
        clip_norm=settings.clip_norm,
        precision=settings.precision,
        task=task,
    )


def _with_graph(program: Program, graph: Graph) -> Program:
    return Program(graph, program.params, program.name)
