"""Check of a dataset before anything is trained on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auxnas.backends.images.labels import range_reason
from auxnas.compiler.tasks import IGNORE
from auxnas.genotype.errors import short_repr
from auxnas.search.data.base import Array, Dataset
from auxnas.search.data.errors import DataError

CheckProgress = Callable[[int, int], None]
"""Called with how many images are done, and of how many."""


@dataclass(frozen=True)
class Summary:
    """Size of a dataset that passed the check.

    Attributes:
        images: how many.
        pixels: labelled pixels of each class, in label order; without classes of all.
        unlabelled: pixels of no class.
    """

    images: int
    pixels: tuple[int, ...]
    unlabelled: int


def check(dataset: Dataset, progress: CheckProgress | None = None) -> Summary:
    """Reads every image and label of ``dataset``, as stored, and counts the pixels.

    Args:
        dataset: any; of a view, the files behind it are looked at.
        progress: called after every image.

    Raises:
        DataError: naming the first file that is missing, damaged, of another size than
            its image, or has a value that is neither a class nor 255, or not finite; or when
            there is no image or no labelled pixel at all.
    """
    total = len(dataset)
    classes = len(dataset.classes) if dataset.labels.classes else 1
    if not total:
        raise DataError(dataset.name, "no images", "at least one")
    origins = [dataset.origin(index) for index in range(total)]
    for source, index in origins:
        source.check_presence(index)
    counts = np.zeros(256, dtype=np.int64)
    middles: dict[int, list[float]] = {}
    wrong: DataError | None = None
    for done, (source, index) in enumerate(origins, start=1):
        found, fault, middle = _check_item(source, index)
        counts, wrong = counts + found, wrong or fault
        middles.setdefault(id(source), []).extend(middle)
        if progress is not None:
            progress(done, total)
    if wrong is not None:
        values = [value for value in np.flatnonzero(counts).tolist() if value != IGNORE]
        expected = f"{wrong.expected}; {range_reason(values, classes)}"
        raise DataError(wrong.place, wrong.found, expected)
    if not counts[:classes].any():
        expected = "some label below 255" if dataset.labels.classes else "some number that counts"
        first = origins[0][0].label_place(origins[0][1])
        nothing = f"no labelled {dataset.labels.element} in any image, first {first}"
        raise DataError(dataset.name, nothing, expected)
    for source in {id(each): each for each, _ in origins}.values():
        suspicion = source.suspicion(middles[id(source)])
        if suspicion is not None:
            raise suspicion
    pixels = tuple(int(count) for count in counts[:classes])
    return Summary(total, pixels, int(counts[IGNORE]))


def _check_item(
    source: Dataset, index: int
) -> tuple[NDArray[np.int64], DataError | None, list[float]]:
    """Counts of the values of a label, what is wrong with them, the median of measurements."""
    image, label, numbers = source.image(index), source.label(index), source.labels
    place = source.label_place(index)
    for name, value in (("image", image), ("label", label)):
        if not isinstance(value, np.ndarray):
            raise DataError(place, f"{name} {short_repr(value)}", "an array of numpy's")
    if image.dtype != np.uint8:
        raise DataError(place, f"image of type {image.dtype}", "uint8")
    if image.ndim != 3 or image.shape[2] != 3:
        found = f"image of {'x'.join(map(str, image.shape))}"
        raise DataError(place, found, "height x width x 3")
    source.check_item(index, image, label)
    fault = numbers.fault(label, (image.shape[0], image.shape[1]))
    if fault is not None:
        raise DataError(place, fault)
    counts = np.bincount(numbers.counted(label).ravel(), minlength=256)
    if not numbers.classes:
        counted = numbers.values(label)
        return counts, None, [float(np.median(counted))] if counted.size else []
    wrong = counts.copy()
    wrong[: len(source.classes)] = 0
    wrong[IGNORE] = 0
    if not wrong.any():
        return counts, None, []
    return counts, _value_error(source, index, label, np.flatnonzero(wrong)), []


def _value_error(source: Dataset, index: int, label: Array, bad: NDArray[np.int64]) -> DataError:
    row, column = np.argwhere(np.isin(label, bad))[0]
    found = f"label value {label[row, column]} {_at(row, column)}"
    expected = f"0..{len(source.classes) - 1} or {IGNORE}"
    return DataError(source.label_place(index), found, expected)


def value_place(dataset: Dataset, index: int, label: Array, value: int) -> str:
    """The label that has a value, and its first row and column there."""
    return f"{dataset.label_place(index)} {_at(*np.argwhere(label == value)[0])}"


def _at(row: int, column: int) -> str:
    return f"at row {row} column {column}"
