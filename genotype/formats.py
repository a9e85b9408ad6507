"""Reading every notation of a genotype, and writing ours.

Four notations are read, none of them by evaluating anything:

* ``json``: our document, ``{"format": "auxnas/genotype", "version": 1, ...}``;
* ``paper``: the paper's nested list, connections first (section 6.3);
* ``cell-first``: the same list with the cell first;
* ``log``: a line ``reward: 0.43, epoch: 17, ..., genotype: [[8, ...], [[3, 3], ...]]``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from genotype.errors import GenotypeError, shown
from genotype.genotype import Cell, Genotype
from genotype.space import SearchSpace
from genotype.vocabulary import CVPR2019, Operation, Step, Vocabulary

FORMAT = "auxnas/genotype"
VERSION = 1
LONGEST = 1 << 20
"""Characters in one genotype at most: a longer text is refused unread."""
LARGEST = 1 << 26
"""Characters in one JSON list of genotypes at most."""

_LOG_LINE = re.compile(r"(?:^|[\s,])genotype:\s*(\[.*\])\s*$")
_LOG_FIELD = re.compile(r"([A-Za-z_]\w*):\s*([^,]+)")


@dataclass(frozen=True)
class Document:
    """What a text held.

    Attributes:
        genotype: the architecture, checked against its space.
        format: ``json``, ``paper``, ``cell-first`` or ``log``.
        extra: everything else that stood there: a JSON document's further keys, a log
            line's fields.
        place: where among others it stood, for ``read_many``: ``FILE:7`` (its line),
            ``FILE: genotypes[6]`` or, for the only one, ``FILE``.
    """

    genotype: Genotype
    format: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    place: str = field(default="", compare=False)


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
        raise GenotypeError("text", shown(text), "a string")
    if len(text) > LONGEST:
        raise GenotypeError("text", f"{len(text)} characters", f"at most {LONGEST}")
    stripped = text.strip()
    if stripped.startswith(("[", "{")):
        return _of_json(_json(stripped), space)
    match = _LOG_LINE.search(stripped)
    if match is None:
        raise GenotypeError("text", shown(stripped), "a JSON document, a nested list or a log line")
    found = _nested(_json(match.group(1)), space)
    fields = {k: _number(v) for k, v in _LOG_FIELD.findall(stripped[: match.start()])}
    return Document(found.genotype, "log", fields)


def _of_json(value: object, space: SearchSpace | None) -> Document:
    return _document(value, space) if isinstance(value, dict) else _nested(value, space)


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
        return path.open(encoding="utf-8")
    except OSError as error:
        raise GenotypeError(str(path), error.strerror or str(error), "a readable file") from None


def _take(file: IO[str], place: object, size: int) -> str:
    """At most ``size`` characters of ``file``."""
    try:
        return file.read(size)
    except (OSError, UnicodeDecodeError) as error:
        raise _not_text(str(place), error) from None


def _not_text(place: str, error: Exception) -> GenotypeError:
    return GenotypeError(place, f"not text ({error})"[:120], "UTF-8 text")


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
        value = _json(text)
        rows = _list(value["genotypes"], "genotypes") if "genotypes" in value else None
        if rows is None:
            yield replace(parse(text, space), place=name)
    except GenotypeError as error:
        raise error.within(name) from None
    for number, row in enumerate(rows or ()):
        place = f"{name}: genotypes[{number}]"
        try:
            yield replace(_of_json(row, space), place=place)
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
        raise _not_text(f"{name}:{number}", error) from None


def to_json(genotype: Genotype, **extra: Any) -> str:
    """Our JSON document, with any ``extra`` keys behind; ends without a newline.

    Raises:
        GenotypeError: when the genotype is not a member of its space.
        ValueError: when an extra key is one of the document's own.
    """
    if not isinstance(genotype, Genotype):
        raise GenotypeError("genotype", shown(genotype), "a Genotype")
    genotype.space.check(genotype)
    names = genotype.space.vocabulary.names
    cell = {
        "first": names[genotype.cell.first],
        "branches": [
            {"locations": [left, right], "operations": [names[op], names[other]]}
            for left, right, op, other in genotype.cell.branches
        ],
    }
    space = genotype.space
    value = {
        "format": FORMAT,
        "version": VERSION,
        "space": {
            "encoder_outputs": space.encoder_outputs,
            "blocks": space.blocks,
            "branches": space.branches,
            "operations": [_row_to_json(row) for row in space.vocabulary],
        },
        "connections": [list(pair) for pair in genotype.connections],
        "cell": cell,
    }
    clash = sorted(extra.keys() & value.keys())
    if clash:
        raise ValueError(f"extra keys {clash} are the document's own")
    return _layout_json(value | extra)


def _layout_json(value: Mapping[str, Any]) -> str:
    """One top-level key a line: short enough to read, long enough to compare."""
    rows = [f"  {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in value.items()]
    return "{\n" + ",\n".join(rows) + "\n}"


def _row_to_json(row: Operation) -> str | dict[str, Any]:
    """A row of the paper's table by its name, any other in full."""
    if row in CVPR2019.operations:
        return row.name
    return {
        "name": row.name,
        "abbreviation": row.abbreviation,
        "description": row.description,
        "steps": [{"op": step.op} | dict(step.attrs) for step in row.steps],
        "repeated": row.repeated,
    }


