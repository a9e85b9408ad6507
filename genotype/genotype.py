"""A point of the search space: which encoder outputs are connected, and the cell."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import lt
from typing import TYPE_CHECKING, TypeVar

from auxnas.genotype import identity
from auxnas.genotype.errors import GenotypeError, short_repr

if TYPE_CHECKING:
    from auxnas.genotype.space import SearchSpace

Connections = tuple[tuple[int, int], ...]
Branch = tuple[int, int, int, int]


T = TypeVar("T", "Cell", "Genotype")


@dataclass(frozen=True, slots=True)
class Cell:
    """The cell applied on every connection (paper, sections 3.1.1 and 6.2).

    Location 0 is the cell's input, 1 the first operation's output; branch k (0-based)
    adds its two operations' outputs and their sum as ``2+3k, 3+3k, 4+3k``.

    Attributes:
        first: id of the operation on the input.
        branches: (location, location, operation, operation) each; the first operation
            is applied to the first location, the second to the second, and the two
            results are summed.

    Raises:
        GenotypeError: when something is no integer or negative, or a branch picks a
            location that does not come before it.
    """

    first: int
    branches: tuple[Branch, ...]

    def __post_init__(self) -> None:
        _check_index("cell.first", self.first)
        _check_rows("cell.branches", self.branches, 4)
        if not self.branches:
            raise GenotypeError("cell.branches", "0 items", "at least 1")
        for number, (left, right, operation, other) in enumerate(self.branches):
            size, ints = 2 + 3 * number, type(left) is type(right) is int
            if not (ints and 0 <= left < size and 0 <= right < size):
                for side, value in enumerate((left, right)):
                    _check_index(f"cell.branches[{number}].locations[{side}]", value, size)
            ints = type(operation) is type(other) is int
            if not (ints and operation >= 0 and other >= 0):
                for side, value in enumerate((operation, other)):
                    _check_index(f"cell.branches[{number}].operations[{side}]", value)


@dataclass(frozen=True, slots=True)
class Genotype:
    """An architecture: plain data, hashable, and always a member of its space.

    Attributes:
        connections: two indices a decoder block; block b picks from the encoder outputs
            ``0 .. E-1`` and the earlier blocks ``E .. E+b-1``.
        cell: the cell, whose operations are ids of ``space.vocabulary``.
        space: the search space that gives the numbers their meaning.

    Raises:
        GenotypeError: naming the place, what was found and what was expected, when the
            numbers are not a member of ``space``.
    """

    connections: Connections
    cell: Cell
    space: SearchSpace = field(hash=False, repr=False)

    def __post_init__(self) -> None:
        from auxnas.genotype.space import SearchSpace  # which makes genotypes

        space, cell = self.space, self.cell
        if not isinstance(space, SearchSpace):
            raise GenotypeError("space", short_repr(space), "a SearchSpace")
        if not isinstance(cell, Cell):
            raise GenotypeError("cell", short_repr(cell), "a Cell")
        _check_rows("connections", self.connections, 2, space.blocks)
        _check_length("cell.branches", cell.branches, space.branches)
        tokens = self.tokens
        ints = set(map(type, tokens)) == {int} and min(tokens) >= 0
        if not (ints and all(map(lt, tokens, space.sizes))):
            for token, value in zip(space.layout, tokens, strict=True):
                _check_index(token.place, value, token.size)

    @property
    def tokens(self) -> tuple[int, ...]:
        """The numbers as a controller emits them: connections first, then the cell."""
        flat = [index for pair in self.connections for index in pair]
        flat.append(self.cell.first)
        for branch in self.cell.branches:
            flat.extend(branch)
        return tuple(flat)

    def canonical(self, level: identity.Level = "isomorphism") -> Genotype:
        """The representative of the genotypes that are the same at ``level``.

        Args:
            level: ``raw``, ``swap``, ``isomorphism`` or ``functional``; see
                ``genotype.identity``.

        Returns:
            At the first three levels, the genotype with the smallest tokens; at
            ``functional``, the one that ``genotype.realisation`` finds. Its own
            representative is itself.

        Raises:
            GenotypeError: when there is no such level.
        """
        return identity.canonical(self, level)

    def key(self, level: identity.Level = "isomorphism") -> str:
        """A short name of the architecture: equal exactly for the same one at ``level``.

        The same in every process and on every machine; a version of the scheme is part
        of it. Keys cover the space's digest (sizes, and names and steps of the
        operations), so those of different spaces differ.

        Raises:
            GenotypeError: as for ``canonical``.
        """
        return identity.key(self, level)

    def __str__(self) -> str:
        """The paper's nested list, connections first (section 6.3)."""
        connections = [list(pair) for pair in self.connections]
        return str([connections, [self.cell.first, *(list(b) for b in self.cell.branches)]])


def unchecked(kind: type[T], *values: object) -> T:
    """A cell or a genotype of values that are right by the way they came about.

    A third of the time that checking them once more takes.
    """
    made = object.__new__(kind)
    for name, value in zip(kind.__slots__, values, strict=True):
        object.__setattr__(made, name, value)
    return made


def _check_index(place: str, value: object, size: int | None = None) -> None:
    """Checks that ``value`` is an integer from 0 on, below ``size`` where one is given.

    Raises:
        GenotypeError: naming ``place``.
    """
    if type(value) is not int:
        raise GenotypeError(place, f"{short_repr(value)} is not an integer")
    if value < 0 or (size is not None and value >= size):
        wrong = "is negative" if size is None else f"is not in 0..{size - 1}"
        raise GenotypeError(place, f"{short_repr(value)} {wrong}")


def _check_rows(place: str, rows: object, width: int, length: int | None = None) -> None:
    """Checks that ``rows`` is a tuple, of ``length`` if given, of tuples of ``width``.

    Raises:
        GenotypeError: naming ``place``, or the row's.
    """
    _check_length(place, rows, length)
    for number, row in enumerate(rows if isinstance(rows, tuple) else ()):
        if type(row) is not tuple or len(row) != width:
            _check_length(f"{place}[{number}]", row, width)


def _check_length(place: str, value: object, length: int | None) -> None:
    """Checks that ``value`` is a tuple of ``length``, of any length for None.

    Raises:
        GenotypeError: naming ``place``.
    """
    if not isinstance(value, tuple):
        raise GenotypeError(place, short_repr(value), f"{length or 'a tuple of'} items")
    if length is not None and len(value) != length:
        raise GenotypeError(place, f"{len(value)} items", f"{length} items")
