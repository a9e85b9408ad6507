"""Counts against listing every sequence, and orbits against the classes they fill."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxnas.genotype import LEVELS, SearchSpace, bags, functional
from auxnas.genotype.batch import dedupe_tokens
from auxnas.genotype.labellings import Labellings, multiset, multisets
from auxnas.genotype.symmetry import CELL, orders
from tests.genotype.oracles import LISTED, NOTHING, SKIP, all_cells, all_tokens, members, vocabulary

THREE = SearchSpace(1, 1, 3, vocabulary(1, SKIP))
"""A space of 819200 sequences, one choice of connections."""

ORIENTATION = [
    (1, vocabulary(3), "raw", 108),
    (1, vocabulary(3), "swap", 63),
    (1, vocabulary(3), "isomorphism", 63),
    (2, vocabulary(2), "isomorphism", 882),
    (1, vocabulary(1, SKIP, NOTHING), "functional", 20),
    (2, vocabulary(1, SKIP, NOTHING), "functional", 368),
    (2, vocabulary(2, SKIP, NOTHING), "functional", 3355),
]


@pytest.mark.parametrize(("branches", "rows", "level", "cells"), ORIENTATION)
def test_known_numbers_of_cells(branches, rows, level, cells):
    assert SearchSpace(branches=branches, vocabulary=rows).count(level).cells == cells


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", LISTED)
def test_counts_and_orbits_equal_listing_everything(name, level):
    space = LISTED[name]
    tokens = all_tokens(space)
    found = dedupe_tokens(tokens, space, level)
    assert space.count(level).total == len(found.kept)
    assert space.count("raw").total == len(tokens)
    times = np.bincount(found.same_as)[found.kept].tolist()
    firsts = [space.genotype(tokens[row].tolist()) for row in found.kept.tolist()]
    sizes = [space.orbit_size(genotype, level) for genotype in firsts]
    assert sizes == times
    assert sum(sizes) == len(tokens)


def test_counts_of_three_branches_equal_listing_everything():
    tokens = all_tokens(THREE)
    swap, found = (dedupe_tokens(tokens, THREE, level) for level in ("swap", "isomorphism"))
    assert THREE.count("swap").total == len(swap.kept)
    assert THREE.count("isomorphism").total == len(found.kept)
    cells = (THREE.genotype(row).cell for row in tokens[found.kept].tolist())
    forms = {functional.graph(cell, THREE.vocabulary) for cell in cells}
    assert THREE.count("functional").total == len(
        {bags.canonical_numbering(form)[0] for form in forms}
    )


def test_the_listing_is_the_definitions():
    space = LISTED["1 branch, 1+skip+zero"]
    cells = {space.genotype(row).cell for row in all_tokens(space).tolist()}
    assert cells == set(all_cells(len(space.vocabulary), space.branches))


def test_raw_over_orbits_is_not_the_count():
    """The mutant: dividing by the number of symmetries forgets genotypes with automorphisms."""
    space = LISTED["2 branches, 2 operations"]
    assert space.count("raw").total // 2 ** (1 + 2) != space.count("swap").total


def test_the_papers_space():
    counts = {level: SearchSpace().count(level) for level in LEVELS}
    assert [counts[level].connections for level in LEVELS] == [14400, 3150, 1225, 1225]
    assert counts["raw"].cells == 11**7 * (2 * 5 * 8) ** 2
    assert counts["swap"].cells == 16079317199
    assert counts["isomorphism"].cells == 11607711379
    assert counts["functional"].cells == 2545393621


def test_larger_spaces_are_counted_too():
    large = SearchSpace(5, 6, 7).count("isomorphism")
    small = SearchSpace(5, 6, 7).count("swap")
    assert 1 < small.cells / large.cells < math.factorial(7)
    assert 1 < small.connections / large.connections < math.factorial(6)


@given(genotype=members())
def test_orders_are_those_permutations_that_keep_references_back(genotype):
    rows = genotype.cell.branches
    needs = [{(side - 2) // 3 for side in row[:2] if side >= 2} for row in rows]
    kept = [
        order
        for order in itertools.permutations(range(len(rows)))
        if all(need <= set(order[: order.index(k)]) for k, need in enumerate(needs))
    ]
    assert orders(rows, CELL) == len(kept)


@st.composite
def labellings(draw):
    """Places with a group: the closure of some permutations; sizes equal along orbits."""
    places = draw(st.integers(1, 4))
    group = {tuple(range(places))}
    extra = draw(st.lists(st.permutations(range(places)).map(tuple), max_size=2))
    while True:
        more = {tuple(p[i] for i in q) for p in group | set(extra) for q in group | set(extra)}
        if more <= group:
            break
        group |= more
    sizes = draw(st.lists(st.integers(0, 3), min_size=places, max_size=places))
    evened = tuple(min(sizes[p[place]] for p in group) for place in range(places))
    return Labellings(evened, tuple(sorted(group)))


@given(labels=labellings(), data=st.data())
def test_labellings_are_one_word_of_every_orbit(labels, data):
    words = list(itertools.product(*map(range, labels.sizes)))
    orbits = {frozenset(tuple(word[i] for i in p) for p in labels.group) for word in words}
    found = list(labels.words())
    assert labels.count() == len(orbits) == len(found)
    assert {frozenset(tuple(w[i] for i in p) for p in labels.group) for w in found} == orbits
    start = data.draw(st.integers(0, len(found) + 1))
    assert list(labels.words(start)) == found[start:]


@given(st.integers(0, 4), st.integers(0, 4))
def test_multisets_come_in_order(size, labels):
    expected = list(itertools.combinations_with_replacement(range(labels), size))
    assert multisets(size, labels) == len(expected)
    assert [multiset(i, size, labels) for i in range(len(expected))] == expected
