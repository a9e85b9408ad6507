"""The null learner: nothing learnt, quickly, and always the same."""

from dataclasses import replace

import numpy as np
import pytest

from auxnas.backends.base import Recipe
from auxnas.backends.null.learner import STEPS, NullLearner
from auxnas.backends.registry import backend
from auxnas.compiler import ModelSpec, Program, encoder_outputs, infer_shapes, lower, split_graph
from auxnas.compiler.tasks import Segmentation
from auxnas.genotype import zoo

RECIPE = Recipe(epochs=1, batch_size=2, optimisers=())


def program(name="arch0"):
    graph = lower(zoo.load_published(name).genotype, ModelSpec(classes=5, agg_size=8, width=0.1))
    return Program(graph, {}, name)


def segmentation(classes):
    return Segmentation(tuple(map(str, range(classes))))


def test_the_registry_knows_it():
    assert backend("learner", "null") is NullLearner


def test_fit_changes_nothing_and_reports_progress():
    steps = []
    given = program()
    assert NullLearner().fit(given, [], RECIPE, 0, steps.append) is given
    assert [step.step for step in steps] == [1, 2, 3, 4]
    assert {step.steps for step in steps} == {STEPS}


@pytest.mark.parametrize("classes", [2, 5, 21])
def test_statistics_depend_on_the_name_alone(classes):
    first, again, other = (
        NullLearner().measure(p, [], segmentation(classes), size)["confusion"]
        for p, size in (
            (program(), 2),
            (replace(program(), params={"x": 1}), 9),
            (program("arch1"), 2),
        )
    )
    assert (first.dtype, first.shape) == (np.int64, (classes, classes))
    assert first.min() >= 0
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_qualities_spread_and_images_do_better_than_features():
    whole = program()
    decoder = split_graph(whole.graph, encoder_outputs(whole.graph))[1]

    def accuracy(graph, name):
        counts = NullLearner().measure(Program(graph, {}, name), [], segmentation(5), 2)[
            "confusion"
        ]
        return np.trace(counts) / counts.sum()

    found = [(accuracy(decoder, f"g{n}"), accuracy(whole.graph, f"g{n}")) for n in range(50)]
    firsts = np.array(found)[:, 0]
    assert all(first < second for first, second in found)
    assert firsts.min() < 0.35 < 0.6 < firsts.max()


@pytest.mark.parametrize("size", [(32, 32), (33, 47)])
def test_infer_gives_zeros_in_the_right_shapes(size):
    graph = program().graph
    head, tail = split_graph(graph, encoder_outputs(graph))
    shapes = infer_shapes(graph, size)
    maps = NullLearner().infer(Program(head, {}), {"image": np.ones((3, 3, *size))})
    assert {name: value.shape for name, value in maps.items()} == {
        name: (3, *shapes[name]) for name in encoder_outputs(graph)
    }
    (logits,) = NullLearner().infer(Program(tail, {}), maps).values()
    assert logits.shape == (3, *shapes[graph.outputs[0][1]])
    assert not logits.any()


def test_a_part_follows_the_one_before():
    learner, steps, recipe = NullLearner(), [], replace(RECIPE, epochs=3)
    given = program()
    found, state = learner.fit_part(given, [], recipe, 0, range(2), None, steps.append)
    assert found is given
    learner.fit_part(given, [], recipe, 0, range(2, 3), state, steps.append)
    assert [(step.step, step.steps) for step in steps] == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(ValueError, match="after 2 epochs, expected 1"):
        learner.fit_part(given, [], recipe, 0, range(1, 2), state)
