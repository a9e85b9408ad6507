"""The functional level against numbers.

A cell is computed with a random nonlinear function for every operation with weights, each
occurrence its own. Two cells compute the same when some matching of the occurrences that
matter, operation by operation, makes the outputs equal. Nothing here knows of bags or
normal forms. (The same check on compiled networks belongs to the compiler's tests.)
"""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auxnas.genotype import Cell, Genotype, SearchSpace, Vocabulary
from auxnas.genotype.functional import form_text, loose_ends, normal_form
from auxnas.genotype.realisation import realise
from tests.genotype.oracles import LISTED, NOTHING, SKIP, all_cells, members, vocabulary

WIDTH = 2
INPUT = np.random.default_rng(0).standard_normal(WIDTH)
BOTH = vocabulary(2, SKIP, NOTHING)
SHARING = SearchSpace(1, 1, 2, BOTH)
DEEP = SearchSpace(1, 1, 3, BOTH)

Weights = tuple[np.ndarray, np.ndarray]


def weights(operation: int, number: int, changed: int = 0) -> Weights:
    """The weights of an operation's ``number``-th set."""
    rng = np.random.default_rng((operation, number, changed))
    return rng.standard_normal((WIDTH, WIDTH)), rng.standard_normal(WIDTH)


def output(cell: Cell, rows: Vocabulary, given: dict[int, Weights]) -> np.ndarray:
    """What the cell computes, its occurrences of operations with weights from 0 up."""
    occurrence = itertools.count()

    def applied(operation: int, value: np.ndarray) -> np.ndarray:
        number = next(occurrence)
        if rows[operation].is_identity:
            return value
        if rows[operation].is_zero:
            return np.zeros(WIDTH)
        matrix, bias = given[number]
        return np.tanh(matrix @ value + bias)

    values = [INPUT, applied(cell.first, INPUT)]
    sampled = set()
    for left, right, one, other in cell.branches:
        sides = [applied(one, values[left]), applied(other, values[right])]
        values += [*sides, sides[0] + sides[1]]
        sampled |= {left, right}
    ends = {1, *range(4, len(values), 3)} - sampled
    return sum((values[end] for end in sorted(ends)), np.zeros(WIDTH))


def occurrences(cell: Cell, rows: Vocabulary) -> dict[int, list[int]]:
    """By operation, the occurrences whose weights change the output."""
    operations = [cell.first, *itertools.chain(*(row[2:] for row in cell.branches))]
    owned = {
        number: operation
        for number, operation in enumerate(operations)
        if not rows[operation].is_identity and not rows[operation].is_zero
    }
    plain = {number: weights(operation, number) for number, operation in owned.items()}
    found = defaultdict(list)
    for number, operation in owned.items():
        changed = plain | {number: weights(operation, number, changed=1)}
        if not np.allclose(output(cell, rows, plain), output(cell, rows, changed), atol=1e-12):
            found[operation].append(number)
    return dict(found)


def matchings(cell: Cell, rows: Vocabulary) -> Iterator[dict[int, Weights]]:
    """Weights for the cell: each operation's sets, in every order, on what matters."""
    mattering = occurrences(cell, rows)
    everything = {number: weights(99, number) for number in range(1 + 2 * len(cell.branches))}
    choices = [itertools.permutations(range(len(each))) for each in mattering.values()]
    for orders in itertools.product(*choices):
        given = dict(everything)
        for (operation, numbers), order in zip(mattering.items(), orders, strict=True):
            given |= {n: weights(operation, o) for n, o in zip(numbers, order, strict=True)}
        yield given


def computes_the_same(one: Cell, other: Cell, rows: Vocabulary) -> bool:
    first, second = occurrences(one, rows), occurrences(other, rows)
    if {k: len(v) for k, v in first.items()} != {k: len(v) for k, v in second.items()}:
        return False
    wanted = output(one, rows, next(matchings(one, rows)))
    return any(
        np.allclose(wanted, output(other, rows, given), rtol=0, atol=1e-10)
        for given in matchings(other, rows)
    )


def form(cell: Cell, rows: Vocabulary) -> str:
    return form_text(normal_form(cell, rows))


def disagreements(
    pairs: list[tuple[Cell, Cell]], rows: Vocabulary, key: Callable[[Cell, Vocabulary], object]
) -> int:
    """Pairs on which equal keys and equal outputs do not go together."""
    return sum(
        (key(one, rows) == key(other, rows)) != computes_the_same(one, other, rows)
        for one, other in pairs
    )


def pairs_in(space: SearchSpace, number: int, seed: int) -> list[tuple[Cell, Cell]]:
    """Pairs of equal, of nearly equal and of unrelated cells."""
    rng = random.Random(seed)
    found = []
    for _ in range(number):
        genotype = space.sample(rng)
        near = space.mutate(genotype, rng)
        found += [
            (genotype.cell, genotype.canonical("functional").cell),
            (genotype.cell, near.cell),
        ]
        found += [(genotype.cell, space.sample(rng).cell)]
    return found


