"""``hf:DIR``: data of Hugging Face's ``datasets`` on disk, Arrow or Parquet."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from auxnas.backends.base import BackendUnavailable
from auxnas.backends.colours import class_colours
from auxnas.backends.images import read_photograph
from auxnas.search.data.base import BaseDataset, Bytes, Reader, text_digest
from auxnas.search.data.documents import json_document, member
from auxnas.search.data.errors import DataError
from auxnas.search.data.latest import Latest
from auxnas.search.data.layouts.classes import ClassTable, known_classes
from auxnas.search.data.layouts.pairs import parts_of_names
from auxnas.search.data.rows.sequences import IMAGES, LABELS

_SPLITS, _STATE = "dataset_dict.json", "state.json"
"""Files of several parts and of one, as ``save_to_disk`` writes them."""
_CHUNK = 1 << 22


class RowTable(Protocol):
    """RowTable of a file.

    Attributes:
        schema: names and types of its columns.
    """

    schema: Any

    def __len__(self) -> int:
        """Number of rows."""

    def cell(self, column: str, row: int) -> Any:
        """A value as plain data."""


@dataclass(frozen=True)
class RowFiles(BaseDataset):
    """RowTable with the bytes of an image file and of a label image.

    Attributes:
        name: for people.
        table: the classes.
        paths: files of rows, in order.
        image_column: name of the column of images.
        label_column: of labels.
    """

    name: str
    table: ClassTable
    paths: tuple[Path, ...]
    image_column: str
    label_column: str

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names."""
        return self.table.classes

    @property
    def palette(self) -> Bytes:
        """Colours of the classes, uint8 ``(classes, 3)``."""
        own = self.table.colours
        return np.array(own, np.uint8) if own else class_colours(self.classes)

    @property
    def remark(self) -> str:
        """RowTable of the table that are no class."""
        return self.table.remark

    @cached_property
    def _files(self) -> tuple[RowTable, ...]:
        return tuple(_rows(path, (self.image_column, self.label_column)) for path in self.paths)

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(map(len, self._files)))

    def __len__(self) -> int:
        return self._ends[-1]

    def fingerprint(self) -> str:
        """A hash of the files and of the classes; the first call reads all."""
        return self._content

    @cached_property
    def _content(self) -> str:
        state = hashlib.sha256()
        for path in self.paths:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    state.update(chunk)
        key, columns = self.table.key, (self.image_column, self.label_column)
        known = (self.classes, key.numbers, key.colours, columns)
        return text_digest("rows", known, state.hexdigest())

    def _at(self, index: int) -> tuple[int, int]:
        """The number of the file with a row, and its place there."""
        number = bisect_right(self._ends, index)
        return number, index - (self._ends[number - 1] if number else 0)

    def place(self, index: int) -> str:
        """The file and the row in it."""
        number, row = self._at(index)
        return f"{self.paths[number]} row {row}"

    def image(self, index: int) -> Bytes:
        """The image at ``index``, upright: uint8 RGB ``(height, width, 3)``."""
        return read_photograph(self._bytes(index, self.image_column), self.place(index))

    def label(self, index: int) -> Bytes:
        """The classes at ``index``: uint8 ``(height, width)``."""
        return self.table.key(self._bytes(index, self.label_column), self.label_place(index))

    def _bytes(self, index: int, column: str) -> bytes:
        """The bytes of a picture: those of the row, or of the file that it names."""
        number, row = self._at(index)
        cell = self._files[number].cell(column, row)
        if isinstance(cell, Mapping) and isinstance(cell.get("bytes"), bytes):
            return bytes(cell["bytes"])
        place = f"{self.place(index)} {column}"
        if not isinstance(cell, Mapping) or not isinstance(cell.get("path"), str):
            raise DataError(place, "no picture", "bytes or a path, as datasets.Image has them")
        path = Path(self.paths[number].parent, cell["path"])
        if not path.is_file():
            raise DataError(place, f"{path}: no such file", "one, or its bytes in the row")
        return path.read_bytes()


def open_rows(where: str, classes: int | None, part: str) -> RowFiles:
    """The rows of a part.

    The classes are in ``id2label.json`` or another file of ``known_classes`` beside the data.

    Args:
        where: a folder of ``save_to_disk``, or one of Parquet as repositories have it.
        classes: how many; None where a file says so.
        part: ``train`` or ``val``.

    Raises:
        DataError: when there are no such files, or not one column of images and one of labels.
        BackendUnavailable: when pyarrow is not installed.
    """
    name, parts = f"hf:{where}", row_parts(where)
    if part not in parts:
        raise DataError(name, f"no {part} part", "a split called validation")
    paths = parts[part]
    pictures = _picture_columns(paths[0])
    columns = [_named(name, pictures, names) for names in (IMAGES, LABELS)]
    table = known_classes((Path(where),), classes)
    found = RowFiles(name, table, tuple(paths), columns[0], columns[1])
    if not len(found):
        raise DataError(name, "no rows", "at least one")
    return found


