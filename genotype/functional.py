"""The function of a cell: its normal form under exact identities.

skip(z) = z. zero(z) = 0, which drops out of sums. Addition is commutative and
associative, so every value in a cell is a *bag* of terms: the cell's input, and the
outputs of operations with weights. Such an operation is a node of its own, applied to a
bag (perhaps the empty one); sampled twice, it is one term that occurs twice; two with the
same label and bag are two, since each has its own weights. The cell's output is the sum
of the bags of the summations, and of the first operation, that no branch samples: that
is read off the sequence as written, so a location sampled by zero counts as sampled.
Nodes that the output does not need are dropped.

Two cells compute the same for all weights of matched nodes exactly when their graphs of
nodes and bags are isomorphic; ``genotype.bags`` decides that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from auxnas.genotype import bags
from auxnas.genotype.bags import BagGraph, term

if TYPE_CHECKING:
    from auxnas.genotype.genotype import Branch, Cell
    from auxnas.genotype.vocabulary import Operation, Vocabulary


class Kind(Enum):
    """Kind of an operation, as the identities tell them apart."""

    WEIGHTED = "weighted"
    IDENTITY = "identity"
    ZERO = "zero"


def kind(operation: Operation) -> Kind:
    """The kind of a row."""
    if operation.is_identity:
        return Kind.IDENTITY
    return Kind.ZERO if operation.is_zero else Kind.WEIGHTED


def of_kind(vocabulary: Vocabulary, wanted: Kind) -> tuple[int, ...]:
    """The ids of the operations of one kind, ascending."""
    return tuple(i for i, operation in enumerate(vocabulary) if kind(operation) is wanted)


@dataclass(frozen=True, slots=True)
class Kinds:
    """Numbers of operations of each kind in a vocabulary."""

    weighted: int
    identity: int
    zero: int


def count_kinds(vocabulary: Vocabulary) -> Kinds:
    """The numbers of operations of each kind in ``vocabulary``."""
    return Kinds(*(len(of_kind(vocabulary, wanted)) for wanted in Kind))


def digit_width(branches: int) -> int:
    """Bits for a digit of any bag in a cell: a branch at most doubles how often a term
    occurs, and the output adds ``1 + 2 + 4 + ... + 2**branches``."""
    return branches + 1


def graph(cell: Cell, vocabulary: Vocabulary) -> BagGraph:
    """The nodes of a cell and its output, unreachable nodes left out, as numbered in the cell."""
    width = digit_width(len(cell.branches))
    row_kinds = [kind(operation) for operation in vocabulary]
    nodes: list[bags.BagNode] = []

    def applied(operation: int, bag: int) -> int:
        if row_kinds[operation] is Kind.WEIGHTED:
            nodes.append((operation, bag))
            return term(len(nodes), width)
        return bag if row_kinds[operation] is Kind.IDENTITY else 0

    values = [term(0, width)]
    values.append(applied(cell.first, values[0]))
    for left, right, operation, other in cell.branches:
        results = applied(operation, values[left]), applied(other, values[right])
        values += (*results, sum(results))
    output = sum(values[location] for location in loose_ends(cell.branches))
    return bags.drop_unreachable(BagGraph(tuple(nodes), ((0, output),), width))


def loose_ends(branches: Iterable[Branch]) -> list[int]:
    """The first operation's output and the sums, where no branch samples them."""
    rows = list(branches)
    sampled = {location for row in rows for location in row[:2]}
    ends = [1, *(4 + 3 * k for k in range(len(rows)))]
    return [location for location in ends if location not in sampled]


def normal_form(cell: Cell, vocabulary: Vocabulary) -> BagGraph:
    """The canonical graph of a cell: equal for two exactly when they compute the same."""
    return bags.canonical_numbering(graph(cell, vocabulary))[0]


def form_text(form: BagGraph) -> str:
    """A form as text, one to one: ``3a.3aab3.-bc`` is a node ``3(a)``, ``b``; a node
    ``3(a + a + 3b)``; and the output ``b + c``."""
    parts = [f"{label}{_bag_written(bag, form.width)}" for label, bag in form.nodes]
    return ".".join([*parts, *("-" + _bag_written(bag, form.width) for _, bag in form.tagged)])


def _bag_written(bag: int, width: int) -> str:
    return "".join(
        chr(ord("a") + number) + (str(count) if count > 1 else "")
        for number, count in bags.terms(bag, width)
    )


def cell_orbit_size(cell: Cell, vocabulary: Vocabulary, shapes: Mapping[BagGraph, int]) -> int:
    """The number of cells that compute the same as ``cell``.

    ``shapes`` counts the cells of each shape for one choice of operations at its nodes.
    The choices that give the class of ``cell`` are as many as the shape's automorphisms
    carry one of them to: automorphisms of the shape over those of the form.
    """
    form = normal_form(cell, vocabulary)
    shape = bags.blank_labels(form)
    return shapes[shape] * bags.count_automorphisms(shape) // bags.count_automorphisms(form)
