"""Datasets of image files, by lists of pairs."""

from __future__ import annotations

import hashlib
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
from auxnas.compiler.tasks import IGNORE, Segmentation, TargetFormat, Task
from auxnas.search.data.base import Array, BaseDataset, Bytes, Reader
from auxnas.search.data.errors import DataError
from auxnas.search.data.lists import list_rows, read_colours, read_names


@dataclass(frozen=True)
class Pair:
    """An image file, its label file, and the line that names them (``train.lst line 3``)."""

    image: Path
    label: Path
    line: str

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
    """

    name: str
    classes: tuple[str, ...]
    pairs: tuple[Pair, ...]
    root: Path
    colours: tuple[tuple[int, ...], ...] = ()
    labels: TargetFormat = Segmentation.target
    remark: str = ""
    collection: str = ""

    @property
    def palette(self) -> Bytes:
        """Colours of the classes, uint8 ``(classes, 3)``."""
        return np.array(self.colours, np.uint8) if self.colours else class_colours(self.classes)

    def __len__(self) -> int:
        return len(self.pairs)

    def fingerprint(self) -> str:
        """A hash of the classes, and of every file's name, bytes and the manner of reading them.

        The first call reads all.

        Raises:
            DataError: when a file cannot be read.
        """
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
        for index, pair in enumerate(self.pairs):
            orientations = []
            for path in (pair.image, pair.label):
                state.update(f"\n{self.relative(path)}\n".encode())
                if path not in last:  # one file may hold the labels of all
                    content = _content(path, pair.place(path))
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
        """Tells of photographs that an EXIF tag turns while their label images have none."""
        if not self.turned:
            return ""
        return (
            f"note: {len(self.turned)} of {len(self)} photographs are turned by their EXIF tag "
            f"(first {self.pairs[self.turned[0]].image}): their label images have to lie as the "
            "photographs are shown"
        )

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
            DataError: naming the one that does not.
        """
        pair = self.pairs[index]
        for path in (pair.image, pair.label):
            if not path.is_file():
                raise DataError(pair.place(path), "no such file")

    def check_item(self, index: int, image: Array, label: Array) -> None:
        """Compares the sizes of image and label, which EXIF tags may turn.

        Raises:
            DataError: naming both.
        """
        pair = self.pairs[index]
        check_sizes((pair.image, image), (pair.label, label), self.label_place(index))

    def of_task(self, task: Task) -> FileDataset:
        """The same files, their labels read as the task's."""
        return replace(self, labels=task.labels)

    def image(self, index: int) -> Bytes:
        """The image at ``index``, upright: uint8 ``(height, width, 3)``.

        Raises:
            DataError: when the file is missing or damaged.
        """
        return read_photograph(self.pairs[index].image, self.place(index))

    def label(self, index: int) -> Array:
        """The label at ``index``: ``(height, width, ...)``, values as stored.

        Raises:
            DataError: when the file is missing, damaged or not an image of indices; of
                measurements, no array of them.
        """
        return read_numbers(self.pairs[index].label, self.labels, self.label_place(index))


def _content(path: Path, place: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(place, error.strerror or str(error)) from error


def open_list(where: str, classes: int | None, part: str) -> FileDataset:
    """The dataset of a list file, or of a folder with ``train.lst`` (and ``val.lst``).

    Args:
        where: the folder or the file. File names are relative to the list's folder.
        classes: how many classes; None when ``classes.txt`` beside the list says so; 0 for none.
        part: ``train`` or ``val``.

    Raises:
        DataError: when the list is missing, empty or malformed, the part does not exist,
            or the number of classes is unknown or contradicts ``classes.txt`` or
            ``palette.txt``, which has their colours.
    """
    lists = list_parts(where)
    if part not in lists:
        raise DataError(f"list:{where}", f"no {part} part", "a folder with train.lst and val.lst")
    path = lists[part]
    names = _class_names(path.parent / "classes.txt", classes)
    rows, remark = list_rows(path)
    pairs = tuple(Pair(path.parent / r.image, path.parent / r.label, r.line) for r in rows)
    colours = read_colours(path.parent / "palette.txt", len(names))
    return FileDataset(f"list:{where}", names, pairs, path.parent, colours, remark=remark)


def list_parts(where: str) -> dict[str, Path]:
    """The list file of each part that ``where`` (a folder or a list) has.

    Raises:
        DataError: when there is none, or which one is meant cannot be told.
    """
    root = Path(where)
    if root.is_file():
        return {"train": root}
    if not root.is_dir():
        raise DataError(f"list:{where}", "no such file or folder")
    found = {path.stem: path for path in sorted(root.glob("*.lst"))}
    if "train" in found:
        return {part: found[part] for part in ("train", "val") if part in found}
    if len(found) != 1:
        names = ", ".join(path.name for path in found.values()) or "no .lst file"
        raise DataError(f"list:{where}", names, "train.lst, or exactly one .lst file")
    return {"train": next(iter(found.values()))}


def _class_names(path: Path, count: int | None) -> tuple[str, ...]:
    """The names in ``path`` if it exists, else ``class0`` ... for ``count`` classes."""
    if count == 0:
        return ()
    if not path.is_file():
        if count is None:
            raise DataError("classes", f"not given, and there is no {path}", "one of the two")
        return tuple(f"class{index}" for index in range(check_classes(count)))
    names = read_names(path)
    check_classes(len(names), str(path))
    return same_classes(names, count, str(path))


def check_classes(count: int, place: str = "classes") -> int:
    """``count`` itself, when that many classes fit a label image.

    Raises:
        DataError: when it is not within 2..255.
    """
    if not 2 <= count <= IGNORE:
        raise DataError(place, f"{count} classes", f"2..{IGNORE}")
    return count


def same_classes(names: tuple[str, ...], count: int | None, place: str) -> tuple[str, ...]:
    """``names``, when they are as many as the user says (None or 0: says nothing).

    Raises:
        DataError: naming both numbers.
    """
    if count and count != len(names):
        raise DataError("classes", f"{count} asked for", f"{len(names)} as in {place}")
    return names


def _is_list(where: Path) -> bool:
    """Whether this is a file, which may be a list, or a folder of lists."""
    return where.is_file() or next(where.glob("*.lst"), None) is not None


LIST = Reader(open_list, list_parts, fits=_is_list)
"""``list:DIR_OR_FILE``."""
