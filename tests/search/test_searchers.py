"""What every searcher promises, and that random search is random."""

from typing import ClassVar

import pytest

from auxnas.genotype import SearchSpace
from auxnas.search.errors import SettingsError
from auxnas.search.seams import SEARCHERS
from auxnas.search.searchers import EvolutionSearcher
from auxnas.search.searchers import make_searcher as make
from auxnas.search.settings.resolving import resolve
from auxnas.search.settings.search import SearchSettings
from tests.search.contracts import SearcherContract, told

SPACE = SearchSpace.cvpr2019()


class TestRandom(SearcherContract):
    name = "random"


class TestEvolution(SearcherContract):
    name = "evolution"
    settings: ClassVar = {"evolution": {"population": 4, "sample": 2}}


class TestNsga2(SearcherContract):
    name = "nsga2"
    settings: ClassVar = {"nsga2": {"population": 4}}


class TestPredictor(SearcherContract):
    name = "predictor"
    settings: ClassVar = {"predictor": {"initial": 2, "candidates": 8, "memory": 6}}


class TestPpo(SearcherContract):
    name = "ppo"
    settings: ClassVar = {"controller": {"rate": 0.1, "update_every": 4}}


class TestReinforce(SearcherContract):
    name = "reinforce"
    settings: ClassVar = {"controller": {"rate": 0.1, "update_every": 4}}


def test_each_of_ours_keeps_the_contract():
    kept = {kind.name for kind in SearcherContract.__subclasses__()}
    assert kept >= set(SEARCHERS.table)


def make_searcher(name, space, seed, framework="null"):
    return make(SearchSettings(searcher=name), space, seed, framework)


def test_random_search_proposes_representatives_of_classes():
    for genotype in make_searcher("random", SPACE, 0).ask(20):
        assert genotype == genotype.canonical("isomorphism")


def test_unknown_searcher():
    settings = SearchSettings.model_construct(searcher="tabu")
    with pytest.raises(ValueError, match=r"search.searcher: no 'tabu', expected one of ppo, "):
        make(settings, SPACE, 0)


def test_unknown_names_are_answered_before_anything_is_made():
    for name, known in (("searcher", "one of ppo, "), ("executor", "one of inline, ")):
        with pytest.raises(SettingsError) as error:
            resolve({"search": {name: "grid"}})
        assert str(error.value).startswith(f"search.{name}: 'grid', expected {known}")
        assert str(error.value).endswith("or package.module:attribute")
    with pytest.raises(SettingsError, match="'randon', expected perhaps random, or one of ppo, "):
        resolve({"search": {"searcher": "randon"}})


# Evolution ------------------------------------------------------------------------------


def evolving(population=4, sample=2, seed=0):
    """A searcher whose population is full, and its members."""
    searcher = EvolutionSearcher(SPACE, seed, population, sample)
    members = searcher.ask(population)
    searcher.tell(told(members))
    return searcher, members


def differences(one, other):
    return sum(a != b for a, b in zip(one.tokens, other.tokens, strict=True))


def test_evolution_starts_as_random_search_does():
    for genotype in EvolutionSearcher(SPACE, 0, 20, 5).ask(20):
        assert genotype == genotype.canonical("isomorphism")


def test_children_differ_from_a_member_in_one_token():
    searcher, members = evolving()
    for child in searcher.ask(50):
        assert min(differences(child, member) for member in members) == 1


def test_with_a_large_sample_the_parent_is_the_best():
    searcher, members = evolving(sample=200)
    best = members[-1]  # whose reward is the largest
    assert {differences(child, best) for child in searcher.ask(50)} == {1}


def test_with_a_sample_of_one_every_member_becomes_a_parent():
    searcher, members = evolving(sample=1)
    parents = {
        min(range(4), key=lambda n: differences(child, members[n])) for child in searcher.ask(50)
    }
    assert parents == set(range(4))


def test_the_oldest_dies_however_good():
    searcher, _ = evolving(sample=200)
    children = searcher.ask(4)
    searcher.tell(told(children, first=7))  # rewards as of the members before
    assert [tuple(row) for row, _ in searcher.state()["population"]] == [
        child.tokens for child in children
    ]
    assert {differences(child, children[-1]) for child in searcher.ask(20)} == {1}
