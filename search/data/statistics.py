"""Pixels of each class in each image, and images that are there more than once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auxnas.backends.images.labels import missing_reason, some_names
from auxnas.compiler.tasks import IGNORE, TargetFormat
from auxnas.search.data.base import Array, Bytes
from auxnas.search.data.errors import DataError

ValueCounts = NDArray[np.int64]
VALUES = 256
_LEAST_SHARE = 0.001
"""Of measurements that should count; a laser scanner's are some hundredths."""


def image_counts(image: Bytes, label: Array, numbers: TargetFormat) -> tuple[ValueCounts, Bytes]:
    """Counts of the label's classes, (256,), and the image's hash, (32,) uint8."""
    state = hashlib.sha256(repr(image.shape).encode())
    state.update(np.ascontiguousarray(image).tobytes())
    counts = np.bincount(numbers.counted(label).ravel(), minlength=VALUES).astype(np.int64)
    return counts, np.frombuffer(state.digest(), np.uint8)


@dataclass(frozen=True)
class Statistics:
    """A row for each image.

    Attributes:
        classes: their names; none where labels are measurements.
        places: how messages name each image.
        values: (images, 256), how often each label value occurs; of measurements how many
            count, first, and how many do not, last.
        content: (images, 32) uint8, a hash of each image's pixels.
        groups: of each image the name of what it must not be split from; may be empty.
    """

    classes: tuple[str, ...]
    places: tuple[str, ...]
    values: ValueCounts
    content: Bytes
    groups: tuple[str, ...] = ()

    def __len__(self) -> int:
        """The number of images."""
        return len(self.places)

    def of(self, indices: Sequence[int]) -> Statistics:
        """Those of some of the images."""
        chosen = list(indices)
        places = tuple(self.places[index] for index in chosen)
        groups = tuple(self.groups[index] for index in chosen) if self.groups else ()
        return Statistics(self.classes, places, self.values[chosen], self.content[chosen], groups)

    @property
    def pixels(self) -> ValueCounts:
        """(classes,): pixels of each."""
        found: ValueCounts = self.values[:, : len(self.classes)].sum(axis=0, dtype=np.int64)
        return found

    @property
    def images(self) -> ValueCounts:
        """(classes,): images that each occurs in."""
        found: ValueCounts = (self.values[:, : len(self.classes)] > 0).sum(axis=0, dtype=np.int64)
        return found

    @property
    def unlabelled(self) -> int:
        """Pixels of no class."""
        return int(self.values[:, IGNORE].sum())

    @property
    def labelled(self) -> bool:
        """Whether any number counts."""
        return bool(self.values[:, :IGNORE].any())

    @property
    def missing(self) -> tuple[str, ...]:
        """Classes without a pixel."""
        return tuple(n for n, count in zip(self.classes, self.pixels, strict=True) if not count)

    @property
    def reason(self) -> str:
        """A likely reason for what is missing, after a semicolon; "" for none."""
        unnamed = tuple(f"class{number}" for number in range(len(self.classes)))
        named = self.classes != unnamed
        found = missing_reason(self.pixels.tolist(), self.unlabelled, named)
        return found and f"; {found}"

    @property
    def firsts(self) -> tuple[int, ...]:
        """Of each image the first one with the same pixels: itself where there is none."""
        seen: dict[bytes, int] = {}
        return tuple(seen.setdefault(row.tobytes(), n) for n, row in enumerate(self.content))

    @property
    def names(self) -> tuple[frozenset[str], ...]:
        """Of each image what it shares with those that it is not split from: pixels, a group."""
        groups = self.groups or ("",) * len(self)
        content = (row.tobytes().hex() for row in self.content)
        return tuple(frozenset(filter(None, pair)) for pair in zip(content, groups, strict=True))

    @property
    def together(self) -> tuple[int, ...]:
        """Of each image the first that it is not split from, be it by way of others."""
        found = list(range(len(self)))

        def first(number: int) -> int:
            while found[number] != number:
                found[number] = number = found[found[number]]
            return number

        seen: dict[str, int] = {}
        for number, names in enumerate(self.names):
            for name in names:
                one, other = first(seen.setdefault(name, number)), first(number)
                found[max(one, other)] = min(one, other)
        return tuple(map(first, range(len(self))))


