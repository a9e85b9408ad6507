from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auxnas.compiler import CompilerError, ModelSpec, graph_weights, lower
from auxnas.compiler.weights import (
    OutputStart,
    fit_params,
    initial_params,
    load_weights,
    random_params,
    save_weights,
)
from auxnas.genotype import zoo
from auxnas.genotype.errors import short_repr
from tests.strategies import TINY

GRAPH = lower(zoo.load_published("arch0").genotype, TINY)
BIASES = (2.7,) * TINY.classes


@pytest.mark.parametrize("make", [initial_params, random_params])
def test_values_depend_on_seed_and_name_alone(make):
    first, again, other = make(GRAPH, 1), make(GRAPH, 1), make(GRAPH, 2)
    assert first.keys() == graph_weights(GRAPH).keys()
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)
    part = make(GRAPH.select(["main"]), 1)
    assert all(np.array_equal(part[name], first[name]) for name in part)


def test_initial_convolutions_are_xavier():
    value = initial_params(lower(zoo.load_published("arch0").genotype, ModelSpec()), 0)[
        "decoder.adapt3.conv.weight"
    ]
    bound = np.sqrt(6 / (320 + 64))
    assert 0.95 * bound < np.abs(value).max() <= bound


def test_biases_of_the_outputs_begin_where_it_is_said():
    graph = lower(zoo.load_published("arch0").genotype, replace(TINY, auxiliary="cell"))
    plain, begun = (initial_params(graph, 0, OutputStart(biases)) for biases in ((), BIASES))
    changed = {name for name in plain if not np.array_equal(plain[name], begun[name])}
    assert len(changed) == len(graph.outputs) > 1
    for name in changed:
        assert name.endswith(".bias")
        np.testing.assert_array_equal(begun[name], np.float32(BIASES))


def test_outputs_begin_as_large_as_it_is_said():
    graph = lower(zoo.load_published("arch0").genotype, replace(TINY, auxiliary="cell"))
    plain, begun = (initial_params(graph, 0, OutputStart(scale=scale)) for scale in (1.0, 0.02))
    changed = {name for name in plain if not np.array_equal(plain[name], begun[name])}
    assert len(changed) == len(graph.outputs) > 1
    for name in changed:
        np.testing.assert_allclose(begun[name], 0.02 * plain[name], rtol=1e-6)


def test_files_round_trip(tmp_path):
    params = random_params(GRAPH, 0)
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
    params = random_params(GRAPH, 0)
    name = next(iter(params))
    assert fit_params(GRAPH, params | {"spare": np.zeros(3)}, "f").keys() == params.keys()
    for value, message in [
        (np.zeros(3), "shape"),
        (np.full_like(params[name], np.nan), "NaN or infinity"),
        (np.full_like(params[name], np.inf), "NaN or infinity"),
    ]:
        with pytest.raises(CompilerError, match=f"f: {name}: {message}"):
            fit_params(GRAPH, params | {name: value}, "f")
    del params[name]
    with pytest.raises(CompilerError, match=f"f: {name}: missing") as error:
        fit_params(GRAPH, params, "f")
    assert "another network" not in str(error.value)  # most of it is there
    with pytest.raises(CompilerError, match=r"begin with stem\.weight: of another network\?"):
        fit_params(GRAPH, {"stem.weight": np.zeros(3), "spare": np.zeros(3)}, "f")


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


