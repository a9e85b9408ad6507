"""Layers by the damage that they do in int8, found as far as somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from auxnas.backends.int8.layers import Layer

FIRST = 8
"""Groups that are measured first."""
SHARE = 2
"""A group of this part of the layers that are asked for is small."""

Damage = Callable[[Sequence[Layer]], float]


class Ranking:
    """The layers, first those that do most damage where they alone are in int8.

    Groups of neighbours are measured together, and the worst of all groups is halved until it is
    small: rounding errors of different layers add up, so a group does at least the damage of its
    worst layer, and the layers of harmless groups are never measured by themselves. What is small
    depends on how many layers are asked for: one of few, a group of many. Neighbours in float
    together also spare the roundings between them.

    Args:
        layers: in order of execution.
        damage: error of the output where just these layers are in int8; called in two threads.
        measured: told how many groups have been measured.
    """

    def __init__(
        self, layers: Sequence[Layer], damage: Damage, measured: Callable[[int], None]
    ) -> None:
        self.damage, self.measured, self._count = damage, measured, 0
        self._groups: list[tuple[float, Sequence[Layer]]] = []
        size = max(1, -(-len(layers) // FIRST))
        self._measure([layers[n : n + size] for n in range(0, len(layers), size)])

    def first(self, count: int) -> list[Layer]:
        """The first ``count``."""
        while True:
            chosen, large = self._chosen(count)
            if large is None:
                return chosen
            self._groups = [each for each in self._groups if each[1] is not large]
            middle = len(large) // 2
            self._measure([large[:middle], large[middle:]])

    def _chosen(self, count: int) -> tuple[list[Layer], Sequence[Layer] | None]:
        """The worst groups, up to the first that is too large to be taken as it is."""
        chosen: list[Layer] = []
        for _, group in self._groups:
            room = count - len(chosen)
            if room <= 0:
                break
            if len(group) > max(1, min(room, count // SHARE)):
                return chosen, group
            chosen.extend(group)
        return chosen, None

    def _measure(self, groups: Sequence[Sequence[Layer]]) -> None:
        with ThreadPoolExecutor(2) as pool:
            for group, damage in zip(groups, pool.map(self.damage, groups), strict=True):
                self._groups.append((damage, group))
                self._count += 1
                self.measured(self._count)
        self._groups.sort(key=lambda each: -each[0])