HARD = [
    # One operation's output twice, against two operations' once each.
    (Cell(0, ((1, 1, 2, 2), (0, 0, 3, 3))), Cell(0, ((1, 0, 2, 0), (0, 0, 3, 3)))),
    # A node on a + a, on a + b, on a.
    (Cell(3, ((0, 0, 0, 0), (4, 0, 1, 3))), Cell(3, ((0, 0, 0, 3), (4, 2, 1, 2)))),
    (Cell(0, ((1, 1, 2, 2), (4, 0, 1, 3))), Cell(0, ((1, 1, 2, 3), (4, 0, 1, 3)))),
    # Two nodes on one node's output, against each on its own.
    (Cell(3, ((0, 0, 0, 0), (2, 2, 1, 1))), Cell(3, ((0, 0, 0, 0), (2, 3, 1, 1)))),
    # An operation on nothing, against none.
    (Cell(3, ((1, 0, 0, 3), (0, 0, 3, 3))), Cell(3, ((1, 0, 3, 3), (0, 0, 3, 3)))),
    # Sampled by zero: what was the output is gone.
    (Cell(0, ((0, 0, 1, 3), (0, 0, 3, 3))), Cell(0, ((0, 0, 1, 3), (1, 0, 3, 3)))),
]


@pytest.mark.parametrize("name", ["1 branch, 1+skip+zero", "1 branch, two skips, two zeros"])
def test_on_every_pair_of_a_small_space(name):
    rows = LISTED[name].vocabulary
    cells = list(all_cells(len(rows), 1))
    rng = random.Random(0)
    pairs = [(one, rng.choice(cells)) for one in cells for _ in range(6)]
    assert disagreements(pairs, rows, form) == 0
    assert 0 < sum(computes_the_same(*pair, rows) for pair in pairs) < len(pairs)


@pytest.mark.parametrize("space", [SHARING, DEEP], ids=["2 branches", "3 branches"])
def test_on_pairs_that_are_equal_nearly_or_not(space):
    pairs = pairs_in(space, 60, seed=1)
    assert disagreements(pairs, space.vocabulary, form) == 0
    assert 60 <= sum(computes_the_same(*pair, space.vocabulary) for pair in pairs) < 130


@pytest.mark.parametrize(("one", "other"), HARD)
def test_hard_pairs_stay_apart(one, other):
    assert form(one, BOTH) != form(other, BOTH)
    assert not computes_the_same(one, other, BOTH)


def as_written(cell: Cell, rows: Vocabulary) -> object:
    return cell


def unshared(cell: Cell, rows: Vocabulary) -> object:
    """The multiset of terms, nodes unfolded: forgets which are one."""
    values: list[tuple] = [("x",), ()]

    def applied(operation: int, value: tuple) -> tuple:
        if rows[operation].is_zero:
            return ()
        return value if rows[operation].is_identity else ((operation, value),)

    values[1] = applied(cell.first, values[0])
    for left, right, one, other in cell.branches:
        sides = [applied(one, values[left]), applied(other, values[right])]
        values += [*sides, tuple(sorted(sides[0] + sides[1], key=repr))]
    return tuple(sorted(sum((values[end] for end in loose_ends(cell.branches)), ()), key=repr))


def once_each(cell: Cell, rows: Vocabulary) -> object:
    """The form with how often a term occurs left out."""
    return "".join(c for c in form_text(normal_form(cell, rows)).partition("-")[2] if c.isalpha())


@pytest.mark.parametrize("key", [as_written, unshared, once_each])
def test_the_check_finds_wrong_keys(key):
    pairs = pairs_in(SHARING, 60, seed=1) + HARD
    assert disagreements(pairs, BOTH, key) > 0


@settings(max_examples=60)
@given(genotype=members(*LISTED.values(), SHARING, DEEP, SearchSpace()))
def test_realising_a_form_gives_it_back(genotype):
    rows = genotype.space.vocabulary
    wanted = normal_form(genotype.cell, rows)
    first, branches = realise(wanted, genotype.space.branches, rows)
    assert normal_form(Cell(first, branches), rows) == wanted


def test_forms_that_do_not_fit_are_refused():
    wanted = normal_form(Cell(0, ((1, 1, 0, 0), (4, 4, 0, 0))), BOTH)
    with pytest.raises(ValueError, match="no cell of 1 branches has this form"):
        realise(wanted, 1, BOTH)


@given(st.integers(0, 3), st.integers(0, 3))
def test_rows_of_one_kind_are_one_at_this_level(skip, zero):
    """Identity rows are one, zero rows are one, own operations are not."""
    space = LISTED["1 branch, two skips, two zeros"]
    branches = ((0, 1, (0, 3)[skip % 2], (2, 4)[zero % 2]),)
    cell = Cell(1, branches)
    assert form(cell, space.vocabulary) == form(Cell(1, ((0, 1, 0, 2),)), space.vocabulary)


def test_keys_tell_connections_apart():
    space = LISTED["1 branch, 1+skip+zero"]
    keys = {
        Genotype(((i, j),), Cell(2, ((0, 0, 2, 2),)), space).key("functional")
        for i in range(2)
        for j in range(2)
    }
    assert len(keys) == 3
