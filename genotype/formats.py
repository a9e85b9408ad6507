"""Reading every notation of a genotype, from texts and files.

Four notations are read, none of them by evaluating anything:

* ``json``: our document, ``{"format": "auxnas/genotype", "version": 1, ...}``;
* ``paper``: the paper's nested list, connections first (section 6.3);
* ``cell-first``: the same list with the cell first;
* ``log``: a line ``reward: 0.43, epoch: 17, ..., genotype: [[8, ...], [[3, 3], ...]]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import IO

from auxnas.genotype.errors import GenotypeError, short_repr
from auxnas.genotype.nested import from_nested
from auxnas.genotype.notation import Document, as_list, from_value, load_json
from auxnas.genotype.space import SearchSpace
from auxnas.genotype.texts import ENCODING, encoding_fault

LONGEST = 1 << 20
"""Characters in one genotype at most: a longer text is refused unread."""
LARGEST = 1 << 26
"""Characters in one JSON list of genotypes at most."""

_LOG_LINE = re.compile(r"(?:^|[\s,])genotype:\s*(\[.*\])\s*$")
_LOG_FIELD = re.compile(r"([A-Za-z_]\w*):\s*([^,]+)")


def parse(text: str, space: SearchSpace | None = None) -> Document:
    """Reads one genotype in any notation.

    Args:
        text: the genotype.
        space: the space of a notation that names none (default: the paper's). A JSON
            document names its own; where both are given they must agree.

    Raises:
        GenotypeError: naming the place, what was found and what was expected.
    """
    if not isinstance(text, str):
        raise GenotypeError("text", short_repr(text), "a string")
    if len(text) > LONGEST:
        raise GenotypeError("text", f"{len(text)} characters", f"at most {LONGEST}")
    stripped = text.strip()
    if stripped.startswith(("[", "{")):
        return from_nested(stripped, space)
    match = _LOG_LINE.search(stripped)
    if match is None:
        raise GenotypeError(
            "text", short_repr(stripped), "a JSON document, a nested list or a log line"
        )
    found = from_nested(match.group(1), space)
    fields = {k: _number(v) for k, v in _LOG_FIELD.findall(stripped[: match.start()])}
    return Document(found.genotype, "log", fields)


def read(path: str | Path, space: SearchSpace | None = None) -> Document:
    """Reads one genotype from a file; errors name the file.

    Raises:
        GenotypeError: for a file that cannot be read or holds no genotype.
    """
    path = Path(path)
    with _open(path) as file:
        text = _take(file, path, LONGEST + 1)
    try:
        return parse(text, space)
    except GenotypeError as error:
        raise error.within(str(path)) from None


def _open(path: Path) -> IO[str]:
    try:
        return path.open(encoding=ENCODING)
    except OSError as error:
        raise GenotypeError(str(path), error.strerror or str(error), "a readable file") from None


def _take(file: IO[str], place: object, size: int) -> str:
    """At most ``size`` characters of ``file``."""
    try:
        return file.read(size)
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(str(place), error) from None


def _unreadable(place: str, error: OSError | UnicodeDecodeError) -> GenotypeError:
    found = encoding_fault(error) if isinstance(error, UnicodeDecodeError) else str(error)
    return GenotypeError(place, found, "UTF-8 text")


def read_many(source: str | Path | IO[str], space: SearchSpace | None = None) -> Iterator[Document]:
    """Reads all genotypes of a file: one a line, one document, or a list of documents.

    A list is a JSON object ``{"genotypes": [...]}``, whatever else is in it. Lines
    without a genotype are skipped in a log (a file in which some line reads
    ``... genotype: [...]``); in any other file they are errors. A pipe is a file too.

    Args:
        source: a path, or an open text file, which is read from where it stands.
        space: as for ``parse``.

    Raises:
        GenotypeError: naming the file and the line, or the place in the list.
    """
    name = str(source if isinstance(source, str | Path) else getattr(source, "name", "stream"))
    with _opened(source) as file:
        head = _take(file, name, LONGEST)
        found = _listed if _is_one(head) else _by_line
        yield from found(head, file, name, space)


def _opened(source: str | Path | IO[str]) -> AbstractContextManager[IO[str]]:
    return _open(Path(source)) if isinstance(source, str | Path) else nullcontext(source)


def _listed(head: str, file: IO[str], name: str, space: SearchSpace | None) -> Iterator[Document]:
    """The genotypes of a file that is one JSON object."""
    text = head + _take(file, name, LARGEST - len(head) + 1)
    if len(text) > LARGEST:
        raise GenotypeError(name, "a larger JSON text", f"at most {LARGEST} characters")
    try:
        value = load_json(text)
        rows = as_list(value["genotypes"], "genotypes") if "genotypes" in value else None
        if rows is None:
            yield replace(parse(text, space), place=name)
    except GenotypeError as error:
        raise error.within(name) from None
    for number, row in enumerate(rows or ()):
        place = f"{name}: genotypes[{number}]"
        try:
            yield replace(from_value(row, space), place=place)
        except GenotypeError as error:
            raise error.within(place) from None


def _by_line(head: str, file: IO[str], name: str, space: SearchSpace | None) -> Iterator[Document]:
    """The genotypes of a file that has one a line."""
    is_log = any(_LOG_LINE.search(line) for line in head.split("\n"))
    for number, line in enumerate(_lines(head, file, name), 1):
        if not line.strip() or (is_log and not _LOG_LINE.search(line.strip())):
            continue
        place = f"{name}:{number}"
        try:
            yield replace(parse(line, space), place=place)
        except GenotypeError as error:
            raise error.within(place) from None


def _lines(head: str, file: IO[str], name: str) -> Iterator[str]:
    """The lines of ``head``, which was read from ``file``, and of what follows."""
    *lines, last = head.split("\n")
    yield from lines
    number = len(lines) + 1
    try:
        line = last + file.readline(LONGEST)
        while line:
            yield line
            number += 1
            line = file.readline(LONGEST)
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(f"{name}:{number}", error) from None


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text.strip()


def _is_one(head: str) -> bool:
    """Whether a file holds one object, perhaps spread over lines, not one a line."""
    if not head.lstrip().startswith("{"):
        return False
    try:
        load_json(head)
    except GenotypeError:
        first, newline, _ = head.lstrip().partition("\n")
        return not newline or not first.rstrip().endswith("}")
    return True
