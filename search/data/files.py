"""Datasets of image files, by lists of pairs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from auxnas.backends.colours import class_colours
from auxnas.backends.images import (
    Header,
    check_sizes,
    header,
    read_numbers,
    read_photograph,
    reading_manner,
)
from auxnas.backends.images.depth import unit_error, unit_remark
from auxnas.compiler.tasks import IGNORE, Segmentation, TargetFormat, Task
from auxnas.search.data.base import (
    ALL_MATCHED,
    Array,
    BaseDataset,
    Bytes,
    Dataset,
    Unmatched,
    text_digest,
)
from auxnas.search.data.errors import DataError

_LOOKED_AT = 32
"""Depth maps at most that a remark on their unit is made from."""


@dataclass(frozen=True)
class Pair:
    """An image file, its label file, and the line that names them (``train.lst line 3``).

    Attributes:
        image: the one.
        label: the other.
        line: that names them.
        fault: found in that line, or in the label where that was read already; None for none.
    """

    image: Path
    label: Path
    line: str
    fault: DataError | None = None

    def place(self, path: Path) -> str:
        """Words by which errors name one of the two files."""
        return f"{path} ({self.line})"


@dataclass(frozen=True)
class FileDataset(BaseDataset):
    """Pairs of image and label files, read when asked for.

    Attributes:
        name: for people.
        classes: class names in label order.
        pairs: the files.
        root: the folder that the fingerprint's file names are relative to.
        colours: (red, green, blue) to draw each class with; made up where there are none.
        labels: the numbers in the label files.
        remark: something that users should know of how the list was read; may be empty.
        collection: of pictures that other data have too, under the same names; else empty.
        unmatched: files that are passed over.
    """

    name: str
    classes: tuple[str, ...]
    pairs: tuple[Pair, ...]
    root: Path
    colours: tuple[tuple[int, ...], ...] = ()
    labels: TargetFormat = Segmentation.target
    remark: str = ""
    collection: str = ""
    unmatched: Unmatched = ALL_MATCHED

    @property
    def palette(self) -> Bytes:
        """Colours of the classes, uint8 ``(classes, 3)``."""
        return np.array(self.colours, np.uint8) if self.colours else class_colours(self.classes)

    def __len__(self) -> int:
        return len(self.pairs)

    def pair(self, index: int) -> Pair:
        """The files of an item.

        Raises:
            DataError: that the item was found to have when the data were opened.
        """
        found = self.pairs[index]
        if found.fault is not None:
            raise copy(found.fault)  # raised itself, it would keep the frames of every read
        return found

    def fingerprint(self) -> str:
        """A hash of the classes, and of every file's name, bytes and the manner of reading them.

        The first call reads all.

        Raises:
            DataError: when a file cannot be read.
        """
        units = self.labels.units
        return self.content if units is None else text_digest("units", self.content, units)

    @property
    def content(self) -> str:
        """A hash of the files, in whatever unit their numbers are; the first call reads all."""
        return self._contents[0]

    @property
    def turned(self) -> tuple[int, ...]:
        """Places of the photographs that an EXIF tag turns, but not their label images.

        Raises:
            DataError: when a file cannot be read.
        """
        return self._contents[1]

    @cached_property
    def _contents(self) -> tuple[str, tuple[int, ...]]:
        """The fingerprint, and ``turned``: what takes reading all files."""
        turned: list[int] = []
        state = hashlib.sha256(repr(self.classes).encode())
        last: dict[Path, tuple[bytes, Header]] = {}
        for index in range(len(self)):
            pair, orientations = self.pair(index), []
            for path in (pair.image, pair.label):
                state.update(f"\n{self.relative(path)}\n".encode())
                if path not in last:  # one file may hold the labels of all
                    content = file_content(path, pair.place(path))
                    last[path] = hashlib.sha256(content).digest(), header(content)
                digest, found = last[path]
                state.update(digest)
                state.update(reading_manner(found, label=path == pair.label).encode())
                orientations.append(found.orientation)
            last = {pair.label: last[pair.label]}
            if orientations[0] != 1 == orientations[1]:
                turned.append(index)
        return state.hexdigest(), tuple(turned)

    def relative(self, path: Path) -> str:
        """The name of a file that the fingerprint has."""
        inside = path.is_relative_to(self.root)
        return (path.relative_to(self.root) if inside else path).as_posix()

    def note(self) -> str:
        """Tells of photographs that an EXIF tag turns while their label images have none.

        And of depth in whole numbers that may be in another unit, by some of the files.
        """
        return "\n".join(filter(None, (self._turning, self._unit)))

    @property
    def _turning(self) -> str:
        if not self.turned:
            return ""
        return (
            f"note: {len(self.turned)} of {len(self)} photographs are turned by their EXIF tag "
            f"(first {self.pairs[self.turned[0]].image}): their label images have to lie as the "
            "photographs are shown"
        )

    @property
    def _unit(self) -> str:
        if not self.labels.metric:
            return ""
        chosen = range(0, len(self), -(-len(self) // _LOOKED_AT))
        depths = (self.label(index) for index in chosen)
        remark = unit_remark(depths, self.pairs[0].label, self.labels)
        of = f"{self.name}, {self.pairs[0].line.partition(' line ')[0]}"
        said = ": --depth-scale says which" * (self.labels.units is None)
        return f"{of}: {remark}{said}" if remark else ""

    def suspicion(self, middles: Sequence[float]) -> DataError | None:
        """Error of a unit that is likely another one; None where all is well.

        Args:
            middles: the median depth of each image that has any, in metres.
        """
        return unit_error(middles, self.pairs[0].label, self.labels) if self.labels.metric else None

    def scaled(self, scale: float) -> Dataset:
        """The same files, so many units a metre.

        Raises:
            DataError: where labels are no depth.
        """
        if not self.labels.metric:
            return super().scaled(scale)
        return replace(self, labels=replace(self.labels, units=scale))

    def place(self, index: int) -> str:
        """The image's file, and the line that names it."""
        pair = self.pairs[index]
        return pair.place(pair.image)

    def label_place(self, index: int) -> str:
        """The label's file, and the line that names it."""
        pair = self.pairs[index]
        return pair.place(pair.label)

    def picture(self, index: int) -> str:
        """The image's name in its collection."""
        return f"{self.collection}/{self.pairs[index].image.stem}" if self.collection else ""

    def check_presence(self, index: int) -> None:
        """Checks that both files of an item exist.

        Raises:
            DataError: naming the one that does not, or what else is known to be wrong.
        """
        pair = self.pair(index)
        for path in (pair.image, pair.label):
            if not path.is_file():
                expected = f"a file there: names are relative to {self.root}"
                raise DataError(pair.place(path), "no such file", expected)

    def check_item(self, index: int, image: Array, label: Array) -> None:
        """Compares the sizes of image and label, which EXIF tags may turn.

        Raises:
            DataError: naming both.
        """
        pair = self.pairs[index]
        check_sizes((pair.image, image), (pair.label, label), self.label_place(index))

    def of_task(self, task: Task) -> FileDataset:
        """The same files, their labels read as the task's."""
        return replace(self, labels=task.labels) if task.labels.is_map else self

    def image(self, index: int) -> Bytes:
        """The image at ``index``, upright: uint8 ``(height, width, 3)``.

        Raises:
            DataError: when the file is missing or damaged.
        """
        return read_photograph(self.pair(index).image, self.place(index))

    def label(self, index: int) -> Array:
        """The label at ``index``: ``(height, width, ...)``, values as stored.

        Raises:
            DataError: when the file is missing, damaged or not an image of indices; of
                measurements, no array of them.
        """
        return read_numbers(self.pair(index).label, self.labels, self.label_place(index))


def file_content(path: Path, place: str) -> bytes:
    """The bytes of a file.

    Raises:
        DataError: naming ``place``, when it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(place, error.strerror or str(error)) from error


def lone_file(source: str, path: Path) -> dict[str, Path]:
    """The one part of data that are a single file; none of a folder.

    Raises:
        DataError: where there is neither.
    """
    if path.is_file():
        return {"train": path}
    if not path.is_dir():
        raise DataError(source, "no such file or folder")
    return {}


def check_classes(count: int, place: str = "classes") -> int:
    """``count`` itself, when that many classes fit a label image.

    Raises:
        DataError: when it is not within 2..255.
    """
    if not 2 <= count <= IGNORE:
        background = ": the background is one, too" * (count == 1)
        raise DataError(place, f"{count} classes", f"2..{IGNORE}{background}")
    return count


def same_classes(names: tuple[str, ...], count: int | None, place: str) -> tuple[str, ...]:
    """``names``, when they are as many as the user says (None or 0: says nothing).

    Raises:
        DataError: naming both numbers.
    """
    if count and count != len(names):
        raise DataError("classes", f"{count} asked for", f"{len(names)} as in {place}")
    return names