def _row_from_json(value: object, place: str) -> Operation:
    if isinstance(value, str):
        if value not in CVPR2019.names:
            known = ", ".join(CVPR2019.names)
            raise GenotypeError(
                place, f"unknown operation {shown(value)}", f"one of {known}, or a row"
            )
        return CVPR2019[CVPR2019.names.index(value)]
    row = _mapping(value, place, ("name", "steps"))
    steps = []
    for number, step in enumerate(_list(row["steps"], f"{place}.steps")):
        here = f"{place}.steps[{number}]"
        attrs = dict(_mapping(step, here, ("op",)))
        op = _string(attrs.pop("op"), f"{here}.op")
        pairs = sorted((str(k), _integer(v, f"{here}.{k}")) for k, v in attrs.items())
        steps.append(Step(op, tuple(pairs)))
    name = _string(row["name"], f"{place}.name")
    repeated = row.get("repeated", False)
    if not isinstance(repeated, bool):
        raise GenotypeError(f"{place}.repeated", shown(repeated), "true or false")
    abbreviation = _string(row.get("abbreviation", name), f"{place}.abbreviation")
    description = _string(row.get("description", name), f"{place}.description")
    return Operation(name, abbreviation, description, tuple(steps), repeated)


def _document(value: Mapping[str, Any], wanted: SearchSpace | None) -> Document:
    _mapping(value, "document", ("format", "version", "space", "connections", "cell"))
    if value["format"] != FORMAT:
        raise GenotypeError("format", shown(value["format"]), repr(FORMAT))
    if value["version"] != VERSION or isinstance(value["version"], bool):
        raise GenotypeError("version", shown(value["version"]), str(VERSION))
    space = _space(value["space"])
    if wanted is not None and space != wanted:
        raise GenotypeError("space", "another space than the one asked for")
    cell = _mapping(value["cell"], "cell", ("first", "branches"))
    first = _operation(cell["first"], "cell.first", space)
    branches = [
        _branch(branch, f"cell.branches[{number}]", space)
        for number, branch in enumerate(_list(cell["branches"], "cell.branches"))
    ]
    connections = _connections(value["connections"])
    genotype = space.check(Genotype(connections, Cell(first, tuple(branches)), space))
    own = ("format", "version", "space", "connections", "cell")
    return Document(genotype, "json", {k: v for k, v in value.items() if k not in own})


def _space(value: object) -> SearchSpace:
    keys = ("encoder_outputs", "blocks", "branches")
    space = _mapping(value, "space", (*keys, "operations"))
    sizes = {key: _integer(space[key], f"space.{key}") for key in keys}
    rows = _list(space["operations"], "space.operations")
    vocabulary = Vocabulary(
        tuple(_row_from_json(row, f"space.operations[{i}]") for i, row in enumerate(rows))
    )
    same = SearchSpace(**sizes, vocabulary=vocabulary)
    return SearchSpace.cvpr2019() if same == SearchSpace.cvpr2019() else same


