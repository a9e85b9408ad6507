"""Views of a dataset: parts, splits, fixed sizes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from auxnas.backends.images import resize_rgb
from auxnas.compiler.tasks import TargetFormat
from auxnas.search.data.base import (
    Array,
    BaseDataset,
    Bytes,
    Dataset,
    Unmatched,
    check_size,
    text_digest,
)
from auxnas.search.data.errors import DataError

STRETCH, PAD = "stretch", "pad"
"""Ways in which images are brought to one size."""

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""


class DatasetView(BaseDataset):
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
        return self.dataset.labels

    @property
    def margin(self) -> int:
        """Pixels around what networks are given."""
        return self.dataset.margin

    @property
    def palette(self) -> Bytes:
        """Colours of the classes, uint8 ``(classes, 3)``."""
        return self.dataset.palette

    @property
    def remark(self) -> str:
        """Something that users should know of the dataset that is viewed."""
        return self.dataset.remark

    @property
    def unmatched(self) -> Unmatched:
        """Files that are passed over."""
        return self.dataset.unmatched

    def note(self) -> str:
        """Likewise."""
        return self.dataset.note()

    def place(self, index: int) -> str:
        """The name of the image there."""
        return self.dataset.place(self.source(index))

    def label_place(self, index: int) -> str:
        """The name of the label there."""
        return self.dataset.label_place(self.source(index))

    def group(self, index: int) -> str:
        """The group of the item there."""
        return self.dataset.group(self.source(index))

    def origin(self, index: int) -> tuple[Dataset, int]:
        """The dataset behind every view."""
        return self.dataset.origin(self.source(index))

    def picture(self, index: int) -> str:
        """Its name in other data."""
        return self.dataset.picture(self.source(index))

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
    """A dataset with every image brought to one size.

    Attributes:
        dataset: source of the items.
        size: (height, width) in pixels.
        padding: (red, green, blue) that fills up what is smaller, and what is only shrunk as far as
            it has to be; None to stretch images, whatever their proportions.

    Raises:
        DataError: when a side is not a positive number of pixels.
    """

    dataset: Dataset
    size: tuple[int, int]
    padding: Colour | None = None

    def __post_init__(self) -> None:
        check_size(self.size)

    def __len__(self) -> int:
        return len(self.dataset)

    def fingerprint(self) -> str:
        """A hash of the dataset's content and of the size."""
        padding = () if self.padding is None else (self.padding,)
        return text_digest("resized", self.dataset.fingerprint(), tuple(self.size), *padding)

    def image(self, index: int) -> Bytes:
        """The image, resized bilinearly and without aliasing."""
        image = self.dataset.image(index)
        if self.padding is None:
            return resize_rgb(image, self.size)
        inner = resize_rgb(image, _size_within(image.shape, self.size))
        found = np.full((*self.size, 3), self.padding, np.uint8)
        found[: inner.shape[0], : inner.shape[1]] = inner
        return found

    def label(self, index: int) -> Array:
        """The label, each pixel taken from the nearest one; nothing where it is filled up."""
        label = self.dataset.label(index)
        if self.padding is None:
            return self.labels.resized(label, self.size)
        inner = self.labels.resized(label, _size_within(label.shape, self.size))
        return self.labels.filled(inner, self.size)


def _size_within(shape: Sequence[int], size: tuple[int, int]) -> tuple[int, int]:
    """An image's own (height, width), or the largest of its proportions within ``size``."""
    share = min(1.0, size[0] / shape[0], size[1] / shape[1])
    return max(1, round(shape[0] * share)), max(1, round(shape[1] * share))


def without_padding(
    image: Bytes, label: Array, padding: Colour, numbers: TargetFormat
) -> tuple[Bytes, Array]:
    """Image and label without what fills them up below and to the right."""
    there = (image != np.array(padding, np.uint8)).any(axis=2)
    there |= numbers.known(label).reshape(*there.shape, -1).any(axis=2)
    rows, columns = (np.flatnonzero(there.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return image, label
    return image[: rows[-1] + 1, : columns[-1] + 1], label[: rows[-1] + 1, : columns[-1] + 1]


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
