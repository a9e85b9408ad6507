"""All shapes of a cell's normal form, and how many cells have each.

A *shape* is a normal form (``genotype.functional``) with its operations blanked out. The
shapes of cells with n branches are found by a forward pass over states. A state is what
the rest of a cell can see of the branches so far: the nodes, and the bag at each location,
with the number of locations that hold it; sums and the first operation's output that are
not sampled yet (*loose*) are kept apart. Isomorphic states are one, and so are locations
with the same bag; each state carries the number of ways to reach it, operations with
weights counted once. After the last branch what the output does not need is dropped (an
operation dropped could have been any with weights) and isomorphic results are one.

The list takes some seconds at three branches. At four it would take hours and gigabytes:
there are some 10**5 states behind three branches, with hundreds of branches on each.

The pass visits every cell, merged; that no shape is missing and that the numbers sum to
that of all sequences is tested against listing them.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from auxnas.genotype import bags
from auxnas.genotype.bags import BagGraph, BagNode, term
from auxnas.genotype.functional import Kind, Kinds, digit_width

LOOSE = 0
"""Tag of a bag that goes to the output unless sampled; other tags count locations."""

OUTPUT = 0
"""Tag of a form's output."""

Reached = tuple[BagGraph, int]
"""A state or a result, and the number of ways to it."""


def shapes(branches: int, kinds: Kinds) -> dict[BagGraph, int]:
    """Every shape, and the number of cells for each choice of operations at its nodes."""
    states = _merged(_firsts(digit_width(branches), kinds))
    for _ in range(branches - 1):
        states = _merged(
            (_next_state(branch), ways * branch.ways)
            for state, ways in states.items()
            for branch in _branches(state, kinds)
        )
    return _merged(
        _result(branch, ways, kinds)
        for state, ways in states.items()
        for branch in _branches(state, kinds)
    )


def _merged(found: Iterable[Reached]) -> dict[BagGraph, int]:
    """One of each isomorphism class, ways added up."""
    equal = _added(found)
    return _added((bags.canonical_numbering(graph)[0], ways) for graph, ways in equal.items())


def _added(found: Iterable[Reached]) -> dict[BagGraph, int]:
    total: defaultdict[BagGraph, int] = defaultdict(int)
    for graph, ways in found:
        total[graph] += ways
    return dict(total)


def _firsts(width: int, kinds: Kinds) -> Iterator[Reached]:
    """The states behind the first operation."""
    bag = term(0, width)
    source = (1, bag)
    if kinds.weighted:
        yield BagGraph(((0, bag),), ((LOOSE, term(1, width)), source), width), 1
    if kinds.identity:
        yield BagGraph((), ((LOOSE, bag), source), width), kinds.identity
    if kinds.zero:
        yield BagGraph((), ((LOOSE, 0), source), width), kinds.zero


class _Side(NamedTuple):
    """One side of a branch: the bag it sees, a kind of operation, which loose bag it samples."""

    bag: int
    kind: Kind
    samples: int
    ways: int


def _sides(state: BagGraph, kinds: Kinds) -> Iterator[_Side]:
    """All different sides; zero does the same on all locations that are not loose."""
    held = [(bag, -1, tag) for tag, bag in state.tagged if tag != LOOSE]
    loose = [bag for tag, bag in state.tagged if tag == LOOSE]
    places = held + [(bag, place, 1) for place, bag in enumerate(loose)]
    for bag, place, ways in places:
        if kinds.weighted:
            yield _Side(bag, Kind.WEIGHTED, place, ways)
        if kinds.identity:
            yield _Side(bag, Kind.IDENTITY, place, ways * kinds.identity)
    if kinds.zero:
        yield _Side(0, Kind.ZERO, -1, kinds.zero * sum(ways for _, _, ways in held))
        for place in range(len(loose)):
            yield _Side(0, Kind.ZERO, place, kinds.zero)


class _Branch(NamedTuple):
    """A branch on a state: all nodes, its two results, the bags it samples and leaves loose."""

    state: BagGraph
    nodes: tuple[BagNode, ...]
    results: tuple[int, ...]
    sampled: tuple[int, ...]
    loose: tuple[int, ...]
    ways: int


def _branches(state: BagGraph, kinds: Kinds) -> Iterator[_Branch]:
    """All different branches; sides are unordered, hence the factor 2."""
    loose = [bag for tag, bag in state.tagged if tag == LOOSE]
    for one, other in itertools.combinations_with_replacement(tuple(_sides(state, kinds)), 2):
        nodes, results = list(state.nodes), []
        for side in (one, other):
            result = side.bag
            if side.kind is Kind.WEIGHTED:
                nodes.append((0, side.bag))
                result = term(len(nodes), state.width)
            results.append(result)
        sampled = {one.samples, other.samples}
        yield _Branch(
            state,
            tuple(nodes),
            tuple(results),
            tuple(bag for place, bag in enumerate(loose) if place in sampled),
            tuple(bag for place, bag in enumerate(loose) if place not in sampled),
            one.ways * other.ways * (1 if one is other else 2),
        )


def _next_state(branch: _Branch) -> BagGraph:
    held = defaultdict(int, {bag: tag for tag, bag in branch.state.tagged if tag != LOOSE})
    for bag in branch.results + branch.sampled:
        held[bag] += 1
    loose = (*branch.loose, sum(branch.results))
    tagged = [(LOOSE, bag) for bag in loose] + [(count, bag) for bag, count in held.items()]
    return BagGraph(branch.nodes, tuple(sorted(tagged)), branch.state.width)


def _result(branch: _Branch, ways: int, kinds: Kinds) -> Reached:
    """The form of a finished cell; each node dropped could have had any weighted operation."""
    output = sum(branch.loose) + sum(branch.results)
    whole = BagGraph(branch.nodes, ((OUTPUT, output),), branch.state.width)
    form = bags.drop_unreachable(whole)
    dropped = len(whole.nodes) - len(form.nodes)
    return form, ways * branch.ways * kinds.weighted**dropped
