"""Similarity of architectures, and a search with a predictor."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxnas.genotype import CVPR2019, SearchSpace, Vocabulary
from auxnas.search.searchers import make_searcher
from auxnas.search.searchers.kernel import (
    Embedding,
    Traits,
    cell_counts,
    connection_counts,
    similarities,
    traits,
    trends,
)
from auxnas.search.settings.search import SearchSettings
from auxnas.search.tabular import load_table
from auxnas.search.trials.records import COMPLETE, Trial
from tests.genotype.oracles import generated
from tests.search.contracts import told
from tests.strategies import SMALL, SPACES, genotypes

PAPER = SearchSpace.cvpr2019()


def searcher_of(space=PAPER, seed=0, **own):
    return make_searcher(
        SearchSettings.model_validate({"searcher": "predictor", "predictor": own}), space, seed
    )


def connections_of(genotype):
    return connection_counts(genotype.connections, genotype.space.encoder_outputs)


# Similarity -----------------------------------------------------------------------------


@given(genotypes(*SPACES), st.data())
def test_isomorphic_architectures_are_the_same_to_it(genotype, data):
    other = data.draw(st.sampled_from(generated(genotype, "isomorphism")))
    assert cell_counts(other.cell) == cell_counts(genotype.cell)
    assert connections_of(other) == connections_of(genotype)
    assert traits(other) == traits(genotype)


@given(st.lists(genotypes(PAPER), min_size=1, max_size=6))
def test_similarities_are_a_kernel(found):
    rows = Embedding(found).rows(found)
    alike = similarities(rows, rows)
    np.testing.assert_allclose(np.diag(alike), 1)
    np.testing.assert_allclose(alike, alike.T)
    assert 0 <= alike.min() <= alike.max() <= 1 + 1e-12
    assert np.linalg.eigvalsh(alike).min() > -1e-9


@given(st.lists(genotypes(PAPER), min_size=1, max_size=6))
def test_trends_are_a_kernel_and_grow_along_a_trait(found):
    rows = Traits(found).rows(found)
    alike = trends(rows, rows)
    np.testing.assert_allclose(alike, alike.T)
    assert np.linalg.eigvalsh(alike).min() > -1e-9
    line = np.array([[0.0], [1.0], [2.0], [3.0]])
    assert (np.diff(trends(line, line[1:2])[:, 0]) > 0).all()


def test_traits_by_hand():
    """A branch on the input and the first operation, one on its sum and that; blocks in a row."""
    space = SearchSpace(encoder_outputs=3, blocks=2, branches=2)
    cell = (4, 1, 0, 2, 2, 4, 1, 0, 10)
    counts = [1, 0, 2, 0, 1, 0, 0, 0, 0, 0, 1]
    found = traits(space.genotype((0, 0, 3, 2, *cell)))
    assert found == (*counts, *(2, 0, 1), *(1, 0, 1), 3, 2, 1, 1)


@given(st.lists(genotypes(PAPER), min_size=1, max_size=4), genotypes(PAPER))
def test_similarities_do_not_depend_on_whose_the_columns_are(found, other):
    few, all_of_them = Embedding(found), Embedding([other, *found])
    np.testing.assert_allclose(
        similarities(few.rows([other]), few.rows(found)),
        similarities(all_of_them.rows([other]), all_of_them.rows(found)),
        atol=1e-12,
    )


def test_nearly_every_change_of_an_operation_or_a_connection_is_seen():
    rng, unseen = random.Random(0), 0
    for _ in range(200):
        one = PAPER.sample(rng)
        other = PAPER.mutate(one, rng)
        same = cell_counts(one.cell) == cell_counts(other.cell)
        same = same and connections_of(one) == connections_of(other)
        unseen += same and one.key() != other.key()
    assert unseen <= 2  # deeper than the kernel looks


# Proposals ------------------------------------------------------------------------------


def play(searcher, reward, evaluations, batch=2):
    """Proposals in order, and their rewards."""
    found, rewards = [], []
    while len(found) < evaluations:
        proposals = searcher.ask(batch)
        values = [reward(each) for each in proposals]
        pairs = enumerate(zip(proposals, values, strict=True), len(found))
        searcher.tell([Trial(n, 0, g, "", 0, COMPLETE, (), r) for n, (g, r) in pairs])
        found += proposals
        rewards += values
    return found, rewards


def test_it_finds_what_is_good_sooner_than_random_search():
    table = load_table()
    tails = {}
    for name in ("random", "predictor"):
        settings = SearchSettings.model_validate(
            {"searcher": name, "predictor": {"candidates": 60}}
        )
        games = [
            play(make_searcher(settings, table.space, seed), table.reward, 50)[1]
            for seed in range(3)
        ]
        tails[name] = np.mean([rewards[-20:] for rewards in games])
    assert tails["predictor"] > tails["random"] + 0.02


def test_a_prediction_that_is_upside_down_finds_what_is_bad():
    """Mutant of the test above: it is the predictor that finds it, not the mutations."""
    table = load_table()
    _, rewards = play(searcher_of(table.space, candidates=60), lambda g: -table.reward(g), 50)
    assert np.mean(rewards[-20:]) > -0.17


def test_no_function_is_proposed_twice_while_there_are_others():
    found, _ = play(searcher_of(SMALL, initial=4, candidates=40), lambda g: g.tokens[0] / 9, 60, 5)
    keys = [each.key("functional") for each in found[4:]]
    assert len(set(keys)) == len(keys)


def test_a_space_that_is_used_up_goes_on_with_random_draws():
    space = SearchSpace(1, 1, 1, Vocabulary(CVPR2019.operations[1:3]))
    found, _ = play(searcher_of(space, initial=2, candidates=8), lambda g: 0.5, 40, 10)
    assert {space.violation(each) for each in found} == {None}


def test_proposals_of_a_batch_differ_though_nothing_was_told():
    searcher = searcher_of(initial=2, candidates=40)
    searcher.tell(told(searcher.ask(4)))
    batch = searcher.ask(8)
    assert len({each.key("functional") for each in batch}) == 8


def test_its_memory_is_bounded_and_has_the_best_and_the_latest():
    searcher = searcher_of(SMALL, initial=1000, memory=6)
    proposals = searcher.ask(20)
    rewards = [0.9, 0.8, 0.7, *(0.1 for _ in proposals[3:])]
    pairs = enumerate(zip(proposals, rewards, strict=True))
    searcher.tell([Trial(n, 0, g, "", 0, COMPLETE, (), r) for n, (g, r) in pairs])
    known = searcher.state()["known"]
    assert [reward for _, reward in known] == [0.9, 0.8, 0.7, 0.1, 0.1, 0.1]
    assert [tuple(tokens) for tokens, _ in known[3:]] == [g.tokens for g in proposals[-3:]]
    assert not searcher.state()["waiting"]
    searcher.ask(30)
    assert len(searcher.state()["waiting"]) == 6


def test_what_it_reports_is_the_error_of_its_predictions():
    searcher = searcher_of(SMALL, initial=1)
    searcher.tell(told(searcher.ask(2)))
    proposal = searcher.ask(1)
    predicted = searcher.state()["waiting"][0][1]
    figures = searcher.tell(told(proposal, first=5))
    reward = told(proposal, first=5)[0].reward
    assert figures == {"told": 3, "error": pytest.approx(abs(predicted - reward))}
