"""What every encoder promises, and which weights fit which."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from auxnas.backends.runtimes.reference import ReferenceRunner
from auxnas.compiler import (
    CompilerError,
    ModelSpec,
    Program,
    cost,
    graph_weights,
    infer_shapes,
    lower,
    lower_refinenet,
)
from auxnas.compiler.builder import Builder
from auxnas.compiler.decoders import DECODERS, HandMade
from auxnas.compiler.drawing.network_diagram import diagram
from auxnas.compiler.encoders import (
    ENCODERS,
    PREFIX,
    EncoderWidthError,
    FeatureMap,
    find_encoder,
    striding,
)
from auxnas.compiler.encoders.fitting import fit_encoder
from auxnas.compiler.encoders.resnet import torchvision_name
from auxnas.compiler.encoders.striding import lower_at_stride
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.compiler.places import Places
from auxnas.compiler.weights import random_params
from auxnas.compiler.wellformed import verify_graph
from auxnas.genotype import SearchSpace, zoo
from auxnas.genotype.plugins import PluginError, trust_place

WIDTHS = (1.0, 0.75, 0.5, 0.35, 0.25, 0.05, 1.4, 4.0)


def graph_of(encoder):
    """The encoder alone, each of its maps an output."""
    builder = Builder()
    maps = encoder.lower(builder, builder.add("image", "input", channels=3))
    return builder.graph({f"map{n}": m.node for n, m in enumerate(maps)}), maps


def arrays(shapes):
    """Zeros of these shapes that take no memory."""
    return {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}


class EncoderContract:
    """What a decoder, training and the compiler rely on; ``name`` is the implementation's."""

    name: str

    @pytest.mark.parametrize("width", [1.0, 0.25])
    def test_maps_are_what_they_say(self, width):
        graph, maps = graph_of(find_encoder(self.name, width))
        verify_graph(graph)
        assert maps
        assert all(isinstance(found, FeatureMap) for found in maps)
        assert [m.stride for m in maps] == sorted(m.stride for m in maps)
        shapes = infer_shapes(graph, (256, 512))
        for found in maps:
            sides = (256 // found.stride, 512 // found.stride)
            assert shapes[found.node] == (found.channels, *sides)

    def test_parameters_are_under_the_prefix(self):
        assert all(name.startswith(PREFIX) for name in graph_weights(self._graph()))

    def test_taps_are_maps_in_order(self):
        encoder = find_encoder(self.name)
        count = len(encoder.lower(Builder(), "image"))
        for wanted in range(1, count + 1):
            try:
                taps = encoder.taps(wanted)
            except CompilerError:
                break
            assert len(set(taps)) == wanted
            assert list(taps) == sorted(taps)
            assert set(taps) <= set(range(count))
        with pytest.raises(CompilerError, match="encoder_outputs: 99"):
            encoder.taps(99)

    def test_our_own_names_are_kept(self):
        own = arrays({n: w.shape for n, w in graph_weights(self._graph()).items()})
        assert find_encoder(self.name).from_published(own, "f") == own
        fitted = fit_encoder(find_encoder(self.name), self._graph(), own, "f")
        assert fitted.keys() == own.keys()

    @pytest.mark.parametrize("change", ["missing", "unexpected"])
    def test_a_file_that_does_not_fit_is_named(self, change):
        own = arrays({n: w.shape for n, w in graph_weights(self._graph()).items()})
        name = next(iter(own))
        other = f"{PREFIX}other.weight"
        wrong = {**own, other: own[name]} if change == "unexpected" else own
        wrong = {n: v for n, v in wrong.items() if change == "unexpected" or n != name}
        place = other if change == "unexpected" else name
        with pytest.raises(CompilerError, match=f"f: {place}: {change}"):
            fit_encoder(find_encoder(self.name), self._graph(), wrong, "f")

    def test_decoders_stand_on_it(self):
        encoder = find_encoder(self.name)
        spec = ModelSpec(classes=3, agg_size=8, encoder=self.name)
        for count in (1, len(encoder.taps(1)) + 1):
            space = SearchSpace(encoder_outputs=count)
            verify_graph(lower(space.genotype([0] * len(space.layout)), spec))
        verify_graph(lower_refinenet(spec, 8))

        for name, decoder in DECODERS.items():
            if decoder.encoder is None:
                verify_graph(HandMade(name, 8).lower(spec))

    def test_dilated_it_has_its_values_between_others(self):
        """The atrous algorithm, exactly: at every pixel of the usual stride the same number."""
        encoder, size = find_encoder(self.name, 0.05), (45, 70)
        graph, usual = graph_of(encoder)
        dilated, maps = lower_at_stride(encoder, 8)
        fine = dilated.graph(dict(graph.outputs))
        params = random_params(graph, 0)
        image = {"image": np.random.default_rng(1).normal(size=(1, 3, *size))}
        before, after = (ReferenceRunner(Program(each, params))(image) for each in (graph, fine))
        for index, (old, new) in enumerate(zip(usual, maps, strict=True)):
            assert new == replace(old, stride=min(old.stride, 8))
            found, step = after[f"map{index}"], old.stride // new.stride
            assert found.shape[2:] == tuple(-(-side // new.stride) for side in size)
            expected = before[f"map{index}"]
            np.testing.assert_allclose(found[:, :, ::step, ::step], expected, atol=1e-9)
        unchanged, same = lower_at_stride(encoder, usual[-1].stride)
        assert (unchanged.graph(dict(graph.outputs)), same) == (graph, usual)

    def test_compiled_it_gives_the_same_for_less(self):
        graph, maps = graph_of(find_encoder(self.name, 0.05))
        before = Program(graph, random_params(graph, 0))
        rewriting = [each for each in INFERENCE if each.name != "strip-auxiliary"]
        after, _ = run_passes(rewriting, before)
        assert not [node for node in after.graph.nodes if node.op == "batch_norm"]
        image = {"image": np.random.default_rng(1).normal(size=(1, 3, 45, 70))}
        found, expected = (ReferenceRunner(each)(image) for each in (after, before))
        for index in range(len(maps)):
            scale = np.abs(expected[f"map{index}"]).max()
            np.testing.assert_allclose(
                found[f"map{index}"], expected[f"map{index}"], atol=1e-5 * scale
            )
        assert cost(after.graph, (64, 64)).multiply_adds <= cost(graph, (64, 64)).multiply_adds

    def test_it_is_drawn_and_its_nodes_have_places(self):
        genotype = zoo.load_published("arch0").genotype
        network = lower(genotype, ModelSpec(agg_size=8, encoder=self.name, width=0.05))
        boxes = diagram(network, genotype)
        assert [box.kind for box in boxes].count("encoder") >= 4
        places = Places(genotype)
        named = {node.name: places.of(node.name) for node in network.nodes}
        assert not [name for name, place in named.items() if place is None]
        own = {name for name in named if name.startswith(PREFIX)}
        assert own == {name for name, place in named.items() if place.group == "encoder"}

    def _graph(self):
        return graph_of(find_encoder(self.name))[0]


class TestMobileNetV2(EncoderContract):
    name = "mobilenet_v2"


class TestTorchvisionMobileNetV2(EncoderContract):
    name = "mobilenet_v2_torchvision"


class TestMobileNetV4ConvSmall(EncoderContract):
    name = "mobilenetv4_conv_small"


class TestMobileNetV4ConvMedium(EncoderContract):
    name = "mobilenetv4_conv_medium"


class TestEfficientNetLite0(EncoderContract):
    name = "efficientnet_lite0"


class TestRepVGGA0(EncoderContract):
    name = "repvgg_a0"


class TestResNet18(EncoderContract):
    name = "resnet18"


class TestResNet34(EncoderContract):
    name = "resnet34"


class TestResNet50(EncoderContract):
    name = "resnet50"


class TestResNet101(EncoderContract):
    name = "resnet101"


class TestResNet152(EncoderContract):
    name = "resnet152"


def test_the_contract_finds_kernels_left_undilated(monkeypatch):
    whole = striding._strided
    monkeypatch.setattr(striding, "_strided", lambda node, stride, rate: whole(node, stride, 1))
    with pytest.raises(AssertionError):
        TestResNet50().test_dilated_it_has_its_values_between_others()


def test_every_encoder_of_ours_is_held_to_the_contract():
    tested = {case.name for case in EncoderContract.__subclasses__()}
    assert set(ENCODERS) <= tested


@pytest.mark.parametrize("name", ["resnet5", "Resnet50", "", "nothing.here:Encoder"])
def test_an_unknown_encoder_is_one_line(name):
    with pytest.raises(PluginError, match=r"^encoder: ") as error:
        find_encoder(name)
    assert "\n" not in str(error.value)


def test_the_paper_s_encoder_is_not_named_in_files():
    assert "encoder" not in ModelSpec().to_dict()
    other = ModelSpec(encoder="resnet50")
    assert ModelSpec.from_dict(other.to_dict()) == other


def test_a_file_s_word_alone_runs_no_code():
    values = ModelSpec(encoder="os:getcwd").to_dict()
    with pytest.raises(CompilerError, match=r"model.encoder: os:getcwd, which is no name"):
        ModelSpec.from_dict(values)
    trust_place("os:getcwd")
    assert ModelSpec.from_dict(values).encoder == "os:getcwd"


# Widths --------------------------------------------------------------------------------


def shapes(width: float) -> dict[str, tuple[int, ...]]:
    graph = lower(zoo.load_published("arch0").genotype, ModelSpec(width=width))
    return {name: weight.shape for name, weight in graph_weights(graph).items()}


@pytest.mark.parametrize("width", WIDTHS)
def test_the_width_that_fits_is_named(width):
    found = arrays(shapes(width))
    for other in WIDTHS:
        encoder = find_encoder("mobilenet_v2", other)
        if other == width:
            assert encoder.from_published(found, "w") == found
            continue
        with pytest.raises(EncoderWidthError) as caught:
            encoder.from_published(found, "w")
        assert shapes(caught.value.width).items() == shapes(width).items()


def test_what_is_no_encoder_of_any_width_is_not_judged():
    encoder = find_encoder("mobilenet_v2", 0.5)
    for change in (
        {"encoder.layer1.conv.weight": (33, 3, 3, 3)},
        {"encoder.layer1.conv.weight": ()},
    ):
        encoder.from_published(arrays({**shapes(1.0), **change}), "w")
    assert encoder.from_published({}, "w") == {}


# torchvision's names -------------------------------------------------------------------


def test_torchvision_s_names_of_a_resnet_lead_to_ours():
    graph, _ = graph_of(find_encoder("resnet50"))
    own = arrays({n: w.shape for n, w in graph_weights(graph).items()})
    theirs = {}
    for name, value in own.items():
        param, _, suffix = name.rpartition(".")
        theirs[f"{torchvision_name(param)}.{suffix}"] = value
    assert "layer1.0.downsample.1.running_var" in theirs
    beside = {"fc.weight": np.zeros(1), "bn1.num_batches_tracked": np.zeros(())}
    found = fit_encoder(find_encoder("resnet50"), graph, theirs | beside, "f")
    assert found.keys() == own.keys()


@pytest.mark.parametrize(
    ("name", "published", "behind"),
    [
        ("mobilenet_v2_torchvision", 3_504_872, (320, 1280)),
        ("mobilenetv4_conv_small", 3_774_024, (960, 1280)),
        ("mobilenetv4_conv_medium", 9_715_512, (960, 1280)),
        ("efficientnet_lite0", 4_652_008, (320, 1280)),
        ("repvgg_a0", 9_108_968, (1280,)),
        ("resnet18", 11_689_512, (512,)),
        ("resnet34", 21_797_672, (512,)),
        ("resnet50", 25_557_032, (2048,)),
    ],
)
def test_an_encoder_has_the_published_number_of_parameters(name, published, behind):
    """timm's and torchvision's, less a 1x1 convolution with its batch norm and 1000 classes."""
    found = cost(graph_of(find_encoder(name))[0], (64, 64)).parameters
    before = behind[0] * behind[1] + 2 * behind[1] if len(behind) > 1 else 0
    assert found + before + 1000 * (behind[-1] + 1) == published


@pytest.mark.parametrize(
    ("name", "some", "head"),
    [
        (
            "mobilenetv4_conv_small",
            {"conv_stem.weight": (32, 3, 3, 3), "blocks.2.0.dw_start.bn.running_var": (64,)},
            "conv_head.weight",
        ),
        (
            "mobilenetv4_conv_medium",
            {"blocks.0.0.conv_exp.weight": (128, 32, 3, 3), "blocks.3.10.pw_proj.bn.bias": (256,)},
            "norm_head.weight",
        ),
        (
            "efficientnet_lite0",
            {"blocks.0.0.conv_pw.weight": (16, 32, 1, 1), "blocks.6.0.bn3.bias": (320,)},
            "bn2.weight",
        ),
        (
            "repvgg_a0",
            {"stem.conv_1x1.conv.weight": (48, 3, 1, 1), "stages.1.3.identity.weight": (96,)},
            "head.fc.weight",
        ),
        (
            "resnet18",
            {"layer2.0.downsample.0.weight": (128, 64, 1, 1), "layer1.1.bn2.bias": (64,)},
            "fc.weight",
        ),
    ],
)  # fmt: skip
def test_published_names_lead_to_ours(name, some, head):
    encoder, graph = find_encoder(name), graph_of(find_encoder(name))[0]
    own = arrays({n: w.shape for n, w in graph_weights(graph).items()})
    theirs = {theirs_of(name, n): value for n, value in own.items()}
    assert {n: theirs[n].shape for n in some} == some
    theirs |= {head: np.zeros(1), "bn1.num_batches_tracked": np.zeros(())}
    assert fit_encoder(encoder, graph, theirs, "f").keys() == own.keys()
    theirs.pop(first := next(iter(some)))
    with pytest.raises(CompilerError, match=r"^f: encoder\..*: missing"):
        fit_encoder(encoder, graph, theirs, "f")
    assert first not in theirs


def theirs_of(name, own):
    if not name.startswith("resnet"):
        return own.removeprefix(PREFIX)
    param, _, suffix = own.rpartition(".")
    return f"{torchvision_name(param)}.{suffix}"
