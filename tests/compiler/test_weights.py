from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auxnas.compiler import CompilerError, ModelSpec, graph_weights, lower
from auxnas.compiler.weights import fit, initial, load_weights, randomised, save_weights
from auxnas.genotype import zoo
from tests.strategies import TINY

GRAPH = lower(zoo.load("arch0").genotype, TINY)


@pytest.mark.parametrize("make", [initial, randomised])
def test_values_depend_on_seed_and_name_alone(make):
    first, again, other = make(GRAPH, 1), make(GRAPH, 1), make(GRAPH, 2)
    assert first.keys() == graph_weights(GRAPH).keys()
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)
    part = make(GRAPH.select(["main"]), 1)
    assert all(np.array_equal(part[name], first[name]) for name in part)


def test_initial_convolutions_are_xavier():
    value = initial(lower(zoo.load("arch0").genotype, ModelSpec()), 0)["decoder.adapt3.conv.weight"]
    bound = np.sqrt(6 / (320 + 64))
    assert 0.95 * bound < np.abs(value).max() <= bound


def test_files_round_trip(tmp_path):
    params = randomised(GRAPH, 0)
    path = tmp_path / "w.safetensors"
    save_weights(path, params, {"model": TINY.to_dict(), "name": "arch0"})
    values, metadata = load_weights(path)
    assert all(np.array_equal(values[name], params[name]) for name in params)
    assert metadata["name"] == '"arch0"'
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "missing"])
def test_a_damaged_file_is_one_clear_line(tmp_path, damage):
    path = tmp_path / "w.safetensors"
    save_weights(path, {"a": np.zeros(100)}, {})
    data = path.read_bytes()
    whole = {"truncated": data[:200], "garbage": b"\xff" * 300, "empty": b""}
    path.unlink() if damage == "missing" else path.write_bytes(whole[damage])
    with pytest.raises(CompilerError, match=r"w\.safetensors: ") as error:
        load_weights(path)
    assert "\n" not in str(error.value)


def test_fit_names_the_first_parameter_that_does_not_fit():
    params = randomised(GRAPH, 0)
    name = next(iter(params))
    assert fit(GRAPH, params | {"spare": np.zeros(3)}, "f").keys() == params.keys()
    for value, message in [
        (np.zeros(3), "shape"),
        (np.full_like(params[name], np.nan), "NaN or infinity"),
        (np.full_like(params[name], np.inf), "NaN or infinity"),
    ]:
        with pytest.raises(CompilerError, match=f"f: {name}: {message}"):
            fit(GRAPH, params | {name: value}, "f")
    del params[name]
    with pytest.raises(CompilerError, match=f"f: {name}: missing"):
        fit(GRAPH, params, "f")


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.text(max_size=9), st.text(max_size=9) | st.integers(), max_size=8))
def test_equal_contents_are_equal_bytes_that_the_library_reads(tmp_path_factory, metadata):
    folder = tmp_path_factory.mktemp("weights")
    params = {"b.weight": np.arange(6.0).reshape(2, 3), "a": np.float32([7]), "c": np.zeros((0, 2))}
    for name, order in (("one", 1), ("other", -1)):
        swapped = (dict([*found.items()][::order]) for found in (params, metadata))
        save_weights(folder / name, *swapped)
    assert (folder / "one").read_bytes() == (folder / "other").read_bytes()
    values, found = load_weights(folder / "one")
    assert {key: json.loads(text) for key, text in found.items()} == metadata
    for name, value in params.items():
        np.testing.assert_array_equal(values[name], value)
        assert values[name].dtype == value.dtype
