"""NSGA-II: fronts, crowding, what children are made of, and that it finds a front."""

import random
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxnas.search.searchers import make_searcher
from auxnas.search.searchers.genetic import Parent, crossed, ranked
from auxnas.search.settings.search import SearchSettings
from auxnas.search.tabular import load_table
from auxnas.search.trials.records import COMPLETE, Trial
from tests.strategies import SMALL, SPACES, genotypes

FIGURES = st.integers(0, 5)
MEMBERS = st.lists(st.builds(Parent, st.tuples(), FIGURES, FIGURES), max_size=12)


@given(MEMBERS)
def test_fronts_are_what_nothing_left_dominates(members):
    fronts = [front for front, _ in ranked(members)]
    for place, member in enumerate(members):
        over = [fronts[n] for n, other in enumerate(members) if other.dominates(member)]
        assert fronts[place] == (max(over) + 1 if over else 0)


@given(MEMBERS)
def test_ends_of_a_front_have_all_the_room(members):
    ranks = ranked(members)
    for front in {front for front, _ in ranks}:
        inside = [(m, room) for m, (f, room) in zip(members, ranks, strict=True) if f == front]
        best = max(m.reward for m, _ in inside)
        assert -inf in {room for m, room in inside if m.reward == best}


def test_crowding_is_the_box_between_neighbours():
    """Deb et al., section III-B, by hand: (1 - 0) / 4 + (6 - 0) / 10 and so on."""
    front = [Parent((), reward, cost) for reward, cost in ((0, 0), (1, 6), (3, 8), (4, 10))]
    assert [-room for _, room in ranked(front)] == [inf, 3 / 4 + 8 / 10, 3 / 4 + 4 / 10, inf]


def test_costs_that_are_not_known_are_the_worst():
    found = ranked([Parent((), 1, inf), Parent((), 1, 5), Parent((), 2, inf)])
    assert [front for front, _ in found] == [1, 0, 0]


@given(st.sampled_from(SPACES).flatmap(lambda s: st.tuples(genotypes(s), genotypes(s))), st.data())
def test_a_child_has_every_part_of_one_of_its_parents(parents, data):
    one, other = parents
    child = crossed(one.tokens, other.tokens, one.space, random.Random(data.draw(st.integers(0))))
    for mine, *theirs in zip(child.connections, one.connections, other.connections, strict=True):
        assert mine in theirs
    assert child.cell.first in (one.cell.first, other.cell.first)
    rows = zip(child.cell.branches, one.cell.branches, other.cell.branches, strict=True)
    assert all(mine in theirs for mine, *theirs in rows)
    assert crossed(one.tokens, one.tokens, one.space, random.Random(0)) == one


def cost(genotype):
    """Operations that have weights, and blocks that read the finest map."""
    rows = [genotype.cell.first, *(r for b in genotype.cell.branches for r in b[2:])]
    return sum(row == 0 for row in rows) + sum(
        index == 0 for p in genotype.connections for index in p
    )


def area(points, worst):
    """Hypervolume of (reward, cost) over a reward of 0 and the worst cost."""
    total, least = 0.0, worst
    for reward, spent in sorted(points, key=lambda point: (-point[0], point[1])):
        total += max(0.0, least - spent) * reward
        least = min(least, spent)
    return total


def test_it_covers_more_of_the_front_than_random_search():
    table = load_table()
    found = {}
    for name in ("random", "nsga2"):
        settings = SearchSettings.model_validate({"searcher": name, "nsga2": {"population": 10}})
        areas = []
        for seed in range(4):
            searcher = make_searcher(settings, table.space, seed)
            points = []
            for batch in range(60):
                trials = [
                    Trial(
                        2 * batch + n,
                        batch,
                        g,
                        "",
                        0,
                        COMPLETE,
                        (),
                        table.reward(g),
                        None,
                        None,
                        1,
                        cost(g),
                    )
                    for n, g in enumerate(searcher.ask(2))
                ]
                searcher.tell(trials)
                points += [(t.reward, t.multiply_adds) for t in trials]
            areas.append(area(points, 6))
        found[name] = sum(areas)
    assert found["nsga2"] > found["random"]


def test_the_best_survive_and_the_earlier_of_two_equals():
    searcher = make_searcher(
        SearchSettings.model_validate({"searcher": "nsga2", "nsga2": {"population": 2}}),
        SMALL,
        0,
    )
    genotypes_ = searcher.ask(4)
    rows = zip(genotypes_, (0.5, 0.4, 0.6, 0.5), (9, 9, 3, 9), strict=True)
    searcher.tell(
        [
            Trial(n, 0, g, "", 0, COMPLETE, (), r, None, None, 1, c)
            for n, (g, r, c) in enumerate(rows)
        ]
    )
    assert [row[1:] for row in searcher.state()["population"]] == [[0.5, 9], [0.6, 3]]


@pytest.mark.parametrize("cost", ["params", "madds", "latency"])
def test_the_cost_is_the_one_of_the_settings(cost):
    settings = {"searcher": "nsga2", "nsga2": {"population": 2, "cost": cost}}
    searcher = make_searcher(SearchSettings.model_validate(settings), SMALL, 0)
    (one,) = searcher.ask(1)
    searcher.tell([Trial(0, 0, one, "", 0, COMPLETE, (), 0.5, None, None, 1, 2, 3.0)])
    assert searcher.state()["population"][0][2] == {"params": 1, "madds": 2, "latency": 3.0}[cost]