def _branch(value: object, place: str, space: SearchSpace) -> tuple[int, int, int, int]:
    branch = _mapping(value, place, ("locations", "operations"))
    left, right = _pair(branch["locations"], f"{place}.locations")
    operations = _list(branch["operations"], f"{place}.operations", 2)
    op, other = (
        _operation(name, f"{place}.operations[{i}]", space) for i, name in enumerate(operations)
    )
    return left, right, op, other


def _operation(value: object, place: str, space: SearchSpace) -> int:
    names = space.vocabulary.names
    if not isinstance(value, str) or value not in names:
        raise GenotypeError(
            place, f"unknown operation {shown(value)}", f"one of {', '.join(names)}"
        )
    return names.index(value)


def _nested(value: object, wanted: SearchSpace | None) -> Document:
    space = wanted or SearchSpace.cvpr2019()
    halves = _list(value, "genotype", 2)
    heads = [isinstance(half, list) and half != [] and _is_number(half[0]) for half in halves]
    if heads[0] == heads[1]:
        raise GenotypeError(
            "genotype",
            shown(value),
            "[[[i, j], ...], [first, [location, location, op, op], ...]] or its two parts swapped",
        )
    cell_first = heads[0]
    pairs, cell = (halves[1], halves[0]) if cell_first else (halves[0], halves[1])
    first = _integer(cell[0], "cell.first")
    rows = enumerate(cell[1:])
    branches = tuple(_nested_branch(row, f"cell.branches[{number}]") for number, row in rows)
    genotype = Genotype(_connections(pairs), Cell(first, branches), space)
    return Document(space.check(genotype), "cell-first" if cell_first else "paper")


def _nested_branch(value: object, place: str) -> tuple[int, int, int, int]:
    left, right, op, other = _list(value, place, 4)
    return (
        _integer(left, f"{place}.locations[0]"),
        _integer(right, f"{place}.locations[1]"),
        _integer(op, f"{place}.operations[0]"),
        _integer(other, f"{place}.operations[1]"),
    )


def _connections(value: object) -> tuple[tuple[int, int], ...]:
    rows = _list(value, "connections")
    return tuple(_pair(row, f"connections[{number}]") for number, row in enumerate(rows))


def _pair(value: object, place: str) -> tuple[int, int]:
    left, right = _list(value, place, 2)
    return _integer(left, f"{place}[0]"), _integer(right, f"{place}[1]")


def _list(value: object, place: str, length: int | None = None) -> list[Any]:
    expected = "a list" if length is None else f"a list of {length}"
    if not isinstance(value, list):
        raise GenotypeError(place, shown(value), expected)
    if length is not None and len(value) != length:
        raise GenotypeError(place, f"a list of {len(value)}", expected)
    return value


def _mapping(value: object, place: str, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise GenotypeError(place, shown(value), "an object")
    missing = [key for key in keys if key not in value]
    if missing:
        raise GenotypeError(place, f"no {missing[0]!r}", f"the keys {', '.join(keys)}")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | str) or value is None


def _integer(value: object, place: str) -> int:
    if type(value) is not int:
        raise GenotypeError(place, f"{shown(value)} is not an integer")
    return value


def _string(value: object, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise GenotypeError(place, shown(value), "a non-empty string")
    return value


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text.strip()


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_int=_long)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise GenotypeError(place, f"not JSON ({error.msg})") from None
    except RecursionError:
        raise GenotypeError("text", "nested too deep", "two or three levels") from None
    except ValueError as error:
        raise GenotypeError("text", str(error)[:80]) from None


def _long(digits: str) -> int:
    """An integer, somewhat longer than ``int`` reads too, so that its place can be named."""
    if 4000 < len(digits) < 20_000:
        from decimal import Decimal

        return int(Decimal(digits))
    return int(digits)


def _is_one(head: str) -> bool:
    """Whether a file holds one object, perhaps spread over lines, not one a line."""
    if not head.lstrip().startswith("{"):
        return False
    try:
        _json(head)
    except GenotypeError:
        first, newline, _ = head.lstrip().partition("\n")
        return not newline or not first.rstrip().endswith("}")
    return True
