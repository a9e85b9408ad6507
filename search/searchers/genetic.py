"""NSGA-II (Deb, Pratap, Agarwal, Meyarivan, 2002): reward against a cost, without a weight."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from auxnas.genotype import Genotype, SearchSpace
from auxnas.search.searchers.base import State, reward_of
from auxnas.search.searchers.uniform import rng_state, set_rng_state
from auxnas.search.settings.search import GeneticSettings, SearchSettings
from auxnas.search.trials.records import Trial

_COSTS: dict[str, Callable[[Trial], float | None]] = {
    "params": lambda trial: trial.parameters,
    "madds": lambda trial: trial.multiply_adds,
    "latency": lambda trial: trial.latency,
}


@dataclass(frozen=True, slots=True)
class Parent:
    """Member of the population: its tokens, its reward and its cost."""

    tokens: tuple[int, ...]
    reward: float
    cost: float

    def dominates(self, other: Parent) -> bool:
        """Whether it is as good in both and better in one."""
        no_worse = self.reward >= other.reward and self.cost <= other.cost
        return no_worse and (self.reward, self.cost) != (other.reward, other.cost)


class GeneticSearcher:
    """Crosses and mutates the better of two members, twice; the best by fronts survive.

    Until the population has its full size, genotypes are drawn as random search draws them. The
    better of two is in the earlier front of what nothing else dominates, or has more room around
    it there (crowding distance). A child takes each block's pair, the first operation and each
    branch from one parent or the other; then a token of it changes. Limits are constraints: of
    what is over one nothing is told. A cost that is not known, as a latency that was not measured,
    is taken to be the worst.

    Args:
        space: the search space.
        seed: of all draws.
        settings: the size of the population, and which cost is the other goal.
    """

    def __init__(self, space: SearchSpace, seed: int, settings: GeneticSettings) -> None:
        self._space, self._size = space, settings.population
        self._cost_of = _COSTS[settings.cost]
        self._rng = random.Random(f"nsga2 {seed}")
        self._living: list[Parent] = []
        self._ranks: list[tuple[int, float]] = []

    @classmethod
    def make(
        cls, settings: SearchSettings, space: SearchSpace, seed: int, framework: str
    ) -> GeneticSearcher:
        """One with the settings of nsga2."""
        return cls(space, seed, settings.nsga2)

    def ask(self, count: int) -> list[Genotype]:
        """The next ``count`` children of the population as it is."""
        return [self._proposal() for _ in range(count)]

    def _proposal(self) -> Genotype:
        if len(self._living) < self._size:
            return self._space.sample(self._rng, "isomorphism")
        one, other = self._better_of_two(), self._better_of_two()
        child = crossed(one.tokens, other.tokens, self._space, self._rng)
        return self._space.mutate(child, self._rng)

    def _better_of_two(self) -> Parent:
        rivals = [self._rng.randrange(self._size) for _ in range(2)]
        return self._living[min(rivals, key=lambda place: self._ranks[place])]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Takes a batch's trials into the population, the worst leave it.

        One that is there already takes what it is told last.
        """
        known = {parent.tokens: parent for parent in self._living}
        for trial in trials:
            cost = self._cost_of(trial)
            known[trial.genotype.tokens] = Parent(
                trial.genotype.tokens, reward_of(trial), inf if cost is None else cost
            )
        self._settle(list(known.values()))

    def _settle(self, living: Sequence[Parent]) -> None:
        """Keeps the best by rank, the earlier of two equals, in their order."""
        ranks = ranked(living)
        best = sorted(range(len(living)), key=lambda place: (ranks[place], place))
        self._living = [living[place] for place in sorted(best[: self._size])]
        self._ranks = ranked(self._living)

    def state(self) -> State:
        """The population, and the generator's state."""
        living = [[list(each.tokens), each.reward, _stored(each.cost)] for each in self._living]
        return {"population": living, "rng": rng_state(self._rng)}

    def restore(self, state: State) -> None:
        """Returns to a state."""
        self._settle(
            [
                Parent(tuple(tokens), reward, inf if cost is None else cost)
                for tokens, reward, cost in state["population"]
            ]
        )
        set_rng_state(self._rng, state["rng"])


def crossed(
    one: tuple[int, ...], other: tuple[int, ...], space: SearchSpace, rng: random.Random
) -> Genotype:
    """A genotype whose pairs, first operation and branches are each of one of two parents."""
    parts = [2] * space.blocks + [1] + [4] * space.branches
    tokens: list[int] = []
    for length in parts:
        start = len(tokens)
        tokens += rng.choice((one, other))[start : start + length]
    return space.genotype(tuple(tokens))


def ranked(members: Sequence[Parent]) -> list[tuple[int, float]]:
    """Rank of each member, the smaller the better: its front, and minus its crowding distance.

    Fronts are counted from 0, of those that no member left dominates (Deb et al., section III).
    """
    found: dict[int, tuple[int, float]] = {}
    front = 0
    while len(found) < len(members):
        left = [place for place in range(len(members)) if place not in found]
        free = [
            place
            for place in left
            if not any(members[other].dominates(members[place]) for other in left)
        ]
        room = _crowding([members[place] for place in free])
        found.update({place: (front, -room[index]) for index, place in enumerate(free)})
        front += 1
    return [found[place] for place in range(len(members))]


def _crowding(front: Sequence[Parent]) -> list[float]:
    """Crowding distance of each: sides of the box between its neighbours, over the front's."""
    room = [0.0] * len(front)
    for values in ([each.reward for each in front], [each.cost for each in front]):
        order = sorted(range(len(front)), key=lambda place: (values[place], place))
        room[order[0]] = room[order[-1]] = inf
        span = values[order[-1]] - values[order[0]]
        if 0 < span < inf:
            for below, place, above in zip(order, order[1:], order[2:], strict=False):
                room[place] += (values[above] - values[below]) / span
    return room


def _stored(cost: float) -> float | None:
    return None if cost == inf else cost
