"""What every searcher promises, and that random search is random."""

import json

import pytest

from auxnas.genotype import SearchSpace
from auxnas.search.config import SearchSettings
from auxnas.search.searchers import SEARCHERS, EvolutionSearcher
from auxnas.search.searchers import make_searcher as make
from auxnas.search.trials import COMPLETE, Stage, Trial

SPACE = SearchSpace.cvpr2019()
FAST = {
    "controller": {"rate": 0.1, "update_every": 4},
    "evolution": {"population": 4, "sample": 2},
}
"""So that a few batches change what is proposed."""


def make_searcher(name, space, seed, framework="null"):
    return make(SearchSettings.model_validate({"searcher": name, **FAST}), space, seed, framework)


def told(genotypes, first=0):
    """Trials of these genotypes, with made-up rewards."""
    return [
        Trial(n, 0, g, g.key(), n, COMPLETE, (Stage(0.1 * (n % 7), {}),), 0.1 * (n % 7))
        for n, g in enumerate(genotypes, first)
    ]


def rounds(searcher, count, first=0):
    found = []
    for number in range(count):
        batch = searcher.ask(3)
        searcher.tell(told(batch, first + 3 * number))
        found.append(batch)
    return found


@pytest.mark.parametrize("name", SEARCHERS)
class TestSearcher:
    def test_proposes_members_of_the_space(self, name):
        proposals = make_searcher(name, SPACE, 0).ask(5)
        assert len(proposals) == 5
        assert [SPACE.violation(genotype) for genotype in proposals] == [None] * 5

    def test_same_seed_same_proposals(self, name):
        first, second, other = (rounds(make_searcher(name, SPACE, s), 3) for s in (1, 1, 2))
        assert first == second
        assert first != other

    @pytest.mark.parametrize("after", [0, 1, 2])
    def test_a_restored_searcher_goes_on_the_same_way(self, name, after):
        whole = rounds(make_searcher(name, SPACE, 3), 4)
        searcher = make_searcher(name, SPACE, 3)
        rounds(searcher, after)
        state = json.loads(json.dumps(searcher.state()))
        fresh = make_searcher(name, SPACE, 99)
        fresh.restore(state)
        assert rounds(fresh, 4 - after, 3 * after) == whole[after:]

    def test_reading_the_state_changes_nothing(self, name):
        one, other = make_searcher(name, SPACE, 4), make_searcher(name, SPACE, 4)
        one.state()
        assert one.ask(2) == other.ask(2)


def test_random_search_proposes_representatives_of_classes():
    for genotype in make_searcher("random", SPACE, 0).ask(20):
        assert genotype == genotype.canonical("isomorphism")


def test_unknown_searcher():
    settings = SearchSettings.model_construct(searcher="tabu")
    with pytest.raises(ValueError, match=r"search.searcher: no 'tabu', expected one of ppo, "):
        make(settings, SPACE, 0)


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
