"""Hand-made networks: golden sizes, and the laws of passes, text and strides over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from auxnas.backends.runtimes.reference import ReferenceRunner
from auxnas.backends.weights import Weights
from auxnas.compiler import (
    CompilerError,
    Graph,
    ModelSpec,
    Program,
    cost,
    graph_weights,
    infer_shapes,
    parse_graph,
    verify,
)
from auxnas.compiler.architecture import (
    describe_architecture,
    described_architecture,
    find_architecture,
    lower_architecture,
)
from auxnas.compiler.builder import Builder
from auxnas.compiler.decoders import DECODERS, HandMade
from auxnas.compiler.encoders import FeatureMap
from auxnas.compiler.encoders.resnet import torchvision_name
from auxnas.compiler.encoders.striding import limit_strides
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.compiler.weights import random_params
from auxnas.genotype import GenotypeError, to_json, zoo

RIVALS = [name for name in DECODERS if name != "lwrf"]


def lowered(name: str, classes: int = 3, width: float = 1.0, channels: int = 256) -> Graph:
    architecture = HandMade(name, channels)
    known = {"encoder": architecture.encoder} if architecture.encoder else {}
    return lower_architecture(architecture, ModelSpec(classes=classes, width=width, **known))


@cache
def small(name: str, seed: int = 0) -> Program:
    """A narrow one with every weight and statistic random, in float64."""
    graph = lowered(name, width=0.1, channels=8)
    params = {key: value.astype(float) for key, value in random_params(graph, seed).items()}
    return Program(graph, params, name)


# Sizes ----------------------------------------------------------------------------------

PARAMETERS = {  # of one output more, and with none
    "lwrf": (2305, 3_236_160),
    "deeplabv3": (257, 2_109_248),
    "deeplabv3-aspp": (257, 4_519_232),
    "deeplabv3plus": (257, 5_811_744),
    "simple-resnet50": (257, 33_995_328),
}


@pytest.mark.parametrize("classes", [1, 16, 17, 21])
@pytest.mark.parametrize("name", DECODERS)
def test_parameters_are_the_golden_ones(name, classes):
    """2.1 and 4.5 M in Table 1, 5.8 and 34.0 M in Table 2 of the paper."""
    each, base = PARAMETERS[name]
    assert cost(lowered(name, classes), (64, 64)).parameters == base + each * classes


def test_parameters_are_those_that_the_paper_prints():
    printed = {"deeplabv3": (21, 2.1), "deeplabv3-aspp": (21, 4.5), "deeplabv3plus": (17, 5.8)}
    for name, (classes, millions) in {**printed, "simple-resnet50": (17, 34.0)}.items():
        found = cost(lowered(name, classes), (64, 64)).parameters
        assert round(found / 1e6, 1) == millions
    deconvolutions = 2048 * 256 * 16 + 2 * 256 * 256 * 16 + 3 * 2 * 256
    assert PARAMETERS["simple-resnet50"][1] == 23_508_032 + deconvolutions


MULTIPLY_ADDS = [
    ("lwrf", 21, (512, 512), 8_583_872_512, (128, 128)),
    ("deeplabv3", 21, (512, 512), 8_632_025_088, (64, 64)),
    ("deeplabv3-aspp", 21, (512, 512), 5_137_317_888, (32, 32)),
    ("deeplabv3plus", 21, (512, 512), 26_378_059_776, (128, 128)),
    ("deeplabv3plus", 16, (256, 256), 6_589_333_504, (64, 64)),
    ("deeplabv3plus", 17, (256, 192), 4_942_807_040, (64, 48)),
    ("deeplabv3plus", 1, (256, 256), 6_573_604_864, (64, 64)),
    ("simple-resnet50", 16, (256, 256), 7_234_125_824, (64, 64)),
    ("simple-resnet50", 17, (256, 192), 5_426_380_800, (64, 48)),
    ("simple-resnet50", 1, (256, 256), 7_218_397_184, (64, 64)),
    ("simple-resnet50", 21, (512, 512), 28_957_474_816, (128, 128)),
]


@pytest.mark.parametrize(("name", "classes", "size", "expected", "output"), MULTIPLY_ADDS)
def test_multiply_adds_are_the_golden_ones(name, classes, size, expected, output):
    found = cost(lowered(name, classes), size)
    assert (found.multiply_adds, found.output_size) == (expected, output)


def test_table_one_counts_deeplab_as_it_counts_ours_but_for_aspp():
    """8.73e9 without the identity expansion of our encoder; 5.8e9 is not met by counting."""
    for name, printed, met in (("deeplabv3", 8.73, True), ("deeplabv3-aspp", 5.8, False)):
        found = cost(lowered(name, 21), (512, 512))
        expansion = [each for n, each in found.nodes.items() if n.startswith("encoder.layer2.0.ex")]
        assert sum(each.parameters for each in expansion) == 1088
        counted = found.multiply_adds_with_norm
        counted -= sum(each.multiply_adds_with_norm for each in expansion)
        assert (round(counted / 1e9, 2) == printed) == met
    assert counted == 5_152_915_968


# Laws -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RIVALS)
def test_a_text_parses_back_to_the_graph(name):
    graph = small(name).graph
    assert parse_graph(str(graph)) == graph


@pytest.mark.parametrize("name", RIVALS)
def test_passes_keep_what_it_computes_and_cost_never_goes_up(name):
    before = small(name)
    image = {"image": np.random.default_rng(0).normal(size=(2, 3, 37, 29))}
    expected = ReferenceRunner(before)(image)["main"]
    after, changes = run_passes(INFERENCE, before)
    verify(after)
    assert {each.name for each in changes} >= {"fold-batch-norm"}
    assert all(node.op not in ("batch_norm", "identity") for node in after.graph.nodes)
    np.testing.assert_allclose(ReferenceRunner(after)(image)["main"], expected, rtol=0, atol=1e-9)
    costs = [cost(program.graph, (37, 29)) for program in (before, after)]
    assert costs[1].multiply_adds <= costs[0].multiply_adds
    assert costs[1].parameters <= costs[0].parameters
    again, rest = run_passes(INFERENCE, after)
    assert (again.graph, rest) == (after.graph, ())


def test_a_norm_folds_along_the_output_channels_of_a_transposed_convolution():
    text = "image = input(; channels=3)\na = deconv2d(image; kernel=4, out=3, stride=2) @a"
    graph = parse_graph(f"{text}\nb = batch_norm(a) @b\nreturn main=b")
    params = {key: value.astype(float) for key, value in random_params(graph, 0).items()}
    before, image = (
        Program(graph, params),
        {"image": np.random.default_rng(0).normal(size=(1, 3, 4, 5))},
    )
    (fold,) = (each for each in INFERENCE if each.name == "fold-batch-norm")
    after, expected = fold(before), ReferenceRunner(before)(image)["main"]
    assert [node.op for node in after.graph.nodes] == ["input", "deconv2d"]
    np.testing.assert_allclose(ReferenceRunner(after)(image)["main"], expected, atol=1e-12)
    turned = {k: v.swapaxes(0, 1) if v.ndim == 4 else v for k, v in after.params.items()}
    wrong = ReferenceRunner(replace(after, params=turned))(image)["main"]
    assert np.abs(wrong - expected).max() > 1e-2


def test_a_constant_that_grows_is_no_constant_of_one_pixel():
    text = "image = input(; channels=3)\nz = zero(image)\nm = global_mean(z)"
    graph = parse_graph(
        f"{text}\nd = deconv2d(m; kernel=4, out=2, stride=2, bias=1) @d\nreturn main=d"
    )
    before = Program(graph, random_params(graph, 0))
    after = run_passes(INFERENCE, before)[0]
    image = {"image": np.ones((2, 3, 8, 8))}
    expected = ReferenceRunner(before)(image)["main"]
    assert expected.shape == (2, 2, 2, 2)
    np.testing.assert_allclose(ReferenceRunner(after)(image)["main"], expected, atol=1e-6)


# Strides --------------------------------------------------------------------------------


def test_a_pool_behind_a_stride_that_is_left_out_is_named():
    builder = Builder()
    node = builder.add("image", "input", channels=3)
    node = builder.add("a", "conv2d", node, out=4, kernel=3, stride=2)
    builder.add("b", "max_pool", node, kernel=3)
    assert [n["stride"] for n in limit_strides(builder.nodes, 2)[0][1:]] == [2, 1]
    with pytest.raises(CompilerError, match="b: max_pool, expected a primitive with a dilation"):
        limit_strides(builder.nodes, 1)


# Published weights ----------------------------------------------------------------------


def test_weights_of_the_pose_baseline_have_their_authors_names():
    graph = lowered("simple-resnet50", 17)
    weights = {name: weight.shape for name, weight in graph_weights(graph).items()}
    numbers = {name: float(number) for number, name in enumerate(weights)}
    arrays = {n: np.broadcast_to(np.float32(numbers[n]), shape) for n, shape in weights.items()}
    suffixes = ("weight", "bias", "running_mean", "running_var")
    theirs = {"final_layer.weight": "decoder.clf.weight", "final_layer.bias": "decoder.clf.bias"}
    for index in range(3):
        theirs[f"deconv_layers.{3 * index}.weight"] = f"decoder.deconv{index}.conv.weight"
        for suffix in suffixes:
            norm = f"decoder.deconv{index}.bn.{suffix}"
            theirs[f"deconv_layers.{3 * index + 1}.{suffix}"] = norm
    for name in weights:
        if name.startswith("encoder."):
            param, _, suffix = name.rpartition(".")
            theirs[f"{torchvision_name(param)}.{suffix}"] = name
    checkpoint = {name: arrays[ours] for name, ours in theirs.items()}
    checkpoint["deconv_layers.1.num_batches_tracked"] = np.zeros(())
    assert checkpoint["deconv_layers.0.weight"].shape == (2048, 256, 4, 4)
    assert {"conv1.weight", "layer4.2.bn3.bias", "layer1.0.downsample.0.weight"} <= set(theirs)
    found = Weights(checkpoint, "f").of(graph)
    assert {name: value.flat[0] for name, value in found.items()} == numbers
    checkpoint["deconv_layers.3.bias"] = np.zeros(256)
    with pytest.raises(CompilerError, match=r"f: deconv_layers.3.bias: unexpected"):
        Weights(checkpoint, "f").of(graph)


# Names ----------------------------------------------------------------------------------


class Coarse:
    """An encoder without a map of stride 4, or with a kernel that cannot be dilated."""

    def __init__(self, *, pools: bool = False) -> None:
        self.pools = pools

    def lower(self, builder: Builder, image: str) -> tuple[FeatureMap, ...]:
        node = builder.conv_bn("encoder.a", image, 8, kernel=3, stride=8)
        if self.pools:
            node = builder.add("encoder.b", "conv2d", node, out=8, kernel=3, stride=2)
            node = builder.add("encoder.c", "max_pool", node, kernel=3)
        return (FeatureMap(node, 8, 8 * (1 + self.pools)),)


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "name": (lambda: HandMade("deeplab"), "decoder.name: 'deeplab', expected one of lwrf, deep"),
    "channels": (lambda: HandMade("deeplabv3", 0), "decoder.channels: 0, expected an integer"),
    "encoder": (
        lambda: lower_architecture(HandMade("simple-resnet50"), ModelSpec()),
        "model.encoder: mobilenet_v2, expected resnet50, which simple-resnet50 is made of",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_one_line(what):
    act, message = REFUSED[what]
    with pytest.raises(CompilerError) as caught:
        act()
    assert str(caught.value).startswith(message)


def test_an_encoder_without_the_map_that_is_refined_by_is_named(monkeypatch):
    monkeypatch.setattr(ModelSpec, "find_encoder", lambda self: Coarse())
    with pytest.raises(CompilerError, match="mobilenet_v2: maps of stride 8, expected one of 4"):
        lowered("deeplabv3plus")
    assert infer_shapes(lowered("deeplabv3"), (64, 64))["decoder.clf"] == (3, 8, 8)
    monkeypatch.setattr(ModelSpec, "find_encoder", lambda self: Coarse(pools=True))
    assert infer_shapes(lowered("deeplabv3-aspp"), (64, 64))["decoder.clf"] == (3, 4, 4)
    with pytest.raises(CompilerError, match=r"encoder .*:Coarse: encoder.c: max_pool, expected a"):
        lowered("deeplabv3")


@pytest.mark.parametrize("name", DECODERS)
def test_a_name_finds_it_and_metadata_describe_it(name):
    assert find_architecture(name).architecture == HandMade(name)
    made = HandMade(name, 8)
    assert described_architecture(describe_architecture(made)) == made
    assert (str(made), made.key()) == (name, name)


def test_genotypes_are_found_and_described_as_before():
    document = find_architecture("arch0")
    genotype = zoo.load_published("arch0").genotype
    assert (document.architecture, document.format) == (genotype, "json")
    assert described_architecture(describe_architecture(genotype)) == genotype
    assert described_architecture({"genotype": to_json(genotype)}) == genotype
    assert described_architecture({"pretrain": {"channels": 8}}) == HandMade("lwrf", 8)
    assert described_architecture({"classes": []}) is None
    with pytest.raises(GenotypeError, match=r"no such file, expected .*arch2, or of lwrf, deeplab"):
        find_architecture("arch9")
