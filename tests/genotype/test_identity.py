"""Canonical forms and keys against closures of generators, networkx, and other processes."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auxnas.genotype import LEVELS, Cell, Genotype, GenotypeError, SearchSpace
from auxnas.genotype.vocabulary import Vocabulary
from tests.genotype.oracles import (
    LISTED,
    generated,
    isomorphic,
    members,
    orbit,
)
from tests.strategies import CUSTOM, FIVE, PAPER, SMALL

WIDE = SearchSpace(2, 4, 4, SMALL.vocabulary)
EVERYWHERE = (*LISTED.values(), PAPER, SMALL, FIVE, CUSTOM, WIDE)
SYMMETRIC = ("swap", "isomorphism", "functional")


@pytest.mark.parametrize("level", LEVELS)
@given(genotype=members(*EVERYWHERE))
def test_canonical_is_a_member_of_its_class_and_its_own_representative(level, genotype):
    canonical = genotype.canonical(level)
    assert genotype.space.violation(canonical) is None
    assert canonical.key(level) == genotype.key(level)
    assert canonical.canonical(level) == canonical


@pytest.mark.parametrize("level", SYMMETRIC)
@settings(max_examples=40)
@given(genotype=members(*EVERYWHERE))
def test_canonical_is_the_same_behind_every_symmetry(level, genotype):
    canonical = genotype.canonical(level)
    for same in generated(genotype, level):
        assert same.canonical(level) == canonical
        assert same.key(level) == genotype.key(level)


def test_the_symmetries_change_what_they_should():
    cell = Cell(0, ((0, 1, 2, 3), (2, 1, 4, 5), (2, 4, 6, 7)))
    genotype = Genotype(((0, 1), (2, 4), (3, 4)), cell, PAPER)
    changed = generated(genotype, "isomorphism")
    assert len({genotype, *changed}) == 1 + 6 + 2  # of each part, only items 1 and 2 may move
    assert all(PAPER.violation(other) is None for other in changed)
    assert all(isomorphic(genotype, other) for other in changed)


@pytest.mark.parametrize("level", ["swap", "isomorphism"])
@settings(max_examples=50)
@given(genotype=members(*LISTED.values(), PAPER, SMALL))
def test_canonical_is_the_smallest_and_orbits_have_their_size(level, genotype):
    whole = orbit(genotype, level)
    assert genotype.canonical(level).tokens == min(other.tokens for other in whole)
    assert genotype.space.orbit_size(genotype, level) == len(whole)


@given(st.data())
def test_keys_are_equal_exactly_for_isomorphic_graphs(data):
    one, other = data.draw(related(data.draw(members(*LISTED.values(), PAPER, SMALL))))
    assert (one.key("isomorphism") == other.key("isomorphism")) == isomorphic(one, other)


def related(genotype: Genotype) -> st.SearchStrategy[tuple[Genotype, Genotype]]:
    """Pairs that are the same, nearly the same, or unrelated."""
    same = st.sampled_from(sorted(orbit(genotype, "isomorphism"), key=lambda g: g.tokens))
    near = same.flatmap(lambda g: st.sampled_from(list(g.space.neighbours(g))))
    return st.tuples(st.just(genotype), same | near | members(genotype.space))


HARD = {
    "one output twice, two outputs once": (
        ((0, 0, 0, 0), (2, 2, 1, 1), (0, 0, 0, 0)),
        ((0, 0, 0, 0), (2, 3, 1, 1), (0, 0, 0, 0)),
    ),
    "shared below or not": (
        ((0, 0, 0, 0), (2, 2, 1, 1), (5, 6, 2, 2)),
        ((0, 0, 0, 0), (2, 3, 1, 1), (5, 6, 2, 2)),
    ),
    "a sum or its side": (
        ((1, 1, 0, 0), (4, 2, 1, 1), (0, 0, 0, 0)),
        ((1, 1, 0, 0), (4, 4, 1, 1), (0, 0, 0, 0)),
    ),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", HARD)
def test_hard_pairs_stay_apart(name, level):
    one, other = (Genotype(((0, 0),) * 3, Cell(0, each), PAPER) for each in HARD[name])
    assert [row[2:] for row in one.cell.branches] == [row[2:] for row in other.cell.branches]
    assert one.key(level) != other.key(level)


def test_regrouped_sums_are_apart_as_written_and_compute_the_same():
    rows = ((1, 1, 0, 0), (1, 1, 0, 0), (2, 3, 1, 1)), ((1, 1, 0, 0), (1, 1, 0, 0), (2, 5, 1, 1))
    one, other = (Genotype(((0, 0),) * 3, Cell(0, each), PAPER) for each in rows)
    assert one.key("isomorphism") != other.key("isomorphism")
    assert one.key("functional") == other.key("functional")


def test_a_key_that_forgets_sharing_fails_on_the_hard_pairs():
    def unfolded(cell: Cell) -> object:
        values: list[object] = ["x", (cell.first, "x")]
        for left, right, one, other in cell.branches:
            sides = [(one, values[left]), (other, values[right])]
            values += [*sides, tuple(sorted(sides, key=repr))]
        return sorted(map(repr, values))

    pairs = [tuple(unfolded(Cell(0, each)) for each in pair) for pair in HARD.values()]
    assert any(one == other for one, other in pairs)


@pytest.mark.parametrize(("finer", "coarser"), list(itertools.pairwise(LEVELS)))
@given(genotype=members(*EVERYWHERE))
def test_each_level_is_coarser_than_the_one_before(finer, coarser, genotype):
    assert genotype.canonical(finer).key(coarser) == genotype.key(coarser)


def test_spaces_and_levels_never_share_a_key():
    spaces = [*LISTED.values(), PAPER, SMALL, FIVE, CUSTOM, WIDE]
    keys = [space.unrank(0).key(level) for space in spaces for level in LEVELS]
    assert len(set(keys)) == len(keys)


def test_descriptions_are_not_part_of_a_key():
    rows = tuple(replace(row, description="?", abbreviation="?") for row in PAPER.vocabulary)
    assert SearchSpace(vocabulary=Vocabulary(rows)).digest == PAPER.digest
    renamed = (replace(rows[0], name="other"), *rows[1:])
    assert SearchSpace(vocabulary=Vocabulary(renamed)).digest != PAPER.digest


KEYS = """
import random
from auxnas.genotype import LEVELS, SearchSpace
rng, space = random.Random(5), SearchSpace.cvpr2019()
for _ in range(40):
    genotype = space.sample(rng)
    print(*(genotype.key(level) for level in LEVELS))
