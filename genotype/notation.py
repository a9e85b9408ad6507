"""The two notations that are JSON: our document, and the paper's nested list.

Reading goes from parsed JSON to a genotype, naming the place of whatever is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from auxnas.genotype.errors import GenotypeError, short_repr
from auxnas.genotype.genotype import Cell, Genotype
from auxnas.genotype.space import SearchSpace
from auxnas.genotype.texts import parse_json
from auxnas.genotype.vocabulary import CVPR2019, Operation, Vocabulary, step_of_file

FORMAT = "auxnas/genotype"
VERSION = 1


@dataclass(frozen=True)
class Document:
    """A genotype as read from a text.

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


def from_value(value: object, space: SearchSpace | None) -> Document:
    """The genotype of parsed JSON: our document, or a nested list.

    Raises:
        GenotypeError: naming the place, what was found and what was expected.
    """
    return _document(value, space) if isinstance(value, dict) else _nested(value, space)


def to_json(genotype: Genotype, **extra: Any) -> str:
    """Our JSON document, with any ``extra`` keys behind; ends without a newline.

    Raises:
        GenotypeError: when ``genotype`` is not one.
        ValueError: when an extra key is one of the document's own.
    """
    if not isinstance(genotype, Genotype):
        raise GenotypeError("genotype", short_repr(genotype), "a Genotype")
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
                place, f"unknown operation {short_repr(value)}", f"one of {known}, or a row"
            )
        return CVPR2019[CVPR2019.names.index(value)]
    row = _mapping(value, place, ("name", "steps"))
    steps = []
    for number, step in enumerate(as_list(row["steps"], f"{place}.steps")):
        here = f"{place}.steps[{number}]"
        attrs = dict(_mapping(step, here, ("op",)))
        op = _string(attrs.pop("op"), f"{here}.op")
        pairs = sorted((str(k), _integer(v, f"{here}.{k}")) for k, v in attrs.items())
        try:
            steps.append(step_of_file(op, tuple(pairs)))
        except GenotypeError as error:
            raise error.within(here) from None
    name = _string(row["name"], f"{place}.name")
    repeated = row.get("repeated", False)
    if not isinstance(repeated, bool):
        raise GenotypeError(f"{place}.repeated", short_repr(repeated), "true or false")
    abbreviation = _string(row.get("abbreviation", name), f"{place}.abbreviation")
    description = row.get("description", name)
    try:
        return Operation(name, abbreviation, description, tuple(steps), repeated)
    except GenotypeError as error:
        raise error.within(place) from None


class DocumentReader:
    """Reader of many documents, which makes a space that is that of the document before once."""

    def __init__(self) -> None:
        self._value: object = None
        self._space: SearchSpace | None = None

    def read(self, text: str) -> Genotype:
        """The genotype of our JSON document.

        Raises:
            GenotypeError: naming the place, what was found and what was expected.
        """
        value = _mapping(load_json(text), "document", ("space",))
        if self._space is None or value["space"] != self._value:
            self._value, self._space = value["space"], _space(value["space"])
        return _document(value, None, self._space).genotype


def _document(
    value: Mapping[str, Any], wanted: SearchSpace | None, known: SearchSpace | None = None
) -> Document:
    """The genotype of a document, whose space is ``known`` where it was read already."""
    _mapping(value, "document", ("format", "version", "space", "connections", "cell"))
    if value["format"] != FORMAT:
        raise GenotypeError("format", short_repr(value["format"]), repr(FORMAT))
    if value["version"] != VERSION or isinstance(value["version"], bool):
        raise GenotypeError("version", short_repr(value["version"]), str(VERSION))
    space = known or _space(value["space"])
    if wanted is not None and space != wanted:
        raise GenotypeError("space", "another space than the one asked for")
    cell = _mapping(value["cell"], "cell", ("first", "branches"))
    first = _operation(cell["first"], "cell.first", space)
    branches = [
        _branch(branch, f"cell.branches[{number}]", space)
        for number, branch in enumerate(as_list(cell["branches"], "cell.branches"))
    ]
    connections = _connections(value["connections"])
    genotype = Genotype(connections, Cell(first, tuple(branches)), space)
    own = ("format", "version", "space", "connections", "cell")
    return Document(genotype, "json", {k: v for k, v in value.items() if k not in own})


