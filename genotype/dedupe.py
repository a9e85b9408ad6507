"""Leaving out what was seen before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from auxnas.genotype.errors import GenotypeError, short_repr
from auxnas.genotype.genotype import Genotype
from auxnas.genotype.identity import Level, check_level


@dataclass(frozen=True, slots=True)
class Deduped:
    """The distinct ones of a sequence of genotypes.

    Attributes:
        genotypes: the first occurrence of each, as it was given.
        same_as: for each genotype given, the position of the first that is the same (its
            own position, when it is the first).
    """

    genotypes: tuple[Genotype, ...]
    same_as: tuple[int, ...]

    @property
    def kept(self) -> tuple[int, ...]:
        """Positions of the first occurrences, as in ``genotypes``."""
        return tuple(place for place, first in enumerate(self.same_as) if place == first)

    @property
    def counts(self) -> tuple[int, ...]:
        """Occurrences of each of ``genotypes``."""
        times = Counter(self.same_as)
        return tuple(times[place] for place in self.kept)


def dedupe(genotypes: Iterable[Genotype], level: Level = "isomorphism") -> Deduped:
    """Keeps the first of those genotypes that are the same at ``level``.

    Genotypes may come from several spaces; those of different spaces are different. For
    many genotypes of one space see ``genotype.batch.dedupe_tokens``.

    Raises:
        GenotypeError: when one is not a genotype, or there is no such level.
    """
    check_level(level)
    first: dict[str, int] = {}
    distinct: list[Genotype] = []
    same_as: list[int] = []
    for place, genotype in enumerate(genotypes):
        if not isinstance(genotype, Genotype):
            raise GenotypeError(f"genotypes[{place}]", short_repr(genotype), "a Genotype")
        key = genotype.key(level)
        if key not in first:
            first[key] = place
            distinct.append(genotype)
        same_as.append(first[key])
    return Deduped(tuple(distinct), tuple(same_as))
