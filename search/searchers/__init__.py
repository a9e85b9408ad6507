"""Searchers propose genotypes and learn from what became of them (ask / tell)."""

from __future__ import annotations

from collections.abc import Callable

from auxnas.backends.registry import backend
from auxnas.genotype import SearchSpace
from auxnas.search.config import SearchSettings
from auxnas.search.searchers.base import Searcher, State
from auxnas.search.searchers.evolution import EvolutionSearcher
from auxnas.search.searchers.gradient import PolicySearcher, PpoSearcher, ReinforceSearcher
from auxnas.search.searchers.uniform import RandomSearcher

__all__ = [
    "SEARCHERS",
    "EvolutionSearcher",
    "PpoSearcher",
    "RandomSearcher",
    "ReinforceSearcher",
    "Searcher",
    "State",
    "make_searcher",
]


def make_searcher(
    settings: SearchSettings, space: SearchSpace, seed: int, framework: str = "torch"
) -> Searcher:
    """The searcher that the settings name.

    Args:
        settings: of the search.
        space: where to search.
        seed: everything random in it derives from it.
        framework: whose policy it trains, if it trains one: ``torch`` or ``null``.

    Raises:
        ValueError: when there is no searcher of this name.
        BackendUnavailable: when the framework is needed and not installed.
    """
    if settings.searcher not in SEARCHERS:
        known = ", ".join(SEARCHERS)
        raise ValueError(f"search.searcher: no {settings.searcher!r}, expected one of {known}")
    return SEARCHERS[settings.searcher](settings, space, seed, framework)


Maker = Callable[[SearchSettings, SearchSpace, int, str], Searcher]


def _gradient(kind: type[PolicySearcher]) -> Maker:
    def make(settings: SearchSettings, space: SearchSpace, seed: int, framework: str) -> Searcher:
        shape = settings.controller
        policy = backend("policy", framework)(
            space, seed, hidden=shape.hidden, layers=shape.layers, spread=shape.spread
        )
        return kind(space, seed, policy, shape)

    return make


def _random(settings: SearchSettings, space: SearchSpace, seed: int, framework: str) -> Searcher:
    return RandomSearcher(space, seed)


def _evolution(settings: SearchSettings, space: SearchSpace, seed: int, framework: str) -> Searcher:
    return EvolutionSearcher(space, seed, settings.evolution.population, settings.evolution.sample)


SEARCHERS: dict[str, Maker] = {
    "ppo": _gradient(PpoSearcher),
    "reinforce": _gradient(ReinforceSearcher),
    "random": _random,
    "evolution": _evolution,
}
"""The searchers by name: how each is made."""
