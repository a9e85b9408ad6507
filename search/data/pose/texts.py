"""JSON of annotations: read as a whole, its numbers checked where they are used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auxnas.genotype.errors import short_repr
from auxnas.genotype.texts import encoding_fault, parse_json, read_text
from auxnas.search.data.errors import DataError


def read_json(path: Path, expected: str) -> Any:
    """The document in a file.

    Args:
        path: the file.
        expected: what should be in it, for errors.

    Raises:
        DataError: when it cannot be read or is no JSON; of a file cut off, saying where.
    """
    try:
        return parse_json(read_text(path))
    except FileNotFoundError:
        raise DataError(str(path), "no such file") from None
    except UnicodeDecodeError as error:
        raise DataError(str(path), f"not a text file ({encoding_fault(error)})", expected) from None
    except OSError as error:
        raise DataError(str(path), error.strerror or str(error)) from error
    except ValueError as error:
        words = " ".join(str(error).split())[:120]
        raise DataError(str(path), f"no whole JSON ({words}): is it cut off?", expected) from None


def entry(row: object, key: str, place: str) -> Any:
    """A value of an object.

    Raises:
        DataError: when it is no object, or has no such key.
    """
    if not isinstance(row, Mapping):
        raise DataError(place, short_repr(row), f"an object with {key!r}")
    if key not in row:
        raise DataError(place, f"no {key!r}, only {short_repr(sorted(map(str, row)))}")
    return row[key]


def numbers(value: object, count: int, place: str) -> list[float]:
    """A list of so many such numbers.

    Raises:
        DataError: when it is anything else.
    """
    if not isinstance(value, list) or len(value) != count:
        size = f" of {len(value)}" if isinstance(value, list) else ""
        raise DataError(place, f"{short_repr(value)}{size}", f"a list of {count} numbers")
    return [number(each, place) for each in value]


MOST = 1e9
"""Pixels that any place, side or area may have."""


def number(value: object, place: str) -> float:
    """A number that pixels can have.

    Raises:
        DataError: when it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST:
        raise DataError(place, short_repr(value), f"a number of at most {MOST:g}")
    return float(value)


def whole(value: object, place: str) -> int:
    """A whole number.

    Raises:
        DataError: when it is anything else.
    """
    if type(value) is not int:
        raise DataError(place, short_repr(value), "a whole number")
    return value
