"""A training in parts comes to what one in a single go comes to, bit by bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from auxnas.backends.base import Batch, Optimiser, Recipe
from auxnas.backends.torch import TorchLearner
from auxnas.backends.torch.states import TAKEN
from auxnas.compiler import Program, parse_graph
from auxnas.compiler.weights import initial_params

EPOCHS = 4
GRAPH = parse_graph("""
    x = input(; channels=3)
    a = conv2d(x; kernel=3, out=4) @a
    n = batch_norm(a) @n
    r = relu(n)
    main = conv2d(r; kernel=1, out=3, bias=1) @main
    side = conv2d(r; kernel=1, out=3, bias=1) @side
    return main=main, aux0=side
""")
RECIPE = Recipe(
    epochs=EPOCHS,
    batch_size=2,
    optimisers=(Optimiser("a", "sgd", 1e-2), Optimiser("", "adam", 1e-2, beta2=0.99)),
    polyak=0.9,
    auxiliary=0.3,
    poly=0.9,
)
LEARNER = TorchLearner("cpu")


class Noise:
    """Maps of noise, other noise at every draw."""

    def __len__(self) -> int:
        return 5

    def batch(self, indices, rng) -> Batch:
        x = rng.normal(size=(len(indices), 3, 6, 6)).astype(np.float32)
        return Batch({"x": x}, (x[:, 0] > 0).astype(np.uint8))


class More(Noise):
    """More of it."""

    def __len__(self) -> int:
        return 11


def program() -> Program:
    return Program(GRAPH, initial_params(GRAPH, 1), "small")


def stored(state):
    """A state as it comes back from a file."""
    return load(save({name: np.asarray(value, order="C") for name, value in state.items()}))


def in_parts(cuts, recipes=None, keep=stored):
    """The program after parts that end at ``cuts``, and all steps that were told of."""
    state, steps, trained = None, [], program()
    recipes = recipes or [RECIPE] * len(cuts)
    for start, stop, recipe in zip([0, *cuts], cuts, recipes, strict=False):
        part = range(start, stop)
        trained, state = LEARNER.fit_part(program(), Noise(), recipe, 7, part, state, steps.append)
        state = keep(state)
    return trained, [(step.step, step.steps) for step in steps]


def same(one: Program, other: Program) -> bool:
    return one.params.keys() == other.params.keys() and all(
        np.array_equal(value, other.params[name]) for name, value in one.params.items()
    )


@given(st.lists(st.integers(0, EPOCHS)), st.sampled_from([0.0, 0.9]))
@settings(max_examples=8, deadline=None)
def test_parts_come_to_the_whole(cuts, polyak):
    recipe = replace(RECIPE, polyak=polyak)
    whole = LEARNER.fit(program(), Noise(), recipe, 7)
    cuts = [*sorted(cuts), EPOCHS]
    found, steps = in_parts(cuts, [recipe] * len(cuts))
    assert same(found, whole)
    assert steps == [(step, 2 * EPOCHS) for step in range(1, 2 * EPOCHS + 1)]


@given(st.sets(st.integers(1, EPOCHS - 1)), st.integers(1, EPOCHS - 1))
@settings(max_examples=6, deadline=None)
def test_examples_may_change_from_part_to_part(cuts, change):
    """Poly rates go on by epochs, and where an epoch has other steps they are counted in those."""

    def after(cuts):
        state, steps = None, []
        for start, stop in zip([0, *cuts], [*cuts, EPOCHS], strict=True):
            examples = Noise() if start < change else More()
            known = (examples, replace(RECIPE, poly=0.9), 7, range(start, stop))
            trained, state = LEARNER.fit_part(program(), *known, state, steps.append)
            state = stored(state)
        return trained, [(step.step, step.steps) for step in steps]

    trained, steps = after([change])
    assert steps[: 2 * change] == [(step, 2 * EPOCHS) for step in range(1, 2 * change + 1)]
    rest = range(5 * change + 1, 5 * EPOCHS + 1)
    assert steps[2 * change :] == [(step, 5 * EPOCHS) for step in rest]
    again, others = after(sorted({change, *cuts}))
    assert same(again, trained)
    assert others == steps


@pytest.mark.parametrize("kind", ["weights/", "moments/", "average"])
def test_every_part_of_the_state_matters(kind):
    """Without any of them the law above would not hold."""
    whole = LEARNER.fit(program(), Noise(), RECIPE, 7)

    def keep(state):
        kept = {n: v for n, v in state.items() if not n.startswith(kind)}
        assert len(kept) < len(state)
        return stored(kept)

    assert not same(in_parts([2, EPOCHS], keep=keep)[0], whole)


def test_an_empty_part_gives_the_program_of_a_state():
    trained, state = LEARNER.fit_part(program(), Noise(), RECIPE, 7, range(2))
    again, after = LEARNER.fit_part(program(), Noise(), RECIPE, 7, range(2, 2), stored(state))
    assert same(again, trained)
    assert after.keys() == state.keys()
    assert all(np.array_equal(after[name], state[name]) for name in state)


def test_a_part_that_does_not_follow_is_refused():
    _, state = LEARNER.fit_part(program(), Noise(), RECIPE, 7, range(2))
    for part, known in ((range(1, 3), state), (range(1, 2), None)):
        with pytest.raises(ValueError, match="steps, expected"):
            LEARNER.fit_part(program(), Noise(), RECIPE, 7, part, known)
    assert state[TAKEN] == 4


def test_frozen_statistics_stay_and_weights_do_not():
    before, state = LEARNER.fit_part(program(), Noise(), RECIPE, 7, range(2))
    frozen = replace(RECIPE, frozen=True, polyak=0.0)
    after, _ = LEARNER.fit_part(program(), Noise(), frozen, 7, range(2, 4), state)
    moved = {n for n, v in after.params.items() if not np.array_equal(v, before.params[n])}
    assert moved == set(after.params) - {"n.running_mean", "n.running_var"}


def test_rates_and_heads_may_change_from_part_to_part():
    slow = tuple(replace(o, rate=o.rate / 2) for o in RECIPE.optimisers)
    plan = replace(RECIPE, polyak=0.0)
    without = replace(plan, auxiliary=0.0)
    cuts = [1, 2, EPOCHS]
    found, _ = in_parts(cuts, [plan, without, replace(plan, optimisers=slow)])
    other, _ = in_parts(cuts, [plan, without, plan])
    assert not same(found, other)
    untouched, _ = in_parts([1, 2], [plan, without])
    first, _ = in_parts([1], [plan])
    assert np.array_equal(untouched.params["side.weight"], first.params["side.weight"])
    assert not np.array_equal(found.params["side.weight"], first.params["side.weight"])


def test_adam_is_given_its_constants():
    """With a large epsilon a step is proportional to the gradient: small ones stay small."""

    def moved(epsilon):
        adam = (Optimiser("", "adam", 1e-2, epsilon=epsilon),)
        plan = replace(RECIPE, epochs=1, optimisers=adam, polyak=0.0, poly=0.0)
        after = LEARNER.fit(program(), Noise(), plan, 7)
        return np.abs(after.params["a.weight"] - program().params["a.weight"]).mean()

    assert moved(1.0) < 0.2 * moved(1e-8)


def test_moments_keep_the_memory_layout_of_their_parameter():
    from auxnas.backends.torch.states import _like

    param = torch.zeros(4, 3, 3, 3).to(memory_format=torch.channels_last)
    found = _like(param, np.arange(108, dtype=np.float32).reshape(4, 3, 3, 3))
    assert found.stride() == param.stride()
    assert found[1, 2, 0, 1] == 27 + 18 + 1
