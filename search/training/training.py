"""Training one network for long: phases, checkpoints, validation (paper, section 4.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from auxnas.backends.base import (
    Array,
    Batch,
    Examples,
    Learner,
    Optimiser,
    Progress,
    Recipe,
    TrainingStep,
    ignore_step,
)
from auxnas.backends.progress import Advance, Display, format_duration
from auxnas.compiler import MAIN, Program
from auxnas.compiler.tasks import Sums, Task
from auxnas.search.settings.training import TrainSettings
from auxnas.search.storage.checkpoint import Checkpoint, Entry, Told, ignore_history

_PARTS = 1000
"""Units of progress an epoch."""


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with its own losses and rates.

    Attributes:
        number: from 0.
        epochs: consecutive ones, from 0.
        factor: of the learning rates.
        auxiliary: weight of each auxiliary output's loss.
        frozen: whether batch norm's statistics stay as they are.
    """

    number: int
    epochs: range
    factor: float
    auxiliary: float
    frozen: bool


def phases(settings: TrainSettings) -> list[Phase]:
    """The phases in order; they follow one another and cover all epochs."""
    ends = settings.ends()
    halving = settings.schedule == "halving"
    rates = settings.rates or [0.5**number if halving else 1.0 for number in range(len(ends))]
    return [
        Phase(
            number=number,
            epochs=range(start, end),
            factor=rates[number],
            auxiliary=settings.auxiliary[number],
            frozen=number >= len(ends) - settings.frozen,
        )
        for number, (start, end) in enumerate(zip([0, *ends], ends, strict=False))
    ]


def phase_recipe(settings: TrainSettings, phase: Phase, task: Task) -> Recipe:
    """Recipe of the training in ``phase``."""
    adam = {"beta2": settings.beta2, "epsilon": settings.epsilon}
    encoder, decoder = (
        Optimiser(prefix, kind, rate * phase.factor, momentum=0.9, decay=decay, **adam)
        for prefix, kind, rate, decay in (
            ("encoder.", settings.encoder_optimiser, settings.encoder_rate, settings.encoder_decay),
            ("", settings.decoder_optimiser, settings.decoder_rate, settings.decoder_decay),
        )
    )
    return Recipe(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        optimisers=(encoder, decoder),
        polyak=settings.polyak,
        auxiliary=phase.auxiliary,
        distillation=settings.distillation if settings.teacher else 0.0,
        clip_norm=settings.clip_norm,
        poly=settings.poly if settings.schedule == "poly" else 0.0,
        cosine=settings.schedule == "cosine",
        horizon=settings.horizon,
        warm_up=settings.warm_up / settings.epochs,
        accumulate=settings.accumulate,
        precision=settings.precision,
        processes=settings.processes,
        full_size=True,
        frozen=phase.frozen,
        task=task,
    )


def stops(settings: TrainSettings) -> list[int]:
    """The epochs after which there is something to do, the last one among them."""
    every = (settings.checkpoint, settings.validate_every)
    due = {epoch for step in every for epoch in range(step, settings.epochs, step)}
    return sorted(due.union(settings.ends()))


@dataclass(frozen=True)
class TaughtExamples:
    """Examples with a teacher's logits for each batch, whatever its transforms made of it.

    Attributes:
        examples: images.
        teacher: from an image to logits.
    """

    examples: Examples
    teacher: Callable[[dict[str, Array]], dict[str, Array]]

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.examples)

    def batch(self, indices: Sequence[int], rng: np.random.Generator | None) -> Batch:
        """Some of them, with logits."""
        found = self.examples.batch(indices, rng)
        return Batch(found.inputs, found.labels, self.teacher(dict(found.inputs))[MAIN])


def with_teacher(examples: Examples, learner: Learner, teacher: Program) -> TaughtExamples:
    """``examples`` with the logits of ``teacher``."""
    return TaughtExamples(examples, partial(learner.infer, teacher))


