"""Exact numbers of classes, computed from the sizes alone.

``raw`` and ``swap``. At ``raw`` the choices multiply. At ``swap`` the group of the
``2**n`` side swaps acts on the sequences of n items, and by Burnside's lemma the number
of classes is the mean number of sequences that an element fixes. Take an element g. An
item that g does not swap needs both references fixed by g: the inputs, the sums, and the
sides of items which g does not swap. An item that g swaps is given by one of its sides,
freely chosen (the other is its image, and g has order two).

``isomorphism``. Forget that items are numbered in an order: a *labelled wiring* lets any
item refer to any other as long as no cycle arises. Signed permutations of the items act
on labelled wirings as a group, every orbit contains ordered ones, and two ordered ones in
an orbit are exactly two isomorphic ones. So the number of classes is, by Burnside, the
mean of the number of acyclic labelled wirings fixed by g. That number depends on the
signed cycle type of g alone. A cycle of l items has two cycles of sides of length l, or
(negative) one of length 2l; a wiring fixed by g is given by one side of each cycle of
sides, of length c, whose reference must be fixed by ``g**c``. An item never refers into
its own cycle: applying g would close a circle. The cycles therefore form an acyclic
graph themselves, and inclusion and exclusion over the set T of cycles to which no other
refers, as in Robinson's count of acyclic digraphs (Counting unlabeled acyclic digraphs,
1977), gives

    A(S) = sum over nonempty T in S of (-1)**(|T|+1) * A(S - T) * product over C in T of f(C, S-T)

with f(C, R) the ways for cycle C to refer to the inputs and into R. This takes time
that grows with the number of signed cycle types of n items: less than a second for
twelve items, minutes from eighteen. The number of operations does not matter.

``functional``. See ``genotype.functional`` for the normal form and ``genotype.shapes``
for the list of its shapes with operations blanked out. A class is a shape together with
operations at its nodes, up to the shape's automorphisms; their number for each shape is
again Burnside's (``genotype.labellings``). The list of shapes depends on the number of
branches and on which kinds of operation there are, not on how many: with all three kinds
20, 368 and 11939 shapes at one, two and three branches.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from operator import mul, sub

from auxnas.genotype.identity import Level
from auxnas.genotype.symmetry import Frame


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of classes of a space at some level.

    Attributes:
        connections: of the connections alone.
        cells: of the cells alone.
    """

    connections: int
    cells: int

    @property
    def total(self) -> int:
        """Of whole genotypes."""
        return self.connections * self.cells


def count_classes(frame: Frame, length: int, labels: int, level: Level) -> int:
    """The number of classes of wirings; at ``functional`` those of ``isomorphism``.

    Args:
        frame: how references are numbered.
        length: number of items.
        labels: number of labels a side can have.
        level: see ``genotype.identity``.
    """
    if level == "raw":
        return count_raw(frame, length, labels)
    if level == "swap":
        return count_swap(frame, length, labels)
    return count_isomorphism(frame, length, labels)


def count_raw(frame: Frame, length: int, labels: int) -> int:
    """The number of sequences of ``length`` items."""
    return math.prod((frame.references(k) * labels) ** 2 for k in range(length))


def count_swap(frame: Frame, length: int, labels: int) -> int:
    """The number of classes up to swaps of sides."""
    fixed = Counter({0: 1})
    for position in range(length):
        after: Counter[int] = Counter()
        for swapped, ways in fixed.items():
            still = frame.references(position) - (frame.outputs - 1) * swapped
            after[swapped] += ways * (still * labels) ** 2
            after[swapped + 1] += ways * frame.references(position) * labels
        fixed = after
    return fixed.total() >> length


@dataclass(frozen=True, slots=True, order=True)
class _Cycle:
    """A cycle of a signed permutation: ``length`` items, sides exchanged after a round or not."""

    length: int
    negative: bool

    @property
    def side_cycles(self) -> tuple[int, ...]:
        return (2 * self.length,) if self.negative else (self.length, self.length)

    def fixed_outputs(self, power: int, frame: Frame) -> int:
        """Outputs of the cycle's items that the permutation's ``power`` leaves in place."""
        if power % self.length:
            return 0
        sides = power % self.side_cycles[0] == 0
        return self.length * (frame.outputs if sides else 1)


def count_isomorphism(frame: Frame, length: int, labels: int) -> int:
    """The number of classes up to swaps of sides and renumbering of items."""
    total = sum(
        _class_size(kind, length) * _acyclic(kind, frame, labels) for kind in _cycle_types(length)
    )
    return total // (math.factorial(length) << length)


def _cycle_types(length: int, largest: int | None = None) -> Iterator[tuple[_Cycle, ...]]:
    """Multisets of signed cycles with ``length`` items in all."""
    if length == 0:
        yield ()
        return
    largest = length if largest is None else min(largest, length)
    for size in range(largest, 0, -1):
        for rounds in range(1, length // size + 1):
            for rest in _cycle_types(length - size * rounds, size - 1):
                for negatives in range(rounds + 1):
                    plain = rounds - negatives
                    yield (_Cycle(size, True),) * negatives + (_Cycle(size, False),) * plain + rest


def _class_size(kind: tuple[_Cycle, ...], length: int) -> int:
    """The number of signed permutations of this cycle type."""
    centraliser = math.prod(2 * cycle.length for cycle in kind)
    centraliser *= math.prod(map(math.factorial, Counter(kind).values()))
    return (math.factorial(length) << length) // centraliser


def _acyclic(kind: tuple[_Cycle, ...], frame: Frame, labels: int) -> int:
    """The number of acyclic labelled wirings that a permutation of this cycle type fixes."""
    cycles = sorted(set(kind))
    fixed = [
        [[other.fixed_outputs(size, frame) for other in cycles] for size in cycle.side_cycles]
        for cycle in cycles
    ]

    @cache
    def ways(rest: tuple[int, ...]) -> list[int]:
        """For each cycle, in how many ways it can refer to the inputs and into ``rest``."""
        return [
            math.prod(labels * (frame.inputs + sum(map(mul, rest, side))) for side in sides)
            for sides in fixed
        ]

    @cache
    def acyclic(have: tuple[int, ...]) -> int:
        if not any(have):
            return 1
        total = 0
        for taken in itertools.product(*(range(n + 1) for n in have)):
            if any(taken):
                rest = tuple(map(sub, have, taken))
                choices = math.prod(map(math.comb, have, taken))
                filled = math.prod(map(pow, ways(rest), taken))
                total -= (-1) ** sum(taken) * choices * filled * acyclic(rest)
        return total

    return acyclic(tuple(kind.count(cycle) for cycle in cycles))
