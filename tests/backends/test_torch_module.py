"""Programs as torch modules, against the float64 reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from auxnas.backends.runtimes.reference import ReferenceRunner
from auxnas.backends.torch import TorchRunner, build_module, functions, module_params
from auxnas.backends.torch.functions import FUNCTIONS, MODULES
from auxnas.compiler import (
    PRIMITIVES,
    CompilerError,
    Graph,
    ModelSpec,
    Node,
    Program,
    encoder_outputs,
    infer_shapes,
    lower,
    lower_refinenet,
    make_node,
    parse_graph,
    split_graph,
)
from auxnas.compiler.weights import initial_params, random_params
from auxnas.genotype import SearchSpace
from tests.strategies import PAPER, TINY, genotypes, program

ARCH0 = SearchSpace.cvpr2019().genotype(
    (3, 3, 3, 2, 3, 0, 8, 0, 0, 5, 2, 0, 2, 8, 8, 0, 5, 1, 4)
)  # fmt: skip

LINES = {
    "vector": "v = vector(; channels=4) @v\ns = spread(v, x)\ny = add(x, s)",
    "conv2d": "y = conv2d(x; kernel=5, out=6, stride=2, dilation=3, groups=2, bias=1) @p.q",
    "deconv2d": "y = deconv2d(x; kernel=4, out=6, stride=2, bias=1) @p.q",
    "batch_norm": "y = batch_norm(x) @p.0",
    "relu": "y = relu(x)",
    "relu6": "y = relu6(x)",
    "clamp": "y = clamp(x; low=100, high=900)",
    "max_pool": "y = max_pool(x; kernel=5, stride=2)",
    "sigmoid": "y = sigmoid(x)",
    "hard_sigmoid": "y = hard_sigmoid(x)",
    "silu": "y = silu(x)",
    "hard_swish": "y = hard_swish(x)",
    "gelu": "y = gelu(x)",
    "avg_pool": "y = avg_pool(x; kernel=2, stride=2)",
    "global_mean": "y = global_mean(x)",
    "spread": "m = global_mean(x)\ny = spread(m, x)",
    "resize": "s = max_pool(x; kernel=3, stride=3)\ny = resize(s, x)",
    "resize_corners": "s = max_pool(x; kernel=3, stride=3)\ny = resize_corners(s, x)",
    "add": "r = relu(x)\ny = add(x, r, x)",
    "mul": "m = global_mean(x)\ns = sigmoid(m)\ny = mul(x, s)",
    "concat": "r = relu(x)\ny = concat(x, r, x)",
    "softmax": "y = softmax(x)",
    "argmax": "y = argmax(x)",
    "keypoints": "y = keypoints(x; stride=4)",
    "identity": "y = identity(x)",
    "zero": "y = zero(x)",
}


def made(text: str) -> Program:
    graph = parse_graph(text)
    return Program(graph, random_params(graph, 0), "test")


def images(graph: Graph, size=(33, 47), count=2, seed=0) -> dict[str, np.ndarray]:
    shapes = infer_shapes(graph, size)
    rng = np.random.default_rng(seed)
    return {
        node.name: (3 * rng.normal(size=(count, *shapes[node.name]))).astype(np.float32)
        for node in graph.inputs
    }


def error(program: Program, run, size=(33, 47)) -> float:
    """Largest difference from the reference, relative to each output's own scale."""
    inputs = images(program.graph, size)
    expected, found = ReferenceRunner(program)(inputs), run(inputs)
    assert found.keys() == expected.keys()
    errors = [0.0]
    for name, truth in expected.items():
        assert found[name].shape == truth.shape
        assert found[name].dtype == (np.uint8 if truth.dtype == np.uint8 else np.float32)
        errors.append(
            np.abs(found[name] - truth.astype(float)).max() / max(np.abs(truth).max(), 1e-6)
        )
    return max(errors)


