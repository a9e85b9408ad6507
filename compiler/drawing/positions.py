"""Horizontal positions for the nodes and bends of an ordered, layered graph."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

from auxnas.compiler.drawing.ordering import Edge, Layers

_BETWEEN = 14.0
"""Least distance between two nodes of a layer, in points."""
_PULLS = {0: 1.0, 1: 3.0, 2: 20.0}
"""Weight of an edge's uprightness, by how many of its ends are bends."""
_SNAP = 9.0
"""An edge that leans by less is made upright where there is room."""
_STRAIGHT_TURNS = 8
"""Number of last turns in which lines are straightened."""


def positions(
    widths: Mapping[str, float],
    layers: Layers,
    segments: Sequence[Edge],
    row: frozenset[str],
    turns: int = 40,
) -> tuple[dict[str, float], float]:
    """Horizontal centres, and how far the edges then are from upright.

    Minimises the sum over segments of pull * (difference of the ends)^2, under the least
    distances within each layer: convex, and the constraints fall apart by layer, so
    solving one layer after the other, exactly, converges to the one optimum. Then lines
    are straightened at little cost to it.

    Args:
        widths: of the nodes; what is not in it is a bend.
        layers: nodes and bends from the bottom, left to right.
        segments: edges between neighbouring layers.
        row: the nodes of the lowest layer, when they are to be evenly spaced.
        turns: how often every layer is solved; a few suffice to compare two orders.
    """
    grid = _Grid(widths, layers, tuple(segments), row)
    x = grid.packed()
    levels = (*range(len(layers)), *reversed(range(len(layers))))
    for turn in range(turns):
        for level in levels:
            grid.place_level(level, x)
        if turn >= turns - _STRAIGHT_TURNS:
            grid.straighten(x)
    grid.snap_row(x)
    grid.snap(x)
    return x, grid.strain(x)


