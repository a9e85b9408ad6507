"""The seam of tasks: another meaning of a network's output fits into it.

Images are uint8 RGB (H, W, 3). A target is (H, W), or (H, W, channels) where it has several;
a batch of them has an axis in front. Outputs are (N, channels, H, W).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from auxnas.compiler.tasks.growing import grown
from auxnas.compiler.tasks.heads import Disagreement, Head, Mirroring
from auxnas.compiler.tasks.pictures import overlaid
from auxnas.compiler.tasks.target import Size, TargetFormat

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


@dataclass(frozen=True)
class Scale:
    """Meaning of the colours of a picture.

    Attributes:
        colours: uint8 (n, 3), from the first to the last.
        marks: places among them, 0 to 1, and what they stand for.
    """

    colours: Array
    marks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class PixelPicture:
    """Pixels to be written as a PNG.

    Attributes:
        pixels: colours, uint8 (H, W, 3); grey of 8 or 16 bits, uint8 or uint16 (H, W); or uint8
            (H, W) places in ``palette``.
        palette: uint8 (256, 3).
        scale: drawn beside it.
    """

    pixels: Array
    palette: Array | None = None
    scale: Scale | None = None


@dataclass(frozen=True)
class Prediction:
    """Results of an artefact on one image.

    Attributes:
        pictures: by name, those of the task's ``pictures``.
        line: for people; may be empty.
        facts: plain data.
    """

    pictures: Mapping[str, PixelPicture]
    line: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Task(ABC):
    """Meaning of a network's output: its targets, and how good the network is at them.

    One of your own is a subclass. It is immutable and can be pickled. All but ``classes``,
    ``ignore`` and ``outputs`` is the same for any classes.

    Attributes:
        classes: the names of the dataset's classes; none where it has none.
        ignore: classes that count in no score.
        name: in messages.
        heads: ends that a shipped network can have; ``logits``, the output as it is, among them.
        measured: the head whose output ``measure`` takes.
        disagrees: name and wording of ``disagreement``.
        losses: ``package.module:Class`` of its losses in torch, which is imported where a network
            is trained; see ``backends.torch.losses.Losses``.
        starts_at_mean: whether the outputs' biases begin at the mean of the training targets.
        first_scale: root of the mean square that outputs begin with, about.
        pictures: names of those that a prediction has; each goes to a file of its own.
        scored_as_stored: whether a finished network is scored at the labels' own size, which its
            outputs are grown to; else at the size of the images that it sees.
    """

    classes: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    name: ClassVar[str]
    measured: ClassVar[str] = "logits"
    disagrees: ClassVar[Disagreement]
    starts_at_mean: ClassVar[bool] = False
    first_scale: ClassVar[float] = 1.0
    pictures: ClassVar[tuple[str, ...]] = ("overlay",)
    scored_as_stored: ClassVar[bool] = False

    @property
    @abstractmethod
    def target(self) -> TargetFormat:
        """The numbers of a target."""

    @property
    @abstractmethod
    def metrics(self) -> Mapping[str, Metric]:
        """Those of a score, by name, the most telling one first."""

    @property
    def headline(self) -> tuple[str, Metric]:
        """Name and meaning of the metric to show first."""
        return next(iter(self.metrics.items()))

    @property
    def heads(self) -> Mapping[str, Head]:
        """Ends that a shipped network can have."""
        return {"logits": Head()}

    @property
    @abstractmethod
    def losses(self) -> str:
        """The place of its losses."""

    @property
    def loss_options(self) -> Mapping[str, Any]:
        """Arguments that its losses are made with, in order, by name."""
        return {}

    def with_loss(
        self, options: Mapping[str, float], samples: Callable[[], Sequence[float]]
    ) -> Task:
        """The same with another loss; a task that has one alone is as it was.

        Args:
            options: the settings ``loss``.
            samples: gives the size of each class in the training images, in whole images.
        """
        return self

    @property
    def mirroring(self) -> Mirroring | None:
        """Averaging of outputs for an image and its mirror in a score; None: they are not."""
        return None

    @property
    def candidates(self) -> Mapping[str, Task]:
        """Itself with each value of an option that is measured on meta-val, by words; or none."""
        return {}

    @property
    def augmentation(self) -> str:
        """The place of its augmentation, a class or function; see ``search.data.augment``."""
        return "auxnas.search.data.augment:Augment.of"

    @property
    def outputs(self) -> int:
        """Channels of the network's main output, and of the auxiliary ones."""
        return self.target.channels

    @property
    def labels(self) -> TargetFormat:
        """The numbers of a dataset's labels, which ``target_of`` makes targets of."""
        return self.target

    def target_of(self, label: Array, image: Callable[[], Array]) -> Array:
        """The target of an image: of its label, which was moved with it, and of its size.

        Args:
            label: one of the dataset's, as ``labels`` says.
            image: gives the image, for tasks whose targets depend on it.
        """
        return label

    def fault(self, target: Array, outputs: int) -> str | None:
        """The reason that targets do not fit so many output channels; None where they do.

        Args:
            target: of a batch.
            outputs: the network's.
        """
        return None

    @abstractmethod
    def measure(self, output: Array, target: Array) -> Sums:
        """Statistics of a batch: those of two batches together are the sum of both.

        Args:
            output: (N, channels, H, W), what the head ``measured`` gives, at the targets' size.
            target: of the batch.
        """

    @abstractmethod
    def score(self, sums: Sums) -> Score:
        """The score of added statistics.

        Raises:
            ValueError: when nothing that counts is in them.
        """

    def details(self, sums: Sums) -> Mapping[str, Any]:
        """Further figures of added statistics, as plain data by name."""
        return {}

    def table(self, sums: Sums) -> ScoreTable:
        """The score of added statistics in detail."""
        found = self.score(sums).metrics
        rows = ((each.title, f"{found[name]:.4f}") for name, each in self.metrics.items())
        return ScoreTable(("metric", "value"), tuple(rows))

    @property
    def scale(self) -> Scale | None:
        """Meaning of the colours of ``picture``; None where they are those of classes."""
        return None

    def confusion(self, sums: Sums) -> Array | None:
        """(classes, classes) counts, row truth, column guess; None where there are no classes."""
        return None

    def sized(self, output: Array, head: str, size: Size, fed: Size | None = None) -> Array:
        """One image's output of an artefact as the head ``measured`` gives it at another size.

        Args:
            output: (channels, h, w).
            head: what gave it.
            size: (height, width) of the image.
            fed: of the image that the network was given; None for the same.

        Returns:
            (1, channels, height, width).
        """
        output = grown(output, size)[None]
        return output if head == self.measured else self.heads[self.measured].of(output)

    def answer(self, output: Array) -> Array:
        """Outputs of the head ``measured`` in the form of targets: (N, H, W, ...)."""
        return output[:, 0] if self.target.channels == 1 else np.moveaxis(output, 1, -1)

    @abstractmethod
    def picture(self, target: Array, palette: Array) -> Array:
        """A target, or an answer, as colours: uint8 (H, W, 3).

        Args:
            target: of one image.
            palette: colours of the dataset's classes, uint8 (classes, 3).
        """

    def panel(self, image: Array, part: Array, palette: Array) -> Array:
        """A target, or an answer, to be shown beside its image: uint8 (H, W, 3).

        Args:
            image: uint8 (H, W, 3).
            part: the target or the answer.
            palette: colours of the dataset's classes, uint8 (classes, 3).
        """
        return self.picture(part, palette)

    def predicted(self, answer: Array, image: Array, palette: Array, alpha: float) -> Prediction:
        """Pictures and words for an answer.

        Args:
            answer: to one image.
            image: uint8 (H, W, 3).
            palette: colours of the classes, uint8 (256, 3).
            alpha: share of the picture in the image that it is laid over, 0 to 1.
        """
        over = overlaid(image, self.picture(answer, palette), alpha)
        return Prediction({"overlay": PixelPicture(over)})

    @abstractmethod
    def disagreement(self, one: Array, other: Array) -> float:
        """Distance of two outputs from each other: 0 for the same, never less.

        Args:
            one: (N, channels, H, W), what any head gives.
            other: of the same shape and head.
        """

    def distance(self, one: Array, other: Array) -> Array | None:
        """How far choices are from each other, in pixels; None where they have no distance.

        Args:
            one: (N, ...), what a head gives that decides.
            other: of the same shape and head.
        """
        return None