def test_every_primitive_has_exactly_one_form():
    assert FUNCTIONS.keys() | MODULES.keys() == PRIMITIVES.keys() - {"input"}
    assert not FUNCTIONS.keys() & MODULES.keys()
    assert MODULES.keys() == {n for n, p in PRIMITIVES.items() if p.weights is not None}
    assert LINES.keys() == PRIMITIVES.keys() - {"input"}


@pytest.mark.parametrize("op", LINES)
@pytest.mark.parametrize("size", [(33, 47), (1, 1), (8, 3)])
def test_primitive_equals_the_reference(op, size):
    subject = made(f"x = input(; channels=4)\n{LINES[op]}\nreturn out=y")
    assert error(subject, TorchRunner(subject, "cpu"), size) < 1e-5


@pytest.mark.parametrize("op", sorted(LINES.keys() - {"identity"}))
def test_the_comparison_finds_a_primitive_left_out(op):
    subject = made(f"x = input(; channels=4)\n{LINES[op]}\nreturn out=y")
    mutant = TorchRunner(subject, "cpu")
    call = [n for n in mutant.module.graph.nodes if n.op.startswith("call")][-1]
    call.op, call.target = "call_function", lambda x, *rest, **attrs: x
    mutant.module.recompile()
    inputs = images(subject.graph)
    truth, wrong = ReferenceRunner(subject)(inputs)["out"], mutant(inputs)["out"]
    assert wrong.shape != truth.shape or np.abs(wrong - truth).max() > 1e-2


@settings(max_examples=8)
@given(genotypes())
def test_networks_equal_the_reference(genotype):
    subject = program(genotype)
    assert error(subject, TorchRunner(subject, "cpu")) < 1e-4


def test_batch_norm_statistics_matter():
    subject = program(ARCH0)
    stale = {n: v * 0 if n.endswith("running_mean") else v for n, v in subject.params.items()}
    assert error(subject, TorchRunner(replace(subject, params=stale), "cpu")) > 1e-2


def test_refinenet_and_both_halves_of_a_split():
    whole = lower_refinenet(TINY, channels=8)
    subject = Program(whole, random_params(whole, 0))
    assert error(subject, TorchRunner(subject, "cpu")) < 1e-4
    subject = program(ARCH0)
    for half in split_graph(subject.graph, encoder_outputs(subject.graph)):
        part = replace(subject, graph=half)
        assert error(part, TorchRunner(part, "cpu"), (64, 96)) < 1e-4


@pytest.mark.parametrize(("auxiliary", "count"), [("none", 2_629_909), ("cell", 3_034_516)])
def test_published_parameter_counts(auxiliary, count):
    graph = lower(ARCH0, ModelSpec(auxiliary=auxiliary))
    module = build_module(Program(graph, initial_params(graph, 0)))
    assert sum(p.numel() for p in module.parameters()) == count
    encoder = [p.numel() for n, p in module.named_parameters() if n.startswith("encoder.")]
    assert sum(encoder) == 1_812_800


def test_parameters_come_back_under_their_names():
    subject = program(ARCH0)
    module = build_module(subject)
    back = module_params(module, subject.graph)
    assert back.keys() == subject.params.keys()
    assert all(np.array_equal(back[name], subject.params[name]) for name in back)
    extra = {name.rpartition(".")[2] for name in module.state_dict().keys() - back.keys()}
    assert extra == {"num_batches_tracked"}
    back["encoder.layer1.conv.weight"][:] = 7
    assert module_params(module, subject.graph)["encoder.layer1.conv.weight"].max() != 7


def test_the_module_does_not_share_memory_with_the_program():
    subject = program(ARCH0)
    before = {name: value.copy() for name, value in subject.params.items()}
    with torch.no_grad():
        for param in build_module(subject).parameters():
            param.add_(1)
    assert all(np.array_equal(before[name], subject.params[name]) for name in before)


def test_building_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    build_module(program(ARCH0))
    assert torch.equal(torch.rand(4), expected)