def row_parts(where: str) -> dict[str, list[Path]]:
    """The files of each part.

    Raises:
        DataError: when there are none.
    """
    root = Path(where)
    splits = parts_of_names(dict(_splits(root)))
    if "train" not in splits:
        expected = f"{_SPLITS} or {_STATE} of save_to_disk, or data/train-*.parquet"
        raise DataError(f"hf:{where}", "no training part", expected)
    return splits


def _splits(root: Path) -> Iterator[tuple[str, list[Path]]]:
    """The files of each split."""
    if (root / _SPLITS).is_file():
        document = json_document(root / _SPLITS)
        for name in member(document, "splits", list, str(root / _SPLITS)):
            yield str(name), _arrow_files(root / str(name))
    elif (root / _STATE).is_file():
        yield "train", _arrow_files(root)
    else:
        files = sorted([*root.glob("*.parquet"), *root.glob("data/*.parquet")])
        for split, paths in groupby(files, key=lambda path: re.split(r"-\d", path.stem)[0]):
            yield split, list(paths)


def _splits_of(where: Path) -> dict[str, list[Path]]:
    """The files of each split; none of what is no such folder."""
    try:
        return dict(_splits(where))
    except DataError:
        return {}


def _arrow_files(folder: Path) -> list[Path]:
    """The files that a state names.

    Raises:
        DataError: when there are none.
    """
    place = folder / _STATE
    rows = member(json_document(place), "_data_files", list, str(place))
    found = [folder / member(row, "filename", str, str(place)) for row in rows]
    missing = next((path for path in found if not path.is_file()), None)
    if missing is not None or not found:
        raise DataError(str(missing or place), "no such file" if missing else "no files", "rows")
    return found


def _named(place: str, columns: Sequence[str], names: Sequence[str]) -> str:
    """The column of one of the names."""
    found = next((name for name in names if name in columns), None)
    if found is None:
        what = f"columns of pictures {', '.join(columns) or 'none'}"
        raise DataError(place, what, f"one called {', '.join(names)}")
    return found


def _picture_columns(path: Path) -> list[str]:
    """The columns with the bytes or paths of pictures."""
    schema = _rows(path, ()).schema
    import pyarrow

    return [
        field.name
        for field in schema
        if pyarrow.types.is_struct(field.type)
        and {"bytes", "path"} <= {each.name for each in field.type}
    ]


def _rows(path: Path, columns: tuple[str, ...]) -> RowTable:
    """The rows of a file; nothing of them is read yet.

    Raises:
        DataError: when it is damaged.
        BackendUnavailable: when pyarrow is not installed.
    """
    try:
        import pyarrow
    except ImportError:
        raise BackendUnavailable("hf", "pyarrow", "hf") from None
    try:
        return ParquetRows(path, columns) if path.suffix == ".parquet" else ArrowRows(path)
    except (pyarrow.ArrowException, OSError) as error:
        words = str(error).partition("\n")[0][:100]
        raise DataError(str(path), f"cannot be read ({words})", "rows of Arrow") from None


class ArrowRows:
    """RowTable of a stream of Arrow, mapped into memory."""

    def __init__(self, path: Path) -> None:
        import pyarrow

        with pyarrow.ipc.open_stream(pyarrow.memory_map(str(path))) as reader:
            self.schema, self._table = reader.schema, reader.read_all()

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def cell(self, column: str, row: int) -> Any:
        """A value as plain data."""
        return self._table.column(column)[row].as_py()


class ParquetRows:
    """RowTable of a file of Parquet, of which one group is in memory at a time."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        from pyarrow import parquet

        self._file, self._columns = parquet.ParquetFile(path), list(columns)
        self.schema, meta = self._file.schema_arrow, self._file.metadata
        sizes = (meta.row_group(n).num_rows for n in range(meta.num_row_groups))
        self._ends: list[int] = list(accumulate(sizes, initial=0))
        self._last = Latest[int, Any]()

    def __len__(self) -> int:
        return int(self._ends[-1])

    def cell(self, column: str, row: int) -> Any:
        """A value as plain data."""
        group = bisect_right(self._ends, row) - 1
        found = self._last.of(group, lambda: self._file.read_row_group(group, self._columns))
        return found.column(column)[row - self._ends[group]].as_py()


HF = Reader(open_rows, row_parts, fits=lambda where: "train" in parts_of_names(_splits_of(where)))
"""``hf:DIR``."""