def _space(value: object) -> SearchSpace:
    keys = ("encoder_outputs", "blocks", "branches")
    space = _mapping(value, "space", (*keys, "operations"))
    sizes = {key: _integer(space[key], f"space.{key}") for key in keys}
    rows = as_list(space["operations"], "space.operations")
    vocabulary = Vocabulary(
        tuple(_row_from_json(row, f"space.operations[{i}]") for i, row in enumerate(rows))
    )
    same = SearchSpace(**sizes, vocabulary=vocabulary)
    return SearchSpace.cvpr2019() if same == SearchSpace.cvpr2019() else same


def _branch(value: object, place: str, space: SearchSpace) -> tuple[int, int, int, int]:
    branch = _mapping(value, place, ("locations", "operations"))
    left, right = _pair(branch["locations"], f"{place}.locations")
    operations = as_list(branch["operations"], f"{place}.operations", 2)
    op, other = (
        _operation(name, f"{place}.operations[{i}]", space) for i, name in enumerate(operations)
    )
    return left, right, op, other


def _operation(value: object, place: str, space: SearchSpace) -> int:
    names = space.vocabulary.names
    if not isinstance(value, str) or value not in names:
        raise GenotypeError(
            place, f"unknown operation {short_repr(value)}", f"one of {', '.join(names)}"
        )
    return names.index(value)


def _nested(value: object, wanted: SearchSpace | None) -> Document:
    space = wanted or SearchSpace.cvpr2019()
    halves = as_list(value, "genotype", 2)
    heads = [isinstance(half, list) and half != [] and _is_number(half[0]) for half in halves]
    if heads[0] == heads[1]:
        raise GenotypeError(
            "genotype",
            short_repr(value),
            "[[[i, j], ...], [first, [location, location, op, op], ...]] or its two parts swapped",
        )
    cell_first = heads[0]
    pairs, cell = (halves[1], halves[0]) if cell_first else (halves[0], halves[1])
    first = _integer(cell[0], "cell.first")
    rows = enumerate(cell[1:])
    branches = tuple(_nested_branch(row, f"cell.branches[{number}]") for number, row in rows)
    genotype = Genotype(_connections(pairs), Cell(first, branches), space)
    return Document(genotype, "cell-first" if cell_first else "paper")


def _nested_branch(value: object, place: str) -> tuple[int, int, int, int]:
    left, right, op, other = as_list(value, place, 4)
    return (
        _integer(left, f"{place}.locations[0]"),
        _integer(right, f"{place}.locations[1]"),
        _integer(op, f"{place}.operations[0]"),
        _integer(other, f"{place}.operations[1]"),
    )


def _connections(value: object) -> tuple[tuple[int, int], ...]:
    rows = as_list(value, "connections")
    return tuple(_pair(row, f"connections[{number}]") for number, row in enumerate(rows))


def _pair(value: object, place: str) -> tuple[int, int]:
    left, right = as_list(value, place, 2)
    return _integer(left, f"{place}[0]"), _integer(right, f"{place}[1]")


def as_list(value: object, place: str, length: int | None = None) -> list[Any]:
    """``value`` where it is a list, of ``length`` where one is given.

    Raises:
        GenotypeError: naming ``place`` where it is not.
    """
    expected = "a list" if length is None else f"a list of {length}"
    if not isinstance(value, list):
        raise GenotypeError(place, short_repr(value), expected)
    if length is not None and len(value) != length:
        raise GenotypeError(place, f"a list of {len(value)}", expected)
    return value


def _mapping(value: object, place: str, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise GenotypeError(place, short_repr(value), "an object")
    missing = [key for key in keys if key not in value]
    if missing:
        raise GenotypeError(place, f"no {missing[0]!r}", f"the keys {', '.join(keys)}")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | str) or value is None


def _integer(value: object, place: str) -> int:
    if type(value) is not int:
        raise GenotypeError(place, f"{short_repr(value)} is not an integer")
    return value


def _string(value: object, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise GenotypeError(place, short_repr(value), "a non-empty string")
    return value


def load_json(text: str) -> Any:
    """Parsed JSON.

    Raises:
        GenotypeError: naming line and column.
    """
    try:
        return parse_json(text, parse_int=_long)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise GenotypeError(place, f"not JSON ({error.msg})") from None
    except ValueError as error:
        raise GenotypeError("text", str(error)[:80], "two or three levels") from None


def _long(digits: str) -> int:
    """An integer, somewhat longer than ``int`` reads too, so that its place can be named."""
    if 4000 < len(digits) < 20_000:
        from decimal import Decimal

        return int(Decimal(digits))
    return int(digits)
