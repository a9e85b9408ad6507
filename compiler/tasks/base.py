"""The seam of tasks: another meaning of a network's output fits into it.

Images are uint8 RGB (H, W, 3). A target is (H, W), or (H, W, channels) where it has several;
a batch of them has an axis in front. Outputs are (N, channels, H, W).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from auxnas.compiler.ir import make_node
from auxnas.compiler.semantics import evaluate_node
from auxnas.compiler.tasks.target import TargetFormat

Array = np.ndarray[Any, Any]

Sums = Mapping[str, Array]
"""Statistics of predictions by name, which add up over images."""


@dataclass(frozen=True, slots=True)
class Score:
    """Reward and metrics of a network.

    Attributes:
        reward: the searcher's objective, from 0 to 1.
        metrics: components of the reward, by name.
    """

    reward: float
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Metric:
    """A number in a score.

    Attributes:
        title: for people.
        higher: whether higher is better.
    """

    title: str
    higher: bool = True


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """A score in detail, as text for people.

    Attributes:
        columns: their titles.
        rows: a cell a column.
        total: the last row, apart from the others; may be empty.
        notes: lines below the table.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Head:
    """An end of a shipped network: what is computed of the main output.

    Attributes:
        ops: primitives without weights or attributes, applied in order.
        resize: whether the output is always brought to the image's size first.
    """

    ops: tuple[str, ...] = ()
    resize: bool = False

    def of(self, output: Array) -> Array:
        """The head's output, of a main output (N, channels, H, W) that has the right size."""
        for op in self.ops:
            output = evaluate_node(make_node("head", op, ("output",)), [output], {})
        return output.astype(np.uint8) if self.bytes else output

    @property
    def bytes(self) -> bool:
        """Whether bytes come out, the numbers of channels."""
        return "argmax" in self.ops


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Name and wording of the number by which two outputs of a network differ.

    Attributes:
        name: in reports and metadata.
        text: for people, with a place for the number: ``{:.3%} of pixels change label``.
        unit: of the number, after a percent sign: ``of pixels``.
    """

    name: str
    text: str
    unit: str


class Task(Protocol):
    """Meaning of a network's output: its targets, and how good the network is at them.

    It is made of the names of the dataset's classes and of those that count in no score. It
    is immutable and can be pickled. All but ``classes``, ``ignore`` and ``outputs`` is the
    same for any classes.
    """

    @property
    def name(self) -> str:
        """The name, in messages."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the dataset's classes."""

    @property
    def ignore(self) -> tuple[str, ...]:
        """Classes that count in no score."""

    @property
    def target(self) -> TargetFormat:
        """The numbers of a target."""

    @property
    def heads(self) -> Mapping[str, Head]:
        """Ends that a shipped network can have; ``logits``, the output as it is, among them."""

    @property
    def measured(self) -> str:
        """The head whose output ``measure`` takes."""

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Those of a score, by name, the most telling one first."""

    @property
    def disagrees(self) -> Disagreement:
        """Name and wording of ``disagreement``."""

    @property
    def losses(self) -> str:
        """The class of its losses in torch; see ``backends.torch.losses.Losses``.

        It is at ``package.module:Class``, which is imported where a network is trained.
        """

    @property
    def outputs(self) -> int:
        """Channels of the network's main output, and of the auxiliary ones."""

    def target_of(self, label: Array, image: Callable[[], Array]) -> Array:
        """The target of an image, of the label that its dataset has for it, and of its size.

        Args:
            label: (H, W).
            image: gives the image, for tasks whose targets depend on it.
        """

    def fault(self, target: Array, outputs: int) -> str | None:
        """The reason that targets do not fit so many output channels; None where they do.

        Args:
            target: of a batch.
            outputs: the network's.
        """

    def measure(self, output: Array, target: Array) -> Sums:
        """Statistics of a batch: those of two batches together are the sum of both.

        Args:
            output: (N, channels, H, W), what the head ``measured`` gives, at the targets' size.
            target: of the batch.
        """

    def score(self, sums: Sums) -> Score:
        """The score of added statistics.

        Raises:
            ValueError: when nothing that counts is in them.
        """

    def details(self, sums: Sums) -> Mapping[str, Any]:
        """Further figures of added statistics, as plain data by name."""

    def table(self, sums: Sums) -> ScoreTable:
        """The score of added statistics in detail."""

    def confusion(self, sums: Sums) -> Array | None:
        """(classes, classes) counts, row truth, column guess; None where there are no classes."""

    def answer(self, output: Array) -> Array:
        """Outputs of the head ``measured`` in the form of targets: (N, H, W, ...)."""

    def picture(self, target: Array, palette: Array) -> Array:
        """A target, or an answer, as colours: uint8 (H, W, 3).

        Args:
            target: of one image.
            palette: colours of the dataset's classes, uint8 (classes, 3).
        """

    def disagreement(self, one: Array, other: Array) -> float:
        """Distance of two outputs from each other: 0 for the same, never less.

        Args:
            one: (N, channels, H, W), what any head gives.
            other: of the same shape and head.
        """

    def pretended(self, quality: float, rng: np.random.Generator) -> Sums:
        """Made-up statistics of a network as good as ``quality``, 0 to 1, for tests."""
