"""Layers by the damage that they do in int8, found as far as somebody asks."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from auxnas.backends.int8.layers import Layer

FIRST = 8
"""Groups that are measured first."""

Damage = Callable[[Sequence[Layer]], float]


class Ranking:
    """The layers, first the one that does most damage where it alone is in int8.

    Groups of neighbours are measured together, and the worst of all groups is halved until it is
    a single layer: rounding errors of different layers add up, so a group does at least the
    damage of its worst layer, and the layers of harmless groups are never measured by themselves.

    Args:
        layers: in order of execution.
        damage: error of the output where just these layers are in int8; called in two threads.
        measured: told how many groups have been measured.
    """

    def __init__(
        self, layers: Sequence[Layer], damage: Damage, measured: Callable[[int], None]
    ) -> None:
        self.damage, self.measured = damage, measured
        self._found: list[Layer] = []
        self._groups: list[tuple[float, int, Sequence[Layer]]] = []
        self._numbers = itertools.count(1)
        size = max(1, -(-len(layers) // FIRST))
        self._measure([layers[n : n + size] for n in range(0, len(layers), size)])

    def first(self, count: int) -> list[Layer]:
        """The first ``count``."""
        while len(self._found) < count and self._groups:
            _, _, group = heapq.heappop(self._groups)
            middle = len(group) // 2
            if middle:
                self._measure([group[:middle], group[middle:]])
            else:
                self._found.extend(group)
        return self._found[:count]

    def _measure(self, groups: Sequence[Sequence[Layer]]) -> None:
        with ThreadPoolExecutor(2) as pool:
            for group, damage in zip(groups, pool.map(self.damage, groups), strict=True):
                number = next(self._numbers)
                heapq.heappush(self._groups, (-damage, number, group))
                self.measured(number)
