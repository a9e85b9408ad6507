"""ONNX straight from the graph: against the float64 oracle, and against torch."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from auxnas.backends.base import ExportOptions
from auxnas.backends.compiling.verification import (
    TOLERANCES,
    compare_runners,
    noise_inputs,
    output_difference,
)
from auxnas.backends.images import network_input
from auxnas.backends.onnx.build import build, build_for_cpu
from auxnas.backends.runtimes.ort import OrtRunner
from auxnas.backends.runtimes.reference import ReferenceRunner
from auxnas.backends.targets import target_of
from auxnas.backends.tensors import bfloat16_of
from auxnas.compiler import ModelSpec, Program, lower, parse_graph
from auxnas.compiler.interface import FORMATS, Interface, with_interface
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.compiler.tasks import Segmentation
from auxnas.compiler.weights import random_params
from auxnas.genotype import Genotype, zoo
from tests.strategies import PAPER, SPACES, TINY, genotypes, program

SIZES = ((97, 131), (64, 96), (33, 32), (8, 5), (1, 1))
SHIPPED = ModelSpec(classes=5, agg_size=8, auxiliary="none", width=0.25)


def onnx_runner(source: Program, size: tuple[int, int]) -> OrtRunner:
    return OrtRunner(build(source, ExportOptions(size), {}).SerializeToString(), threads=1)


def zero_and_skip() -> list[Genotype]:
    """20 random genotypes; every other one with a skip and a zero put in."""
    rng = random.Random(7)
    found = []
    for number in range(20):
        genotype = SPACES[number % len(SPACES)].sample(rng)
        tokens = list(genotype.tokens)
        names = genotype.space.vocabulary.names
        if number % 2:
            tokens[-1], tokens[-2] = names.index("skip"), names.index("zero")
        found.append(genotype.space.genotype(tokens))
    return found


@settings(max_examples=25)
@given(genotype=genotypes(), size=st.sampled_from(SIZES), dead=st.booleans())
def test_unoptimised_and_optimised_agree_with_the_oracle(genotype, size, dead):
    described = program(genotype, dead=dead)
    reference, inputs = ReferenceRunner(described), noise_inputs(described, size, 0)
    for source in (described, run_passes(INFERENCE, described)[0]):
        assert compare_runners(onnx_runner(source, size), reference, inputs).within(1e-4)


@pytest.mark.parametrize("size", [None, (41, 67)])
@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=6)
@given(genotype=genotypes(), head=st.sampled_from([*Segmentation.heads]), resize=st.booleans())
def test_any_size_batch_and_ends(size, batch, form, genotype, head, resize):
    described = with_interface(program(genotype), Interface(head, resize, form))
    optimised = run_passes(INFERENCE, described)[0]
    model = build_for_cpu(optimised, ExportOptions(size, batch), {}).SerializeToString()
    one, other = noise_inputs(described, (41, 67), 0), noise_inputs(described, (41, 67), 1)
    inputs = {name: np.concatenate([one[name], other[name]]) for name in one}
    found, expected = OrtRunner(model, threads=1)(inputs), ReferenceRunner(described)(inputs)
    assert found["main"].dtype == (np.uint8 if head == "labels" else np.float32)
    assert output_difference(found["main"], expected["main"]).within(1e-4)


@given(genotype=genotypes(SPACES[0]))
@settings(max_examples=5)
def test_bytes_are_normalised_as_floats_are_outside(genotype):
    plain = program(genotype)
    inside = with_interface(plain, Interface(format="nhwc-uint8"))
    inputs = noise_inputs(inside, (41, 67), 0)
    outside = network_input(inputs["image"][0], (41, 67), Interface())
    expected = ReferenceRunner(plain)(outside)["main"]
    found = ReferenceRunner(inside)(inputs)["main"]
    assert output_difference(found, expected).within(1e-5)


@pytest.mark.parametrize("size", [*SIZES, (9, 12)])
@pytest.mark.parametrize("op", ["resize", "resize_corners"])
def test_maps_grow_by_factors_and_to_sizes(op, size):
    """A third of 9x12 grows by a factor, that of most sizes to a size."""
    graph = parse_graph(f"""image = input(; channels=3)
        small = max_pool(image; kernel=3, stride=3)
        y = {op}(small, image)
        return main=y""")
    source = Program(graph, {})
    inputs = noise_inputs(source, size, 0)
    assert compare_runners(onnx_runner(source, size), ReferenceRunner(source), inputs).within(1e-5)


GROWN = """image = input(; channels=3)
    small = max_pool(image; kernel=3, stride=3)
    y = {op}(small, image)
    {end}"""
LAYER = "conv2d({source}; kernel=1, out=3, stride=1, groups=3, dilation=1, bias=0) @p"


def grown(op: str = "resize", end: str = "return main=y") -> Program:
    params = {"p.weight": np.ones((3, 1, 1, 1), np.float32)}
    return Program(parse_graph(GROWN.format(op=op, end=end)), params)


def nodes_of(source: Program, products: float = np.inf, **options: object) -> list[onnx.NodeProto]:
    model = build(source, ExportOptions(**{"size": (24, 36)} | options), {}, products)
    return list(model.graph.node)


def grows_by_products(nodes: list[onnx.NodeProto]) -> bool:
    operators = [node.op_type for node in nodes]
    assert ("Resize" in operators) != ("MatMul" in operators)
    return "MatMul" in operators


@pytest.mark.parametrize("op", ["resize", "resize_corners"])
@given(size=st.tuples(*[st.integers(3, 40)] * 2), batch=st.sampled_from([None, 2]))
@settings(max_examples=20)
def test_products_grow_as_a_resize_does(op, size, batch):
    source = grown(op)
    model = build(source, ExportOptions(size, batch), {}, np.inf)
    assert grows_by_products(list(model.graph.node))
    image = np.concatenate([noise_inputs(source, size, seed)["image"] for seed in (0, 1)])
    found = OrtRunner(model.SerializeToString(), threads=1)({"image": image})["main"]
    expected = ReferenceRunner(source)({"image": image})["main"]
    assert output_difference(found, expected).within(1e-5)


def test_two_ways_to_grow_have_matrices_of_their_own():
    source = grown(end="z = resize_corners(small, image)\n return main=y, aux=z")
    model = build(source, ExportOptions((24, 36)), {}, np.inf)
    inputs = noise_inputs(source, (24, 36), 0)
    found, expected = (
        OrtRunner(model.SerializeToString(), threads=1)(inputs),
        ReferenceRunner(source)(inputs),
    )
    for name, value in expected.items():
        assert output_difference(found[name], value).within(1e-5)


@pytest.mark.parametrize(
    ("end", "options"),
    [
        (f"z = {LAYER.format(source='y')}\n return main=z", {}),
        (f"z = {LAYER.format(source='y')}\n return main=y, aux=z", {}),
        (f"r = relu(y)\n z = {LAYER.format(source='r')}\n return main=z", {}),
        ("return main=y", {"size": None}),
        ("return main=y", {"precision": "fp16"}),
        ("return main=y", {"size": (1, 36)}),
        ("return main=y", {"size": (24, 1)}),
    ],
    ids=["layer", "layer beside", "layer behind", "any size", "fp16", "one row", "one column"],
)
def test_products_are_for_outputs_of_float32_that_grow_to_a_known_size(end, options):
    assert not grows_by_products(nodes_of(grown(end=end), **options))


@pytest.mark.parametrize(
    ("size", "least", "rows_first"), [((24, 36), 12, False), ((36, 24), 12, True)]
)
def test_the_cheaper_product_is_first_and_counted(size, least, rows_first):
    """24x36 from 8x12: rows first 12 (8 / 36 + 1) = 14.7, columns first 8 (12 / 24 + 1) = 12."""
    assert not grows_by_products(nodes_of(grown(), least - 0.01, size=size))
    first = next(n for n in nodes_of(grown(), least, size=size) if n.op_type == "MatMul")
    assert (first.input[1] == "small") == rows_first


@pytest.mark.parametrize(
    ("target", "products"),
    [("onnx", True), ("openvino", True), ("ort", True), ("web", False), ("trt-bundle", False)],
)
def test_products_are_for_processors(target, products):
    model = target_of(target).model(grown(), ExportOptions((24, 36)), {})
    assert grows_by_products(list(model.graph.node)) == products


@pytest.mark.parametrize(
    ("target", "size", "products"),
    [
        ("onnx", (356, 356), True),
        ("onnx", (360, 360), False),
        ("openvino", (512, 512), True),
        ("openvino", (516, 516), False),
    ],
)
def test_products_are_for_what_was_measured(target, size, products):
    """A side of 4 n from n: n (1 / 4 + 1) multiply-adds a pixel."""
    source = parse_graph("""image = input(; channels=3)
        small = max_pool(image; kernel=4, stride=4)
        y = resize(small, image)
        return main=y""")
    model = target_of(target).model(Program(source, {}), ExportOptions(size), {})
    assert grows_by_products(list(model.graph.node)) == products


def test_half_precision_stays_within_its_tolerance():
    source = program(zoo.load_published("arch0").genotype, SHIPPED)
    optimised, inputs = run_passes(INFERENCE, source)[0], noise_inputs(source, (64, 96), 0)
    model = build(optimised, ExportOptions((64, 96), precision="fp16"), {})
    found = compare_runners(
        OrtRunner(model.SerializeToString(), 1), ReferenceRunner(source), inputs
    )
    assert found.within(TOLERANCES["fp16"])
    assert not found.within(1e-6)


def agrees_with_torch(source: Program, size: tuple[int, int], shipped: Program) -> bool:
    """Whether ``shipped`` as ONNX and ``source`` in torch give the same, not constant, output."""
    from auxnas.backends.torch import TorchRunner

    inputs = noise_inputs(source, size, 1)
    expected = TorchRunner(source)(inputs)["main"]
    if size[0] * size[1] > 1000:
        assert (expected.std(axis=(0, 2, 3)) > 1e-3 * np.abs(expected).max()).all()
    return compare_runners(onnx_runner(shipped, size), lambda _: {"main": expected}, inputs).within(
        1e-4
    )


@pytest.mark.parametrize("name", zoo.NAMES)
def test_published_architectures_agree_with_torch(name):
    source = program(zoo.load_published(name).genotype, ModelSpec())
    assert agrees_with_torch(source, (97, 131), run_passes(INFERENCE, source)[0])


def test_random_genotypes_agree_with_torch():
    """Of every space at every size: there are four and five."""
    for number, genotype in enumerate(zero_and_skip()):
        source = program(genotype, SHIPPED, seed=number)
        size = SIZES[number % len(SIZES)]
        assert agrees_with_torch(source, size, run_passes(INFERENCE, source)[0]), (genotype, size)


@pytest.mark.parametrize("suffix", ["running_mean", "running_var", "weight", "bias"])
def test_the_check_finds_a_batch_norm_that_forgets(suffix):
    source = program(zoo.load_published("arch0").genotype, SHIPPED)
    name = f"decoder.pre_clf.bn.{suffix}"
    wrong = replace(source, params=dict(source.params) | {name: np.ones_like(source.params[name])})
    assert agrees_with_torch(source, (97, 131), run_passes(INFERENCE, source)[0])
    assert not agrees_with_torch(source, (97, 131), run_passes(INFERENCE, wrong)[0])


def test_the_model_is_valid_and_says_what_it_is():
    source = program(PAPER.sample(random.Random(0)), TINY)
    model = build(source, ExportOptions((37, 29)), {"tool": "auxnas", "classes": "[1]"})
    onnx.checker.check_model(model, full_check=True)
    assert {p.key: p.value for p in model.metadata_props} == {"tool": "auxnas", "classes": "[1]"}
    names = {tensor.name for tensor in model.graph.initializer}
    assert names >= {n for n in source.params if n.startswith("decoder.clf")}
    assert model.graph.output[0].name == "main"
    assert model.opset_import[0].version == 18


def test_a_damaged_model_is_refused_in_one_line():
    data = build(
        program(zoo.load_published("arch2").genotype), ExportOptions((32, 32)), {}
    ).SerializeToString()
    for damaged in (data[: len(data) // 2], b"", b"not a model"):
        with pytest.raises(ValueError, match=r"onnxruntime: ") as error:
            OrtRunner(damaged)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        (Interface("logits"), ["batch", 3, "main_height", "main_width"]),
        (Interface("logits", resize=True), ["batch", 3, "height", "width"]),
        (Interface("labels"), ["batch", 1, "height", "width"]),
    ],
)
def test_open_axes_have_names_that_say_which_are_equal(ends, expected):
    graph = lower(zoo.load_published("arch0").genotype, ModelSpec(classes=3, width=0.1, agg_size=8))
    program = with_interface(Program(graph, random_params(graph, 0)), ends)
    model = build(program, ExportOptions(None, None), {})

    def axes(value):
        return [each.dim_param or each.dim_value for each in value.type.tensor_type.shape.dim]

    assert axes(model.graph.input[0]) == ["batch", 3, "height", "width"]
    assert axes(model.graph.output[0]) == expected


@given(arrays(np.float32, 8, elements=st.floats(-(2.0**100), 2.0**100, width=32)))
def test_bfloat16_is_rounded_as_the_type_is(values):
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    assert (bfloat16_of(values) == values.astype(bfloat16).astype(np.float32)).all()
