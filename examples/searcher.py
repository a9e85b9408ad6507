"""A searcher of your own: one class that proposes genotypes and is told their rewards.

    nassearch run --data synthetic --preset demo --searcher searcher:HillClimbing --out hill

from this folder, or with it on PYTHONPATH.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from auxnas.genotype import Genotype, SearchSpace
from auxnas.search.searchers.base import State, reward_of
from auxnas.search.settings.search import SearchSettings
from auxnas.search.trials.records import Trial


class HillClimbing:
    """Mutations of the best genotype so far; what is drawn depends on seed and number alone."""

    def __init__(
        self, settings: SearchSettings, space: SearchSpace, seed: int, framework: str
    ) -> None:
        self._space, self._seed = space, seed
        self._asked = 0
        self._best: list[int] = []
        self._reward = 0.0

    def ask(self, count: int) -> list[Genotype]:
        """The next ``count`` mutations, or draws as long as nothing has a reward."""
        return [self._proposal() for _ in range(count)]

    def _proposal(self) -> Genotype:
        draw = Random(f"{self._seed} {self._asked}")
        self._asked += 1
        if not self._best:
            return self._space.sample(draw)
        return self._space.mutate(self._space.genotype(self._best), draw)

    def tell(self, trials: Sequence[Trial]) -> None:
        """Remembers the best."""
        for trial in trials:
            if not self._best or reward_of(trial) > self._reward:
                self._best, self._reward = list(trial.genotype.tokens), reward_of(trial)

    def state(self) -> State:
        """All that the next proposals depend on, as JSON data."""
        state = {"seed": self._seed, "asked": self._asked}
        return {**state, "best": self._best, "reward": self._reward}

    def restore(self, state: State) -> None:
        """Returns to a state."""
        self._seed, self._asked = state["seed"], state["asked"]
        self._best, self._reward = state["best"], state["reward"]
