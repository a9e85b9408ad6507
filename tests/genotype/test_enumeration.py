"""Listing, positions, sampling and neighbours."""

from __future__ import annotations

import copy
import itertools
import pickle
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxnas.genotype import LEVELS, Cell, Genotype, GenotypeError, SearchSpace, Vocabulary
from auxnas.genotype import space as space_module
from tests.genotype.oracles import LISTED, NOTHING, SKIP, members, vocabulary
from tests.strategies import CUSTOM, FIVE, PAPER, SMALL

TINY = SearchSpace(2, 1, 1, vocabulary(1, SKIP, NOTHING))
CLASSES_LISTED = ("swap", "isomorphism", "functional")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["1 branch, two skips, two zeros", "2 branches, 1+skip"])
def test_enumeration_gives_every_representative_once(name, level):
    space = LISTED[name]
    found = list(space.enumerate(level))
    assert len(found) == space.count(level).total
    assert len({genotype.key(level) for genotype in found}) == len(found)
    assert all(genotype.canonical(level) == genotype for genotype in found)


def refuse(*_):
    raise AssertionError("checked")


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_listed_or_drawn_is_right_and_not_checked_once_more(level, monkeypatch):
    space, rng = LISTED["1 branch, 1+skip+zero"], random.Random(12)
    rows = [space.unrank(0, level)]  # what tables are made of may be checked
    with monkeypatch.context() as patch:
        for kind in (Cell, Genotype):
            patch.setattr(kind, "__post_init__", refuse)
        rows += [*space.enumerate(level), *(space.sample(rng, level) for _ in range(20))]
    for found in rows:
        cell = Cell(found.cell.first, found.cell.branches)
        assert Genotype(found.connections, cell, found.space) == found


@pytest.mark.parametrize("rng", [None, 0, random])
def test_what_draws_nothing_is_refused(rng):
    for draw in (TINY.sample, lambda rng: TINY.mutate(TINY.unrank(0), rng)):
        with pytest.raises(GenotypeError, match=r"rng: .*expected a random\.Random, such as"):
            draw(rng)


@pytest.mark.parametrize("level", LEVELS)
@given(data=st.data())
def test_enumeration_starts_anywhere(level, data):
    space = LISTED["1 branch, 1+skip+zero"]
    found = list(space.enumerate(level))
    start = data.draw(st.integers(0, len(found) + 2))
    assert list(space.enumerate(level, start)) == found[start:]


@given(genotype=members(PAPER, SMALL, FIVE, CUSTOM))
def test_raw_positions_are_ranks(genotype):
    space = genotype.space
    rank = space.rank(genotype)
    assert space.unrank(rank) == genotype
    assert 0 <= rank < space.count("raw").total


def test_raw_order_is_that_of_the_tokens():
    found = [genotype.tokens for genotype in TINY.enumerate("raw")]
    assert found == sorted(found)


@pytest.mark.parametrize("level", ["raw", "swap", "isomorphism"])
def test_far_positions_are_reached(level):
    far = list(itertools.islice(PAPER.enumerate(level, 10**13), 50))
    assert len({genotype.key(level) for genotype in far}) == 50
    assert far[7] == PAPER.unrank(10**13 + 7, level)
    last = PAPER.count(level).total - 1
    assert list(PAPER.enumerate(level, last)) == [PAPER.unrank(last, level)]


def test_impossible_positions_are_refused():
    total = TINY.count("isomorphism").total
    with pytest.raises(GenotypeError, match=rf"position: {total}, expected 0..{total - 1}"):
        TINY.unrank(total, "isomorphism")
    for start in (-1, 1.0, True, "3"):
        with pytest.raises(GenotypeError, match="start"):
            TINY.enumerate("raw", start)


def surprise(draw: Callable[[], Genotype], level: str) -> float:
    """How far classes drawn are from uniform: chi square in standard deviations."""
    classes = TINY.count(level).total
    draws = 25 * classes
    times = Counter(draw().key(level) for _ in range(draws))
    expected = draws / classes
    square = sum((n - expected) ** 2 for n in times.values()) / expected
    square += (classes - len(times)) * expected
    freedom = classes - 1
    return (square - freedom) / (2 * freedom) ** 0.5


@pytest.mark.parametrize("level", LEVELS)
def test_samples_are_uniform_over_classes(level):
    rng = random.Random(1)
    assert surprise(lambda: TINY.sample(rng, level), level) < 5


