"""The part of YAML that a ``data.yaml`` is written in, without a library.

At the top names, each with a text, a number, a list or a table of such: in brackets and braces or
below, indented or with dashes. What else YAML has (anchors, tags, blocks of text) is passed over
where nobody asks for it, and refused where somebody does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from auxnas.search.data.errors import DataError
from auxnas.search.data.lists import numbered_lines

Scalar = str
Value = Scalar | list[Scalar] | dict[str, Scalar]
_EMPTY = ("", "null", "~")
_TOP = re.compile(r"([\w.-]+)\s*:(?:\s+(.*))?$")
_ROW = re.compile(r"(\"[^\"]*\"|'[^']*'|[^:#]+?)\s*:\s+(.*)$")
_PART = re.compile(
    r"\s*((?:[^,\"'\[\]{}:]+:\s+)?(?:\"[^\"]*\"|'(?:[^']|'')*'|[^\s,\"'\[\]{}][^,\[\]{}]*))\s*(?:,|$)"
)
"""A value in brackets, or a name and a value in braces."""
_STRANGE = "&*!|>@`%"


def yaml_values(path: Path, names: tuple[str, ...]) -> dict[str, Value]:
    """Some of the values at the top of a file; those that are empty or ``null`` are left out.

    Raises:
        DataError: naming the line that is not understood.
    """
    found: dict[str, Value] = {}
    for name, rows in _blocks(path).items():
        if name in names:
            value = _value(rows, path)
            if value not in _EMPTY:
                found[name] = value
    return found


def _blocks(path: Path) -> Mapping[str, list[tuple[int, str]]]:
    """The lines of each name at the top, without comments, the first what is behind its colon."""
    found: dict[str, list[tuple[int, str]]] = {}
    current: list[tuple[int, str]] = []
    for number, line in numbered_lines(path):
        text = _uncommented(line)
        if not text.strip() or text.strip() in ("---", "..."):
            continue
        top = _TOP.match(text)
        if top is not None:
            if top[1] in found:
                raise DataError(f"{path} line {number}", f"{top[1]} twice", "once")
            current = found[top[1]] = [(number, top[2] or "")]
        elif found:
            current.append((number, text))
        else:
            raise DataError(f"{path} line {number}", repr(text[:60]), "NAME: VALUE")
    return found


def _uncommented(line: str) -> str:
    """A line without the comment at its end."""
    quote = ""
    for place, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'" and (not place or line[place - 1] in " [{,"):
            quote = letter
        elif letter == "#" and (not place or line[place - 1].isspace()):
            return line[:place].rstrip()
    return line.rstrip()


def _value(rows: list[tuple[int, str]], path: Path) -> Value:
    (number, first), *rest = rows
    place = f"{path} line {number}"
    if first[:1] in ("[", "{"):
        whole = " ".join([first, *(text.strip() for _, text in rest)])
        return _flow(whole, place)
    if first:
        if rest:
            raise DataError(f"{path} line {rest[0][0]}", repr(rest[0][1][:60]), "NAME: VALUE")
        return _scalar(first, place)
    if not rest:
        return ""
    if rest[0][1].lstrip().startswith("- "):
        return [_scalar(_dashed(text, f"{path} line {n}"), f"{path} line {n}") for n, text in rest]
    return dict(_row(text.strip(), f"{path} line {n}") for n, text in rest)


def _dashed(text: str, place: str) -> str:
    if not text.lstrip().startswith("- "):
        raise DataError(place, repr(text[:60]), "a list of lines that begin with a dash")
    return text.lstrip()[2:].strip()


def _row(text: str, place: str) -> tuple[str, Scalar]:
    found = _ROW.match(text)
    if found is None:
        raise DataError(place, repr(text[:60]), "NAME: VALUE")
    return _scalar(found[1], place), _scalar(found[2], place)


def _flow(text: str, place: str) -> Value:
    """A list in brackets or a table in braces, of texts."""
    opened, closed = text[0], {"[": "]", "{": "}"}[text[0]]
    if not text.endswith(closed):
        raise DataError(place, repr(text[:60]), f"one that ends with {closed}")
    inner, parts, start = text[1:-1].strip(), list[str](), 0
    while start < len(inner):
        found = _PART.match(inner, start)
        if found is None:
            raise DataError(place, repr(inner[start : start + 60]), "values with commas between")
        parts.append(found[1].strip())
        start = found.end()
    if opened == "[":
        return [_scalar(part, place) for part in parts]
    return dict(_row(part, place) for part in parts)


def _scalar(text: str, place: str) -> Scalar:
    text = text.strip()
    if text[:1] in ("'", '"'):
        if len(text) < 2 or text[-1] != text[0] or "\\" in text:
            raise DataError(place, repr(text[:60]), "a text in quotes, without backslashes")
        return text[1:-1].replace("''", "'") if text[0] == "'" else text[1:-1]
    if (text[:1] and text[0] in _STRANGE + "[{") or text.startswith("- "):
        raise DataError(place, repr(text[:60]), "a plain text, a number, a list or a table")
    return text
