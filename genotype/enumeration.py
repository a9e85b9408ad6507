"""Listing classes in a fixed order, and reaching any position in it.

Genotypes are listed connections first; for each connections all cells.

* ``raw``: lexicographic order of the tokens. Any position is reached at once.
* ``swap``, ``isomorphism``: connections in lexicographic order of their representatives.
  Cells by skeleton (the locations, operations blanked out), skeletons in lexicographic
  order of the smallest of their class; for one skeleton, operations as in
  ``genotype.labellings``, whose places are the first operation, then the branches' sides.
  Every cell is given as the representative of its class.
* ``functional``: connections as at ``isomorphism``; cells by shape of the normal form,
  shapes ordered by number of nodes and then by their canonical numbering; for one shape,
  operations as in ``genotype.labellings``. Every cell is given as the representative of
  its class.

Below ``raw`` connections and skeletons or shapes are listed once per space, when first
needed (the paper's: 1225 connections and 799 skeletons in 0.1 s, 11939 shapes in some
seconds; 31533 skeletons at four branches). Five encoder outputs and five blocks have
904968 connections, which take minutes; the shapes at four branches, hours. From then on
any position is reached by bisection among them and counting within one, in milliseconds.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from auxnas.genotype import bags, symmetry
from auxnas.genotype.bags import BagGraph
from auxnas.genotype.functional import Kind, of_kind
from auxnas.genotype.genotype import Cell, Connections, unchecked
from auxnas.genotype.identity import Level, canonical_branches
from auxnas.genotype.labellings import Labellings, Permutation, multiset, multisets
from auxnas.genotype.realisation import realise
from auxnas.genotype.symmetry import CELL, Item, connections_frame
from auxnas.genotype.vocabulary import Vocabulary

if TYPE_CHECKING:
    from auxnas.genotype.space import SearchSpace


@dataclass(frozen=True, slots=True)
class Family:
    """The classes of cells that have one skeleton or one shape.

    Attributes:
        labellings: their operations.
        cell: from a word of ``labellings`` to the class's representative.
    """

    labellings: Labellings
    cell: Callable[[tuple[int, ...]], Cell]


class CellClasses:
    """All classes of a space at a level below ``raw``, in order.

    Attributes:
        cells: how many classes of cells there are.
    """

    def __init__(self, connections: Iterable[Connections], families: Iterable[Family]) -> None:
        self._connections = connections
        self._families = tuple(families)
        counts = (family.labellings.count() for family in self._families)
        self._ends = tuple(itertools.accumulate(counts))
        self.cells = self._ends[-1]

    @cached_property
    def connections(self) -> tuple[Connections, ...]:
        """The representatives of the connections; listed when first asked for."""
        return tuple(self._connections)

    @property
    def total(self) -> int:
        """Number of classes of genotypes."""
        return len(self.connections) * self.cells

    def cell(self, position: int) -> Cell:
        """The representative of one class of cells."""
        return next(self._cells(position))

    def starting(self, position: int) -> Iterator[tuple[Connections, Cell]]:
        """The representatives from ``position`` on."""
        skipped, position = divmod(position, self.cells)
        for connections in self.connections[skipped:]:
            for cell in self._cells(position):
                yield connections, cell
            position = 0

    def _cells(self, position: int) -> Iterator[Cell]:
        index = bisect_right(self._ends, position)
        within = position - (self._ends[index - 1] if index else 0)
        for family in self._families[index:]:
            yield from map(family.cell, family.labellings.words(within))
            within = 0


def wiring_classes(space: SearchSpace, level: Level) -> CellClasses:
    """The classes at ``swap`` or ``isomorphism``."""
    families = _skeleton_families(space.branches, len(space.vocabulary), level)
    return CellClasses(_connections(space, level), families)


def functional_classes(space: SearchSpace, shapes: Iterable[BagGraph]) -> CellClasses:
    """The classes at ``functional``, given the shapes of cells."""
    ordered = sorted(shapes, key=lambda shape: (len(shape.nodes), shape.nodes, shape.tagged))
    families = _shape_families(ordered, space.branches, space.vocabulary)
    return CellClasses(_connections(space, "functional"), families)


def _connections(space: SearchSpace, level: Level) -> Iterator[Connections]:
    frame = connections_frame(space.encoder_outputs)
    for skeleton in symmetry.skeletons(frame, space.blocks, level != "swap"):
        yield tuple((left, right) for left, right, _, _ in skeleton)


def _skeleton_families(branches: int, operations: int, level: Level) -> Iterator[Family]:
    reorder = level == "isomorphism"
    sizes = (operations,) * (1 + 2 * branches)
    for skeleton in symmetry.skeletons(CELL, branches, reorder):
        sides = symmetry.automorphisms(skeleton, CELL, reorder)
        group = tuple((0, *(1 + side for side in sides_to)) for sides_to in sides)
        yield Family(Labellings(sizes, group), _SkeletonCell(skeleton, level))


@dataclass(frozen=True, slots=True)
class _SkeletonCell:
    """From operations, the first operation's leading, to the representative."""

    skeleton: tuple[Item, ...]
    level: Level

    def __call__(self, word: tuple[int, ...]) -> Cell:
        branches = tuple(
            (left, right, word[1 + 2 * k], word[2 + 2 * k])
            for k, (left, right, _, _) in enumerate(self.skeleton)
        )
        return unchecked(Cell, word[0], canonical_branches(branches, self.level))


def _shape_families(
    shapes: Iterable[BagGraph], branches: int, vocabulary: Vocabulary
) -> Iterator[Family]:
    weighted = of_kind(vocabulary, Kind.WEIGHTED)
    for shape in shapes:
        classes, labellings = _shape_labellings(shape, len(weighted))
        yield Family(labellings, _ShapeCell(shape, classes, weighted, branches, vocabulary))


def _shape_labellings(shape: BagGraph, labels: int) -> tuple[bags.TwinClasses, Labellings]:
    """A shape's classes of twins, and how they can be labelled.

    Twins can be exchanged freely, so a class of them is labelled by a multiset; the
    group left permutes the classes.
    """
    _, orders = bags.canonical_numbering(shape)
    classes = orders[0]
    number = {twins: place for place, twins in enumerate(classes)}
    group: tuple[Permutation, ...] = tuple(
        tuple(number[twins] for twins in order) for order in orders
    )
    sizes = tuple(multisets(len(twins), labels) for twins in classes)
    return classes, Labellings(sizes, group)


@dataclass(frozen=True, slots=True)
class _ShapeCell:
    """From multisets of operations, one a class of twins, to the representative."""

    shape: BagGraph
    classes: bags.TwinClasses
    weighted: tuple[int, ...]
    branches: int
    vocabulary: Vocabulary

    def __call__(self, word: tuple[int, ...]) -> Cell:
        labels = [0] * len(self.shape.nodes)
        for twins, position in zip(self.classes, word, strict=True):
            chosen = multiset(position, len(twins), len(self.weighted))
            for index, label in zip(twins, chosen, strict=True):
                labels[index] = self.weighted[label]
        nodes = tuple(
            (label, bag) for label, (_, bag) in zip(labels, self.shape.nodes, strict=True)
        )
        labelled = BagGraph(nodes, self.shape.tagged, self.shape.width)
        form = bags.canonical_numbering(labelled)[0]
        return unchecked(Cell, *realise(form, self.branches, self.vocabulary))
