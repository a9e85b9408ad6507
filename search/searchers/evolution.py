"""Regularised evolution (Real et al., AAAI 2019, algorithm 1)."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from auxnas.genotype import Genotype, SearchSpace
from auxnas.search.searchers.base import State, reward_of
from auxnas.search.searchers.uniform import rng_state, set_rng_state
from auxnas.search.settings.search import SearchSettings
from auxnas.search.trials.records import Trial


@dataclass(frozen=True, slots=True)
class Member:
    """Member of the population: its tokens and its reward."""

    tokens: tuple[int, ...]
    reward: float


class EvolutionSearcher:
    """Mutates the best of a few members drawn at random; the oldest member dies.

    Until the population has its full size, genotypes are drawn as random search draws
    them. A mutation changes one token.

    Args:
        space: the search space.
        seed: of all draws.
        population: how many live at a time (Real et al.: 100).
        sample: how many the parent is the best of, drawn with replacement (25).
    """

    def __init__(self, space: SearchSpace, seed: int, population: int, sample: int) -> None:
        self._space, self._sample = space, sample
        self._rng = random.Random(f"evolution {seed}")
        self._living: deque[Member] = deque(maxlen=population)

    @classmethod
    def make(
        cls, settings: SearchSettings, space: SearchSpace, seed: int, framework: str
    ) -> EvolutionSearcher:
        """One with the population and the sample of the settings."""
        return cls(space, seed, settings.evolution.population, settings.evolution.sample)

    def ask(self, count: int) -> list[Genotype]:
        """The next ``count`` children of the population as it is."""
        return [self._proposal() for _ in range(count)]

    def _proposal(self) -> Genotype:
        if len(self._living) < (self._living.maxlen or 0):
            return self._space.sample(self._rng, "isomorphism")
        rivals = self._rng.choices(self._living, k=self._sample)
        parent = max(rivals, key=lambda member: member.reward)
        return self._space.mutate(self._space.genotype(parent.tokens), self._rng)

    def tell(self, trials: Sequence[Trial]) -> None:
        """Takes a batch's trials into the population, the oldest members leave it."""
        for trial in trials:
            self._living.append(Member(trial.genotype.tokens, reward_of(trial)))

    def state(self) -> State:
        """The population, oldest first, and the generator's state."""
        living = [[list(member.tokens), member.reward] for member in self._living]
        return {"population": living, "rng": rng_state(self._rng)}

    def restore(self, state: State) -> None:
        """Returns to a state."""
        self._living.clear()
        self._living.extend(Member(tuple(t), reward) for t, reward in state["population"])
        set_rng_state(self._rng, state["rng"])