@dataclass(frozen=True)
class _Grid:
    """The graph; methods change the positions they are given."""

    widths: Mapping[str, float]
    layers: Layers
    segments: tuple[Edge, ...]
    row: frozenset[str]

    @cached_property
    def pulls(self) -> dict[str, dict[str, float]]:
        """The pull between each node and each that it is joined to."""
        found: dict[str, dict[str, float]] = {}
        for low, high in self.segments:
            pull = _PULLS[(low not in self.widths) + (high not in self.widths)]
            found.setdefault(low, {})[high] = pull
            found.setdefault(high, {})[low] = pull
        return found

    @cached_property
    def offsets(self) -> list[list[float]]:
        """The centres of each layer packed as tightly as may be, from 0."""
        halves = [[self.widths.get(name, 0.0) / 2 for name in layer] for layer in self.layers]
        return [[0.0, *accumulate(a + _BETWEEN + b for a, b in pairwise(half))] for half in halves]

    @cached_property
    def columns(self) -> list[list[str]]:
        """The nodes and bends that should stand one above the other; lone nodes too.

        Two neighbours do when both are bends, or when the lower one's only edge up is the
        upper one's only edge down. The row stays out of it.
        """
        ups, downs = (Counter(ends) for ends in zip(*self.segments, strict=True))
        above = {
            low: high
            for low, high in self.segments
            if low not in self.row
            and (not {low, high} & self.widths.keys() or ups[low] == downs[high] == 1)
        }
        names = {name for segment in self.segments for name in segment} - self.row
        found = []
        for name in names - set(above.values()):
            column = [name]
            while column[-1] in above:
                column.append(above[column[-1]])
            found.append(column)
        return sorted(found)

    def packed(self) -> dict[str, float]:
        """A start: every layer packed around 0."""
        return {
            name: at - offsets[-1] / 2
            for layer, offsets in zip(self.layers, self.offsets, strict=True)
            for name, at in zip(layer, offsets, strict=True)
        }

    def strain(self, x: Mapping[str, float]) -> float:
        """The sum that is to be small, every segment counted twice."""
        near = [(a, b, pull) for a, pulls in self.pulls.items() for b, pull in pulls.items()]
        return sum(pull * (x[a] - x[b]) ** 2 for a, b, pull in near)

    def place_level(self, level: int, x: dict[str, float]) -> None:
        """Moves one layer to its best positions, all others held."""
        wanted, weights = [], []
        layer = self.layers[level]
        for name in layer:
            near = self.pulls.get(name, {})
            weight = sum(near.values())
            total = sum(pull * x[other] for other, pull in near.items())
            wanted.append(total / weight if near else x[name])
            weights.append(weight if near else 1e-3)
        solve = _evenly if level == 0 and self.row else _apart
        x |= dict(zip(layer, solve(wanted, weights, self.offsets[level]), strict=True))

    def room(self, column: Iterable[str], x: Mapping[str, float]) -> tuple[float, float]:
        """Between which positions a whole column can stand."""
        low, high = -math.inf, math.inf
        members = set(column)
        for layer, offsets in zip(self.layers, self.offsets, strict=True):
            for (left, at), (right, to) in pairwise(zip(layer, offsets, strict=True)):
                if right in members:
                    low = max(low, x[left] + to - at)
                if left in members:
                    high = min(high, x[right] - to + at)
        return low, high

    def straighten(self, x: dict[str, float]) -> None:
        """Stands each column upright where there is room."""
        for column in self.columns:
            low, high = self.room(column, x)
            if low <= high:
                mean = sum(x[name] for name in column) / len(column)
                x |= dict.fromkeys(column, min(max(mean, low), high))

    def snap_row(self, x: dict[str, float]) -> None:
        """Moves the row a little, so that more edges out of it are upright."""
        leans = [x[high] - x[low] for low, high in self.segments if low in self.row]
        near = [lean for lean in leans if abs(lean) < _SNAP]

        def merit(shift: float) -> tuple[int, float]:
            return sum(abs(lean - shift) < 1e-6 for lean in leans), -abs(shift)

        shift = max(near, key=merit, default=0.0)
        x |= {name: x[name] + shift for name in self.row}

    def snap(self, x: dict[str, float]) -> None:
        """Moves upright columns a little, where that makes an edge at an end upright."""
        for column in self.columns:
            here = x[column[0]]
            if any(x[name] != here for name in column):
                continue
            leans = {x[other] - x[name] for name in column for other in self.pulls[name]} - {0.0}
            least = min(leans, key=lambda lean: (abs(lean), lean), default=math.inf)
            low, high = self.room(column, x)
            if abs(least) < _SNAP and low <= here + least <= high:
                x |= dict.fromkeys(column, here + least)


def _apart(wanted: list[float], weights: list[float], offsets: list[float]) -> list[float]:
    """The nearest positions at least as far apart as ``offsets`` (isotonic regression)."""
    pools: list[tuple[float, float, int]] = []
    for want, weight, offset in zip(wanted, weights, offsets, strict=True):
        mean, size = want - offset, 1
        while pools and pools[-1][0] >= mean:
            other, other_weight, other_size = pools.pop()
            mean = (mean * weight + other * other_weight) / (weight + other_weight)
            weight, size = weight + other_weight, size + other_size
        pools.append((mean, weight, size))
    flat = [mean for mean, _, size in pools for _ in range(size)]
    return [mean + offset for mean, offset in zip(flat, offsets, strict=True)]


def _evenly(wanted: list[float], weights: list[float], offsets: list[float]) -> list[float]:
    """The nearest evenly spaced positions (weighted linear regression)."""
    least = max((b - a for a, b in pairwise(offsets)), default=0.0)
    total = sum(weights)
    middle = sum(w * i for i, w in enumerate(weights)) / total
    mean = sum(w * v for w, v in zip(weights, wanted, strict=True)) / total
    spread = sum(w * (i - middle) ** 2 for i, w in enumerate(weights))
    slope = sum(w * (i - middle) * v for i, (w, v) in enumerate(zip(weights, wanted, strict=True)))
    pitch = max(least, slope / spread if spread else 0.0)
    return [mean + pitch * (i - middle) for i in range(len(wanted))]
