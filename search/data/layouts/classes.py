"""Tables of classes beside label images: names, colours, and what is not labelled."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from auxnas.backends.images import read_coloured_label, read_label
from auxnas.backends.images.colours import NOT_LABELLED, ColourError, colour_counts
from auxnas.compiler.tasks import IGNORE
from auxnas.genotype.errors import short_repr
from auxnas.search.data.base import Bytes
from auxnas.search.data.documents import json_document
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import check_classes, same_classes
from auxnas.search.data.layouts.pairs import parts_of_names
from auxnas.search.data.lists import numbered_lines, parse_colour, read_colours, read_names

UNLABELLED = ("void", "unlabelled", "unlabeled", "ignore", "__ignore__")
"""Names of a table's rows that are no class."""
PALETTE = "palette.txt"
"""File of the colours of the names in ``classes.txt``."""


@dataclass(frozen=True)
class LabelKey:
    """Meaning of label images: the class of each colour, and of each number.

    Attributes:
        numbers: the class that each number from 0 on stands for, 255 for none; others stay.
        colours: of the same rows; none where label images have no colours.
        source: name of the file that says so.
        names: of the same rows, for messages.
        indexed: whether the indices of pictures with a palette are numbers, whatever its colours.
    """

    numbers: tuple[int, ...] = ()
    colours: tuple[tuple[int, ...], ...] = ()
    source: str = ""
    names: tuple[str, ...] = ()
    indexed: bool = False

    def __call__(self, path: Path | bytes, place: str) -> Bytes:
        """The classes in a label image: by its colours where there are any, else by its numbers.

        Raises:
            DataError: when it is missing, damaged, or has a colour that is no class's.
        """
        if self.colours:
            found = read_coloured_label(path, place, palettes=not self.indexed)
        else:
            found = read_label(path, place)
        if found.ndim == 2:
            return self._table[found]
        try:
            return self._of_colours(found, place)
        except DataError:
            if self.indexed and (found == found[..., :1]).all():  # indices as grey colours
                return self._table[found[..., 0]]
            raise

    @cached_property
    def _table(self) -> Bytes:
        table = np.arange(256, dtype=np.uint8)
        table[: len(self.numbers)] = self.numbers
        return table

    @cached_property
    def _codes(self) -> tuple[np.ndarray[tuple[int], np.dtype[np.int32]], Bytes]:
        """The colours as rising numbers, and the class of each."""
        codes = np.array(self.colours, np.int32) @ _CODE
        order = np.argsort(codes)
        return codes[order], np.array(self.numbers, np.uint8)[order]

    def _of_colours(self, found: Bytes, place: str) -> Bytes:
        codes, numbers = self._codes
        asked = found.astype(np.int32) @ _CODE
        where = np.searchsorted(codes, asked).clip(max=len(codes) - 1)
        wrong = codes[where] != asked
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            counts = colour_counts(found[wrong])
            rare = max(counts.values()) <= max(1, wrong.size // _RARE)
            said = self._stranger(found[row, column], int(row), int(column), rare)
            has = set(codes[where[~wrong]].tolist())
            rows = zip(self.names, self.colours, strict=True)
            unused = tuple(row for row in rows if int(row[1] @ _CODE) not in has)
            raise ColourError(place, *said, counts, wrong.size, unused)
        classes: Bytes = numbers[where]
        return classes

    def _stranger(self, colour: Bytes, row: int, column: int, rare: bool) -> tuple[str, str]:
        """Words about a colour that is no class's, as ``rare`` ones by smoothing are."""
        shown = ",".join(map(str, colour.tolist()))
        distance = np.abs(np.array(self.colours, int) - colour).sum(axis=1)
        near = self.names[int(distance.argmin())]
        if rare and distance.min() <= _NEAR:
            near += ": were the edges smoothed, or was it scaled or saved lossily?"
        return (
            f"colour {shown} at row {row} column {column}",
            f"one of the {len(self.colours)} in {self.source} (nearest is {near}); {NOT_LABELLED}",
        )


_RARE, _NEAR = 100, 128
"""By smoothing no colour has more than one pixel in so many, nor is further from a class's."""
_CODE = np.array([65536, 256, 1], np.int32)


@dataclass(frozen=True)
class ClassTable:
    """Classes of a dataset, and the key of its label images.

    Attributes:
        classes: names, in the order of the labels.
        colours: of the classes; may be empty.
        key: of label images.
        remark: rows that count as not labelled, in words; may be empty.
    """

    classes: tuple[str, ...]
    colours: tuple[tuple[int, ...], ...]
    key: LabelKey
    remark: str = ""


Row = tuple[str, tuple[int, ...]]


def coloured_classes(path: Path, rows: Iterable[Row]) -> ClassTable:
    """The table of a file's rows, of which those named like ``UNLABELLED`` are no class.

    Raises:
        DataError: for no class, a name or a colour that is there twice.
    """
    names, colours = zip(*listed, strict=True) if (listed := list(rows)) else ((), ())
    for n, (name, colour) in enumerate(zip(names, colours, strict=True)):
        if name in names[:n]:
            raise DataError(str(path), f"class {name} twice", "distinct names")
        if colour in colours[:n]:
            other = names[colours.index(colour)]
            found = f"the colour of {name} is that of {other}"
            raise DataError(str(path), found, "another one for each class")
    kept = [n for n, name in enumerate(names) if name.lower() not in UNLABELLED]
    check_classes(len(kept), str(path))
    numbers = tuple(kept.index(n) if n in kept else IGNORE for n in range(len(names)))
    left = ", ".join(names[n] for n in range(len(names)) if n not in kept)
    return ClassTable(
        tuple(names[n] for n in kept),
        tuple(colours[n] for n in kept),
        LabelKey(numbers, tuple(colours), path.name, tuple(names)),
        f"{path}: {left} counts as not labelled" if left else "",
    )


def _labelmap(path: Path) -> ClassTable:
    """CVAT's: ``name:r,g,b:parts:actions``."""

    def rows() -> Iterator[Row]:
        for number, line in numbered_lines(path):
            if line.strip() and not line.startswith("#"):
                name, _, rest = line.strip().partition(":")
                yield name, parse_colour(rest.partition(":")[0], f"{path} line {number}")

    return coloured_classes(path, rows())


def _class_dict(path: Path) -> ClassTable:
    """A table with a head: ``name,r,g,b``."""

    def rows() -> Iterator[Row]:
        lines = list(numbered_lines(path))[1:]
        for (number, text), parts in zip(lines, csv.reader(t for _, t in lines), strict=True):
            if text.strip():
                place = f"{path} line {number}"
                yield parts[0].strip(), parse_colour(",".join(parts[1:4]), place)

    return coloured_classes(path, rows())


def _label_colours(path: Path) -> ClassTable:
    """CamVid's: ``r g b`` and the name behind."""

    def rows() -> Iterator[Row]:
        for number, line in numbered_lines(path):
            if line.strip():
                *colour, name = line.split(maxsplit=3)
                yield name.strip(), parse_colour(" ".join(colour), f"{path} line {number}")

    return coloured_classes(path, rows())


def _numbered(path: Path) -> ClassTable:
    """A table with a head: ``Pixel Value, Class``, the values from 0 on."""
    rows = [line.partition(",")[::2] for _, line in numbered_lines(path) if line.strip()][1:]
    for place, (number, _) in enumerate(rows):
        if number.strip() != str(place):
            raise DataError(str(path), f"value {number.strip()!r}", f"{place}, in order from 0")
    names = tuple(name.strip() for _, name in rows)
    return ClassTable(names, (), LabelKey())


def _numbered_json(path: Path) -> ClassTable:
    """An object of names by their numbers from 0 on, as Hugging Face has it."""
    rows = json_document(path)
    for place, (number, name) in enumerate(rows.items()):
        if number != str(place) or not isinstance(name, str):
            raise DataError(str(path), f"{number}: {short_repr(name)}", f"{place}: a name")
    return ClassTable(tuple(rows.values()), (), LabelKey())


def palette_classes(palette: Path, names: tuple[str, ...]) -> ClassTable:
    """The table of names and of their colours in ``palette``; where there is none, of names."""
    colours = read_colours(palette, names)
    if not colours:
        return ClassTable(names, (), LabelKey())
    return coloured_classes(palette, zip(names, colours, strict=True))


def _names(path: Path) -> ClassTable:
    """One a line; their colours in ``palette.txt``."""
    return palette_classes(path.with_name(PALETTE), read_names(path))


TABLES: Mapping[str, Callable[[Path], ClassTable]] = {
    "classes.txt": _names,
    "labelmap.txt": _labelmap,
    "class_dict.csv": _class_dict,
    "label_colors.txt": _label_colours,
    "_classes.csv": _numbered,
    "id2label.json": _numbered_json,
    "codes.txt": _names,
    "labels.txt": _names,
}
"""Files that say the classes, and their readers; the first that is there counts."""


def known_classes(folders: tuple[Path, ...], count: int | None) -> ClassTable:
    """The classes that a file in one of the folders says, else as many as are asked for.

    Raises:
        DataError: when nothing says how many there are, or that is another number.
    """
    places = [folder / name for folder in folders for name in TABLES]
    path = next((each for each in places if each.is_file()), None)
    if path is not None:
        table = TABLES[path.name](path)
        check_classes(len(table.classes), str(path))
        same_classes(table.classes, count, str(path))
        return table
    if count == 0:  # a task without any
        return ClassTable((), (), LabelKey())
    if count is None:
        known = ", ".join(TABLES)
        found = f"not given, and {folders[0]} has none of {known}"
        raise DataError("classes", found, "how many, or one of these files")
    return ClassTable(
        tuple(f"class{index}" for index in range(check_classes(count))), (), LabelKey()
    )


def find_key(labels: Path, count: int) -> LabelKey:
    """The key of the label images in a folder, by the table of classes in it or beside it, if any.

    That of a part, ``masks/val``, may be beside ``masks``. Beside lists of pairs the indices of
    pictures with a palette count, else their colours.

    Raises:
        DataError: when the table has colours or other numbers, of another number of classes.
    """
    above = labels.resolve().parents
    for folder in (*above[: 2 if parts_of_names({labels.name: labels}) else 1], labels):
        path = next((folder / name for name in TABLES if (folder / name).is_file()), None)
        if path is not None:
            table = TABLES[path.name](path)
            if table.key == LabelKey():
                return table.key
            same_classes(table.classes, count, str(path))
            return replace(table.key, indexed=any(folder.glob("*.lst")))
    return LabelKey()
