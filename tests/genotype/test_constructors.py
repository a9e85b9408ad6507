"""Whatever is constructed is valid; nonsense is one GenotypeError with place, found, expected."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxnas.genotype import (
    CVPR2019,
    Cell,
    Genotype,
    GenotypeError,
    Operation,
    SearchSpace,
    Step,
    Vocabulary,
    parse,
    to_json,
)
from auxnas.genotype.vocabulary import BN, RELU, STEPS, conv, depthwise
from tests.strategies import SPACES, genotypes

PAPER = SearchSpace.cvpr2019()
GOOD = PAPER.unrank(0)
ROW = CVPR2019[0]
NONSENSE = [
    (lambda: Step("foo"), "step.op: 'foo', expected one of conv2d"),
    (lambda: Step(None), "step.op: None, expected one of"),
    (lambda: Step(["relu"]), r"step.op: \['relu'\], expected one of"),
    (lambda: Step("relu", (("kernel", 3),)), "step.attrs: 'kernel', expected none for relu"),
    (lambda: Step("conv2d"), r"step.attrs: \(\), expected a kernel"),
    (lambda: Step("conv2d", (("groups", 4), ("kernel", 3))), "step.attrs: 'groups', expected one"),
    (lambda: Step("conv2d", [("kernel", 3)]), "step.attrs: .*, expected sorted pairs"),
    (lambda: Step("conv2d", (("kernel", 3), ("bias", 0))), "step.attrs: .*, expected sorted pair"),
    (lambda: Step("conv2d", (("kernel", True),)), "step.attrs: .*, expected sorted pairs"),
    (lambda: Step("conv2d", ("kernel",)), "step.attrs: .*, expected sorted pairs"),
    (lambda: conv(-1), "step.kernel: -1, expected an integer of at least 1"),
    (lambda: conv(4), "step.kernel: 4, expected an odd number"),
    (lambda: conv(3, 0), "step.dilation: 0, expected an integer of at least 1"),
    (lambda: depthwise("3"), "step.attrs: .*, expected sorted pairs"),
    (lambda: replace(ROW, name=3), "operation.name: 3, expected text"),
    (lambda: replace(ROW, name=""), "operation.name: '', expected a word"),
    (lambda: replace(ROW, abbreviation=""), "operation.abbreviation: '', expected a word"),
    (lambda: replace(ROW, description="\ud800"), "operation.description: .*UTF-8"),
    (lambda: replace(ROW, steps=[BN]), "operation.steps: .*, expected a tuple of Steps"),
    (lambda: replace(ROW, steps=(BN, "relu")), r"operation.steps\[1\]: 'relu', expected a Step"),
    (lambda: replace(ROW, repeated=1), "operation.repeated: 1, expected True or False"),
    (lambda: Vocabulary(None), "operations: None, expected a tuple of Operations"),
    (lambda: Vocabulary([ROW]), "operations: .*, expected a tuple of Operations"),
    (lambda: Vocabulary(()), "operations: empty, expected at least one operation"),
    (lambda: Vocabulary(("conv",)), r"operations\[0\]: 'conv', expected an Operation"),
    (lambda: Vocabulary((ROW, ROW)), r"operations\[1\].name: 'conv1x1' again"),
    (lambda: CVPR2019.extended("foo"), r"operations\[11\]: 'foo', expected an Operation"),
    (lambda: SearchSpace(encoder_outputs=0), "space.encoder_outputs: 0, expected a positive"),
    (lambda: SearchSpace(vocabulary=(ROW,)), "space.vocabulary: .*, expected a Vocabulary"),
    (lambda: Cell(-1, ((0, 0, 0, 0),)), "cell.first: -1 is negative"),
    (lambda: Cell("conv", ((0, 0, 0, 0),)), "cell.first: 'conv' is not an integer"),
    (lambda: Cell(0, ()), "cell.branches: 0 items, expected at least 1"),
    (lambda: Cell(0, [(0, 0, 0, 0)]), r"cell.branches: \[.*, expected a tuple of items"),
    (lambda: Cell(0, ((0, 0, 0),)), r"cell.branches\[0\]: 3 items, expected 4 items"),
    (lambda: Cell(0, ((0, 2, 0, 0),)), r"cell.branches\[0\].locations\[1\]: 2 is not in 0..1"),
    (lambda: Cell(0, ((0, 0, 0, -1),)), r"cell.branches\[0\].operations\[1\]: -1 is negative"),
    (lambda: replace(GOOD, space=None), "space: None, expected a SearchSpace"),
    (lambda: replace(GOOD, cell=(0, ())), r"cell: \(0, \(\)\), expected a Cell"),
    (lambda: replace(GOOD, connections=()), "connections: 0 items, expected 3 items"),
    (lambda: replace(GOOD, connections=((0, 0), (0, 9), (0, 0))), r"connections\[1\]\[1\]: 9 is"),
    (lambda: replace(GOOD, cell=replace(GOOD.cell, first=11)), "cell.first: 11 is not in 0..10"),
    (lambda: replace(GOOD, cell=Cell(0, ((0, 0, 0, 0),))), "cell.branches: 1 items, expected 3"),
    (lambda: PAPER.genotype(None), "tokens: None, expected 19 integers"),
    (lambda: PAPER.genotype("x" * 19), r"cell.first: 'x' is not an integer"),
]


@pytest.mark.parametrize(("make", "message"), NONSENSE, ids=[message for _, message in NONSENSE])
def test_nonsense_is_refused_at_once(make, message):
    with pytest.raises(GenotypeError, match=f"^{message}") as caught:
        make()
    assert "\n" not in str(caught.value)


ANY = (
    st.integers(-2, 9)
    | st.booleans()
    | st.none()
    | st.text(max_size=3)
    | st.sampled_from([*STEPS, "kernel", "dilation", 1.5])
)
NESTED = st.recursive(ANY, lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=12)
STEP = st.sampled_from([BN, RELU, conv(1), conv(3), conv(3, 6), depthwise(5), Step("zero")])


def made(kind, *arguments):
    """What is constructed; None when it is refused. Any other error is a failure."""
    try:
        return kind(*arguments)
    except GenotypeError:
        return None


@given(st.sampled_from([*STEPS]) | NESTED, NESTED | st.just((("dilation", 1), ("kernel", 3))))
def test_a_step_that_is_made_is_a_known_primitive(op, attrs):
    step = made(Step, op, attrs)
    if step is not None:
        assert {name for name, _ in step.attrs} <= STEPS[step.op].keys()
        assert all(type(v) is int and v >= STEPS[step.op][n] for n, v in step.attrs)
        assert pickle.loads(pickle.dumps(step)) == step


ROWS = st.tuples(
    st.text(max_size=3) | ANY,
    st.text(max_size=3),
    st.text(max_size=3) | ANY,
    st.lists(STEP, max_size=3).map(tuple) | NESTED,
    st.booleans() | ANY,
)


@given(ROWS)
def test_an_operation_that_is_made_makes_a_space_that_is_written_and_read(fields):
    row = made(Operation, *fields)
    vocabulary = None if row is None else made(Vocabulary, (*CVPR2019.operations, row))
    if vocabulary is not None:
        space = SearchSpace(vocabulary=vocabulary)
        genotype = space.genotype([0] * 6 + [11] + [0] * 12)
        assert parse(to_json(genotype).encode().decode()).genotype == genotype


@given(ANY, NESTED)
def test_a_cell_that_is_made_picks_locations_before_it(first, branches):
    cell = made(Cell, first, branches)
    if cell is not None:
        assert all(0 <= x < 2 + 3 * k for k, row in enumerate(cell.branches) for x in row[:2])


@given(genotypes(*SPACES), st.integers(0, 18), st.integers(-2, 40) | ANY)
def test_a_genotype_with_one_token_exchanged_is_a_member_or_refused(genotype, place, value):
    space, tokens = genotype.space, list(genotype.tokens)
    place %= len(tokens)
    fits = type(value) is int and 0 <= value < space.layout[place].size
    tokens[place] = value
    found = made(space.genotype, tokens)
    assert (found is not None) == fits
    if found is not None:
        assert space.violation(found) is None
        assert space.unrank(space.rank(found)) == found


@given(genotypes(*SPACES), st.sampled_from(SPACES))
def test_a_genotype_of_one_space_is_one_of_another_only_where_it_fits(genotype, space):
    found = made(Genotype, genotype.connections, genotype.cell, space)
    fits = len(genotype.tokens) == len(space.layout) and all(
        value < token.size for value, token in zip(genotype.tokens, space.layout, strict=False)
    )
    assert (found is not None) == (fits and len(genotype.connections) == space.blocks)
