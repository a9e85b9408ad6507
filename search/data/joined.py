"""Several datasets as one: ``coco:DIR + sbd:DIR + voc:DIR``."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import numpy as np

from auxnas.compiler.tasks import TargetFormat
from auxnas.search.data.base import Array, BaseDataset, Bytes, Dataset, text_digest
from auxnas.search.data.errors import DataError
from auxnas.search.data.mapped import RelabelledDataset
from auxnas.search.data.views import subset

ONE_OF_THEM = "one of the joined data: numbers of images are a file's own"
"""Data that boxes and results can be of."""
Rows = Sequence[tuple[Dataset, Sequence[int]]]
"""Datasets, each with the places of some of its items."""


@dataclass(frozen=True)
class JoinedDataset(BaseDataset):
    """The items of several datasets with the same classes, one after the other.

    Attributes:
        datasets: one or more; what is of all of them is the last one's.
        left_out: what was left out of them, in words; may be empty.
    """

    datasets: tuple[Dataset, ...]
    left_out: str = ""

    @property
    def name(self) -> str:
        """The names, joined as they are written."""
        return " + ".join(dict.fromkeys(each.name for each in self.datasets))

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names."""
        return self.datasets[-1].classes

    @property
    def palette(self) -> Bytes:
        """Colours of the classes, uint8 ``(classes, 3)``."""
        return self.datasets[-1].palette

    @property
    def labels(self) -> TargetFormat:
        """The numbers of the labels."""
        return self.datasets[-1].labels

    @property
    def margin(self) -> int:
        """Pixels on every side that networks are not given."""
        return self.datasets[-1].margin

    @property
    def remark(self) -> str:
        """What users should know of each, and what was left out, a line each."""
        return "\n".join(filter(None, [*(each.remark for each in self.datasets), self.left_out]))

    def note(self) -> str:
        """Likewise of their content."""
        return "\n".join(filter(None, [each.note() for each in self.datasets]))

    def __len__(self) -> int:
        return self._ends[-1]

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(map(len, self.datasets)))

    def _item(self, index: int) -> tuple[Dataset, int]:
        """The dataset of an item, and its place there."""
        number = bisect_right(self._ends, index)
        return self.datasets[number], index - (self._ends[number - 1] if number else 0)

    def fingerprint(self) -> str:
        """A hash of the datasets' own."""
        return text_digest("joined", [each.fingerprint() for each in self.datasets])

    def image(self, index: int) -> Bytes:
        """The image at ``index``: uint8 RGB ``(height, width, 3)``."""
        dataset, place = self._item(index)
        return dataset.image(place)

    def label(self, index: int) -> Array:
        """The label at ``index``."""
        dataset, place = self._item(index)
        return dataset.label(place)

    def place(self, index: int) -> str:
        """The name of the image there."""
        dataset, place = self._item(index)
        return dataset.place(place)

    def label_place(self, index: int) -> str:
        """The name of the label there."""
        dataset, place = self._item(index)
        return dataset.label_place(place)

    def origin(self, index: int) -> tuple[Dataset, int]:
        """The dataset behind every view that the item is stored in."""
        dataset, place = self._item(index)
        return dataset.origin(place)

    def group(self, index: int) -> str:
        """The group of the item."""
        dataset, place = self._item(index)
        return dataset.group(place)

    def picture(self, index: int) -> str:
        """The item's name in other data."""
        dataset, place = self._item(index)
        return dataset.picture(place)

    def in_boxes(self, path: Path) -> Dataset:
        """Refuses boxes, whose numbers of images are those of one file of annotations.

        Raises:
            DataError: always.
        """
        raise DataError("--boxes", f"{path} for {self.name}", ONE_OF_THEM)


