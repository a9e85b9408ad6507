"""Check of a dataset before anything is trained on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auxnas.backends.images import check_sizes
from auxnas.backends.images.labels import range_reason
from auxnas.compiler.tasks import IGNORE
from auxnas.search.data.base import Array, Dataset, DatasetView, numbers_of
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import FileDataset

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
    total, classes = len(dataset), len(dataset.classes) or 1
    if not total:
        raise DataError(dataset.name, "no images", "at least one")
    origins = [_origin(dataset, index) for index in range(total)]
    _check_presence(origins)
    counts = np.zeros(256, dtype=np.int64)
    middles: list[float] = []
    wrong: DataError | None = None
    for done, (source, index) in enumerate(origins, start=1):
        found, fault, middle = _check_item(source, index)
        counts, wrong = counts + found, wrong or fault
        middles += middle
        if progress is not None:
            progress(done, total)
    if wrong is not None:
        values = [value for value in np.flatnonzero(counts).tolist() if value != IGNORE]
        expected = f"{wrong.expected}; {range_reason(values, classes)}"
        raise DataError(wrong.place, wrong.found, expected)
    if not counts[:classes].any():
        expected = "some label below 255" if dataset.classes else "some number that counts"
        raise DataError(dataset.name, "no labelled pixel in any image", expected)
    _check_measurements(origins[0][0], middles)
    pixels = tuple(int(count) for count in counts[:classes])
    return Summary(total, pixels, int(counts[IGNORE]))


def _origin(dataset: Dataset, index: int) -> tuple[Dataset, int]:
    """The dataset and the position behind every view of it."""
    if isinstance(dataset, DatasetView):
        return _origin(dataset.dataset, dataset.source(index))
    return dataset, index


def list_remark(dataset: Dataset) -> str:
    """A remark about how the list of ``dataset`` was read; "" for none."""
    source, _ = _origin(dataset, 0)
    return source.remark if isinstance(source, FileDataset) else ""


def _check_presence(origins: list[tuple[Dataset, int]]) -> None:
    """Checks that all files exist, which is cheap, before any is read."""
    for source, index in origins:
        if isinstance(source, FileDataset):
            pair = source.pairs[index]
            for path in (pair.image, pair.label):
                if not path.is_file():
                    raise DataError(pair.place(path), "no such file")


def _check_measurements(source: Dataset, middles: list[float]) -> None:
    """Asks data that can tell whether the numbers of their labels look right."""
    suspicion = getattr(source, "suspicion", None)
    fault = suspicion(middles) if suspicion is not None else None
    if fault is not None:
        raise fault


def _check_item(
    source: Dataset, index: int
) -> tuple[NDArray[np.int64], DataError | None, list[float]]:
    """Counts of the values of a label, what is wrong with them, the median of measurements."""
    image, label, numbers = source.image(index), source.label(index), numbers_of(source)
    if image.dtype != np.uint8:
        raise DataError(_place(source, index), f"image of type {image.dtype}", "uint8")
    if image.ndim != 3 or image.shape[2] != 3:
        found = f"image of {'x'.join(map(str, image.shape))}"
        raise DataError(_place(source, index), found, "height x width x 3")
    if isinstance(source, FileDataset):
        pair = source.pairs[index]
        check_sizes((pair.image, image), (pair.label, label), pair.place(pair.label))
    fault = numbers.fault(label, (image.shape[0], image.shape[1]))
    if fault is not None:
        raise DataError(_place(source, index), fault)
    counts = np.bincount(numbers.counted(label).ravel(), minlength=256)
    if not numbers.classes:
        counted = label[numbers.known(label)]
        return counts, None, [float(np.median(counted))] if counted.size else []
    wrong = counts.copy()
    wrong[: len(source.classes)] = 0
    wrong[IGNORE] = 0
    if not wrong.any():
        return counts, None, []
    return counts, _value_error(source, index, label, np.flatnonzero(wrong)), []


def _value_error(source: Dataset, index: int, label: Array, bad: NDArray[np.int64]) -> DataError:
    row, column = np.argwhere(np.isin(label, bad))[0]
    found = f"label value {label[row, column]} at row {row} column {column}"
    expected = f"0..{len(source.classes) - 1} or {IGNORE}"
    return DataError(_place(source, index), found, expected)


def image_place(dataset: Dataset, index: int) -> str:
    """The name of an image in messages, through every view of it."""
    source, position = _origin(dataset, index)
    if isinstance(source, FileDataset):
        pair = source.pairs[position]
        return pair.place(pair.image)
    return f"{source.name} item {position}"


def _place(source: Dataset, index: int) -> str:
    if isinstance(source, FileDataset):
        pair = source.pairs[index]
        return pair.place(pair.label)
    return f"{source.name} item {index}"
