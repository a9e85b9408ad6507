"""Random search."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from auxnas.genotype import Genotype, SearchSpace
from auxnas.search.searchers.base import State
from auxnas.search.settings.search import SearchSettings
from auxnas.search.trials.records import Trial


class RandomSearcher:
    """Draws genotypes uniformly over the isomorphism classes of the space."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space = space
        self._rng = random.Random(f"random searcher {seed}")

    @classmethod
    def make(
        cls, settings: SearchSettings, space: SearchSpace, seed: int, framework: str
    ) -> RandomSearcher:
        """One of these; settings and framework change nothing."""
        return cls(space, seed)

    def ask(self, count: int) -> list[Genotype]:
        """The next ``count`` draws."""
        return [self._space.sample(self._rng, "isomorphism") for _ in range(count)]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learns nothing."""

    def state(self) -> State:
        """The generator's state."""
        return rng_state(self._rng)

    def restore(self, state: State) -> None:
        """Returns to a state."""
        set_rng_state(self._rng, state)


def rng_state(rng: random.Random) -> dict[str, Any]:
    """A generator's state as plain JSON data."""
    version, words, gauss = rng.getstate()
    return {"version": version, "words": list(words), "gauss": gauss}


def set_rng_state(rng: random.Random, state: State) -> None:
    """Returns a generator to a state."""
    rng.setstate((state["version"], tuple(state["words"]), state["gauss"]))
