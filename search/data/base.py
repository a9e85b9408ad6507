"""Interface of labelled datasets and of their readers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from auxnas.compiler.tasks import Segmentation, TargetFormat, Task
from auxnas.search.data.errors import DataError

Array = np.ndarray[Any, Any]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Unmatched:
    """Files of images without a label, and of labels without an image, which are passed over."""

    images: tuple[Path, ...] = ()
    labels: tuple[Path, ...] = ()

    def remark(self, where: Path, label: str = "label") -> str:
        """A line about them; empty where there are none.

        Args:
            where: folder of both.
            label: word for a label file.
        """
        words = (
            (f"images without a {label}", self.images),
            (f"{label}s without an image", self.labels),
        )
        told = [f"{len(paths)} {what} (first {paths[0]})" for what, paths in words if paths]
        return f"{where}: passed over {' and '.join(told)}" if told else ""


ALL_MATCHED = Unmatched()


class OfficialEvaluation(Protocol):
    """The evaluation that some data come with, of answers to certain of their items."""

    def results(self, answers: Sequence[Array]) -> list[dict[str, Any]]:
        """The rows of the file that the data's own tools take."""

    def figures(self, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The figures of such rows.

        Raises:
            BackendUnavailable: when a library for them is not installed.
        """


class Dataset(Protocol):
    """Images, each with a label. Immutable; items are made anew on every call.

    One of your own needs the members up to ``label``; ``BaseDataset`` has the others, of which a
    subclass, or any class, says again what is not as usual.
    """

    @property
    def name(self) -> str:
        """Name for people: ``synthetic:500``, ``list:...``, ``voc:...``."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names; a label value is a position in them. None of measurements."""

    @property
    def palette(self) -> Bytes:
        """Colours to draw the classes with, uint8 ``(classes, 3)``."""

    def __len__(self) -> int:
        """Number of images."""

    def fingerprint(self) -> str:
        """A hash (hex) of everything that the images and labels depend on."""

    def image(self, index: int) -> Bytes:
        """The image at ``index``: uint8 RGB ``(height, width, 3)``."""

    def label(self, index: int) -> Array:
        """The classes of its pixels: uint8 ``(height, width)``, 255 where there is none.

        Of other numbers what ``labels`` says.
        """

    @property
    def labels(self) -> TargetFormat:
        """The numbers of the labels."""

    @property
    def margin(self) -> int:
        """Pixels on every side of an image that networks are not given.

        Training moves the image about in them; everything else goes without.
        """

    @property
    def remark(self) -> str:
        """Something that users should know of how the data were found; may be empty."""

    @property
    def unmatched(self) -> Unmatched:
        """Files that are passed over for lack of the other one of a pair."""

    def note(self) -> str:
        """Likewise of their content, all of which may be read for it."""

    def place(self, index: int) -> str:
        """Words by which messages name an image."""

    def label_place(self, index: int) -> str:
        """Words by which messages name a label."""

    def origin(self, index: int) -> tuple[Dataset, int]:
        """The dataset that an item is stored in, and its position there."""

    def picture(self, index: int) -> str:
        """Name of a picture that other data have too, by which they know it; else empty."""

    def group(self, index: int) -> str:
        """Name of what an item must not be split from, as the photograph that it is cut out of."""

    def check_presence(self, index: int) -> None:
        """Checks that an item is there, which is cheap, before any is read.

        Raises:
            DataError: naming what is missing.
        """

    def check_item(self, index: int, image: Array, label: Array) -> None:
        """Checks image and label by what only the data know.

        Raises:
            DataError: when they do not belong together.
        """

    def suspicion(self, middles: Sequence[float]) -> DataError | None:
        """The error of measurements that look wrong; None where all is well.

        Args:
            middles: the median of each label that has any numbers.
        """

    def of_task(self, task: Task) -> Dataset:
        """Itself with the labels that a task takes, where it has several kinds."""

    def scaled(self, scale: float) -> Dataset:
        """Itself with so many units a metre.

        Raises:
            DataError: where there is no unit to choose.
        """

    def in_boxes(self, path: Path) -> Dataset:
        """Itself with the items in the boxes that a detector found, in a file.

        Raises:
            DataError: where it is not of such items.
        """

    def official(self, indices: Sequence[int]) -> OfficialEvaluation | None:
        """The data's own evaluation of answers to some items, in this order; None without one."""

    def rendered(self, size: tuple[int, int], seed: int) -> Dataset | None:
        """Itself drawn at (height, width); None where images are as they are stored."""


class BaseDataset:
    """Usual answers of a dataset: classes for labels, and nothing more to say."""

    @property
    def labels(self) -> TargetFormat:
        """Classes."""
        return Segmentation.target

    @property
    def margin(self) -> int:
        """None."""
        return 0

    @property
    def remark(self) -> str:
        """Nothing."""
        return ""

    @property
    def unmatched(self) -> Unmatched:
        """None."""
        return ALL_MATCHED

    def note(self) -> str:
        """Nothing."""
        return ""

    def place(self: Dataset, index: int) -> str:
        """The dataset's name and the item's number."""
        return f"{self.name} item {index}"

    def label_place(self: Dataset, index: int) -> str:
        """The same as of the image."""
        return self.place(index)

    def origin(self: Dataset, index: int) -> tuple[Dataset, int]:
        """The dataset itself."""
        return self, index

    def picture(self, index: int) -> str:
        """None."""
        return ""

    def group(self, index: int) -> str:
        """Nothing: items are split from all but those of the same pixels."""
        return ""

    def check_presence(self, index: int) -> None:
        """Finds nothing missing."""

    def check_item(self, index: int, image: Array, label: Array) -> None:
        """Finds nothing."""

    def suspicion(self, middles: Sequence[float]) -> DataError | None:
        """None."""
        return None

    def of_task(self: Dataset, task: Task) -> Dataset:
        """Itself: there are no other labels."""
        return self

    def scaled(self: Dataset, scale: float) -> Dataset:
        """Refuses a unit.

        Raises:
            DataError: always.
        """
        expected = "data whose depth has a unit to choose, as depth:DIR_OR_LIST"
        raise DataError("data.depth_scale", f"{scale:g} for {self.name}", expected)

    def in_boxes(self: Dataset, path: Path) -> Dataset:
        """Refuses boxes.

        Raises:
            DataError: always.
        """
        expected = "data of persons in COCO's form, coco-keypoints:DIR_OR_JSON"
        raise DataError("--boxes", f"{path} for {self.name}", expected)

    def official(self, indices: Sequence[int]) -> OfficialEvaluation | None:
        """None."""
        return None

    def rendered(self, size: tuple[int, int], seed: int) -> Dataset | None:
        """None."""
        return None


@dataclass(frozen=True)
class Reader:
    """Reader of a data format; a function or class that only opens it is one too.

    Attributes:
        open: makes the ``Dataset`` of what stands behind the format's name, of the number of
            classes asked for (None: what the data say; 0: the task has none) and of the part,
            ``train`` or ``val``; raises ``DataError``.
        parts: of the same text which parts there are; ``train`` alone by default.
        unscored: classes that count in no score unless ``task.ignore`` says so.
        fits: whether something on disk has the format's layout, to tell what was meant.
        options: of the same text, those of tasks on these data, by the task's name, where
            nothing else is said.
        borrowed: whether the pictures are another collection's, whose own labels are finer: joined
            to that all parts are trained on, but for the pictures that it has itself.
        absolute: the same text with paths that hold wherever it is opened from, of formats
            that take a path.
    """

    open: Callable[[str, int | None, str], Dataset]
    parts: Callable[[str], Iterable[str]] = lambda rest: ("train",)
    unscored: tuple[str, ...] = ()
    fits: Callable[[Path], bool] = lambda where: False
    options: Callable[[str], Mapping[str, Mapping[str, str]]] = lambda rest: {}
    borrowed: bool = False
    absolute: Callable[[str], str] = lambda rest: str(Path(rest).absolute())

    def __call__(self, rest: str, classes: int | None, part: str) -> Dataset:
        """The part of the data that ``rest`` names."""
        return self.open(rest, classes, part)


def text_digest(*parts: object) -> str:
    """A hash (hex) of the parts' text forms, each apart from the next."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """``size`` itself when it is a (height, width) of positive integers.

    Raises:
        DataError: when it is not.
    """
    if len(size) != 2 or any(type(side) is not int or side < 1 for side in size):
        raise DataError("size", repr(size), "(height, width) in pixels, both at least 1")
    return size
