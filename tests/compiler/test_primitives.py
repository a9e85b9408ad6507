"""Every primitive's record says of it what its meaning in numpy does; and a user's own."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from auxnas.backends.base import ExportOptions
from auxnas.backends.registry import backend
from auxnas.backends.runtimes.reference import ReferenceRunner
from auxnas.compiler import (
    CompilerError,
    Program,
    infer_shapes,
    make_node,
    parse_graph,
    primitives,
)
from auxnas.compiler.primitives import OnnxOp, Primitive, add_primitive
from auxnas.compiler.primitives.activations import ACTIVATIONS
from auxnas.compiler.weights import initial_params, random_params
from auxnas.genotype import GenotypeError, Step, vocabulary
from auxnas.genotype.vocabulary import STEPS, step_of_file

SIZE = (9, 6)


class PrimitiveContract:
    """What holds for the primitive of ``line``, the text form of a node y that reads x."""

    @pytest.fixture
    def line(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def program(self, line):
        graph = parse_graph(f"x = input(; channels=4)\n{line}\nreturn out=y")
        return Program(graph, random_params(graph, 0))

    @staticmethod
    def maps(seed=0):
        return np.random.default_rng(seed).normal(size=(2, 4, *SIZE)).astype(np.float32)

    def test_the_shape_is_that_of_the_rule(self, program):
        found = ReferenceRunner(program)({"x": self.maps()})["out"]
        assert found.shape[1:] == infer_shapes(program.graph, SIZE)["y"]

    def test_its_properties_hold(self, program):
        record, run = program.graph["y"].record, ReferenceRunner(program)
        x = self.maps().astype(np.float64)
        out = run({"x": x})["out"]
        other = x.copy()
        other[:, :, 0, 0] *= -2
        changed = run({"x": other})["out"] != out
        if record.pointwise:
            assert not changed[:, :, 1:].any()
            assert not changed[:, :, :, 1:].any()
        if record.keeps_nonnegative:
            assert run({"x": np.abs(x)})["out"].min() >= 0
        if record.makes_nonnegative:
            assert out.min() >= 0
        assert changed.any() != record.constant

    def test_values_to_start_from_are_finite(self, program):
        found = initial_params(program.graph, 0)
        assert all(np.isfinite(value).all() for value in found.values())

    def test_torch_means_the_same(self, program):
        pytest.importorskip("torch")
        found = backend("runner", "torch")(program, "cpu")({"x": self.maps()})["out"]
        np.testing.assert_allclose(found, ReferenceRunner(program)({"x": self.maps()})["out"],
                                   rtol=1e-4, atol=1e-5)  # fmt: skip

    def test_onnx_means_the_same(self, program, tmp_path):
        options = ExportOptions(size=SIZE, batch=2)
        backend("exporter", "onnx")().export(program, tmp_path / "a.onnx", options, {})
        found = backend("runner", "ort")(tmp_path / "a.onnx")({"x": self.maps()})["out"]
        np.testing.assert_allclose(found, ReferenceRunner(program)({"x": self.maps()})["out"],
                                   rtol=1e-4, atol=1e-5)  # fmt: skip

    def test_a_pickled_graph_is_the_same(self, program):
        assert pickle.loads(pickle.dumps(program.graph)) == program.graph


class TestOurs(PrimitiveContract):
    @pytest.fixture(
        params=[
            "conv2d(x; kernel=3, out=2, bias=1) @p",
            "batch_norm(x) @p",
            "relu(x)",
            "relu6(x)",
            "clamp(x; low=100, high=900)",
            "sigmoid(x)",
            "hard_sigmoid(x)",
            "silu(x)",
            "hard_swish(x)",
            "gelu(x)",
            "max_pool(x; kernel=3)",
            "avg_pool(x; kernel=3, stride=2)",
            "avg_pool(x; kernel=2, stride=2)",
            "mul(x, x)",
            "global_mean(x)",
            "identity(x)",
            "softmax(x)",
            "zero(x)",
            "keypoints(x; stride=4)",
        ]
    )
    def line(self, request):
        return f"y = {request.param}"


@pytest.mark.parametrize("name", [record.name for record in ACTIVATIONS if not record.attrs])
@pytest.mark.parametrize("square", [0.25, 1.0, 4.0])
def test_the_mean_square_behind_an_activation_is_about_that_of_its_record(name, square):
    graph = parse_graph(f"x = input(; channels=1)\ny = {name}(x)\nreturn out=y")
    noise = np.random.default_rng(0).normal(0, square**0.5, (1, 1, 100, 100))
    found = np.square(ReferenceRunner(Program(graph, {}))({"x": noise})["out"]).mean()
    told = primitives.PRIMITIVES[name].moment({}, [square])
    assert found / 1.35 < told < found * 1.35


SCALE = Primitive(
    "own_scale",
    (1, 1),
    shape=lambda attrs, shapes: shapes[0],
    onnx=lambda attrs: OnnxOp("PRelu", ("0", "alpha")),
    attrs={"half": primitives.Attribute(least=0, default=0)},
    weights=lambda attrs, channels: {"alpha": primitives.Weight((channels[0], 1, 1), start=0.25)},
    compute=lambda node, operands, weights: np.where(
        operands[0] > 0, operands[0], operands[0] * weights["alpha"]
    ),
    torch=lambda node, channels: scale_module(channels[0]),
    pointwise=True,
)


def scale_module(channels):
    import torch

    class Scale(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.alpha = torch.nn.Parameter(torch.empty(channels, 1, 1, device="meta"))

        def forward(self, x):
            return torch.where(x > 0, x, x * self.alpha)

    return Scale()


@pytest.fixture
def own():
    """A primitive of a user's own, with a weight, while a test runs."""
    add_primitive(SCALE)
    yield "own_scale"
    for known in (primitives._known, vocabulary._steps, vocabulary._homes):
        known.pop("own_scale")


