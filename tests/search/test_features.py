"""Examples: the right rows, labels beside them, transforms in training only."""

import numpy as np
import pytest

from auxnas.backends.images import normalise
from auxnas.backends.null.learner import NullLearner
from auxnas.backends.progress import Silent
from auxnas.compiler import Program
from auxnas.search.examples.features import FeatureSource, feature_examples, subsample
from auxnas.search.examples.images import IMAGE, LABEL


class Averaging(NullLearner):
    """Puts each image's mean into its outputs, so that rows can be told apart."""

    def __init__(self):
        self.images = 0

    def infer(self, program, inputs):
        maps = super().infer(program, inputs)
        means = inputs[IMAGE].mean(axis=(1, 2, 3))
        self.images += len(means)
        return {name: value + means[:, None, None, None] for name, value in maps.items()}


@pytest.fixture
def source(place_of):
    place = place_of()
    return FeatureSource(
        learner=Averaging(),
        label="averaging",
        encoder=Program(place.model.encoder_graph, place.model.encoder_params, "encoder"),
        teacher=place.model.encoder.teacher,
        pixels=place.data.training.pixels,
        pixel_key="these",
        dtype="float32",
    )


TRAIN, VAL = (7, 1, 4), (2, 9)


def test_rows_labels_and_teacher_belong_together(source, tmp_path):
    train, val = feature_examples(source, TRAIN, VAL, tmp_path, Silent())
    for examples, places in ((train, TRAIN), (val, VAL)):
        assert len(examples) == len(places)
        chosen = [1, 0]
        batch = examples.batch(chosen, np.random.default_rng(0))
        rows = [places[index] for index in chosen]
        means = normalise(source.pixels.read(IMAGE, rows)).mean(axis=(1, 2, 3))
        assert set(batch.inputs) == set(source.outputs)
        for value in batch.inputs.values():
            assert value.dtype == np.float32
            np.testing.assert_allclose(value[:, 0, 0, 0], means, rtol=1e-6)
        np.testing.assert_array_equal(batch.labels, source.pixels.read(LABEL, rows))
    np.testing.assert_allclose(
        train.batch([2], None).teacher[0, 0, 0, 0],
        normalise(source.pixels.read(IMAGE, [TRAIN[2]])).mean(),
        rtol=1e-6,
    )
    assert val.batch([0], None).teacher is None


def test_computed_once_whoever_asks(source, tmp_path):
    for _ in range(2):
        feature_examples(source, TRAIN, VAL, tmp_path, Silent())
    assert source.learner.images == 2 * 5  # encoder and teacher


@pytest.mark.parametrize("field", ["label", "pixel_key", "dtype", "teacher", "encoder", "indices"])
def test_whatever_matters_is_part_of_the_name(source, field):
    from dataclasses import replace

    if field == "indices":
        assert source.key([1, 2]) != source.key([2, 1])
        return
    moved = Program(source.encoder.graph, {n: v + 1 for n, v in source.encoder.params.items()})
    change = {"teacher": None, "encoder": moved, "dtype": "float16"}.get(field, "else")
    assert replace(source, **{field: change}).key([1]) != source.key([1])


def test_images_are_transformed_in_training_only(place_of):
    place = place_of()
    data = place.data
    first, second = data.search_split
    train, val = data.examples(first, (0.5, 2.0)), data.examples(second)
    plain = train.batch([0, 1], None)
    pixels = place.data.training.pixels.read(IMAGE, train.indices[:2])
    np.testing.assert_array_equal(plain.inputs[IMAGE], normalise(pixels))
    first, again, other = (
        train.batch([0, 1], np.random.default_rng(seed)).inputs[IMAGE] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, plain.inputs[IMAGE])
    scored = val.batch([0], np.random.default_rng(1)).inputs[IMAGE]
    np.testing.assert_array_equal(scored, val.batch([0], None).inputs[IMAGE])
    assert set(train.indices).isdisjoint(val.indices)
    assert len(train) + len(val) == len(place.data.training.dataset)


def test_some_of_is_a_fixed_choice():
    assert subsample([5, 3, 9], 3) == (5, 3, 9)
    chosen = subsample(range(100), 10)
    assert chosen == subsample(range(100), 10)
    assert len(set(chosen)) == 10
    assert list(chosen) == sorted(chosen)
