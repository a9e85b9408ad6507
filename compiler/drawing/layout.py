"""Laying out a small directed graph in layers, from the bottom up.

The usual four steps: put the nodes into layers, break edges that span several layers at
bends, order the layers so that few edges cross, choose horizontal positions. The edges
that leave one node share their bends: what they carry is the same, so they are drawn as
one line that forks. Only where that line is in the way of others, and its edges drawn
apart would not be, do they have bends of their own.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import networkx as nx

from auxnas.compiler.drawing.ordering import Edge, Layers, crossings, orderings
from auxnas.compiler.drawing.positions import positions

_RAISES = ((0, 0, 1, 2),) * 40 + ((0, 0, 2, 4),) * 20
"""Further assignments to layers tried while edges cross: what a node may be raised by."""
_GLANCE = 6
"""Number of starts that an assignment is judged by, and of turns that an order is."""
_UNSHARED = 12
"""Number of the best assignments to layers for which unshared bends are tried too."""
_CANDIDATES = 30
"""Orders with equally few crossings whose positions are compared."""


@dataclass(frozen=True)
class LayeredGraph:
    """A layered graph to be laid out.

    Attributes:
        widths: the nodes and how wide each is, in points.
        edges: (from, to); no cycles.
        row: nodes that make up the lowest layer, in this order, evenly spaced; may be empty.
    """

    widths: Mapping[str, float]
    edges: tuple[Edge, ...]
    row: tuple[str, ...] = ()

    @property
    def fixed(self) -> frozenset[int]:
        """The layers whose order is given."""
        return frozenset({0} if self.row else ())


@dataclass(frozen=True)
class Layout:
    """Positions of the nodes and bends.

    Attributes:
        layers: nodes and bends of each layer, from the bottom, left to right.
        segments: edges between neighbouring layers, whose ends are nodes or bends.
        x: horizontal centres, in points.
        sources: the node whose output runs through a bend.
        crossings: how many pairs of segments cross.
    """

    layers: Layers
    segments: tuple[Edge, ...]
    x: Mapping[str, float]
    sources: Mapping[str, str]
    crossings: int


def lay_out(graph: LayeredGraph) -> Layout:
    """The layout with the fewest crossings, then the fewest bends, then the straightest.

    Deterministic: the same graph gives the same layout.
    """
    if not graph.edges:
        raise ValueError("a graph without edges, expected something to lay out")
    return _of_plan(graph, _best_plan(graph))


@dataclass(frozen=True)
class _Plan:
    """The layer of each node, and the nodes whose edges do not share bends."""

    levels: Mapping[str, int]
    apart: frozenset[str] = frozenset()


def _of_plan(graph: LayeredGraph, plan: _Plan) -> Layout:
    """The straightest of the layouts with the fewest crossings, for given layers."""
    layers, segments, sources = _with_bends(graph, plan)
    row = frozenset(graph.row)

    def merit(order: Layers) -> tuple[float, int]:
        _, strain = positions(graph.widths, order, segments, row, turns=_GLANCE)
        return round(strain, 3), _disorder(graph, order)

    order = min(orderings(layers, segments, graph.fixed)[:_CANDIDATES], key=merit)
    x, _ = positions(graph.widths, order, segments, row)
    return Layout(order, segments, x, sources, crossings(order, segments))


def _disorder(graph: LayeredGraph, layers: Layers) -> int:
    """The number of pairs of neighbours in another order than in the graph."""
    rank = {name: i for i, name in enumerate(graph.widths)}
    rows = [[rank[name] for name in layer if name in rank] for layer in layers]
    return sum(a > b for row in rows for a, b in pairwise(row))


# Layers ------------------------------------------------------------------------------


PlanScore = tuple[int, int, int]
"""Crossings, layers, bends: the fewer the better."""


def _best_plan(graph: LayeredGraph) -> _Plan:
    """The plan with the fewest crossings, then the lowest; bends shared, if that is as good."""
    shared = _judged(graph, map(_Plan, _distinct(_levels(graph))))
    best = shared[0]
    if best[0][0] == 0:
        return best[1]
    plans = (
        _Plan(plan.levels, apart)
        for _, plan in shared[:_UNSHARED]
        for apart in _unshared(graph, plan.levels)
    )
    return min([best, *_judged(graph, plans)], key=lambda judged: judged[0][0])[1]


def _distinct(found: Iterable[dict[str, int]]) -> Iterator[dict[str, int]]:
    seen: list[dict[str, int]] = []
    for levels in found:
        if levels not in seen:
            seen.append(levels)
            yield levels


def _judged(graph: LayeredGraph, plans: Iterable[_Plan]) -> list[tuple[PlanScore, _Plan]]:
    """Plans with their scores, the best one first; none behind one without crossings."""
    found: list[tuple[PlanScore, _Plan]] = []
    for plan in plans:
        layers, segments, sources = _with_bends(graph, plan)
        order = orderings(layers, segments, graph.fixed, starts=_GLANCE)[0]
        found.append(((crossings(order, segments), len(layers), len(sources)), plan))
        if found[-1][0][0] == 0:
            break
    return sorted(found, key=lambda judged: judged[0])


def _unshared(graph: LayeredGraph, levels: Mapping[str, int]) -> Iterator[frozenset[str]]:
    """The nodes that would share bends: each alone, each two, and all."""
    long = Counter(low for low, high in graph.edges if levels[high] - levels[low] > 1)
    names = [name for name, edges in long.items() if edges > 1]
    for number in sorted({1, 2, len(names)} & set(range(1, len(names) + 1))):
        yield from map(frozenset, combinations(names, number))


def _levels(graph: LayeredGraph) -> Iterator[dict[str, int]]:
    """Assignments to layers worth trying: pulled down, pulled up, and taller ones."""
    dag = nx.DiGraph()
    dag.add_nodes_from(graph.widths)
    dag.add_edges_from(graph.edges)
    down, depths = lowest_levels(dag), lowest_levels(dag.reverse())
    top = max(down.values())
    up = {name: top - depth for name, depth in depths.items()}
    up |= dict.fromkeys(graph.row, 0)
    yield _shortened(graph, down)
    yield _shortened(graph, up)
    rng = random.Random(0)
    upwards = sorted(down, key=lambda name: down[name])
    for raises in _RAISES:
        yield _raised(graph, upwards, raises, rng)


def _raised(
    graph: LayeredGraph, upwards: Sequence[str], raises: Sequence[int], rng: random.Random
) -> dict[str, int]:
    """Some nodes with several operands higher than need be; below them, nodes with one."""
    below = {name: [low for low, high in graph.edges if high == name] for name in upwards}
    levels: dict[str, int] = {}
    for name in upwards:
        least = max((levels[low] + 1 for low in below[name]), default=0)
        levels[name] = least + (rng.choice(raises) if len(below[name]) > 1 else 0)
    for name in reversed(upwards):
        users = [levels[high] for low, high in graph.edges if low == name]
        if users and len(below[name]) == 1:
            levels[name] = min(users) - 1
    return levels


def lowest_levels(dag: nx.DiGraph) -> dict[str, int]:
    """Each node one above the highest of those it depends on, in the order of ``dag``.

    Raises:
        ValueError: for a graph with a cycle.
    """
    try:
        layers = list(nx.topological_generations(dag))
    except nx.NetworkXUnfeasible:
        raise ValueError("the graph has a cycle") from None
    levels = {name: level for level, layer in enumerate(layers) for name in layer}
    return {name: levels[name] for name in dag}


def _shortened(graph: LayeredGraph, start: Mapping[str, int]) -> dict[str, int]:
    """Moves nodes up or down while that leaves fewer bends; the upper of two equals."""
    levels = dict(start)
    top = max(levels.values())
    movable = [name for name in sorted(levels, key=lambda n: -levels[n]) if name not in graph.row]
    for _ in range(len(levels)):
        before = dict(levels)
        for name in movable:
            low = max((levels[a] + 1 for a, b in graph.edges if b == name), default=0)
            high = min((levels[b] - 1 for a, b in graph.edges if a == name), default=top)
            places = range(low, high + 1)
            levels[name] = -min((_bends(graph, levels, name, at), -at) for at in places)[1]
        if levels == before:
            break
    return levels


def _bends(graph: LayeredGraph, levels: Mapping[str, int], name: str, at: int) -> int:
    """The number of bends with ``name`` in layer ``at``."""
    moved = dict(levels)
    moved[name] = at
    reach: dict[str, int] = {}
    for low, high in graph.edges:
        reach[low] = max(reach.get(low, 0), moved[high] - moved[low] - 1)
    return sum(reach.values())


def _with_bends(
    graph: LayeredGraph, plan: _Plan
) -> tuple[Layers, tuple[Edge, ...], dict[str, str]]:
    """Layers with bends in them, segments, and whose output each bend carries."""
    levels = plan.levels
    layers: list[list[str]] = [[] for _ in range(max(levels.values()) + 1)]
    for name in (*graph.row, *(n for n in graph.widths if n not in graph.row)):
        layers[levels[name]].append(name)
    segments: dict[Edge, None] = {}
    sources: dict[str, str] = {}
    for low, high in graph.edges:
        chain = [low]
        line = f"{low}>{high}" if low in plan.apart else low
        for level in range(levels[low] + 1, levels[high]):
            bend = f"{line}@{level}"
            if bend not in sources:
                sources[bend] = low
                layers[level].append(bend)
            chain.append(bend)
        segments |= dict.fromkeys(pairwise([*chain, high]))
    return tuple(tuple(layer) for layer in layers), tuple(segments), sources
