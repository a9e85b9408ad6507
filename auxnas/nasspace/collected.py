"""Genotypes of many files, compared: kept as tokens, since there may be millions."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from auxnas.genotype.dedupe import dedupe
from auxnas.genotype.genotype import Genotype
from auxnas.genotype.identity import Level
from auxnas.genotype.notation import Document
from auxnas.genotype.space import SearchSpace

_AT_ONCE, _SHORT = 1000, 4
"""Genotypes from which on it pays to compare all at once, and blocks or branches up to which
that is possible: every order of them is tried."""

Followed = Callable[[Iterator[Genotype], int], Iterator[Genotype]]
"""Shows how far a sequence of this many is."""


class _Members:
    """The genotypes of one space."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.tokens = array("H")  # sizes, so tokens, are below 2**16
        self.places: list[str] = []
        self.numbers = array("Q")

    def genotype(self, position: int) -> Genotype:
        width = len(self.space.layout)
        return self.space.genotype(self.tokens[position * width : (position + 1) * width].tolist())

    def same_as(self, level: Level, followed: Followed) -> list[int]:
        """For each genotype the position of the first that is the same."""
        count = len(self.places)
        if count < _AT_ONCE or max(self.space.blocks, self.space.branches) > _SHORT:
            return list(dedupe(followed(map(self.genotype, range(count)), count), level).same_as)
        import numpy as np

        from auxnas.genotype.batch import dedupe_tokens

        rows = np.frombuffer(self.tokens, np.uint16).reshape(count, -1)
        found: list[int] = dedupe_tokens(rows, self.space, level).same_as.tolist()
        return found


@dataclass(frozen=True, slots=True)
class Group:
    """Genotypes that are the same.

    Attributes:
        members: of their space.
        first: position of the first among those.
        places: all of theirs, as texts.
    """

    members: _Members
    first: int
    places: list[str]

    @property
    def number(self) -> int:
        """The first's position among all genotypes."""
        return self.members.numbers[self.first]

    @property
    def genotype(self) -> Genotype:
        """The first."""
        return self.members.genotype(self.first)


class Collected:
    """Genotypes of any spaces, in the order of ``add``."""

    def __init__(self) -> None:
        self._by_space: dict[str, _Members] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, document: Document) -> None:
        """Adds a genotype's document."""
        genotype = document.genotype
        members = self._by_space.get(genotype.space.digest)
        if members is None:
            members = self._by_space[genotype.space.digest] = _Members(genotype.space)
        members.tokens.extend(genotype.tokens)
        members.places.append(document.place)
        members.numbers.append(self._count)
        self._count += 1

    def groups(self, level: Level, followed: Followed) -> list[Group]:
        """Those that are the same at ``level``, in the order of their first."""
        found: list[Group] = []
        for members in self._by_space.values():
            same_as = members.same_as(level, followed)
            where: dict[int, list[str]] = {}
            for place, first in zip(members.places, same_as, strict=True):
                where.setdefault(first, []).append(place)
            found += [Group(members, first, places) for first, places in where.items()]
        return sorted(found, key=lambda group: group.number)