@dataclass(frozen=True)
class LongTraining:
    """A training that goes on where it stopped.

    Attributes:
        learner: trains and scores programs.
        program: the network at the beginning.
        train: images to train on.
        earlier: those of the first phases, where they have others.
        val: images to validate on; nothing is chosen by them.
        task: of the network; gives targets and scores.
        settings: how.
        seed: of the order of images and their transforms.
        folder: of the checkpoints.
        display: destination of progress.
        told: called with the history so far at the beginning and after each part.
        watched: is told of each step.
    """

    learner: Learner
    program: Program
    train: Examples
    val: Examples
    task: Task
    settings: TrainSettings
    seed: int
    folder: Path
    display: Display
    earlier: Sequence[Examples] = ()
    told: Told = ignore_history
    watched: Progress = ignore_step

    def run(self) -> tuple[Program, Sums, Sequence[Entry]]:
        """The trained network, its statistics on ``val``, and the history.

        Safe to interrupt or kill at any moment: the next call, in this process or another,
        goes on from the last checkpoint and comes to the same network.

        Raises:
            TrialFailure: when training fails; the last checkpoint is kept.
        """
        before = Checkpoint.load(self.folder, self.display)
        ahead = [stop for stop in stops(self.settings) if stop > before.epoch]
        parts = (self.settings.epochs * _PARTS, before.epoch * _PARTS)
        program, sums, point = self.program, None, before
        self.told(before.history)
        with self.display.task("training", *parts) as advance:
            for stop in ahead:
                if point is before or point.epoch == self._phase(point.epoch).epochs.start:
                    self._say_phase(self._phase(point.epoch))
                program, sums, point = self._go(point, stop, advance)
        if sums is None:
            program, sums = self._at(point)
        return program, sums, point.history

    def _go(
        self, point: Checkpoint, stop: int, advance: Advance
    ) -> tuple[Program, Sums | None, Checkpoint]:
        """Trains up to epoch ``stop``, validates when it is due, and keeps a checkpoint."""
        started, phase = monotonic(), self._phase(point.epoch)
        losses = _Losses(point, self.settings.epochs, advance, self.task, self._title(phase))

        def progress(step: TrainingStep) -> None:
            losses(step)
            self.watched(step)

        program, state = self._fit(range(point.epoch, stop), phase, point, progress)
        entry: dict[str, Any] = {"epoch": stop, "loss": losses.mean, "rate": self._rate(stop)}
        entry["phase"] = phase.number + 1
        sums = self._measured(program) if self._is_due(stop) else None
        if sums is not None:
            entry |= self.task.score(sums).metrics
        spent = point.history[-1]["seconds"] if point.history else 0.0
        entry["seconds"] = spent + monotonic() - started
        after = Checkpoint(state, (*point.history, entry))
        after.save(self.folder)
        self.told(after.history)
        if sums is not None:
            self._say(entry)
        return program, sums, after

    def _at(self, point: Checkpoint) -> tuple[Program, Sums]:
        """The network of the last checkpoint, which a killed process left."""
        end = self.settings.epochs
        program, _ = self._fit(range(end, end), self._phase(end - 1), point, ignore_step)
        return program, self._measured(program)

    def _fit(
        self, part: range, phase: Phase, point: Checkpoint, progress: Progress
    ) -> tuple[Program, Any]:
        how = phase_recipe(self.settings, phase, self.task)
        return self.learner.fit_part(
            self.program, self._images(phase), how, self.seed, part, point.state, progress
        )

    def _images(self, phase: Phase) -> Examples:
        """The images of a phase: those of the first ones may be others."""
        own = phase.number < len(self.earlier)
        return self.earlier[phase.number] if own else self.train

    def _title(self, phase: Phase) -> str:
        """``phase 2/4``; empty where there is one alone."""
        count = len(self.settings.phases)
        return f"phase {phase.number + 1}/{count}" if count > 1 else ""

    def _measured(self, program: Program) -> Sums:
        main = Program(program.graph.select([MAIN]), program.params, program.name)
        return self.learner.measure(main, self.val, self.task, self.settings.batch_size)

    def _phase(self, epoch: int) -> Phase:
        return next(phase for phase in phases(self.settings) if epoch in phase.epochs)

    def _rate(self, stop: int) -> float:
        """The decoder's learning rate in the epoch before ``stop``."""
        how = phase_recipe(self.settings, self._phase(stop - 1), self.task)
        return how.optimisers[-1].rate * how.rate_factor((stop - 1) / self.settings.epochs)

    def _is_due(self, stop: int) -> bool:
        return stop % self.settings.validate_every == 0 or stop == self.settings.epochs

    def _work(self, epochs: range) -> int:
        """Images that some epochs go through."""
        return sum(
            len(self._images(phase)) * len(set(epochs).intersection(phase.epochs))
            for phase in phases(self.settings)
        )

    def _say_phase(self, phase: Phase) -> None:
        title, epochs = self._title(phase), phase.epochs
        if title:
            frozen = ", frozen statistics of batch norm" if phase.frozen else ""
            several = f"epochs {epochs.start + 1} to {epochs.stop}"
            self.display.say(
                f"{title}: {several if len(epochs) > 1 else f'epoch {epochs.stop}'} on "
                f"{len(self._images(phase))} images, learning rates times {phase.factor:g}, "
                f"auxiliary losses times {phase.auxiliary:g}{frozen}"
            )

    def _say(self, entry: Entry) -> None:
        known = {"loss": "loss"} | {name: m.title for name, m in self.task.metrics.items()}
        scores = ", ".join(
            f"{title} {entry[name]:.3f}" for name, title in known.items() if name in entry
        )
        end = self.settings.epochs
        done = self._work(range(entry["epoch"]))
        left = entry["seconds"] / done * self._work(range(entry["epoch"], end))
        rest = f", about {format_duration(left)} left" if entry["epoch"] < end else ""
        self.display.say(
            f"epoch {entry['epoch']}/{end}: {scores}, {format_duration(entry['seconds'])}{rest}"
        )


class _Losses:
    """Adds up the losses of a part, and shows where it stands."""

    def __init__(
        self, point: Checkpoint, epochs: int, advance: Advance, task: Task, phase: str
    ) -> None:
        self._epochs, self._advance = epochs, advance
        self._phase = f"{phase}, " if phase else ""
        name, metric = task.headline
        known = next((e[name] for e in reversed(point.history) if name in e), None)
        self._known = "" if known is None else f", {metric.title} {known:.3f}"
        self._total = self._count = 0.0

    def __call__(self, step: TrainingStep) -> None:
        self._total, self._count = self._total + step.loss, self._count + 1
        done = step.step * self._epochs / step.steps
        epoch = min(int(done) + 1, self._epochs)
        text = f"{self._phase}epoch {epoch}/{self._epochs}, loss {step.loss:.3f}{self._known}"
        self._advance(int(done * _PARTS), text)

    @property
    def mean(self) -> float:
        """The mean loss of the part."""
        return self._total / self._count
