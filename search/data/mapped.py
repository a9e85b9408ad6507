"""Other numbers for the labels of a dataset: an offset, or a mapping."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from auxnas.compiler.tasks import IGNORE
from auxnas.search.data.base import Array, Bytes, Dataset, text_digest
from auxnas.search.data.errors import DataError
from auxnas.search.data.views import DatasetView

MAP_WORDS = "an offset like -1, or FROM=TO, A-B=TO, A-B=C-D, *=TO with commas between them"
"""Forms of a map, in words; ``none`` is 255, not labelled."""
_TERM = re.compile(r"(\d+|\*)(?:-(\d+))?=(\d+|none)(?:-(\d+))?")


def label_table(text: str) -> tuple[int, ...]:
    """The number (0 to 255) that each label value from 0 to 255 becomes.

    An offset is added to all but 255; what then is below 0 or above 254 is not labelled. A mapping
    names values and ranges, the last that names one counts; what no term names stays as it is, or
    is as ``*`` says.

    Raises:
        ValueError: saying what is expected in place of ``text``.
    """
    text = text.replace(" ", "")
    if re.fullmatch(r"[+-]?\d+", text):
        moved = (value + int(text) for value in range(IGNORE))
        return (*(value if 0 <= value < IGNORE else IGNORE for value in moved), IGNORE)
    terms = [_term(each) for each in text.split(",")]
    rest = [found for found in terms if found[0] is None]
    table = [rest[-1][1][0] if rest else value for value in range(IGNORE)] + [IGNORE]
    for values, numbers in terms:
        for place, value in enumerate(values or ()):
            table[value] = numbers[min(place, len(numbers) - 1)]
    return tuple(table)


def idle_terms(text: str, values: Collection[int]) -> list[str]:
    """The terms of a map that name no value that occurs, ``values`` being those that do."""
    named = [(each, _TERM.fullmatch(each)) for each in text.replace(" ", "").split(",")]
    terms = [(each, _term(each)[0]) for each, found in named if found]
    return [each for each, asked in terms if asked and not set(asked) & set(values)]


def _term(text: str) -> tuple[range | None, range]:
    """The values of a term, None for all others, and the numbers that they become."""
    found = _TERM.fullmatch(text)
    if found is None:
        raise ValueError(f"{MAP_WORDS}, not {text[:40]!r}")
    first, last, to, end = found.groups()
    values = None if first == "*" else range(int(first), int(last or first) + 1)
    start = IGNORE if to == "none" else int(to)
    numbers = range(start, int(end or start) + 1)
    short = len(numbers) > 1 and (values is None or len(values) != len(numbers))
    if short or not numbers or values == range(0) or max(numbers[-1], *(values or (0,))) > IGNORE:
        raise ValueError(f"{MAP_WORDS}, each from 0 to {IGNORE} and ranges of one length: {text}")
    return values, numbers


class RelabelledDataset(DatasetView):
    """A dataset whose labels become other numbers by a table; subclasses say which."""

    @property
    def table(self) -> Bytes:
        """The number that each of 256 values becomes."""
        raise NotImplementedError

    def over(self, dataset: Dataset) -> Dataset:
        """The same view of another dataset."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.dataset)

    def image(self, index: int) -> Bytes:
        """The image as it is."""
        return self.dataset.image(index)

    def label(self, index: int) -> Array:
        """The label in other numbers."""
        return self.table[self.dataset.label(index)]

    def origin(self, index: int) -> tuple[Dataset, int]:
        """This view, over the dataset that the item is stored in: its labels are not as stored."""
        source, place = self.dataset.origin(index)
        return self.over(source), place

    def check_presence(self, index: int) -> None:
        """As the dataset."""
        self.dataset.check_presence(index)

    def check_item(self, index: int, image: Array, label: Array) -> None:
        """As the dataset."""
        self.dataset.check_item(index, image, label)

    def rendered(self, size: tuple[int, int], seed: int) -> Dataset | None:
        """The drawn dataset, in other numbers."""
        drawn = self.dataset.rendered(size, seed)
        return None if drawn is None else self.over(drawn)


@dataclass(frozen=True)
class MappedDataset(RelabelledDataset):
    """A dataset with the numbers that a user gives its labels.

    Attributes:
        dataset: source of the items.
        text: the map, as ``label_table`` reads it.
    """

    dataset: Dataset
    text: str

    @property
    def table(self) -> Bytes:
        """The number that each value becomes."""
        return np.array(label_table(self.text), np.uint8)

    def over(self, dataset: Dataset) -> Dataset:
        """Another dataset, mapped likewise."""
        return MappedDataset(dataset, self.text)

    def fingerprint(self) -> str:
        """A hash of the dataset's content and of the map."""
        return text_digest("mapped", self.dataset.fingerprint(), label_table(self.text))


def mapped(dataset: Dataset, text: str | None) -> Dataset:
    """The dataset with mapped labels, itself where ``text`` is None.

    Raises:
        DataError: for labels that are no classes.
    """
    if text is None:
        return dataset
    if not dataset.labels.classes:
        raise DataError("data.map", f"{text} for {dataset.name}", "data whose labels are classes")
    return MappedDataset(dataset, text)
