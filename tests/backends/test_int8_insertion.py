"""Int8's own Q/DQ nodes against onnxruntime's tool; ranges, ranking and early answers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from auxnas.backends.int8.choosing import open_model
from auxnas.backends.int8.insertion import (
    ONNXRUNTIME,
    SMALL_WEIGHTS,
    TENSORRT,
    insert_quantisation,
)
from auxnas.backends.int8.layers import Layer, quantisable_layers
from auxnas.backends.int8.measuring import HeldOutView, Judge
from auxnas.backends.int8.ranges import METHODS, observe_maps
from auxnas.backends.int8.ranking import Ranking
from auxnas.backends.int8.rounding import mean_shift, rounded_weights
from auxnas.compiler import CompilerError
from auxnas.compiler.tasks import Segmentation
from tests.backends.test_int8 import chain, model_of

SIGNED = {
    "ActivationSymmetric": True,
    "WeightSymmetric": True,
    "AddQDQPairToWeight": True,
    "DedicatedQDQPair": True,
    "QuantizeBias": False,
    "OpTypesToExcludeOutputQuantization": ["Conv"],
}
FORMS = {
    "onnxruntime": (ONNXRUNTIME, QuantType.QUInt8, {}),
    "small weights": (SMALL_WEIGHTS, QuantType.QUInt8, {}),
    "tensorrt": (TENSORRT, QuantType.QInt8, SIGNED),
}


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return onnx.shape_inference.infer_shapes(model_of(chain()))


@pytest.fixture(scope="module")
def feeds() -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [{"image": rng.normal(size=(1, 3, 64, 64)).astype(np.float32)} for _ in range(5)]


def ranges_of(model, feeds):
    return observe_maps(model, feeds, len(feeds), lambda done: None).ranges


def by_the_tool(model, ranges, layers, form) -> onnx.ModelProto:
    own, kind, settings = FORMS[form]
    values = {name: tuple(map(np.float32, ends)) for name, ends in ranges.items()}
    arrays = {name: tuple(np.array(end) for end in ends) for name, ends in values.items()}
    found = onnx.ModelProto()
    found.CopyFrom(model)
    names = [node for layer in layers for node in layer.nodes]
    data = TensorsData(CalibrationMethod.MinMax, arrays)
    operators, reduced = list(own.operators), own.largest == 64
    tool = QDQQuantizer(
        found, True, reduced, QuantType.QInt8, kind, data, names, [], operators, settings
    )
    tool.quantize_model()
    tool.model.topological_sort()
    return tool.model.model


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("some", [slice(None), slice(2, 3), slice(0, None, 2), slice(4, 8)])
def test_the_tool_gives_the_same_network_to_the_bit(model, feeds, form, some):
    ranges = ranges_of(model, feeds)["percentile"]
    layers = quantisable_layers(model, FORMS[form][0].operators)[some]
    own = insert_quantisation(model, ranges, layers, FORMS[form][0])
    expected = by_the_tool(model, ranges, layers, form)
    onnx.checker.check_model(own, full_check=True)
    for found, wanted in ((own, expected), (expected, own)):
        constants = {x.name: onnx.numpy_helper.to_array(x) for x in found.graph.initializer}
        others = {x.name: onnx.numpy_helper.to_array(x) for x in wanted.graph.initializer}
        assert all(np.array_equal(value, others[name]) for name, value in constants.items())
    kinds = [Counter(n.op_type for n in each.graph.node) for each in (own, expected)]
    assert kinds[0] == kinds[1]
    outputs = [open_model(each)(feeds[0])["main"] for each in (own, expected)]
    assert np.array_equal(*outputs)


def test_biases_that_32_bits_would_not_hold_widen_the_steps_of_their_weights(model, feeds):
    huge = onnx.ModelProto()
    huge.CopyFrom(model)
    place = next(n for n, x in enumerate(huge.graph.initializer) if x.name == "conv1.bias")
    values = onnx.numpy_helper.to_array(huge.graph.initializer[place]) + np.float32(1e7)
    huge.graph.initializer[place].CopyFrom(onnx.numpy_helper.from_array(values, "conv1.bias"))
    layers, ranges = quantisable_layers(model), ranges_of(model, feeds)["minmax"]
    found = [insert_quantisation(each, ranges, layers) for each in (model, huge)]
    scales = [
        onnx.numpy_helper.to_array(x)
        for each in found
        for x in each.graph.initializer
        if x.name == "conv1.weight_scale"
    ]
    assert (scales[1] > scales[0]).all()
    by = {x.name: x for x in by_the_tool(huge, ranges, layers, "onnxruntime").graph.initializer}
    assert np.allclose(scales[1], onnx.numpy_helper.to_array(by["conv1.weight_scale"]), rtol=1e-6)


FILTERS = {"pointwise": (5, 12, 1, 1), "depthwise": (12, 1, 3, 3), "grouped": (8, 3, 3, 3)}


@pytest.mark.parametrize("shape", FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("largest", [127, 64])
def test_rounding_keeps_the_mean_of_each_channel(shape, seed, largest):
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=shape) * largest / 3
    steps = np.clip(steps, -largest, largest)
    means = np.abs(rng.normal(size=12)) * rng.integers(0, 2, 12) if seed % 2 else np.ones(12)
    nearest, kept = rounded_weights(steps, largest), rounded_weights(steps, largest, means)
    assert np.array_equal(nearest, steps.round())
    assert (np.abs(kept - steps) < 1).all()
    assert np.abs(kept).max() <= largest
    worse, better = (np.abs(mean_shift(found - steps, means)) for found in (nearest, kept))
    assert (better <= worse + 1e-9).all()
    assert better.max() <= means.max() / 2 + 1e-9  # of a step, whatever the number of weights
    assert better.sum() < worse.sum() or worse.max() <= means.max() / 2


def test_weights_nearly_halfway_go_the_other_way_none_past_the_largest():
    halfway = np.array([0.3, 0.3, 0.45, -0.4]).reshape(1, 4, 1, 1)
    assert rounded_weights(halfway, 127, np.ones(4)).ravel().tolist() == [0, 0, 1, 0]
    full = np.array([127.0] + [0.3] * 100).reshape(1, 101, 1, 1)
    means = np.array([10.0] + [1.0] * 100)
    found = rounded_weights(full, 127, means).ravel()
    assert (found[0], found[1:].sum()) == (127, 30)


def test_the_mean_that_a_convolution_computes_is_what_it_was(model, feeds):
    """Whatever is left of its weights' errors is in its biases."""
    observed = observe_maps(model, feeds, len(feeds), lambda done: None)
    made = insert_quantisation(
        model, observed.ranges["minmax"], quantisable_layers(model), means=observed.means
    )
    old, new = (
        {x.name: onnx.numpy_helper.to_array(x) for x in each.graph.initializer}
        for each in (model, made)
    )
    convolutions = [n for n in model.graph.node if n.op_type == "Conv" and n.name != "conv0"]
    assert len(convolutions) == 5
    for node in convolutions:
        source, weight, bias = node.input
        scale = new[f"{weight}_scale"].reshape(-1, 1, 1, 1).astype(np.float64)
        shift = mean_shift(new[f"{weight}_quantized"] * scale - old[weight], observed.means[source])
        step = new[f"{bias}_quantized_scale"].astype(np.float64)
        moved = new[f"{bias}_quantized"] * step - old[bias]
        assert np.abs(shift).max() > step.max()
        assert (np.abs(moved + shift) <= step).all()


