"""Values in MATLAB's older files, version 5 to 7, compressed or not.

A file is a header and elements: a kind, a number of bytes, and the bytes. A variable is an element
of elements: flags, sizes, name, and then its numbers, or its fields, variables again. scipy reads
all of it, but ends the process on files with a damaged byte, which data of thousands may have.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from auxnas.backends.images.opening import check_regular_file
from auxnas.search.data.errors import DataError

Array = np.ndarray[Any, Any]
Content = TypeVar("Content")

_HEADER, _LITTLE_ENDIAN = 128, b"IM"
_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
"""Kinds of elements."""
_TYPES = dict(
    zip(
        (1, 2, 3, 4, 5, 6, 7, 9, 12, 13),
        ["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8", "i8", "u8"],
        strict=True,
    )
)
"""Kinds of elements that are numbers, and how they are stored."""
_CELL, _STRUCT, _CHAR, _NUMBERS = 1, 2, 4, range(6, 16)
"""Classes of variables."""
_TEXTS = {16: "utf-8", 17: "utf-16-le", 4: "utf-16-le", 1: "latin-1", 2: "latin-1"}
"""Encodings of text by the kind of its element."""
_DEEPEST = 32
"""Levels of values in values."""
_MOST_BYTES = 1 << 28
_OLD, _HDF5 = 1, 2
"""Versions."""


class _DamagedError(Exception):
    """The file is none, or not whole; the message says where it shows."""


def matlab_structs(
    path: Path, place: str, names: Collection[str], expected: str
) -> Mapping[str, Mapping[str, Array]]:
    """The fields that are numbers of those of the structs ``names`` that a file has.

    Args:
        path: the file.
        place: how an error names it.
        names: of variables, which are structs of one element; others are passed over.
        expected: the file that would have been right.

    Raises:
        DataError: when it is missing, damaged, of another kind, or has none of them.
    """
    fields = _read(path, place, names, expected, _Variable.fields)
    found = {name: each for name, each in fields.items() if each is not None}
    if not found:
        raise DataError(place, f"no struct {' or '.join(names)} in it", expected)
    return found


def matlab_values(
    path: Path, place: str, names: Collection[str], expected: str
) -> Mapping[str, Any]:
    """The variables ``names`` of a file, each of which has to be in it.

    Numbers are arrays, text is ``str``, cells are lists, structs are lists of dictionaries, one an
    element, all in MATLAB's order of elements; what else there is comes as None.

    Args:
        path: the file.
        place: how an error names it.
        names: of variables.
        expected: the file that would have been right.

    Raises:
        DataError: when it is missing, damaged, of another kind, or lacks one of them.
    """
    found = _read(path, place, names, expected, _Variable.value)
    for name in names:
        if name not in found:
            raise DataError(place, f"no variable {name} in it", expected)
    return found


def _read(
    path: Path,
    place: str,
    names: Collection[str],
    expected: str,
    content: Callable[[_Variable], Content],
) -> dict[str, Content]:
    """The content of each variable that a file has; what fails is an error of the file."""
    check_regular_file(path, place)
    try:
        variables = _Elements.of(path.read_bytes()).variables(names)
        return {each.name: content(each) for each in variables}
    except OSError as error:
        raise DataError(place, error.strerror or str(error)) from error
    except (_DamagedError, zlib.error, struct.error, ValueError, IndexError) as error:
        raise DataError(place, f"cannot be read ({error})", expected) from error


@dataclass(frozen=True)
class _Elements:
    """Elements one after the other.

    Attributes:
        data: their bytes.
    """

    data: memoryview

    @classmethod
    def of(cls, content: bytes) -> _Elements:
        """The elements behind a file's header."""
        if content[126:_HEADER] != _LITTLE_ENDIAN:
            raise _DamagedError("no header of MATLAB's in it, on machines of Intel's byte order")
        (version,) = struct.unpack("<H", content[124:126])
        if version >> 8 == _HDF5:
            raise _DamagedError("HDF5, MATLAB's version 7.3: save it as version 7")
        if version >> 8 != _OLD:
            raise _DamagedError(f"version {version >> 8}")
        return cls(memoryview(content)[_HEADER:])

    def __iter__(self) -> Iterator[tuple[int, memoryview]]:
        """The kind and the bytes of each."""
        place, end = 0, len(self.data)
        while place < end:
            first, size = struct.unpack("<II", self.data[place : place + 8])
            kind, short = first & 0xFFFF, first >> 16
            start = place + 4 if short else place + 8
            size = short or size
            if start + size > end or (short and short > 4):
                raise _DamagedError(f"cut off at byte {place}")
            yield kind, self.data[start : start + size]
            whole = kind == _COMPRESSED or short
            place = place + 8 if short else start + (size if whole else -(-size // 8) * 8)

    def variables(self, names: Collection[str]) -> Iterator[_Variable]:
        """The variables that have one of these names."""
        for kind, data in self:
            inner = self._inflated(data) if kind == _COMPRESSED else [(kind, data)]
            for each, content in inner:
                if each == _MATRIX:
                    variable = _Variable.of(_Elements(content))
                    if variable.name in names:
                        yield variable

    def _inflated(self, data: memoryview) -> _Elements:
        engine = zlib.decompressobj()
        content = engine.decompress(data, _MOST_BYTES)
        if not engine.eof:
            raise _DamagedError("a compressed variable is cut off, or too large")
        return _Elements(memoryview(content))


@dataclass(frozen=True)
class _Variable:
    """A variable: what it is, and the elements behind that."""

    name: str
    kind: int
    shape: tuple[int, ...]
    rest: list[tuple[int, memoryview]]

    @classmethod
    def of(cls, elements: _Elements) -> _Variable:
        parts = list(elements)
        if [kind for kind, _ in parts[:3]] != [_UINT32, _INT32, _INT8]:
            raise _DamagedError("a variable without flags, sizes and a name")
        flags, sizes, name = (data for _, data in parts[:3])
        kind = int(np.frombuffer(flags, "<u4")[0]) & 0xFF
        shape = tuple(np.frombuffer(sizes, "<i4").tolist())
        return cls(bytes(name).decode("latin-1"), kind, shape, parts[3:])

    def fields(self) -> Mapping[str, Array] | None:
        """The fields that are numbers, of a struct of one element; None of anything else."""
        if self.kind != _STRUCT or prod(self.shape) != 1 or len(self.rest) < 2:
            return None
        found = {}
        for name, (kind, data) in zip(self._names(), self.rest[2:], strict=True):
            if kind == _MATRIX and data.nbytes:
                numbers = _Variable.of(_Elements(data)).numbers()
                if numbers is not None:
                    found[name] = numbers
        return found

    def _names(self) -> list[str]:
        """The names of a struct's fields."""
        (_, length), (_, names), *values = self.rest
        step, elements = int(np.frombuffer(length, "<i4")[0]), prod(self.shape)
        if step < 1 or len(names) % step or len(names) // step * elements != len(values):
            raise _DamagedError("a struct of other fields than it names")
        parts = (bytes(names[start : start + step]) for start in range(0, len(names), step))
        return [part.partition(b"\0")[0].decode("latin-1") for part in parts]

    def value(self, level: int = 0) -> Any:
        """All of it; see ``matlab_values``."""
        if level > _DEEPEST:
            raise _DamagedError(f"values in values, {level} deep")
        if self.kind == _CHAR:
            return self._text()
        if self.kind == _CELL:
            if len(self.rest) != prod(self.shape):
                raise _DamagedError(f"{len(self.rest)} cells of shape {self.shape}")
            return [_value(*each, level) for each in self.rest]
        if self.kind != _STRUCT:
            return self.numbers()
        if len(self.rest) < 2:
            raise _DamagedError("a struct without names of fields")
        names = self._names()
        values = [_value(*each, level) for each in self.rest[2:]]
        rows = range(0, len(values), len(names) or 1)
        return [dict(zip(names, values[start:], strict=False)) for start in rows]

    def _text(self) -> str:
        if not self.rest:
            return ""
        kind, data = self.rest[0]
        if kind not in _TEXTS:
            raise _DamagedError(f"text of kind {kind}")
        return bytes(data).decode(_TEXTS[kind])

    def numbers(self) -> Array | None:
        """The numbers of an array of real ones; None of anything else."""
        if self.kind not in _NUMBERS or len(self.rest) != 1 or min(self.shape, default=-1) < 0:
            return None
        kind, data = self.rest[0]
        dtype = np.dtype(f"<{_TYPES.get(kind, 'V1')}")
        if dtype.kind == "V" or len(data) != prod(self.shape) * dtype.itemsize:
            raise _DamagedError(f"{len(data)} bytes for an array of shape {self.shape}")
        return np.frombuffer(data, dtype).reshape(self.shape, order="F")


def _value(kind: int, data: memoryview, level: int) -> Any:
    """The value of an element in a cell or a struct; no numbers for an empty one."""
    if kind != _MATRIX:
        raise _DamagedError(f"an element of kind {kind} for a value")
    return _Variable.of(_Elements(data)).value(level + 1) if data.nbytes else np.zeros((0, 0))
