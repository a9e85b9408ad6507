"""Encoder weights from files, against an independent MobileNet-v2."""

from __future__ import annotations

import pickle
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from auxnas.backends.torch import TorchRunner, build_module
from auxnas.backends.weights import read_arrays
from auxnas.compiler import CompilerError, Graph, ModelSpec, Program, graph_weights, lower
from auxnas.compiler.builder import Builder
from auxnas.compiler.encoders import EncoderWidthError, find_encoder
from auxnas.compiler.encoders.contract import lower_encoder
from auxnas.compiler.encoders.fitting import fit_encoder
from auxnas.compiler.weights import initial_params, save_weights
from auxnas.genotype import SearchSpace

GENOTYPE = SearchSpace.cvpr2019().genotype(
    (3, 3, 3, 2, 3, 0, 8, 0, 0, 5, 2, 0, 2, 8, 8, 0, 5, 1, 4)
)  # fmt: skip
WHOLE = lower(GENOTYPE, ModelSpec(classes=2, agg_size=8))
ENCODER = find_encoder("mobilenet_v2")
TAPS = ("layer3.1.add", "layer4.2.add", "layer6.2.add", "layer8.0.project.bn")
BLOCKS = (3, 6, 13, 17)
"""Ours and theirs: the outputs with 24, 32, 96 and 320 channels."""


def norm_act(channels: int, act=True) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), *([nn.ReLU6()] if act else [])]


class Residual(nn.Module):
    def __init__(self, inner: int, outer: int, stride: int, factor: int) -> None:
        super().__init__()
        hidden = inner * factor
        parts: list[nn.Module] = []
        if factor != 1:
            parts.append(nn.Sequential(nn.Conv2d(inner, hidden, 1, bias=False), *norm_act(hidden)))
        depthwise = nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False)
        parts += [nn.Sequential(depthwise, *norm_act(hidden))]
        parts += [nn.Conv2d(hidden, outer, 1, bias=False), nn.BatchNorm2d(outer)]
        self.conv = nn.Sequential(*parts)
        self.same = stride == 1 and inner == outer

    def forward(self, x):
        return x + self.conv(x) if self.same else self.conv(x)


