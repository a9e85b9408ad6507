"""Interface of labelled datasets, and views of one: parts, splits, fixed sizes."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from auxnas.backends.images import resize_rgb
from auxnas.compiler.tasks import Segmentation, TargetFormat
from auxnas.search.data.errors import DataError

Array = np.ndarray[Any, Any]
Bytes = NDArray[np.uint8]


class Dataset(Protocol):
    """Images, each with a label. Immutable; items are made anew on every call.

    One whose labels are other numbers than classes says so in ``labels``, a ``TargetFormat``; one
    that has labels of several kinds has ``of_task(task)``, itself with those that the task takes.
    One whose unit is a setting has ``scaled(units)``, itself with so many units a metre; one that
    can tell wrong measurements has ``suspicion(medians)``, the ``DataError`` or None.
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


def numbers_of(dataset: Dataset) -> TargetFormat:
    """The numbers of a dataset's labels: classes, where it does not say."""
    found: TargetFormat = getattr(dataset, "labels", Segmentation.target)
    return found


@dataclass(frozen=True)
class Reader:
    """Reader of a data format; a function or class that only opens it is one too.

    Attributes:
        open: makes the ``Dataset`` of what stands behind the format's name, of the number of
            classes asked for (None: what the data say; 0: the task has none) and of the part,
            ``train`` or ``val``; raises ``DataError``. A dataset that draws its images itself has
            ``rendered(size, seed)``, itself at (height, width); others are resized.
        parts: of the same text which parts there are; a reader without has ``train`` alone.
        unscored: classes that count in no score unless ``task.ignore`` says so.
        fits: whether something on disk has the format's layout, to tell what was meant.
        options: of tasks on these data, by the task's name, where nothing else is said.
    """

    open: Callable[[str, int | None, str], Dataset]
    parts: Callable[[str], Iterable[str]]
    unscored: tuple[str, ...] = ()
    fits: Callable[[Path], bool] = lambda where: False
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __call__(self, rest: str, classes: int | None, part: str) -> Dataset:
        """The part of the data that ``rest`` names."""
        return self.open(rest, classes, part)


def text_digest(*parts: object) -> str:
    """A hash (hex) of the parts' text forms, each apart from the next."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


class DatasetView:
    """A dataset made of another one's items; subclasses say which and how."""

    dataset: Dataset

    @property
    def name(self) -> str:
        """The name of the dataset that is viewed."""
        return self.dataset.name

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names."""
        return self.dataset.classes

    @property
    def labels(self) -> TargetFormat:
        """The numbers of the labels."""
        return numbers_of(self.dataset)

    @property
    def palette(self) -> Bytes:
        """Colours of the classes, uint8 ``(classes, 3)``."""
        return self.dataset.palette

    def source(self, index: int) -> int:
        """Index in the viewed dataset of the item at ``index``."""
        return index


@dataclass(frozen=True)
class Subset(DatasetView):
    """Some items of a dataset, in the order given.

    Attributes:
        dataset: source of the items.
        indices: their positions there.

    Raises:
        DataError: when a position is outside the dataset.
    """

    dataset: Dataset
    indices: tuple[int, ...]

    def __post_init__(self) -> None:
        size = len(self.dataset)
        for index in self.indices:
            if not 0 <= index < size:
                raise DataError(self.name, f"no item {index}", f"0..{size - 1}")

    def __len__(self) -> int:
        return len(self.indices)

    def fingerprint(self) -> str:
        """A hash of the dataset's content and of which items these are."""
        return text_digest("subset", self.dataset.fingerprint(), self.indices)

    def image(self, index: int) -> Bytes:
        """The image at ``index`` of this part."""
        return self.dataset.image(self.source(index))

    def label(self, index: int) -> Array:
        """The label at ``index`` of this part."""
        return self.dataset.label(self.source(index))

    def source(self, index: int) -> int:
        """The item's position in the whole dataset."""
        return self.indices[index]


