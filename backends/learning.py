"""The protocol of learners: examples, the recipe of a training, and training and scoring by it.

Everything that crosses it is numpy or plain data. Images and maps are (N, C, H, W) float32,
labels the targets of a task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import cos, pi
from typing import Any, Protocol

import numpy as np

from auxnas.compiler import Program
from auxnas.compiler.errors import check_choice, check_integer, check_number, check_type
from auxnas.compiler.tasks import Segmentation, Sums, Task

Array = np.ndarray[Any, Any]

TRAINING_PRECISIONS = ("auto", "fp32", "bf16", "fp16")
"""Precisions of a training."""
_FIRST = 0.01
"""Share of the learning rate that a warm-up begins with."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples that are trained on or scored together.

    Attributes:
        inputs: maps by the name of the graph's input.
        labels: the targets, (N, H, W) or (N, H, W, channels) of the task's type.
        teacher: a teacher's logits (N, classes, h, w), where there is one.
    """

    inputs: Mapping[str, Array]
    labels: Array
    teacher: Array | None = None


class Examples(Protocol):
    """A set of labelled examples."""

    def __len__(self) -> int:
        """Number of examples."""

    def batch(self, indices: Sequence[int], rng: np.random.Generator | None) -> Batch:
        """Some of them; randomly transformed for training where ``rng`` is given."""


@dataclass(frozen=True, slots=True)
class Optimiser:
    """Rule by which one group of parameters is updated.

    Attributes:
        prefix: start of the names of its parameters; a parameter belongs to the first
            optimiser whose prefix fits, one that fits none is left as it is.
        kind: ``adam`` (paper: decoder) or ``sgd`` (paper: encoder).
        rate: learning rate.
        momentum: of SGD.
        decay: weight decay, of parameters with several axes alone: biases and batch norms have
            none. Adam's is apart from the gradient (AdamW).
        beta2: of Adam, the decay of the squared gradients' average.
        epsilon: of Adam, added to that average's root.

    Raises:
        CompilerError: naming the field that is out of range.
    """

    prefix: str
    kind: str
    rate: float
    momentum: float = 0.9
    decay: float = 0.0
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        check_type("optimiser.prefix", self.prefix, str)
        check_choice("optimiser.kind", self.kind, ("adam", "sgd"))
        for name in ("rate", "decay", "epsilon"):
            check_number(f"optimiser.{name}", getattr(self, name))
        for name in ("momentum", "beta2"):
            check_number(f"optimiser.{name}", getattr(self, name), 0, 1, below=True)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of one training of a program.

    Attributes:
        epochs: passes over the examples.
        batch_size: examples a step; the last, smaller batch of an epoch is used too,
            unless it holds a single example (batch norm has no deviation of one).
        optimisers: parameter groups.
        polyak: decay of the running average of the parameters that replaces them at
            the end (paper: 0.9 and 0.99); 0 keeps the last ones.
        auxiliary: weight of each auxiliary output's loss (paper: 0.3 to 0.15 in the long
            training, none given for the search).
        distillation: weight of the L2 loss against the teacher's logits (paper: 0.3).
        clip_norm: largest norm of each group's gradient; 0 for no limit.
        poly: power of the learning rate's decay ``(1 - horizon * step / steps) ** poly``; 0
            keeps it.
        horizon: share of the way to 0 that the decay goes (paper: 300 of 400 epochs for depth).
        cosine: whether rates go with half a cosine, ``(1 + cos(pi * horizon * step / steps)) / 2``.
        warm_up: share of the steps in which the rate rises, evenly, from a hundredth of that.
        accumulate: parts of two examples at least that a batch is taken through in turn, which
            takes less memory. The gradient is that of the whole batch where a loss is a mean over
            labelled pixels, or examples; batch norm sees the parts.
        precision: of most arithmetic, of ``TRAINING_PRECISIONS``; ``auto`` is the one that gains.
        processes: number that each batch is shared between, on the GPUs of the machine where there
            are any; the gradient is that of the whole batch, batch norm sees the parts.
        full_size: whether logits grow to the labels' size for the loss; otherwise the
            labels shrink (nearest) to the logits', which is what a search can afford.
        frozen: whether batch norm uses its statistics as they are, in training too.
        task: meaning of the outputs; its losses are minimised.

    Raises:
        CompilerError: naming the field that is out of range.
    """

    epochs: int
    batch_size: int
    optimisers: tuple[Optimiser, ...]
    polyak: float = 0.0
    auxiliary: float = 0.15
    distillation: float = 0.0
    clip_norm: float = 3.0
    poly: float = 0.0
    horizon: float = 1.0
    full_size: bool = False
    frozen: bool = False
    cosine: bool = False
    warm_up: float = 0.0
    accumulate: int = 1
    precision: str = "fp32"
    processes: int = 1
    task: Task = field(default_factory=Segmentation)

    def __post_init__(self) -> None:
        check_integer("recipe.epochs", self.epochs)
        check_integer("recipe.batch_size", self.batch_size, 1)
        check_type("recipe.optimisers", self.optimisers, tuple)
        for number, optimiser in enumerate(self.optimisers):
            check_type(f"recipe.optimisers[{number}]", optimiser, Optimiser)
        check_number("recipe.polyak", self.polyak, 0, 1, below=True)
        for name in ("horizon", "warm_up"):
            check_number(f"recipe.{name}", getattr(self, name), 0, 1)
        for name in ("accumulate", "processes"):
            check_integer(f"recipe.{name}", getattr(self, name), 1)
        check_choice("recipe.precision", self.precision, TRAINING_PRECISIONS)
        for name in ("auxiliary", "distillation", "clip_norm", "poly"):
            check_number(f"recipe.{name}", getattr(self, name))
        for name in ("full_size", "frozen", "cosine"):
            check_type(f"recipe.{name}", getattr(self, name), bool)

    def rate_factor(self, done: float) -> float:
        """Factor of the learning rates when the share ``done`` of the steps is."""
        way = self.horizon * done
        factor = float((1 - way) ** self.poly)
        if self.cosine:
            factor *= (1 + cos(pi * way)) / 2
        if done < self.warm_up:
            factor *= _FIRST + (1 - _FIRST) * done / self.warm_up
        return factor