def test_inputs_keep_their_order_whatever_their_names():
    subject = made(
        "a.b = input(; channels=2)\na_b = input(; channels=2)\nself = input(; channels=2)\n"
        "lambda = input(; channels=2)\n1st = input(; channels=2)\n"
        "y = concat(1st, lambda, self, a_b, a.b)\nreturn out=y"
    )
    module = build_module(subject)
    maps = [torch.full((1, 2, 3, 3), float(i)) for i in range(5)]
    assert module(*maps)["out"][0, ::2, 0, 0].tolist() == [4, 3, 2, 1, 0]
    assert error(subject, TorchRunner(subject, "cpu")) == 0


def test_nodes_of_one_parameter_share_the_module():
    text = "x = input(; channels=4)\na = conv2d(x; kernel=3, out=4) @w\n"
    subject = made(text + "y = conv2d(a; kernel=3, out=4) @w\nreturn out=y")
    assert len(list(build_module(subject).parameters())) == 1
    assert error(subject, TorchRunner(subject, "cpu")) < 1e-5
    other = made(text + "y = conv2d(a; kernel=3, out=4, dilation=2) @w\nreturn out=y")
    with pytest.raises(CompilerError, match=r"^y: .*dilation=2.*expected the form of a = "):
        build_module(other)


def test_unknown_primitives_and_wrong_parameters_are_named(monkeypatch):
    x = make_node("x", "input", channels=1)
    with monkeypatch.context() as patch:
        patch.setattr(functions, "FUNCTIONS", {})
        with pytest.raises(CompilerError, match=r"^y: primitive 'relu' has no form in torch"):
            build_module(Program(Graph((x, Node("y", "relu", ("x",))), (("out", "y"),)), {}))
    subject = made("x = input(; channels=4)\ny = batch_norm(x) @p\nreturn out=y")
    with pytest.raises(CompilerError, match=r"p.weight: missing"):
        build_module(replace(subject, params={}))
    wrong = {**subject.params, "p.bias": np.zeros(3, np.float32)}
    with pytest.raises(CompilerError, match=r"p.bias: shape \(3,\), expected \(4,\)"):
        build_module(replace(subject, params=wrong))


def test_wrong_inputs_are_named():
    runner = TorchRunner(program(ARCH0), "cpu")
    with pytest.raises(ValueError, match=r"input 'image': missing, found photo"):
        runner({"photo": np.zeros((1, 3, 8, 8), np.float32)})
    with pytest.raises(ValueError, match=r"'image': shape \(3, 8, 8\), expected \(N, 3, H, W\)"):
        runner({"image": np.zeros((3, 8, 8), np.float32)})


def test_read_only_and_other_types_of_images_run():
    runner = TorchRunner(program(ARCH0), "cpu")
    image = np.random.default_rng(0).normal(size=(1, 3, 16, 16))
    expected = runner({"image": image.astype(np.float32)})["main"]
    image.setflags(write=False)
    np.testing.assert_array_equal(runner({"image": image})["main"], expected)


def test_every_operation_of_the_vocabulary_has_a_form():
    steps = {step.op for row in PAPER.vocabulary for step in row.steps}
    assert steps <= FUNCTIONS.keys() | MODULES.keys()


def test_camera_bytes_come_channels_last():
    subject = made(
        "x = input(; channels=3, bytes=1)\ny = conv2d(x; kernel=3, out=4) @p\nreturn o=y"
    )
    pixels = np.random.default_rng(0).integers(0, 256, (2, 9, 5, 3)).astype(np.uint8)
    plain = made("x = input(; channels=3)\ny = conv2d(x; kernel=3, out=4) @p\nreturn o=y")
    expected = ReferenceRunner(plain)({"x": pixels.transpose(0, 3, 1, 2)})["o"]
    runner = TorchRunner(subject, "cpu")
    np.testing.assert_allclose(runner({"x": pixels})["o"], expected, rtol=1e-5, atol=1e-3)
    with pytest.raises(ValueError, match=r"expected \(N, H, W, 3\)"):
        runner({"x": pixels.transpose(0, 3, 1, 2)})
