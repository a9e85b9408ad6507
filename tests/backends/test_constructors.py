"""Recipes, options and requests: nonsense is one CompilerError at once, before any work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxnas.backends.base import ExportOptions, Optimiser, PolicyStep, Recipe
from auxnas.backends.compiling.request import Request
from auxnas.backends.int8 import Int8Options, Photographs
from auxnas.compiler import CompilerError, ModelSpec
from tests.strategies import PAPER

ADAM = Optimiser("", "adam", 0.01)
RECIPE = Recipe(1, 2, (ADAM,))
REQUEST = Request(PAPER.unrank(0), ModelSpec(), Path("a.onnx"))
NONSENSE = [
    (lambda: Optimiser("x", "foo", 0.1), "optimiser.kind: 'foo', expected one of adam, sgd"),
    (lambda: Optimiser("x", None, 0.1), "optimiser.kind: None, expected one of adam, sgd"),
    (lambda: Optimiser(3, "sgd", 0.1), "optimiser.prefix: 3, expected a str"),
    (lambda: Optimiser("", "sgd", -1), "optimiser.rate: -1, expected a number of at least 0"),
    (lambda: Optimiser("", "sgd", float("inf")), "optimiser.rate: inf, expected a number"),
    (lambda: replace(ADAM, momentum=1), "optimiser.momentum: 1, expected a number from 0 to 1, l"),
    (lambda: replace(ADAM, beta2=-0.1), "optimiser.beta2: -0.1, expected a number from 0 to 1, l"),
    (lambda: replace(ADAM, decay="x"), "optimiser.decay: 'x', expected a number"),
    (lambda: replace(RECIPE, epochs=-1), "recipe.epochs: -1, expected an integer of at least 0"),
    (lambda: replace(RECIPE, epochs=2.0), "recipe.epochs: 2.0, expected an integer"),
    (lambda: replace(RECIPE, batch_size=0), "recipe.batch_size: 0, expected an integer of at l"),
    (lambda: replace(RECIPE, optimisers=[ADAM]), r"recipe.optimisers: \[.*, expected a tuple"),
    (lambda: replace(RECIPE, optimisers=("adam",)), r"recipe.optimisers\[0\]: 'adam', expected an"),
    (lambda: replace(RECIPE, polyak=1.0), "recipe.polyak: 1.0, expected a number from 0 to 1, l"),
    (lambda: replace(RECIPE, clip_norm=float("nan")), "recipe.clip_norm: nan, expected a number"),
    (lambda: replace(RECIPE, auxiliary=None), "recipe.auxiliary: None, expected a number"),
    (lambda: replace(RECIPE, frozen=1), "recipe.frozen: 1, expected a bool"),
    (lambda: PolicyStep(rate=-1), "policy.rate: -1, expected a number of at least 0"),
    (lambda: ExportOptions(size=(0, 4)), "size: height: 0, expected an integer of at least 1"),
    (lambda: ExportOptions(size=(4,)), r"size: \(4,\), expected \(height, width\)"),
    (lambda: ExportOptions(size=64), "size: 64, expected a tuple"),
    (lambda: ExportOptions(batch=0), "batch: 0, expected an integer of at least 1"),
    (
        lambda: ExportOptions(precision="fp8"),
        "precision: 'fp8', expected one of fp32, fp16, bf16, int8",
    ),
    (lambda: ExportOptions(opset="18"), "opset: '18', expected an integer of at least 1"),
    (lambda: Int8Options(None), "photographs: None, expected a Photographs"),
    (lambda: Int8Options(Photographs((), ()), 2), "max_drop: 2, expected a number from 0 to 1"),
    (lambda: replace(REQUEST, genotype="arch0"), "request.genotype: 'arch0', expected a Genotype"),
    (lambda: replace(REQUEST, spec=None), "request.spec: None, expected a ModelSpec"),
    (lambda: replace(REQUEST, output="a.onnx"), "request.output: 'a.onnx', expected a Path"),
    (lambda: replace(REQUEST, seed=-1), "request.seed: -1, expected an integer of at least 0"),
    (lambda: replace(REQUEST, tolerance=-1.0), "request.tolerance: -1.0, expected a number"),
    (lambda: replace(REQUEST, disabled=("foo",)), "request.disabled: 'foo', expected one of"),
    (
        lambda: replace(REQUEST, options=ExportOptions(precision="int8")),
        "request.int8: None, expected Int8Options",
    ),
]


@pytest.mark.parametrize(("make", "message"), NONSENSE, ids=[message for _, message in NONSENSE])
def test_nonsense_is_refused_at_once(make, message):
    with pytest.raises(CompilerError, match=f"^{message}") as caught:
        make()
    assert "\n" not in str(caught.value)


VALUES = (
    st.integers(-2, 3)
    | st.floats()
    | st.sampled_from(["adam", "", None, True, False, (ADAM,), (), [ADAM]])
)
RECIPE_FIELDS = st.sampled_from(sorted(Recipe.__slots__))
OPTIMISER_FIELDS = st.sampled_from(sorted(Optimiser.__slots__))


@given(st.dictionaries(RECIPE_FIELDS, VALUES), st.dictionaries(OPTIMISER_FIELDS, VALUES))
def test_a_recipe_that_is_made_has_only_what_can_be_trained_by(recipe, optimiser):
    try:
        made = replace(RECIPE, **recipe)
        one = replace(ADAM, **optimiser)
    except CompilerError:
        return
    assert made.epochs >= 0
    assert made.batch_size >= 1
    assert all(type(each) is Optimiser for each in made.optimisers)
    assert 0 <= made.polyak < 1
    assert one.kind in ("adam", "sgd")
    numbers = (made.auxiliary, made.distillation, made.clip_norm, made.poly, one.rate, one.epsilon)
    assert all(0 <= number < float("inf") for number in numbers)
    assert 0 <= one.momentum < 1
    assert 0 <= one.beta2 < 1