"""


def test_keys_do_not_depend_on_the_hash_seed():
    printed = {
        subprocess.run(
            [sys.executable, "-c", KEYS],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(printed) == 1
    assert len(printed.pop().split()) == 160


GOLDEN = {
    "raw": "r1-d1af47763525-642da74c5912c",
    "swap": "s1-d1af47763525-630d13a2da4ec",
    "isomorphism": "i1-d1af47763525-169cfeb665aec",
    "functional": "f1-d1af47763525-0_3_2_3_3_3-1a.2a.5a.8a.8a.4f.8d.-bcdefgh",
}


@pytest.mark.parametrize("level", LEVELS)
def test_keys_stay_as_published(level):
    tokens = (3, 3, 3, 2, 3, 0, 8, 0, 0, 5, 2, 0, 2, 8, 8, 0, 5, 1, 4)
    assert PAPER.genotype(tokens).key(level) == GOLDEN[level]


def test_members_only():
    with pytest.raises(GenotypeError, match=r"connections\[0\]\[0\]: 9 is not in 0..3"):
        Genotype(((9, 9),) * 3, Cell(0, ((0, 0, 0, 0),) * 3), PAPER)


@pytest.mark.parametrize("call", [PAPER.count, PAPER.enumerate, PAPER.unrank(0).key])
def test_unknown_levels_are_refused(call):
    with pytest.raises(GenotypeError, match="level: 'same', expected one of raw, swap"):
        call("same")