@dataclass(frozen=True)
class ResizedDataset(DatasetView):
    """A dataset with every image brought to one size, whatever its proportions.

    Attributes:
        dataset: source of the items.
        size: (height, width) in pixels.

    Raises:
        DataError: when a side is not a positive number of pixels.
    """

    dataset: Dataset
    size: tuple[int, int]

    def __post_init__(self) -> None:
        check_size(self.size)

    def __len__(self) -> int:
        return len(self.dataset)

    def fingerprint(self) -> str:
        """A hash of the dataset's content and of the size."""
        return text_digest("resized", self.dataset.fingerprint(), tuple(self.size))

    def image(self, index: int) -> Bytes:
        """The image, resized bilinearly and without aliasing."""
        return resize_rgb(self.dataset.image(index), self.size)

    def label(self, index: int) -> Array:
        """The label, each pixel taken from the nearest one."""
        return self.labels.resized(self.dataset.label(index), self.size)


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """``size`` itself when it is a (height, width) of positive integers.

    Raises:
        DataError: when it is not.
    """
    if len(size) != 2 or any(type(side) is not int or side < 1 for side in size):
        raise DataError("size", repr(size), "(height, width) in pixels, both at least 1")
    return size


def subset(dataset: Dataset, indices: Iterable[int]) -> Subset:
    """The items of ``dataset`` at ``indices``, in that order."""
    return Subset(dataset, tuple(int(index) for index in indices))


def split_dataset(
    dataset: Dataset, fraction: float = 0.9, seed: int = 0, firsts: Sequence[int] = ()
) -> tuple[Subset, Subset]:
    """Two disjoint parts that cover ``dataset``: meta-train and meta-val (paper: 90 to 10).

    Args:
        dataset: at least two items.
        fraction: the share of the first part, as nearly as items that stay together allow;
            each part keeps at least one.
        firsts: of each item the first one like it, which it stays with; none by default.
        seed: decides who goes where, together with nothing but the number of items.

    Raises:
        DataError: when there are fewer than two different items or the fraction is not in
            (0, 1).
    """
    total = len(dataset)
    if not 0 < fraction < 1:
        raise DataError("fraction", str(fraction), "more than 0 and less than 1")
    firsts = firsts or range(total)
    sizes = Counter(firsts)
    order = sorted(sizes)
    if len(order) < 2:
        found = f"{len(order)} {'different ' * (total > 1)}images"
        raise DataError(dataset.name, found, "at least 2, one to train and one to test")
    random.Random(f"split {seed}").shuffle(order)
    order.sort(key=lambda like: -sizes[like])  # the smallest last, to fill up with
    asked, filled, chosen = min(max(round(total * fraction), 1), total - 1), 0, set()
    for like in order:
        if 2 * filled + sizes[like] < 2 * asked:  # with these, nearer to what is asked for
            chosen.add(like)
            filled += sizes[like]
    if len(chosen) in (0, len(order)):
        chosen ^= {order[-1]}
    first = [item for item, like in enumerate(firsts) if like in chosen]
    return subset(dataset, first), subset(dataset, sorted(set(range(total)) - set(first)))


def stack(dataset: Dataset, indices: Sequence[int] | None = None) -> tuple[Bytes, Array]:
    """Images ``(n, height, width, 3)`` and labels ``(n, height, width, ...)``, all by default.

    Raises:
        DataError: when they are of different sizes, or there is none.
    """
    chosen = range(len(dataset)) if indices is None else indices
    images = [dataset.image(index) for index in chosen]
    labels = [dataset.label(index) for index in chosen]
    shapes = sorted({item.shape[:2] for item in (*images, *labels)})
    if len(shapes) != 1:
        found = "no image" if not shapes else f"sizes {shapes[0]} and {shapes[-1]}"
        raise DataError(dataset.name, found, "images of one size: give a size to resize them to")
    return np.stack(images), np.stack(labels)
