"""Models that would take more memory than a network may are refused before anything is made."""

import tracemalloc

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from auxnas.backends.artefacts import memory
from auxnas.backends.artefacts.artefact import open_artefact
from auxnas.backends.artefacts.bench import example_inputs
from auxnas.backends.artefacts.memory import peak_bytes
from auxnas.backends.artefacts.onnx_memory import needed_bytes
from auxnas.backends.base import ExportOptions
from auxnas.backends.onnx.build import build
from auxnas.compiler import CompilerError, ModelSpec, Program, cost, lower
from auxnas.compiler.weights import random_params
from auxnas.genotype import zoo


def numbers(name, *values, kind=np.int64):
    return numpy_helper.from_array(np.array(values, kind), name)


def declared(name, *dims, data=b"1234"):
    """An array that says to be of other sizes than its bytes."""
    return TensorProto(name=name, data_type=TensorProto.FLOAT, dims=dims, raw_data=data)


def model(nodes=(("Identity", ["x"], "y"),), arrays=(), shape=(1, 3, 8, 8)):
    made = [
        helper.make_node(op, reads, [writes], **(rest[0] if rest else {}))
        for op, reads, writes, *rest in nodes
    ]
    graph = helper.make_graph(
        made,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        arrays,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


SUM = ("ReduceSum", ["big"], "y", {"keepdims": 0})
GIANTS = {
    "input": model(shape=(1, 3, 2**40, 2**40)),
    "filled": model([("ConstantOfShape", ["s"], "big"), SUM], [numbers("s", 10**5, 10**5)]),
    "product": model(
        [("Mul", ["s", "s"], "s2"), ("ConstantOfShape", ["s2"], "big"), SUM],
        [numbers("s", 300, 300)],
    ),
    "tiled": model([("Tile", ["x", "s"], "big"), SUM], [numbers("s", 1, 1, 9**5, 9**5)]),
    "expanded": model(
        [("Expand", ["x", "s"], "big"), SUM], [numbers("s", 10**9, 3, 8, 8)], (1, 3, 1, 1)
    ),
    "padded": model(
        [("Pad", ["x", "s"], "big"), SUM], [numbers("s", 0, 0, 0, 0, 0, 0, 10**5, 10**5)]
    ),
    "resized": model(
        [("Resize", ["x", "", "s"], "big"), SUM], [numbers("s", 1, 1, 9e3, 9e3, kind=np.float32)]
    ),
    "range": model(
        [("Range", ["a", "b", "c"], "r"), ("Cast", ["r"], "big", {"to": 1}), SUM],
        [
            helper.make_tensor(name, TensorProto.INT64, [], [value])
            for name, value in {"a": 0, "b": 10**11, "c": 1}.items()
        ],
    ),
    "constant": model(
        [("Constant", [], "big", {"value": declared("", 2**40)}), SUM],
    ),
}


@pytest.mark.parametrize("name", GIANTS)
def test_giants_are_refused_without_being_made(tmp_path, name):
    path = tmp_path / "m.onnx"
    path.write_bytes(GIANTS[name].SerializeToString())
    opened = open_artefact(path)
    tracemalloc.start()
    with pytest.raises(CompilerError, match=r"m\.onnx: .*GB, expected at most .*GB"):
        example_inputs(opened)
    if name != "input":
        with pytest.raises(CompilerError, match=r"m\.onnx: values that take .*GB"):
            opened.runner()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1 << 24


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (model(shape=(1, 3, -5, 8)), "x: a side of -5"),
        (model(shape=(1,) * 100), "x: 100 axes"),
        (model([("Add", ["x", "w"], "y")], [declared("w", 2**40, 2**40)]), "w: an array of 1099"),
        (model([("Add", ["x", "w"], "y")], [declared("w", -4)]), "w: a side of -4"),
    ],
)
def test_impossible_shapes_are_named(tmp_path, made, message):
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(CompilerError) as caught:
        open_artefact(tmp_path / "m.onnx")
    assert f"m.onnx: {message}" in str(caught.value)


