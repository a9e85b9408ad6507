"""Full trainings of architectures of a run, by an executor; each has a folder of its own."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from auxnas.backends.base import TrainingStep
from auxnas.backends.progress import Advance, Silent
from auxnas.search.evaluation.two_stages import StageProgress, ignore_progress
from auxnas.search.executors.base import (
    Executor,
    contact_executor,
    evaluates_elsewhere,
    no_job_error,
)
from auxnas.search.loop.context import RunContext
from auxnas.search.loop.run import open_executor
from auxnas.search.storage.checkpoint import Checkpoint, CheckpointFolder
from auxnas.search.storage.lock import run_lock
from auxnas.search.training.context import TrainingContext
from auxnas.search.training.jobs import LongTrainings, TrainingJob, TrainingOutcome
from auxnas.search.training.run import RESULT, finish_training, long_training, opened_training
from auxnas.search.trials.records import LOST, Failure, Outcome, Stage, Trial

_PARTS = 1000
"""Units of progress a training."""


@dataclass(frozen=True)
class Sampled:
    """An architecture of the run, and the result of its full training.

    Attributes:
        trial: as the run has it.
        result: of its full training; None where that failed.
        failure: reason for that.
    """

    trial: Trial
    result: Mapping[str, Any] | None
    failure: str | None = None

    def row(self, metric: str) -> dict[str, Any]:
        """As plain data, with that metric of its full training."""
        rewards = [stage.reward for stage in self.trial.stages]
        found = self.result or {}
        return {
            "trial": self.trial.number + 1,
            "stage1": rewards[0],
            "stage2": rewards[1] if len(rewards) > 1 else None,
            "full": found.get("reward"),
            metric: found.get(metric),
            "parameters": self.trial.parameters,
            "multiply_adds": self.trial.multiply_adds,
            "failure": self.failure,
            "genotype": str(self.trial.genotype),
        }


def train_all(
    trials: Sequence[Trial],
    context_of: Callable[[Trial], TrainingContext],
    place: RunContext,
    retries: int = 2,
) -> list[Sampled]:
    """All of them trained for long, each in a folder of its own; finished ones are kept.

    Args:
        trials: to be trained.
        context_of: the context of one's training, whose folder is in that of ``place``.
        place: its settings name the executor, and its display is told which one is next, and of
            failures, which end no other training.
        retries: how often one whose machine is lost is begun again before it has failed.

    Raises:
        RunLockedError: when another process trains here.
        SearchError: when nothing can be trained any more.
    """
    folders = [context_of(trial).folder for trial in trials]
    if not all((folder / RESULT).is_file() for folder in folders):
        contact_executor(place.settings)
    found = dict[int, Sampled]()
    waiting, losses = deque(range(len(trials))), Counter[int]()
    with ExitStack() as held:
        trainings = _Trainings(place, len(trials), held)
        while waiting or trainings.under_way:
            while waiting and trainings.has_room:
                number = waiting.popleft()
                result = trainings.begin(number, trials[number], context_of(trials[number]))
                if result is not None:
                    found[number] = Sampled(trials[number], result)
            if not trainings.under_way:
                continue
            number, context, outcome = trainings.next()
            losses[number] += outcome.state == LOST
            if outcome.state == LOST and losses[number] <= retries:
                waiting.appendleft(number)
            else:
                found[number] = _ended(trials[number], context, outcome)
    for number, folder in enumerate(folders):
        if found[number].result is not None:  # an attempt that was dropped may have left one
            Checkpoint.remove(folder)
    return [found[number] for number in range(len(trials))]


class _Trainings:
    """Trainings under way, on an executor that is made when it is first needed.

    Args:
        place: see ``train_all``.
        count: how many there are.
        held: closes the executor and frees the folder.

    Attributes:
        under_way: context and bar of each.
    """

    def __init__(self, place: RunContext, count: int, held: ExitStack) -> None:
        settings = place.settings.model_copy(update={"keep": count})  # all networks come back
        self._place, self._count, self._held = replace(place, settings=settings), count, held
        self._here = not evaluates_elsewhere(settings)
        self._executor: Executor | None = None
        self.under_way: dict[int, tuple[TrainingContext, ExitStack]] = {}

    @property
    def has_room(self) -> bool:
        """Whether another may be begun."""
        return self._executor is None or len(self.under_way) < self._executor.places

    def begin(
        self, number: int, trial: Trial, context: TrainingContext
    ) -> Mapping[str, Any] | None:
        """Submits a training, or gives the result of a finished one."""
        rewards = ", ".join(f"{stage.reward:.3f}" for stage in trial.stages)
        self._place.display.say(
            f"architecture {number + 1}/{self._count}: trial {trial.number + 1}, rewards {rewards}"
        )
        with opened_training(context) as result:
            if result is not None:
                return result
        if self._executor is None:
            self._executor = self._opened(context)
        bar = ExitStack()
        progress = ignore_progress if self._here else self._bar(bar, trial)
        self.under_way[number] = context, self._held.enter_context(bar)
        self._executor.submit(TrainingJob.of(context, number, trial.genotype), progress)
        return None

    def _opened(self, context: TrainingContext) -> Executor:
        """The executor of all trainings that are like this one."""
        folder = self._place.folder
        self._held.enter_context(run_lock(folder))
        display = self._place.display if self._here else Silent()
        training = replace(long_training(context), display=display)
        evaluate = LongTrainings(training, CheckpointFolder(folder))
        return self._held.enter_context(open_executor(self._place, evaluate))

    def _bar(self, bar: ExitStack, trial: Trial) -> StageProgress:
        """Opens the bar of a training elsewhere."""
        title = f"trial {trial.number + 1}"
        advance: Advance = bar.enter_context(self._place.display.task(title, _PARTS))

        def progress(stage: int, step: TrainingStep, before: Stage | None = None) -> None:
            advance(_PARTS * step.step // step.steps, f"loss {step.loss:.3f}")

        return progress

    def next(self) -> tuple[int, TrainingContext, Outcome]:
        """Waits for a training to end, whichever is first."""
        if self._executor is None:
            raise no_job_error()
        number, outcome = self._executor.next()
        context, bar = self.under_way.pop(number)
        bar.close()
        return number, context, outcome


def _ended(trial: Trial, context: TrainingContext, outcome: Outcome) -> Sampled:
    """Writes what a training came to, or says why it failed."""
    if isinstance(outcome, TrainingOutcome) and outcome.program is not None:
        Checkpoint(None, outcome.history).write_log(context.folder)
        found = finish_training(context, outcome.program, outcome.sums, outcome.history)
        return Sampled(trial, found)
    failure = outcome.failure or Failure("invalid", "no network came back")
    words = f"{failure.kind}: {failure.detail}"
    context.display.say(f"trial {trial.number + 1}: failed ({words})")
    return Sampled(trial, None, words)
