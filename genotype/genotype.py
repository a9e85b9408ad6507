"""A point of the search space: which encoder outputs are connected, and the cell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auxnas.genotype import identity
from auxnas.genotype.errors import GenotypeError, shown

if TYPE_CHECKING:
    from auxnas.genotype.space import SearchSpace

Connections = tuple[tuple[int, int], ...]
Branch = tuple[int, int, int, int]


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
    """

    first: int
    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class Genotype:
    """An architecture. Plain data, hashable; check it with ``space.violation``.

    Attributes:
        connections: two indices a decoder block; block b picks from the encoder outputs
            ``0 .. E-1`` and the earlier blocks ``E .. E+b-1``.
        cell: the cell, whose operations are ids of ``space.vocabulary``.
        space: the search space that gives the numbers their meaning.
    """

    connections: Connections
    cell: Cell
    space: SearchSpace = field(hash=False, repr=False)

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
            GenotypeError: when the genotype is not a member of its space, or there is
                no such level.
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


def shape_error(genotype: Genotype, blocks: int, branches: int) -> GenotypeError | None:
    """The first part that is not a tuple of the right length, if any."""
    cell: object = genotype.cell
    if not isinstance(cell, Cell):
        return GenotypeError("cell", shown(cell), "a Cell")
    for place, rows, length, width in (
        ("connections", genotype.connections, blocks, 2),
        ("cell.branches", cell.branches, branches, 4),
    ):
        error = _length_error(place, rows, length)
        if error is not None:
            return error
        for number, row in enumerate(rows):
            error = _length_error(f"{place}[{number}]", row, width)
            if error is not None:
                return error
    return None


def _length_error(place: str, value: object, length: int) -> GenotypeError | None:
    if isinstance(value, tuple) and len(value) == length:
        return None
    found = f"{len(value)} items" if isinstance(value, tuple) else shown(value)
    return GenotypeError(place, found, f"{length} items")