TrainingState = Mapping[str, Array]
"""Arrays from which a training is continued, by names that only its learner knows."""


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """Progress of a training: after ``step`` of ``steps``, with the last loss."""

    step: int
    steps: int
    loss: float


Progress = Callable[[TrainingStep], None]


def ignore_step(step: TrainingStep) -> None:
    """A progress callback that says nothing."""


OnOutput = Callable[[Array], None]
"""From a batch's outputs, as the task's head ``measured`` gives them, to nothing."""


def ignore_output(output: Array) -> None:
    """A callback of outputs that keeps nothing."""


class Learner(Protocol):
    """Trains and scores programs in some framework.

    It can be pickled, to be made anew in another process.
    """

    @property
    def where(self) -> str:
        """Name of the device that it computes on, for people."""

    def fit(
        self,
        program: Program,
        examples: Examples,
        recipe: Recipe,
        seed: int,
        progress: Progress = ignore_step,
    ) -> Program:
        """``program`` with trained parameters (batch-norm statistics updated too).

        The graph's first output is the main one, all others are auxiliary. The same
        program, examples, recipe and seed give the same parameters. Parameters that the
        graph does not use are passed through. Interruptible between steps.

        Raises:
            TrialFailure: ``nan`` for a loss that is not finite, ``oom`` for memory.
        """

    def fit_part(
        self,
        program: Program,
        examples: Examples,
        recipe: Recipe,
        seed: int,
        part: range,
        state: TrainingState | None = None,
        progress: Progress = ignore_step,
    ) -> tuple[Program, TrainingState]:
        """The epochs ``part`` of a training: the program then, and how to go on from there.

        Parts that follow one another come to what ``fit`` comes to, to the last bit,
        whatever their lengths and processes. An empty part gives the program of ``state``.
        From part to part everything in the recipe may change but the number of epochs,
        the batch size and each parameter's kind of optimiser; so may the examples.

        Args:
            program: the one that the training began with.
            examples: training examples.
            recipe: how; ``epochs`` counts all parts together.
            seed: of the whole training.
            part: consecutive epochs, from 0.
            state: returned for the part before; None before epoch 0.
            progress: told of steps counted over all parts.

        Raises:
            TrialFailure: as ``fit``.
            ValueError: for a part that does not follow ``state``.
        """

    def measure(
        self,
        program: Program,
        examples: Examples,
        task: Task,
        batch_size: int,
        on_output: OnOutput = ignore_output,
    ) -> Sums:
        """The task's statistics of all examples.

        The main output grows bilinearly to the targets' size first.

        Args:
            program: the network.
            examples: to score it on.
            task: of its outputs.
            batch_size: examples at once.
            on_output: told of what each batch's statistics are made from.

        Raises:
            TrialFailure: as ``fit``.
        """

    def infer(self, program: Program, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name, in inference mode."""