def check_variety(where: str, found: Statistics, whole: Statistics) -> None:
    """Checks that the images have more than one class: a constant answer would score them right.

    Args:
        where: names them.
        found: in those images.
        whole: in the data that they are a part of.

    Raises:
        DataError: naming ``where``, the class, and the likely reason or what to do.
    """
    present = [name for name in found.classes if name not in found.missing]
    if len(present) < 2:
        of = f"no class but {present[0]!r}" if present else "no class"
        several = len(whole.classes) - len(whole.missing) > 1
        advice = "; the data have others: more images, or another data.meta_train"
        raise DataError(
            where, f"{of} has a pixel", "two or more" + (advice * several or whole.reason)
        )


def check_not_mask(where: str, found: Statistics) -> None:
    """Checks that labels of one class alone are not likely a mask of 0 and 255.

    Raises:
        DataError: naming ``where``, the class and the likely reason.
    """
    if found.reason:
        check_variety(where, found, found)


def missing_remarks(
    data: str, train: tuple[str, Statistics], val: tuple[str, Statistics]
) -> Iterator[str]:
    """Lines about classes that have no pixel in what is trained on or scored.

    Args:
        data: names both parts together.
        train: name and statistics of the images that are trained on.
        val: of those that are scored.
    """
    (learned, first), (scored, second) = train, val
    both = [name for name in first.missing if name in second.missing]
    if both:
        yield f"{data}: no image has a pixel of {some_names(both)}{first.reason}"
    if names := [name for name in first.missing if name not in both]:
        yield f"{learned} has no pixel of {some_names(names)}, which {scored} has: never learned"
    if names := [name for name in second.missing if name not in both]:
        yield (
            f"{scored} has no pixel of {some_names(names)}: mIoU leaves out what it has not, "
            "or counts 0 for it where it is predicted"
        )


def missing_remark(data: str, found: Statistics) -> Iterator[str]:
    """A line about the classes that have no pixel in what is scored."""
    if found.missing:
        yield f"{data}: no image has a pixel of {some_names(found.missing)}{found.reason}"


def sparse_remark(where: str, found: Statistics) -> Iterator[str]:
    """A warning about measurements of which hardly any counts."""
    counting, rest = int(found.values[:, :IGNORE].sum()), found.unlabelled
    if not found.classes and counting < _LEAST_SHARE * (counting + rest):
        yield (
            f"warning: {where}: {counting:,} of {counting + rest:,} numbers in the labels count: "
            "too few to learn from, or to tell networks apart by"
        )


def empty_remark(where: str, found: Statistics, element: str = "pixel") -> Iterator[str]:
    """A line about images without a label that counts, where others have some.

    Args:
        where: names them.
        found: their labels.
        element: part of a label that counts or does not, in a word.
    """
    empty = np.flatnonzero(~found.values[:, :IGNORE].any(axis=1))
    if 0 < len(empty) < len(found):
        yield (
            f"{where}: {len(empty)} of {len(found)} images have no labelled {element}, first "
            f"{found.places[empty[0]]}: they count for nothing"
        )


def mixed_remark(data: str, found: Statistics) -> Iterator[str]:
    """A warning about masks of 0 and 255 among label images of two classes."""
    has = found.values > 0
    other = has[:, 1:IGNORE].any(axis=1)
    masks, labels = np.flatnonzero(has[:, IGNORE] & ~other), np.flatnonzero(other & ~has[:, IGNORE])
    if len(found.classes) == 2 and len(masks) and len(labels):
        yield (
            f"warning: {data}: the label images of {len(masks)} images are of 0 and 255, first "
            f"{found.places[masks[0]]}, those of {len(labels)} of 0 and 1, first "
            f"{found.places[labels[0]]}; 255 means not labelled: where it is the foreground of a "
            "mask, store 1 for it, or give --map 255=1"
        )


def repeated_remark(data: str, found: Statistics) -> Iterator[str]:
    """A line about images that are there more than once."""
    again = [(first, n) for n, first in enumerate(found.firsts) if first != n]
    if again:
        first, second = (found.places[n] for n in again[0])
        yield (
            f"{data}: {len(again)} of {len(found)} images have the pixels of an earlier one, "
            f"first {second} those of {first}"
        )


def leaked_remark(train: Statistics, val: Statistics) -> Iterator[str]:
    """A warning about images to validate on that are trained on."""
    known = {row.tobytes(): place for row, place in zip(train.content, train.places, strict=True)}
    rows = ((row.tobytes(), place) for row, place in zip(val.content, val.places, strict=True))
    again = [(place, known[row]) for row, place in rows if row in known]
    if again:
        yield (
            f"warning: {len(again)} of {len(val)} images to validate on are trained on too, which "
            f"flatters every score: first {again[0][0]}, the same pixels as {again[0][1]}"
        )