@dataclass(frozen=True)
class RenumberedDataset(RelabelledDataset):
    """A dataset whose classes have the numbers of another's, which are in another order.

    Attributes:
        dataset: source of the items.
        order: the class names in the wanted order.
    """

    dataset: Dataset
    order: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names in that order."""
        return self.order

    @property
    def palette(self) -> Bytes:
        """Their colours."""
        return self.dataset.palette[[self.dataset.classes.index(name) for name in self.order]]

    @property
    def table(self) -> Bytes:
        """The wanted number of each class; what is no class stays as it is."""
        found = np.arange(256, dtype=np.uint8)
        found[: len(self.order)] = [self.order.index(name) for name in self.dataset.classes]
        return found

    def over(self, dataset: Dataset) -> Dataset:
        """Another dataset in the same order."""
        return RenumberedDataset(dataset, self.order)

    def fingerprint(self) -> str:
        """A hash of the dataset's content and of the order."""
        return text_digest("renumbered", self.dataset.fingerprint(), self.order)


def with_classes_of(dataset: Dataset, last: Dataset) -> Dataset:
    """``dataset`` with the numbers that ``last`` gives the same classes.

    Classes without names (``class0`` and so on) are taken for the last one's.

    Raises:
        DataError: naming the first class of one that the other has not.
    """
    own, wanted = dataset.classes, last.classes
    unnamed = tuple(f"class{index}" for index in range(len(wanted)))
    if own in (wanted, unnamed):
        return dataset
    if sorted(own) == sorted(wanted):
        return RenumberedDataset(dataset, wanted)
    place = f"{dataset.name} + {last.name}"
    for name, other, first in ((own, wanted, dataset), (wanted, own, last)):
        alone = [each for each in name if each not in other]
        if alone:
            found = f"class {alone[0]!r} of {first.name} alone"
            raise DataError(place, found, "the same class names, in any order")
    raise DataError(place, f"{len(own)} and {len(wanted)} classes", "the same class names")


@dataclass(frozen=True)
class JoinedSource:
    """One of the sources of a join.

    Attributes:
        datasets: the parts of it that are trained on.
        borrowed: whether its pictures are another collection's, whose labels are finer.
    """

    datasets: tuple[Dataset, ...]
    borrowed: bool = False


def join_datasets(members: Sequence[JoinedSource], held: Collection[str]) -> JoinedDataset:
    """All items to train on, a picture once: with the finer labels, and none that is held back.

    Args:
        members: in the order of their items.
        held: names of pictures to validate on.

    Raises:
        DataError: when nothing is left.
    """
    seen: set[str] = set()
    rows: dict[int, Rows] = {}
    for number, member in sorted(enumerate(members), key=lambda each: each[1].borrowed):
        rows[number] = [(each, list(_new(each, seen, held))) for each in member.datasets]
    words = [_left_out(rows[number], held) for number in range(len(members))]
    kept = [row for number in range(len(members)) for row in rows[number]]
    found = tuple(each if len(own) == len(each) else subset(each, own) for each, own in kept if own)
    if not found:
        name = JoinedDataset(tuple(each for each, _ in kept)).name
        raise DataError(name, f"no image to train on ({'; '.join(filter(None, words))})")
    return JoinedDataset(found, "\n".join(filter(None, words)))


def _new(dataset: Dataset, seen: set[str], held: Collection[str]) -> Iterator[int]:
    """Places of the items whose picture is not ``held`` and was not ``seen``, which it then is."""
    for index in range(len(dataset)):
        name = dataset.picture(index)
        if not name:
            yield index
        elif name not in held and name not in seen:
            seen.add(name)
            yield index


def _left_out(rows: Rows, held: Collection[str]) -> str:
    """In words, what of a source's datasets is not kept; empty where all is."""
    total, kept = sum(len(each) for each, _ in rows), sum(len(own) for _, own in rows)
    judged = sum(each.picture(index) in held for each, _ in rows for index in range(len(each)))
    if kept == total:
        return ""
    return (
        f"{rows[0][0].name}: {total - kept} of {total} images are left out: {judged} are "
        f"validated on, {total - kept - judged} are there with other labels, which count"
    )


def picture_names(datasets: Iterable[Dataset]) -> frozenset[str]:
    """The names by which other data know pictures of ``datasets``."""
    names = (each.picture(index) for each in datasets for index in range(len(each)))
    return frozenset(filter(None, names))
