"""Words up to permutations of their letters' places: counting, and reaching any of them.

Labels go to the places of a skeleton or shape; two labellings are the same when an
automorphism carries one to the other. Their number is the mean, over the group, of the
product over a permutation's cycles of the number of labels there (Burnside's lemma).

Order. Let p be the first place that some permutation moves, and O the places it is moved
to. Words are ordered by the smallest label v on O, then by the set A of places of O that
hold it (by size, then lexicographically; one set of each orbit), then likewise for the
places left, whose labels on O exceed v, under the permutations that keep A. When none is
moved any more, the rest follow in lexicographic order. Since every step is counted by
Burnside's lemma, a position is reached without listing what stands before it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

Permutation = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Labellings:
    """The labellings of some places, up to a group.

    Attributes:
        sizes: how many labels each place can hold; equal along the group's orbits.
        group: all permutations of the group; ``p[i]`` is where ``i`` goes.
    """

    sizes: tuple[int, ...]
    group: tuple[Permutation, ...]

    def count(self) -> int:
        """The number of labellings."""
        places = tuple(range(len(self.sizes)))
        return _Part(self.sizes, (0,) * len(places), places, self.group).count()

    def words(self, start: int = 0) -> Iterator[tuple[int, ...]]:
        """One word of each, from position ``start`` on."""
        places = tuple(range(len(self.sizes)))
        part = _Part(self.sizes, (0,) * len(places), places, self.group)
        for pairs in part.words(start):
            yield tuple(label for _, label in sorted(pairs))


@dataclass(frozen=True, slots=True)
class _Part:
    """The open part of a labelling: the free places, their lowest labels, the permutations left."""

    sizes: tuple[int, ...]
    lowest: tuple[int, ...]
    free: tuple[int, ...]
    group: tuple[Permutation, ...]

    def count(self) -> int:
        return sum(map(self._fixed, self.group)) // len(self.group)

    def _fixed(self, permutation: Permutation) -> int:
        """The number of words that the permutation leaves as they are: one label a cycle."""
        seen: set[int] = set()
        ways = 1
        for place in self.free:
            if place in seen:
                continue
            ways *= max(0, self.sizes[place] - self.lowest[place])
            while place not in seen:
                seen.add(place)
                place = permutation[place]
        return ways

    def words(self, start: int) -> Iterator[tuple[tuple[int, int], ...]]:
        orbit = next(filter(None, map(self._orbit, self.free)), None)
        if orbit is None:
            yield from self._free_words(start)
            return
        for label in range(self.lowest[orbit[0]], self.sizes[orbit[0]]):
            for chosen in self._subsets(orbit):
                rest = self._without(orbit, chosen, label)
                count = rest.count() if start else 0
                if start and start >= count:
                    start -= count
                    continue
                here = tuple((place, label) for place in chosen)
                yield from (here + more for more in rest.words(start))
                start = 0

    def _free_words(self, start: int) -> Iterator[tuple[tuple[int, int], ...]]:
        """Lexicographic order of the free places' labels."""
        radices = [max(0, self.sizes[place] - self.lowest[place]) for place in self.free]
        for position in range(start, math.prod(radices)):
            labels = []
            for place, radix in zip(reversed(self.free), reversed(radices), strict=True):
                position, digit = divmod(position, radix)
                labels.append((place, self.lowest[place] + digit))
            yield tuple(labels)

    def _orbit(self, place: int) -> tuple[int, ...]:
        """The places it is moved to, when there are others."""
        orbit = sorted({permutation[place] for permutation in self.group})
        return tuple(orbit) if len(orbit) > 1 else ()

    def _subsets(self, orbit: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """One of each orbit of the nonempty sets of places: the first."""
        for size in range(1, len(orbit) + 1):
            for chosen in itertools.combinations(orbit, size):
                images = (tuple(sorted(p[place] for place in chosen)) for p in self.group)
                if min(images) == chosen:
                    yield chosen

    def _without(self, orbit: tuple[int, ...], chosen: tuple[int, ...], label: int) -> _Part:
        """The rest when of ``orbit`` exactly ``chosen`` hold ``label``, others more."""
        kept = set(chosen)
        lowest = list(self.lowest)
        for place in orbit:
            lowest[place] = label + 1
        free = tuple(place for place in self.free if place not in kept)
        group = tuple(p for p in self.group if all(p[place] in kept for place in chosen))
        return _Part(self.sizes, tuple(lowest), free, group)


def multisets(size: int, labels: int) -> int:
    """The number of multisets of ``size`` labels."""
    return math.comb(labels + size - 1, size) if labels else int(size == 0)


def multiset(position: int, size: int, labels: int) -> tuple[int, ...]:
    """The multiset of labels at ``position`` in lexicographic order."""
    chosen: list[int] = []
    label = 0
    while len(chosen) < size:
        here = multisets(size - len(chosen) - 1, labels - label)
        if position < here:
            chosen.append(label)
        else:
            position -= here
            label += 1
    return tuple(chosen)