def test_means_are_those_of_all_photographs_to_the_bit(model, feeds):
    first, again = (observe_maps(model, feeds, len(feeds), lambda done: None) for _ in range(2))
    images = np.concatenate([feed["image"] for feed in feeds])
    assert np.allclose(first.means["image"], images.mean((0, 2, 3)), atol=1e-7)
    assert first.means.keys() == {n.input[0] for n in model.graph.node if n.op_type == "Conv"}
    assert all(np.array_equal(value, again.means[name]) for name, value in first.means.items())


def test_ranges_are_quantiles_of_all_values_whatever_the_order(model, feeds, monkeypatch):
    monkeypatch.setattr("auxnas.backends.int8.ranges.METHODS", {"minmax": 0.0, "some": 0.02})
    found, again = ranges_of(model, feeds), ranges_of(model, feeds[::-1])
    assert found == again
    maps = np.concatenate([np.sort(feed["image"].ravel()) for feed in feeds])
    values = np.sort(maps)
    cut = int(0.01 * len(values))
    assert found["minmax"]["image"] == (values[0], values[-1])
    assert found["some"]["image"] == (values[cut], values[-cut - 1])
    assert set(METHODS) == {"minmax", "percentile"}


def test_values_that_are_no_numbers_are_named(model, feeds):
    broken = {"image": np.full((1, 3, 64, 64), np.nan, np.float32)}
    with pytest.raises(CompilerError, match="image: values that are no numbers"):
        ranges_of(model, [broken, *feeds])


def test_the_ranking_is_by_damage_and_measures_what_it_must():
    layers = [Layer(str(n), ()) for n in range(64)]
    harm = dict.fromkeys(map(str, range(64)), 1e-3) | {"17": 3.0, "18": 5.0, "60": 4.0}
    measured: list[int] = []

    def damage(group):
        return sum(harm[layer.name] ** 2 for layer in group) ** 0.5

    ranking = Ranking(layers, damage, measured.append)
    assert [layer.name for layer in ranking.first(3)] == ["18", "60", "17"]
    assert measured == list(range(1, len(measured) + 1))
    assert len(measured) < 24
    assert {layer.name for layer in ranking.first(99)} == set(harm)


def test_among_many_layers_groups_are_not_taken_apart():
    """Neighbours cost less in float together, and need not be measured one by one."""
    layers = [Layer(str(n), ()) for n in range(64)]
    measured: list[int] = []
    ranking = Ranking(layers, lambda group: len(group) + (layers[9] in group), measured.append)
    chosen = ranking.first(32)
    assert len(chosen) == 32
    assert len(measured) <= 24
    places = sorted(map(layers.index, chosen))
    assert 9 in places
    assert all(set(range(n - n % 4, n - n % 4 + 4)) <= set(places) for n in places)


def test_what_is_past_the_limit_whatever_comes_is_not_run():
    expected = np.zeros((1, 2, 10, 10), np.float32)
    expected[:, 0] = 1
    feeds = [{"image": np.array(n)} for n in range(4)]
    judge = Judge([HeldOutView((10, 10), feeds, [expected] * 4)], [], Segmentation())
    run: list[int] = []

    def half_wrong(feed):
        run.append(int(feed["image"]))
        output = expected.copy()
        output[:, 1, :5] = 2
        return {"main": output}

    assert judge.drops(half_wrong, 0.2) == {(10, 10): 0.25}
    assert run == [0, 1]
    assert judge.drops(half_wrong, 0.5) == judge.drops(half_wrong) == {(10, 10): 0.5}
