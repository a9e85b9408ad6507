"""Small graphs over bags of terms, and their exact canonical numbering.

A *bag* is a finite multiset of terms, packed into an integer: digit ``t`` in base
``2**width`` says how often term ``t`` occurs, so bags add as integers. Term 0 is an
input; terms 1, 2, ... are nodes. A node applies a labelled function to a bag of earlier
terms. A *graph* is its nodes and some tagged bags (its output, say). Two graphs are
isomorphic when renumbering the nodes turns one into the other; tagged bags are a
multiset.

Nodes are *twins* when exchanging them changes nothing: same label, same bag, and the same
digit in every bag. Twins form classes which every automorphism permutes, so numbering
goes by class: the automorphisms are all permutations within classes, times the
permutations of classes that ``numberings`` finds.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

BagNode = tuple[int, int]
"""Label and bag."""

Tagged = tuple[int, int]
"""Tag and bag."""

Terms = list[tuple[int, int]]
"""Term and how often, for those that occur."""


@dataclass(frozen=True, slots=True)
class BagGraph:
    """A graph over bags.

    Attributes:
        nodes: node ``i`` of the tuple is term ``i + 1``.
        tagged: in any order.
        width: bits of a digit.
    """

    nodes: tuple[BagNode, ...]
    tagged: tuple[Tagged, ...]
    width: int


def term(number: int, width: int) -> int:
    """The bag that holds one term."""
    return 1 << (number * width)


def terms(bag: int, width: int) -> Terms:
    """The terms of a bag and their counts, ascending."""
    found, number, mask = [], 0, (1 << width) - 1
    while bag:
        if bag & mask:
            found.append((number, bag & mask))
        bag >>= width
        number += 1
    return found


def rename_terms(bag: int, names: Sequence[int], width: int) -> int:
    """The bag with term ``t`` called ``names[t]``."""
    return sum(count << (names[number] * width) for number, count in terms(bag, width))


def drop_unreachable(graph: BagGraph) -> BagGraph:
    """The graph without the nodes that no tagged bag needs; the others keep their order."""
    needed: list[int] = []
    seen = functools.reduce(operator.or_, (bag for _, bag in graph.tagged), 0)
    for index in reversed(range(len(graph.nodes))):
        if seen >> ((index + 1) * graph.width) & ((1 << graph.width) - 1):
            needed.append(index)
            seen |= graph.nodes[index][1]
    if len(needed) == len(graph.nodes):
        return graph
    return renumber(graph, needed[::-1])


def renumber(graph: BagGraph, order: Sequence[int]) -> BagGraph:
    """The graph of the nodes in ``order``, tagged bags sorted."""
    names = [0] * (len(graph.nodes) + 1)
    for position, index in enumerate(order):
        names[index + 1] = position + 1
    nodes = tuple(
        (label, rename_terms(bag, names, graph.width))
        for label, bag in (graph.nodes[index] for index in order)
    )
    tagged = sorted((tag, rename_terms(bag, names, graph.width)) for tag, bag in graph.tagged)
    return BagGraph(nodes, tuple(tagged), graph.width)


TwinClasses = tuple[tuple[int, ...], ...]
"""Indices of nodes, twins together."""


def canonical_numbering(graph: BagGraph) -> tuple[BagGraph, list[TwinClasses]]:
    """The graph's canonical numbering, and all orders of twin classes that give it.

    Colours that do not depend on the numbering are refined until they are stable; while
    two classes share a colour, each of them in turn is told apart (individualised) and
    the colours refined again. Of the graphs at the leaves the smallest is taken, so the
    result is exact whatever the colours can tell. Two leaves give it exactly when they
    differ by an automorphism.

    Returns:
        The canonical graph, whose nodes come after what they use, and the orders of
        the twin classes of ``graph`` which lead to it.
    """
    best: BagGraph | None = None
    orders: list[TwinClasses] = []
    for classes in _leaves(graph):
        found = renumber(graph, [index for twins in classes for index in twins])
        if best is None or (found.nodes, found.tagged) < (best.nodes, best.tagged):
            best, orders = found, []
        if found == best:
            orders.append(classes)
    return best or graph, orders


def blank_labels(graph: BagGraph) -> BagGraph:
    """The canonical graph with all labels 0."""
    nodes = tuple((0, bag) for _, bag in graph.nodes)
    return canonical_numbering(BagGraph(nodes, graph.tagged, graph.width))[0]


def count_automorphisms(graph: BagGraph) -> int:
    """The number of permutations of the nodes that leave the graph as it is."""
    _, orders = canonical_numbering(graph)
    return len(orders) * math.prod(math.factorial(len(twins)) for twins in orders[0])


def _leaves(graph: BagGraph) -> Iterator[TwinClasses]:
    """Orders of the twin classes, told apart by colours in every way that colours leave open."""
    relations = _Relations(graph)
    yield from relations.leaves(relations.refined(relations.first_colours()))


class _Relations:
    """The uses among the twin classes of a graph; one number a class."""

    def __init__(self, graph: BagGraph) -> None:
        self._graph = graph
        width, nodes = graph.width, graph.nodes
        inputs = [terms(bag, width) for _, bag in nodes]
        self._tagged = [(tag, terms(bag, width)) for tag, bag in graph.tagged]
        self.classes = _twins(graph, inputs, self._tagged)
        number = {twins[0] + 1: place for place, twins in enumerate(self.classes)}
        self.inputs = [
            [(number[t], n) for t, n in inputs[twins[0]] if t in number] for twins in self.classes
        ]
        self.users: list[list[tuple[int, int]]] = [[] for _ in self.classes]
        for place, used in enumerate(self.inputs):
            for other, count in used:
                self.users[other].append((place, count))

    def first_colours(self) -> list[int]:
        """Depth, label, input and tags of each class, ranked."""
        graph, digit = self._graph, (1 << self._graph.width) - 1
        tags: dict[int, list[tuple[int, int, int]]] = {}
        for tag, held in self._tagged:
            for number, count in held:
                tags.setdefault(number - 1, []).append((tag, count, len(held)))
        depths: list[int] = []
        keys = []
        for twins, used in zip(self.classes, self.inputs, strict=True):
            depths.append(1 + max((depths[other] for other, _ in used), default=0))
            label, bag = graph.nodes[twins[0]]
            seen = sorted(tags.get(twins[0], ()))
            keys.append((depths[-1], label, bag & digit, len(twins), seen))
        return _ranked(keys)

    def refined(self, colours: list[int]) -> list[int]:
        """Colours after telling apart what uses, or is used by, different colours."""
        while True:
            keys = [
                (
                    colour,
                    sorted([(colours[other], n) for other, n in used]),
                    sorted([(colours[other], n) for other, n in users]),
                )
                for colour, used, users in zip(colours, self.inputs, self.users, strict=True)
            ]
            finer = _ranked(keys)
            if max(finer, default=0) == max(colours, default=0):
                return finer
            colours = finer

    def leaves(self, colours: list[int]) -> Iterator[TwinClasses]:
        """All orders of the classes that individualising leads to from these colours."""
        order = sorted(range(len(colours)), key=colours.__getitem__)
        shared = [colours[i] for i, j in itertools.pairwise(order) if colours[i] == colours[j]]
        if not shared:
            yield tuple(self.classes[place] for place in order)
            return
        for place in order:
            if colours[place] == shared[0]:
                told = [2 * colour for colour in colours]
                told[place] -= 1
                yield from self.leaves(self.refined(_ranked(told)))


def _twins(graph: BagGraph, inputs: list[Terms], tagged: list[tuple[int, Terms]]) -> TwinClasses:
    """The nodes' indices by class of twins, ordered by first member."""
    seen: list[list[tuple[int, int]]] = [[] for _ in graph.nodes]
    for place, held in enumerate([*inputs, *(held for _, held in tagged)]):
        for number, count in held:
            if number:
                seen[number - 1].append((place, count))
    classes: dict[object, list[int]] = {}
    for index, node in enumerate(graph.nodes):
        classes.setdefault((node, tuple(seen[index])), []).append(index)
    return tuple(tuple(twins) for twins in classes.values())


def _ranked(keys: Sequence[Any]) -> list[int]:
    """Each key's rank among the distinct ones, from 0."""
    order = sorted(range(len(keys)), key=keys.__getitem__)
    ranks, rank = [0] * len(keys), 0
    for before, after in itertools.pairwise(order):
        rank += keys[before] != keys[after]
        ranks[after] = rank
    return ranks
