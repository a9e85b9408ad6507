"""Ordering the nodes of a layered graph so that few edges cross.

Two edges between neighbouring layers cross exactly when their ends stand in opposite
orders, so crossings are a matter of the orders alone. Finding the fewest is NP-hard; the
graphs here are small, and what is done (barycentre sweeps, then sifting each node to its
best place until nothing improves, from many starts) reaches the minimum that exhaustive
search finds on every graph it was compared on. Deterministic.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

Edge = tuple[str, str]
Layers = tuple[tuple[str, ...], ...]
Segments = Sequence[Edge]
"""Edges between neighbouring layers, lower end first."""

_STARTS = 40
_ENOUGH = 30
"""Different orders without a crossing that end the search."""
_EFFORT = 40_000
"""Pairs of edges looked at, per start, that a graph of the usual size costs."""


def crossings(layers: Layers, segments: Segments) -> int:
    """The number of pairs of edges that cross with each layer in the given order."""
    place = {name: i for layer in layers for i, name in enumerate(layer)}
    return sum(_pairs_crossing(gap, place) for gap in _gaps(layers, segments))


def _gaps(layers: Layers, segments: Segments) -> list[list[Edge]]:
    """The edges above each layer but the last."""
    level = {name: i for i, layer in enumerate(layers) for name in layer}
    gaps: list[list[Edge]] = [[] for _ in layers]
    for low, high in segments:
        gaps[level[low]].append((low, high))
    return gaps


def _pairs_crossing(gap: Segments, place: Mapping[str, int]) -> int:
    ends = [(place[low], place[high]) for low, high in gap]
    return sum((a - c) * (b - d) < 0 for i, (a, b) in enumerate(ends) for c, d in ends[i + 1 :])


def orderings(
    layers: Layers, segments: Segments, fixed: frozenset[int], starts: int = _STARTS
) -> tuple[Layers, ...]:
    """Different orders of the layers, all with the fewest crossings found.

    Args:
        layers: the nodes of each layer, from the bottom.
        segments: the edges, each between a layer and the next.
        fixed: the layers whose order must stay.
        starts: from how many orders to set out at most; large graphs get fewer.
    """
    best: dict[Layers, None] = {}
    fewest = None
    for start in _starts(layers, len(segments), fixed, starts):
        found = _improved(start, segments, fixed)
        number = crossings(found, segments)
        if fewest is None or number < fewest:
            fewest, best = number, {}
        if number == fewest:
            best[found] = None
        if fewest == 0 and len(best) == _ENOUGH:
            break
    return tuple(best)


def _starts(layers: Layers, edges: int, fixed: frozenset[int], most: int) -> Iterator[Layers]:
    """The given order, then shuffles of it: fewer for a large graph."""
    yield layers
    rng = random.Random(0)
    for _ in range(min(most - 1, _EFFORT // max(1, edges) ** 2)):
        yield tuple(
            layer if i in fixed else tuple(rng.sample(layer, len(layer)))
            for i, layer in enumerate(layers)
        )


def _improved(layers: Layers, segments: Segments, fixed: frozenset[int]) -> Layers:
    """A local optimum near ``layers``."""
    neighbours = _neighbours(segments)
    free = [i for i in range(len(layers)) if i not in fixed and len(layers[i]) > 1]
    state = [list(layer) for layer in layers]
    for sweep in (free, free[::-1]):
        for i in sweep:
            _sort_by_barycentre(state, i, neighbours)
    for _ in range(20):
        better = [_sift(state, i, neighbours) for i in free]
        if not any(better):
            break
    return tuple(tuple(layer) for layer in state)


def _neighbours(segments: Segments) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for low, high in segments:
        found.setdefault(low, []).append(high)
        found.setdefault(high, []).append(low)
    return found


def _sort_by_barycentre(
    state: list[list[str]], i: int, neighbours: Mapping[str, Sequence[str]]
) -> None:
    """Sorts layer ``i`` by the mean relative place of what each node is joined to."""
    place = _relative_places(state, i)
    own = {name: (j + 0.5) / len(state[i]) for j, name in enumerate(state[i])}

    def centre(name: str) -> float:
        near = [place[other] for other in neighbours.get(name, ()) if other in place]
        return sum(near) / len(near) if near else own[name]

    state[i].sort(key=centre)


def _relative_places(state: Sequence[Sequence[str]], i: int) -> dict[str, float]:
    """Places in 0..1 of the nodes in the layers beside layer ``i``."""
    beside = [state[j] for j in (i - 1, i + 1) if 0 <= j < len(state)]
    return {name: (j + 0.5) / len(layer) for layer in beside for j, name in enumerate(layer)}


def _sift(state: list[list[str]], i: int, neighbours: Mapping[str, Sequence[str]]) -> bool:
    """Moves each node of layer ``i`` to its best place; whether that removed a crossing."""
    cost = _pair_costs(state, i, neighbours)
    better = False
    for name in sorted(state[i]):
        layer = state[i]
        old = layer.index(name)
        rest = layer[:old] + layer[old + 1 :]
        total = sum(cost[name, other] for other in rest)
        totals = [total]
        for other in rest:
            total += cost[other, name] - cost[name, other]
            totals.append(total)
        new = min(range(len(totals)), key=lambda k: (totals[k], abs(k - old)))
        better = better or totals[new] < totals[old]
        state[i] = [*rest[:new], name, *rest[new:]]
    return better


def _pair_costs(
    state: Sequence[Sequence[str]], i: int, neighbours: Mapping[str, Sequence[str]]
) -> dict[tuple[str, str], int]:
    """Crossings between the edges of each two nodes of layer ``i``, the first one left."""
    sides = [
        {name: j for j, name in enumerate(state[k])} for k in (i - 1, i + 1) if 0 <= k < len(state)
    ]
    ends = {
        name: [[side[o] for o in neighbours.get(name, ()) if o in side] for side in sides]
        for name in state[i]
    }
    return {
        (left, right): sum(
            a > b
            for lefts, rights in zip(ends[left], ends[right], strict=True)
            for a in lefts
            for b in rights
        )
        for left in state[i]
        for right in state[i]
        if left != right
    }