@pytest.mark.usefixtures("own")
class TestOwn(PrimitiveContract):
    @pytest.fixture
    def line(self):
        return "y = own_scale(x) @p"

    def test_weights_start_as_the_record_says(self, program):
        assert (initial_params(program.graph, 0)["p.alpha"] == 0.25).all()


CONTRACT = PrimitiveContract()


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        (
            {"shape": lambda attrs, shapes: (1, *shapes[0][1:])},
            CONTRACT.test_the_shape_is_that_of_the_rule,
        ),
        ({"makes_nonnegative": True}, CONTRACT.test_its_properties_hold),
        ({"constant": True}, CONTRACT.test_its_properties_hold),
        (
            {
                "compute": lambda node, operands, weights: (
                    operands[0] + operands[0].mean((2, 3), keepdims=True)
                )
            },
            CONTRACT.test_its_properties_hold,
        ),
        (
            {"compute": lambda node, operands, weights: -operands[0]},
            CONTRACT.test_torch_means_the_same,
        ),
    ],
    ids=["shape", "sign", "constant", "pointwise", "torch"],
)
def test_the_contract_finds_a_wrong_record(own, wrong, check):
    primitives._known[own] = replace(SCALE, **wrong)
    graph = parse_graph("x = input(; channels=4)\ny = own_scale(x) @p\nreturn out=y")
    with pytest.raises(AssertionError):
        check(Program(graph, random_params(graph, 0)))


def test_the_same_again_does_nothing_and_another_is_refused(own):
    add_primitive(SCALE)
    with pytest.raises(CompilerError, match="primitive 'own_scale': one with another pointwise"):
        add_primitive(replace(SCALE, pointwise=False))
    with pytest.raises(CompilerError, match="primitive 'relu': one with another"):
        add_primitive(replace(SCALE, name="relu"))
    assert primitives.PRIMITIVES[own].compute is SCALE.compute


def test_a_module_that_is_run_twice_adds_the_same():
    text = (
        "add(Primitive('twice', (1, 1), shape=lambda attrs, shapes: shapes[0],"
        " onnx=lambda attrs: OnnxOp('Abs', ('0',)), compute=lambda n, o, w: abs(o[0])))"
    )
    scope = {"add": add_primitive, "Primitive": Primitive, "OnnxOp": OnnxOp, "__name__": "twice"}
    try:
        exec(text, scope)
        exec(text, dict(scope))
        with pytest.raises(CompilerError, match="another compute"):
            exec(text.replace("abs(o[0])", "-o[0]"), scope)
    finally:
        for each in (primitives._known, vocabulary._steps, vocabulary._homes):
            each.pop("twice", None)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (None, "primitive: None, expected a Primitive"),
        (replace(SCALE, compute=None), "expected a Primitive with compute"),
        (replace(SCALE, name="a b"), "primitive.name: 'a b', expected letters"),
    ],
)
def test_what_is_none_is_refused(record, message):
    with pytest.raises(CompilerError, match=message):
        add_primitive(record)


def test_steps_of_it_are_checked_and_pickled(own):
    step = Step(own, (("half", 1),))
    assert STEPS[own] == {"half": 0}
    assert pickle.loads(pickle.dumps(step)) == step
    assert vocabulary._homes[own] == __name__
    with pytest.raises(GenotypeError, match="at least 0"):
        Step(own, (("half", -1),))


def test_a_file_may_tell_of_a_primitive_that_is_not_known():
    step = step_of_file("nowhere", (("a", 1),))
    assert (step.op, step.attrs) == ("nowhere", (("a", 1),))
    assert pickle.loads(pickle.dumps(step)) == step
    for op, attrs in (("", ()), ("a b", ()), ("nowhere", ((1, 2),)), ("relu", (("a", 1),))):
        with pytest.raises(GenotypeError):
            step_of_file(op, attrs)


def written_as(operator, opset=18):
    add_primitive(replace(SCALE, name="odd", onnx=lambda attrs: OnnxOp(operator, ("0", "alpha"))))
    try:
        graph = parse_graph("x = input(; channels=4)\ny = odd(x) @p\nreturn out=y")
        program, options = Program(graph, random_params(graph, 0)), ExportOptions(opset=opset)
        return backend("exporter", "onnx")(), program, options
    except CompilerError:
        raise AssertionError from None


@pytest.mark.parametrize(
    ("operator", "message"),
    [
        ("Nonsense", "y: odd is written as 'Nonsense', which ONNX lacks"),
        ("Gelu", "y: odd is written as Gelu, which is not in opset 18, expected opset 20 or more"),
    ],
)
def test_operators_that_onnx_lacks_are_named(operator, message, tmp_path):
    try:
        exporter, program, options = written_as(operator)
        with pytest.raises(CompilerError, match=message):
            exporter.export(program, tmp_path / "a.onnx", options, {})
    finally:
        for each in (primitives._known, vocabulary._steps, vocabulary._homes):
            each.pop("odd", None)


def test_one_without_a_form_in_torch_is_named(own):
    pytest.importorskip("torch")
    from auxnas.backends.torch.functions import form_of

    primitives._known[own] = replace(primitives._known[own], torch=None)
    with pytest.raises(CompilerError, match="y: primitive 'own_scale' has no form in torch"):
        form_of(make_node("y", own, ["x"], "p"))
    primitives._known[own] = replace(primitives._known[own], torch="torch.nn:NoSuchThing")
    with pytest.raises(CompilerError, match=r"y: torch: 'torch.nn:NoSuchThing' cannot be"):
        form_of(make_node("y", own, ["x"], "p"))