@pytest.mark.parametrize("level", LEVELS)
def test_the_check_of_uniformity_finds_another_sampler(level):
    rng = random.Random(1)
    wrong = "swap" if level == "raw" else "raw"
    assert surprise(lambda: TINY.sample(rng, wrong), level) > 20


@pytest.mark.parametrize("level", CLASSES_LISTED)
@pytest.mark.parametrize("space", [SMALL, SearchSpace(5, 2, 2)])
def test_samples_are_representatives(space, level):
    rng = random.Random(2)
    for _ in range(20):
        genotype = space.sample(rng, level)
        assert space.violation(genotype) is None
        assert genotype.canonical(level) == genotype


@pytest.mark.parametrize("level", LEVELS)
def test_a_seed_gives_the_same_samples(level):
    one, two = random.Random(3), random.Random(3)
    assert [TINY.sample(one, level) for _ in range(9)] == [
        TINY.sample(two, level) for _ in range(9)
    ]


def test_raw_samples_draw_token_by_token():
    rng = random.Random(4)
    tokens = [rng.randrange(token.size) for token in PAPER.layout]
    assert PAPER.sample(random.Random(4)).tokens == tuple(tokens)


@given(genotype=members(PAPER, SMALL, FIVE, CUSTOM))
def test_neighbours_are_all_at_distance_one(genotype):
    space = genotype.space
    found = list(space.neighbours(genotype))
    assert len(set(found)) == len(found) == sum(token.size - 1 for token in space.layout)
    for other in found:
        assert sum(a != b for a, b in zip(genotype.tokens, other.tokens, strict=True)) == 1


def test_mutants_are_neighbours_drawn_evenly():
    rng, genotype = random.Random(5), TINY.unrank(77)
    expected = list(TINY.neighbours(genotype))
    times = Counter(TINY.mutate(genotype, rng) for _ in range(200 * len(expected)))
    assert set(times) == set(expected)
    assert all(120 < n < 290 for n in times.values())


@pytest.mark.parametrize("other", [SMALL, FIVE, CUSTOM])
def test_genotypes_of_another_space_are_refused_where_the_numbers_fit(other):
    space = SearchSpace(9, other.blocks, other.branches, CUSTOM.vocabulary)
    genotype = other.sample(random.Random(7))
    assert space.genotype(genotype.tokens).tokens == genotype.tokens
    assert space.violation(genotype) == "space: another space than this one"
    for use in (
        space.check,
        space.rank,
        space.orbit_size,
        lambda genotype: next(space.neighbours(genotype)),
        lambda genotype: space.mutate(genotype, random.Random(0)),
    ):
        with pytest.raises(GenotypeError, match=r"^space: another space than this one$"):
            use(genotype)


def test_an_equal_space_is_the_same_and_so_is_one_described_otherwise():
    genotype = PAPER.sample(random.Random(8))
    assert SearchSpace().violation(genotype) is None
    rows = tuple(replace(row, description="another") for row in PAPER.vocabulary)
    assert SearchSpace(vocabulary=Vocabulary(rows)).violation(genotype) is None


@pytest.mark.parametrize("level", LEVELS)
def test_every_class_comes_up(level):
    """One that never did would hardly show in how uniform the others are."""
    rng = random.Random(9)
    classes = TINY.count(level).total
    found = {TINY.sample(rng, level).key(level) for _ in range(12 * classes)}
    assert len(found) == classes


@pytest.mark.parametrize("level", CLASSES_LISTED)
def test_samples_are_uniform_where_classes_are_not_listed(level, monkeypatch):
    monkeypatch.setattr(space_module, "_LISTED", 0)
    rng = random.Random(10)
    assert surprise(lambda: TINY.sample(rng, level), level) < 5
    genotype = SMALL.sample(rng, level)
    assert genotype.canonical(level) == genotype


@pytest.mark.parametrize("level", CLASSES_LISTED)
def test_large_spaces_are_sampled_without_listing_their_connections(level):
    space = SearchSpace(5, 5, 1)
    genotype = space.sample(random.Random(11), level)
    assert genotype.canonical(level) == genotype
    assert space.count(level).connections >= 904_968
    assert all("connections" not in vars(classes) for classes in space._tables.values())


def test_copies_of_a_space_carry_no_tables():
    space = SearchSpace(2, 1, 2, vocabulary(1, SKIP, NOTHING))
    before = len(pickle.dumps(space))
    genotype = space.sample(random.Random(6), "functional")
    assert len(pickle.dumps(space)) == before
    assert pickle.loads(pickle.dumps(genotype)) == copy.deepcopy(genotype) == genotype