def hiding():
    """Models of which the part that takes memory is no node or array of their graph."""
    body = helper.make_graph(
        [helper.make_node("ConstantOfShape", ["s"], ["z"])],
        "body",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
    )
    giant = [numbers("s", 10**5, 10**5), numbers("c", True, kind=bool)]
    branches = {"then_branch": body, "else_branch": body}
    yield "If", model([("If", ["c"], "big", branches), SUM], giant)
    yield "Loop", model([("Loop", ["", "c"], "big", {"body": body}), SUM], giant)
    yield "Bodies", model([("Bodies", ["x"], "y", {"bodies": [body]})])
    called = model([("Call", ["s"], "big", {"domain": "own"}), SUM], giant)
    opset = helper.make_opsetid("", 18)
    called.functions.append(helper.make_function("own", "Call", ["s"], ["z"], body.node, [opset]))
    yield "a function, 'Call'", called
    one = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    at = helper.make_tensor("i", TensorProto.INT64, [1], [3])
    sparse = helper.make_sparse_tensor(one, at, [10**5, 10**5])
    yield "Constant", model([("Constant", [], "big", {"sparse_value": sparse}), SUM])
    stored = model([("ReduceSum", ["w"], "y", {"keepdims": 0})])
    stored.graph.sparse_initializer.append(sparse)
    yield "a sparse array", stored


HIDING = dict(hiding())


@pytest.mark.parametrize("found", HIDING)
def test_what_would_run_unjudged_is_refused_at_opening(tmp_path, found):
    (tmp_path / "m.onnx").write_bytes(HIDING[found].SerializeToString())
    with pytest.raises(CompilerError, match=rf"m\.onnx: {found}.*, expected one plain graph"):
        open_artefact(tmp_path / "m.onnx")


def test_an_open_size_is_judged_as_it_is_asked_for(tmp_path):
    made = model([("Tile", ["x", "s"], "y")], [numbers("s", 1, 1, 4, 4)], (1, 3, "H", "W"))
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    opened = open_artefact(tmp_path / "m.onnx")
    assert example_inputs(opened, (64, 64))["x"].shape == (1, 3, 64, 64)
    with pytest.raises(CompilerError, match="values that take"):
        example_inputs(opened, (9000, 9000))


def test_devices_are_no_models():
    with pytest.raises(CompilerError, match="/dev/zero: a device or pipe"):
        open_artefact("/dev/zero")


def test_our_own_networks_need_what_their_cost_says():
    graph = lower(zoo.load_published("arch0").genotype, ModelSpec(classes=3, width=0.1, agg_size=8))
    made = build(Program(graph, random_params(graph, 0)), ExportOptions((64, 64)), {})
    weights = sum(each.ByteSize() for each in made.graph.initializer)
    found = needed_bytes(onnx.ModelProto.FromString(made.SerializeToString()), {}, "m")
    assert found == pytest.approx(cost(graph, (64, 64)).peak_bytes + weights, rel=0.5)


def test_the_peak_is_of_what_lives_together():
    steps = [(["x"], ["a"]), (["a"], ["b"]), (["b"], ["y"])]
    sizes = {"x": 1, "a": 100, "b": 10, "y": 1000, "w": 10_000}
    assert peak_bytes(steps, sizes) == 10_000 + 1010
    assert peak_bytes([*steps, (["a"], ["z"])], sizes) == 10_000 + 1110
    assert peak_bytes([], {}) == 0


def test_there_may_be_less_than_the_most(monkeypatch, tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   2048 kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    assert memory.available_bytes() == 2 << 20
    with pytest.raises(CompilerError, match=r"at most 0\.0 GB"):
        memory.check_memory("f", 3 << 20, "maps")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "absent")
    assert memory.available_bytes() == memory.MOST
