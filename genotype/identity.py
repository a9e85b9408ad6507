"""Identity of architectures: four levels of sameness, canonical forms and keys.

Each level is coarser than the one before:

* ``raw``: the numbers as written.
* ``swap``: the two (location, operation) pairs of a branch are unordered, and so are the
  two indices of a block; references to a swapped pair's outputs follow.
* ``isomorphism``: branches (blocks) may moreover stand in any order that keeps every
  reference to an earlier one. These are the isomorphisms of the graphs whose encoder
  outputs, cell input and operations are labelled: a graph's sums tell its branches.
* ``functional``: equal after exact identities only (see ``genotype.functional``); for
  connections the same as ``isomorphism``, since weights sit on every path.

The canonical genotype of a class is, at the first three levels, the one with the
lexicographically smallest tokens; at ``functional`` the one that
``genotype.realisation`` finds for the normal form.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

from auxnas.genotype import functional, symmetry
from auxnas.genotype.errors import GenotypeError, short_repr
from auxnas.genotype.realisation import realise
from auxnas.genotype.symmetry import CELL, Item, connections_frame

if TYPE_CHECKING:
    from auxnas.genotype.genotype import Branch, Cell, Connections, Genotype
    from auxnas.genotype.vocabulary import Vocabulary

Level = Literal["raw", "swap", "isomorphism", "functional"]
LEVELS: tuple[Level, ...] = get_args(Level)

SCHEME = 1
"""Version of the keys; part of every key."""


def check_level(level: str) -> None:
    """Checks that ``level`` is one of ``LEVELS``.

    Raises:
        GenotypeError: when ``level`` is not one of ``LEVELS``.
    """
    if level not in LEVELS:
        raise GenotypeError("level", short_repr(level), f"one of {', '.join(LEVELS)}")


def connection_items(connections: Connections) -> tuple[Item, ...]:
    """The connections as a wiring."""
    return tuple((left, right, 0, 0) for left, right in connections)


def canonical_connections(connections: Connections, inputs: int, level: Level) -> Connections:
    """The representative of the connections' class."""
    if level == "raw":
        return connections
    items = connection_items(connections)
    rows, _ = symmetry.smallest(items, connections_frame(inputs), level != "swap")
    return tuple((left, right) for left, right, _, _ in rows)


def canonical_branches(branches: tuple[Branch, ...], level: Level) -> tuple[Branch, ...]:
    """The representative of the branches' class at a level below ``functional``."""
    if level == "raw":
        return branches
    return symmetry.smallest(branches, CELL, level != "swap")[0]


def canonical_cell(cell: Cell, vocabulary: Vocabulary, level: Level) -> Cell:
    """The representative of the cell's class."""
    if level != "functional":
        return replace(cell, branches=canonical_branches(cell.branches, level))
    form = functional.normal_form(cell, vocabulary)
    first, branches = realise(form, len(cell.branches), vocabulary)
    return replace(cell, first=first, branches=branches)


def canonical(genotype: Genotype, level: Level) -> Genotype:
    """The representative of ``genotype``'s class; see ``Genotype.canonical``."""
    check_level(level)
    space = genotype.space
    return replace(
        genotype,
        connections=canonical_connections(genotype.connections, space.encoder_outputs, level),
        cell=canonical_cell(genotype.cell, space.vocabulary, level),
    )


def key(genotype: Genotype, level: Level) -> str:
    """A short name of ``genotype``'s class; see ``Genotype.key``.

    ``functional`` keys spell out the connections and the normal form; the others give
    the rank of the representative in base 16.
    """
    check_level(level)
    space = genotype.space
    head = f"{level[0]}{SCHEME}-{space.digest}"
    if level != "functional":
        return f"{head}-{space.rank(canonical(genotype, level)):x}"
    pairs = canonical_connections(genotype.connections, space.encoder_outputs, level)
    form = functional.normal_form(genotype.cell, space.vocabulary)
    return f"{head}-{'_'.join(str(i) for pair in pairs for i in pair)}-{functional.form_text(form)}"


def wiring_orbit(genotype: Genotype, inputs: int, level: Level) -> tuple[int, int]:
    """The sizes of the classes of the connections and, below ``functional``, of the cell."""
    if level == "raw":
        return 1, 1
    reorder = level != "swap"
    blocks = connection_items(genotype.connections)
    return (
        symmetry.wiring_orbit_size(blocks, connections_frame(inputs), reorder),
        symmetry.wiring_orbit_size(genotype.cell.branches, CELL, reorder),
    )
