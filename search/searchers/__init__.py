"""Searchers propose genotypes and learn from what became of them (ask / tell)."""

from __future__ import annotations

from auxnas.genotype import SearchSpace
from auxnas.search.seams import SEARCHERS
from auxnas.search.searchers.base import Searcher, State
from auxnas.search.searchers.evolution import EvolutionSearcher
from auxnas.search.searchers.gradient import PpoSearcher, ReinforceSearcher
from auxnas.search.searchers.uniform import RandomSearcher
from auxnas.search.settings.search import SearchSettings

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
        space: the search space.
        seed: everything random in it derives from it.
        framework: whose policy it trains, if it trains one: ``torch`` or ``null``.

    Raises:
        SettingsError: when there is no searcher of this name, or it cannot be made.
        BackendUnavailable: when the framework is needed and not installed.
    """
    made: Searcher = SEARCHERS.make(settings.searcher, settings, space, seed, framework)
    return made