class MobileNetV2(nn.Module):
    """As published (Sandler et al., Table 2), under torchvision's parameter names."""

    def __init__(self) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), *norm_act(32))
        blocks, inner = [stem], 32
        for factor, outer, count, first in (
            (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
            (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
        ):  # fmt: skip
            for index in range(count):
                blocks.append(Residual(inner, outer, first if index == 0 else 1, factor))
                inner = outer
        last = nn.Sequential(nn.Conv2d(320, 1280, 1, bias=False), *norm_act(1280))
        self.features = nn.Sequential(*blocks, last)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def forward(self, x):
        outputs = []
        for block in self.features[:18]:
            x = block(x)
            outputs.append(x)
        return [outputs[index] for index in BLOCKS]


@pytest.fixture(scope="module")
def theirs() -> MobileNetV2:
    """Random weights, and statistics that are those of ``photos``."""
    torch.manual_seed(0)
    model = MobileNetV2()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.6, 1.4)
            module.bias.data.uniform_(-0.3, 0.5)
            module.momentum = None
    with torch.no_grad():
        model.train()(photos())
    return model.eval()


def photos() -> torch.Tensor:
    return torch.randn(4, 3, 96, 96, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def checkpoint(theirs, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "mobilenet_v2.pth"
    torch.save(theirs.state_dict(), path)
    return path


def encoder() -> Graph:
    """Our encoder with the expansion, its input and the four outputs as outputs."""
    names = {tap: f"encoder.{tap}" for tap in TAPS}
    names |= {"stem": "encoder.layer1.relu6", "expand": "encoder.layer2.0.expand.relu6"}
    return Graph(WHOLE.nodes, tuple(names.items())).live()


def load_encoder(path, graph, kind):
    return fit_encoder(kind, graph, read_arrays(path)[0], str(path))


def differences(ours: list[torch.Tensor], truth: list[torch.Tensor]) -> list[float]:
    pairs = zip(ours, truth, strict=True)
    return [((a - b).abs().max() / b.abs().max()).item() for a, b in pairs]


def test_their_file_has_torchvisions_names(theirs):
    names = list(theirs.state_dict())
    assert len(names) == 314
    assert {"features.1.conv.0.0.weight", "features.17.conv.3.running_var"} <= set(names)
    assert theirs.state_dict()["features.1.conv.1.weight"].shape == (16, 32, 1, 1)


def test_a_torchvision_checkpoint_gives_the_same_outputs(theirs, checkpoint):
    params = load_encoder(checkpoint, WHOLE, ENCODER)
    assert params.keys() == {n for n in graph_weights(WHOLE) if n.startswith("encoder.")}
    graph, x = encoder(), photos()
    found = TorchRunner(Program(graph, params), "cpu")({"image": x.numpy()})
    with torch.no_grad():
        truth = theirs(x)
    assert max(differences([torch.tensor(found[tap]) for tap in TAPS], truth)) < 1e-5
    assert np.array_equal(found["expand"], found["stem"]), "the identity is exact"
    swapped = dict(params)
    first, second = (f"encoder.layer5.{i}.depthwise.conv.weight" for i in (1, 2))
    swapped[first], swapped[second] = params[second], params[first]
    found = TorchRunner(Program(graph, swapped), "cpu")({"image": x.numpy()})
    assert max(differences([torch.tensor(found[tap]) for tap in TAPS], truth)) > 1e-2


def test_without_the_expansion_training_sees_the_same_features(theirs, checkpoint):
    kind, builder = find_encoder("mobilenet_v2_torchvision"), Builder()
    maps = lower_encoder(kind, builder)
    graph = builder.graph({tap: maps[at].node for tap, at in zip(TAPS, kind.taps(4), strict=True)})
    params = load_encoder(checkpoint, graph, kind)
    with torch.no_grad():
        found = build_module(Program(graph, params)).train()(photos())
        truth = deepcopy(theirs).train()(photos())
    assert max(differences(list(found.values()), truth)) < 1e-5


def test_in_training_the_identity_hardly_disturbs(theirs, checkpoint):
    params, graph, x = load_encoder(checkpoint, WHOLE, ENCODER), encoder(), photos()
    plain = dict(params)
    for suffix, value in (("weight", 1), ("bias", 0)):
        plain[f"encoder.layer2.0.expand.bn.{suffix}"] = np.full(32, value, np.float32)
    errors = []
    with torch.no_grad():
        truth = theirs(x)
        for values in (params, plain):
            outputs = build_module(Program(graph, values)).train()(x)
            error = (outputs[TAPS[0]] - truth[0]).norm() / truth[0].norm()
            errors.append(error.item())
    assert errors[0] < 0.1 < 0.3 < errors[1]


def test_our_own_file_and_a_whole_networks(tmp_path):
    params = initial_params(WHOLE, 7)
    only = {n: v for n, v in params.items() if n.startswith("encoder.")}
    for values in (params, only):
        save_weights(tmp_path / "w.safetensors", values, {})
        found = load_encoder(tmp_path / "w.safetensors", WHOLE, ENCODER)
        assert found.keys() == only.keys()
        assert all(np.array_equal(found[name], only[name]) for name in only)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder.layer5.1.expand.conv.weight": None}, r"layer5.1.expand.conv.weight: missing"),
        ({"encoder.layer9.conv.weight": np.zeros(1)}, r"encoder.layer9.conv.weight: unexpected"),
        (
            {"encoder.layer1.bn.bias": np.zeros(16)},
            r"layer1.bn.bias: shape \(16,\), expected \(32,\)",
        ),
        ({"encoder.layer1.bn.bias": np.full(32, np.nan)}, "layer1.bn.bias: NaN or infinity"),
    ],
)
def test_faults_of_our_file_are_named(tmp_path, change, message):
    params = {n: v for n, v in (initial_params(WHOLE, 0) | change).items() if v is not None}
    save_weights(tmp_path / "w.safetensors", params, {})
    with pytest.raises(CompilerError, match=message):
        load_encoder(tmp_path / "w.safetensors", WHOLE, ENCODER)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features.3.conv.2.weight": None}, r"features.3.conv.2.weight: missing"),
        ({"features.1.conv.2.0.weight": torch.zeros(1)}, r"features.1.conv.2.0.weight: unexp"),
        ({"features.2.conv.3.bias": torch.zeros(5)}, r"layer3.0.project.bn.bias: shape \(5,\)"),
    ],
)
def test_faults_of_their_file_are_named(theirs, tmp_path, change, message):
    state = {n: v for n, v in (theirs.state_dict() | change).items() if v is not None}
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(CompilerError, match=message):
        load_encoder(tmp_path / "w.pth", WHOLE, ENCODER)


def test_an_encoder_of_another_width_is_named(checkpoint):
    narrow = lower(GENOTYPE, ModelSpec(width=0.5))
    with pytest.raises(
        EncoderWidthError, match=r"an encoder of width 1, expected one of width 0\.5"
    ):
        load_encoder(checkpoint, narrow, find_encoder("mobilenet_v2", 0.5))


class Trap:
    """Runs code where it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("trapped"),)


def damaged(path: Path, checkpoint: Path, kind: str) -> None:
    whole = checkpoint.read_bytes()
    contents = {
        "empty": b"",
        "text": b"not weights at all",
        "cut": whole[: len(whole) // 2],
        "flipped": whole[:64] + bytes(64) + whole[128:],
        "pickle": pickle.dumps({"a": 1, "trap": Trap()}),
    }
    if kind in contents:
        path.write_bytes(contents[kind])
    elif kind == "trap":
        torch.save({"features.0.0.weight": Trap()}, path)
    elif kind == "list":
        torch.save([torch.zeros(2)], path)


@pytest.mark.parametrize(
    "kind", ["absent", "empty", "text", "cut", "flipped", "pickle", "trap", "list"]
)
def test_a_damaged_or_dangerous_file_is_one_line(tmp_path, monkeypatch, checkpoint, kind):
    monkeypatch.chdir(tmp_path)
    damaged(tmp_path / "w.pth", checkpoint, kind)
    with pytest.raises(CompilerError) as caught:
        load_encoder(tmp_path / "w.pth", WHOLE, ENCODER)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "w.pth"))
    assert "expected" in str(caught.value)
    assert not (tmp_path / "trapped").exists()