def raw_file(path, header, data=b"", length=None):
    """A safetensors file by hand."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = len(text) if length is None else length
    path.write_bytes(size.to_bytes(8, "little") + text + data)


@given(st.lists(st.floats(width=16, allow_nan=False), min_size=1, max_size=20))
def test_bfloat16_is_read_exactly(tmp_path_factory, numbers):
    path = tmp_path_factory.mktemp("w") / "w.safetensors"
    upper = np.float32(numbers).view("<u4") >> 16
    entries = {
        "a.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        "b": {
            "dtype": "BF16",
            "shape": [len(numbers), 1],
            "data_offsets": [4, 4 + 2 * len(numbers)],
        },
    }
    raw_file(path, entries, np.float32([7]).tobytes() + upper.astype("<u2").tobytes())
    found, _ = load_weights(path)
    assert found["b"].dtype == np.float32
    assert np.array_equal(found["b"][:, 0], (upper << 16).astype("<u4").view("<f4"))
    assert found["a.weight"] == 7


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file, expected the whole file: fetch it again"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
            "a Git LFS pointer, expected",
        ),
        (b"\n<!DOCTYPE html>\n<p>", "a web page, expected the file itself"),
        (b"\x89HDF" * 9, "unreadable .*, expected a safetensors file or a state dict"),
    ],
)
def test_what_stands_in_place_of_weights_is_named(tmp_path, content, found):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(CompilerError, match=f"w.pth: {found}"):
        load_weights(tmp_path / "w.pth")


def test_an_owner_of_some_of_the_names_is_part_of_them(tmp_path):
    save_weights(tmp_path / "w", {"model.a": np.zeros(1), "b": np.ones(1)}, {})
    assert load_weights(tmp_path / "w")[0].keys() == {"model.a", "b"}
    save_weights(tmp_path / "w", {"model": np.zeros(1)}, {})
    assert load_weights(tmp_path / "w")[0].keys() == {"model"}


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "module._orig_mod.module.", "model.", "backbone.module."]
)
def test_what_wrappers_put_before_names_is_taken_off(tmp_path, prefix):
    params = random_params(GRAPH, 0)
    save_weights(tmp_path / "w", {prefix + name: value for name, value in params.items()}, {})
    found, _ = load_weights(tmp_path / "w")
    assert found.keys() == params.keys()
    save_weights(tmp_path / "w", {"module.a": np.zeros(1), "a": np.zeros(1)}, {})
    with pytest.raises(CompilerError, match="a: twice, once wrapped"):
        load_weights(tmp_path / "w")


@pytest.mark.parametrize(
    ("header", "data", "length", "message"),
    [
        ({}, b"", 2**63, "header ?too ?large"),
        ({}, b"", 10**8 + 1, "header ?too ?large"),
        (b"[1]", b"", None, "unreadable"),
        (b'{"a":' * 50_000, b"", None, "unreadable"),
        ({"a": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}, b"1", None, "F8_E4M3"),
        (
            {"a": {"dtype": "C64", "shape": [1], "data_offsets": [0, 8]}},
            bytes(8),
            None,
            "C64|unread",
        ),
        ({"a": {"dtype": "F32", "shape": [2**63], "data_offsets": [0, 4]}}, b"1234", None, "a"),
        ({"a": {"dtype": "BF16", "shape": [0, 2**62], "data_offsets": [0, 0]}}, b"", None, "a"),
        ({"__metadata__": {"a": "\ud800"}}, b"", None, "unreadable"),
    ],
    ids=short_repr,
)
def test_files_that_no_library_writes_are_one_line(tmp_path, header, data, length, message):
    """The library's words for some of them are another in each version."""
    raw_file(tmp_path / "w.safetensors", header, data, length)
    with pytest.raises(CompilerError, match=r"w\.safetensors") as error:
        load_weights(tmp_path / "w.safetensors")
    assert re.search(message, str(error.value), re.I)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("field", ["classes", "agg_size", "sep_repeats", "width"])
@pytest.mark.parametrize(
    "value", [2**63, 1 << 10**5, -1, 0, float("nan"), True, "1"], ids=short_repr
)
def test_a_model_out_of_range_is_refused_before_it_is_built(field, value):
    if (field, value) != ("width", True):
        with pytest.raises(CompilerError, match=f"{field}: .*, expected a"):
            ModelSpec.from_dict({field: value})


def test_more_parameters_than_memory_holds_are_refused_before_they_are_made(monkeypatch):
    spec = ModelSpec(agg_size=4096, sep_repeats=64)
    graph = lower(zoo.load_published("arch0").genotype, spec)
    monkeypatch.setattr(np.random, "default_rng", lambda *_: pytest.fail("made"))
    for make in (initial_params, random_params):
        with pytest.raises(CompilerError, match=r"network: [\d,]+ parameters, expected at most"):
            make(graph, 0)
