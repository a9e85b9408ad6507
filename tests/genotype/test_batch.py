"""Arrays of tokens against one genotype after the other."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auxnas.genotype import LEVELS, GenotypeError, SearchSpace, batch, dedupe
from auxnas.genotype.batch import canonical_tokens, dedupe_tokens
from tests.genotype.oracles import LISTED, NOTHING, SKIP, members, vocabulary
from tests.strategies import CUSTOM, FIVE, PAPER, SMALL

LARGE = SearchSpace(5, 4, 4, SMALL.vocabulary)
LONG = SearchSpace(2, 1, 5, CUSTOM.vocabulary)
"""Its cells do not fit into one 64-bit word."""


def drawn(space: SearchSpace, rows: int, seed: int = 0) -> np.ndarray:
    """Random rows, one half of them with small tokens, so that symmetries and repeats occur."""
    rng = np.random.default_rng(seed)
    tokens = [rng.integers(0, token.size, rows) for token in space.layout]
    small = [rng.integers(0, min(2, token.size), rows) for token in space.layout]
    return np.where(rng.random(rows) < 0.5, tokens, small).T


@pytest.mark.parametrize("level", ["raw", "swap", "isomorphism"])
@pytest.mark.parametrize("space", [PAPER, SMALL, FIVE, CUSTOM, LARGE, LONG])
def test_canonical_rows_are_the_scalar_ones(space, level):
    tokens = drawn(space, 300)
    expected = [space.genotype(row).canonical(level).tokens for row in tokens.tolist()]
    assert canonical_tokens(tokens, space, level).tolist() == [list(row) for row in expected]


def test_canonical_rows_at_the_functional_level():
    tokens = drawn(SMALL, 50)
    expected = [SMALL.genotype(row).canonical("functional").tokens for row in tokens.tolist()]
    found = canonical_tokens(tokens, SMALL, "functional")
    assert found.tolist() == [list(row) for row in expected]


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=20)
@given(data=st.data())
def test_both_forms_of_dedupe_agree(level, data):
    space = data.draw(st.sampled_from([*LISTED.values(), PAPER, SMALL]))
    genotypes = data.draw(st.lists(members(space), min_size=1, max_size=30))
    tokens = np.array([genotype.tokens for genotype in genotypes])
    one, other = dedupe(genotypes, level), dedupe_tokens(tokens, space, level)
    assert other.same_as.tolist() == list(one.same_as)
    assert other.kept.tolist() == list(one.kept)


def test_words_are_split_and_joined_exactly(monkeypatch):
    space, tokens = SMALL, drawn(SMALL, 400, seed=1)
    whole = dedupe_tokens(tokens, space)
    monkeypatch.setattr(batch, "BLOCK", 7)
    monkeypatch.setattr(batch, "WORD", 1000)
    split = dedupe_tokens(tokens, space)
    assert split.same_as.tolist() == whole.same_as.tolist()
    assert len(whole.kept) < len(tokens)


def test_dedupe_keeps_first_occurrences():
    space = SearchSpace(1, 1, 1, vocabulary(1, SKIP, NOTHING))
    rows = [(0, 0, 0, 0, 1, 0, 1), (0, 0, 1, 0, 0, 0, 0), (0, 0, 0, 1, 0, 1, 0)]
    given_, twice = [space.genotype(row) for row in rows], [*rows, rows[1]]
    found = dedupe([space.genotype(row) for row in twice], "swap")
    assert found.genotypes == (given_[0], given_[1])
    assert found.same_as == (0, 1, 0, 1)
    assert found.kept == (0, 1)
    assert found.counts == (2, 2)
    assert dedupe([]).genotypes == ()
    assert dedupe_tokens(np.zeros((0, 7), int), space).kept.tolist() == []


def test_dedupe_names_the_wrong_one():
    good = PAPER.unrank(5)
    with pytest.raises(GenotypeError, match=r"connections\[0\]\[1\]: 7 is not"):
        dedupe([good, replace(good, connections=((0, 7), (0, 0), (0, 0)))])
    with pytest.raises(GenotypeError, match=r"genotypes\[1\]: \(0, 7\), expected a Genotype"):
        dedupe([good, (0, 7)])


WRONG = [
    ([[0]], "tokens: list, expected an array of integers"),
    (np.zeros((2, 19)), "tokens: float64, expected an array of integers"),
    (np.zeros((2, 19), bool), "tokens: bool, expected an array of integers"),
    (np.zeros((2, 18), int), r"tokens: shape \(2, 18\), expected shape \(any, 19\)"),
    (np.zeros(19, int), r"tokens: shape \(19,\)"),
]


@pytest.mark.parametrize(("tokens", "message"), WRONG)
def test_wrong_arrays_are_refused(tokens, message):
    with pytest.raises(GenotypeError, match=message):
        dedupe_tokens(tokens, PAPER)


@pytest.mark.parametrize("value", [-1, 5, 2**40])
def test_wrong_tokens_are_named(value):
    tokens = np.zeros((4, 19), int)
    tokens[2, 11] = value
    expected = rf"tokens\[2\]: cell.branches\[1\].locations\[0\]: {value} is not in 0..4"
    with pytest.raises(GenotypeError, match=expected):
        canonical_tokens(tokens, PAPER)


def test_unsigned_tokens_do_not_wrap():
    with pytest.raises(GenotypeError, match=r"18446744073709551615 is not in 0\.\.3"):
        dedupe_tokens(np.full((1, 19), 2**64 - 1, np.uint64), PAPER)


def test_narrow_and_reversed_arrays_are_read():
    tokens = drawn(PAPER, 20)
    expected = canonical_tokens(tokens, PAPER).tolist()
    assert canonical_tokens(tokens.astype(np.uint8), PAPER).tolist() == expected
    assert canonical_tokens(tokens[::-1], PAPER).tolist() == expected[::-1]


def test_the_array_form_alone_needs_numpy():
    program = "import sys, auxnas.genotype; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
