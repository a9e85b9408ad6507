"""Searchers propose genotypes and learn from what became of them (ask / tell)."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from genotype import Genotype, SearchSpace
from search.trials import Trial

State = Mapping[str, Any]


class Searcher(Protocol):
    """Proposes genotypes in batches.

    After ``ask(n)`` and the ``tell`` of that batch come the next ``ask`` and so on. The
    state holds everything that the future depends on: a searcher restored to it proposes
    what the other one would have.
    """

    def ask(self, count: int) -> list[Genotype]:
        """The next ``count`` genotypes to try."""

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learns from a batch: its trials with a reward, in order. Failed ones are left out."""

    def state(self) -> State:
        """Everything that future proposals depend on, as plain JSON data."""

    def restore(self, state: State) -> None:
        """Returns to a state."""


class RandomSearcher:
    """Draws genotypes uniformly over the isomorphism classes of the space."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space = space
        self._rng = random.Random(f"random searcher {seed}")

    def ask(self, count: int) -> list[Genotype]:
        """The next ``count`` draws."""
        return [self._space.sample(self._rng, "isomorphism") for _ in range(count)]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learns nothing."""

    def state(self) -> State:
        """The generator's state."""
        version, words, gauss = self._rng.getstate()
        return {"version": version, "words": list(words), "gauss": gauss}

    def restore(self, state: State) -> None:
        """Returns to a state."""
        self._rng.setstate((state["version"], tuple(state["words"]), state["gauss"]))


SEARCHERS = {"random": RandomSearcher}
"""The searchers by name; each is made from a space and a seed."""


def make_searcher(name: str, space: SearchSpace, seed: int) -> Searcher:
    """The searcher called ``name``.

    Raises:
        ValueError: when there is none of this name.
    """
    if name not in SEARCHERS:
        known = ", ".join(SEARCHERS)
        raise ValueError(f"search.searcher: no {name!r}, expected one of {known}")
    return SEARCHERS[name](space, seed)
