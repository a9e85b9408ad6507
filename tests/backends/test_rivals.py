"""The paper's rivals against the same networks written down as plain modules of torch."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from auxnas.backends.base import ExportOptions
from auxnas.backends.compiling.verification import compare_runners, noise_inputs
from auxnas.backends.int8.layers import quantisable_layers
from auxnas.backends.onnx.build import build
from auxnas.backends.registry import backend
from auxnas.backends.runtimes.reference import ReferenceRunner
from auxnas.backends.targets import TARGETS
from auxnas.backends.tensorrt.operators import violation
from auxnas.backends.torch import TorchRunner
from auxnas.compiler import Graph, ModelSpec, Program, graph_weights
from auxnas.compiler.decoders import HandMade
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.compiler.weights import random_params

CHANNELS, CLASSES = 16, 5


def conv_bn(inside, out, kernel=1, stride=1, rate=1, groups=1, act: type | None = nn.ReLU):
    padding = rate * (kernel // 2)
    conv = nn.Conv2d(inside, out, kernel, stride, padding, rate, groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), *([act()] if act else []))


class Inverted(nn.Module):
    def __init__(self, inside, out, factor, stride, rate):
        super().__init__()
        wide = inside * factor
        self.body = nn.Sequential(
            conv_bn(inside, wide, act=nn.ReLU6),
            conv_bn(wide, wide, 3, stride, rate, wide, act=nn.ReLU6),
            conv_bn(wide, out, act=None),
        )
        self.residual = stride == 1 and inside == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.residual else self.body(x)


class MobileNet(nn.Module):
    """(map of 24 channels at stride 4, map of 320 channels at ``output_stride``)."""

    def __init__(self, output_stride: int):
        super().__init__()
        self.stem, blocks = conv_bn(3, 32, 3, 2, act=nn.ReLU6), []
        inside, at, rate = 32, 2, 1
        table = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1)]
        for factor, out, count, stride in [*table, (6, 160, 3, 2), (6, 320, 1, 1)]:
            for index in range(count):
                step = stride if index == 0 else 1
                dilated = step > 1 and at == output_stride
                blocks.append(Inverted(inside, out, factor, 1 if dilated else step, rate))
                at, rate = (at, rate * step) if dilated else (at * step, rate)
                inside = out
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.blocks[:3](self.stem(x))
        return fine, self.blocks[3:](fine)


class Pyramid(nn.Module):
    def __init__(self, rates):
        super().__init__()
        self.point = conv_bn(320, CHANNELS)
        self.rates = nn.ModuleList(conv_bn(320, CHANNELS, 3, rate=rate) for rate in rates)
        self.mean = nn.Sequential(nn.AdaptiveAvgPool2d(1), conv_bn(320, CHANNELS))
        self.project = conv_bn((2 + len(rates)) * CHANNELS, CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        mean = F.interpolate(self.mean(x), x.shape[2:], mode="bilinear")
        return self.project(torch.cat([self.point(x), *(f(x) for f in self.rates), mean], 1))


class DeepLab(nn.Module):
    def __init__(self, output_stride, rates):
        super().__init__()
        self.encoder, self.pyramid = MobileNet(output_stride), Pyramid(rates)
        self.classifier = nn.Conv2d(CHANNELS, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pyramid(self.encoder(x)[1]))


class DeepLabPlus(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.low = MobileNet(16), conv_bn(24, 48)
        self.pyramid = Pyramid((6, 12, 18))
        self.refine = nn.Sequential(
            conv_bn(CHANNELS + 48, CHANNELS, 3), conv_bn(CHANNELS, CHANNELS, 3)
        )
        self.classifier = nn.Conv2d(CHANNELS, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine, coarse = self.encoder(x)
        low, coarse = self.low(fine), self.pyramid(coarse)
        grown = F.interpolate(coarse, low.shape[2:], mode="bilinear", align_corners=False)
        return self.classifier(self.refine(torch.cat([grown, low], 1)))


class Bottleneck(nn.Module):
    def __init__(self, inside, width, stride, first):
        super().__init__()
        self.body = nn.Sequential(
            conv_bn(inside, width),
            conv_bn(width, width, 3, stride),
            conv_bn(width, 4 * width, act=None),
        )
        self.shortcut = conv_bn(inside, 4 * width, 1, stride, act=None) if first else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return (self.body(x) + self.shortcut(x)).relu()


class Simple(nn.Module):
    """ResNet-50 of an eighth of the channels, and three transposed convolutions."""

    def __init__(self):
        super().__init__()
        layers, inside = [conv_bn(3, 8, 7, 2), nn.MaxPool2d(3, 2, 1)], 8
        for layer, (width, count) in enumerate(zip((8, 16, 32, 64), (3, 4, 6, 3), strict=True)):
            for index in range(count):
                stride = 2 if index == 0 and layer > 0 else 1
                layers.append(Bottleneck(inside, width, stride, index == 0))
                inside = 4 * width
        for _ in range(3):
            layers.append(nn.ConvTranspose2d(inside, CHANNELS, 4, 2, 1, bias=False))
            layers += [nn.BatchNorm2d(CHANNELS), nn.ReLU()]
            inside = CHANNELS
        self.layers = nn.Sequential(*layers, nn.Conv2d(CHANNELS, CLASSES, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


MODULES = {
    "deeplabv3": lambda: DeepLab(8, ()),
    "deeplabv3-aspp": lambda: DeepLab(16, (6, 12, 18)),
    "deeplabv3plus": DeepLabPlus,
    "simple-resnet50": Simple,
}


def pair(name: str) -> tuple[nn.Module, Program]:
    """A module and our network with the same weights, in the order in which both have them."""
    made = HandMade(name, CHANNELS)
    known = {"encoder": made.encoder, "width": 0.125} if made.encoder else {}
    graph = made.lower(ModelSpec(classes=CLASSES, **known))
    params = random_params(graph, 0)
    module = MODULES[name]().eval()
    theirs = {n: v for n, v in module.state_dict().items() if not n.endswith("batches_tracked")}
    values = dict(zip(theirs, (params[ours] for ours in graph_weights(graph)), strict=True))
    assert all(tuple(theirs[n].shape) == v.shape for n, v in values.items())
    module.load_state_dict({n: torch.from_numpy(v) for n, v in values.items()}, strict=False)
    return module, Program(graph, params, name)


@torch.no_grad()
def distance(module: nn.Module, program: Program, size=(75, 98)) -> float:
    """Largest difference relative to the output's scale."""
    image = np.random.default_rng(0).normal(size=(1, 3, *size)).astype(np.float32)
    expected = module(torch.from_numpy(image)).numpy()
    found = TorchRunner(program, "cpu")({"image": image})["main"]
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("name", MODULES)
def test_the_compiled_network_computes_what_the_module_does(name):
    module, described = pair(name)
    optimised = run_passes(INFERENCE, described)[0]
    assert distance(module, optimised) < 1e-5
    assert distance(module, with_another_attribute(optimised)) > 1e-3


def with_another_attribute(program: Program) -> Program:
    """The network with its first dilation, or transposed kernel, turned into another one."""
    nodes, params = [*program.graph.nodes], dict(program.params)
    for index, node in enumerate(nodes):
        attrs = dict(node.attrs)
        if attrs.get("dilation", 1) > 1:
            attrs["dilation"] //= 2
            nodes[index] = replace(node, attrs=tuple(attrs.items()))
            break
        if node.op == "deconv2d":
            key = f"{node.param}.weight"
            params[key] = params[key][:, :, ::-1, ::-1].copy()
            break
    return replace(program, graph=Graph(tuple(nodes), program.graph.outputs), params=params)


# Artefacts ------------------------------------------------------------------------------


@cache
def narrow(name: str) -> Program:
    """The whole network in few channels."""
    made = HandMade(name, 8)
    known = {"encoder": made.encoder} if made.encoder else {}
    graph = made.lower(ModelSpec(classes=CLASSES, width=0.05, **known))
    return Program(graph, random_params(graph, 0), name)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        *((name, "onnx") for name in MODULES),
        ("deeplabv3plus", "openvino"),
        ("simple-resnet50", "openvino"),
    ],
)
def test_an_artefact_for_any_size_computes_the_network(name, target, tmp_path):
    if target == "openvino":
        pytest.importorskip("openvino")
    described = narrow(name)
    optimised = run_passes(INFERENCE, described)[0]
    path = tmp_path / f"net{TARGETS[target].suffix}"
    backend("exporter", target)().export(optimised, path, ExportOptions(None, None), {})
    runner = backend("runner", TARGETS[target].runner)(path)
    reference = ReferenceRunner(described)
    for size in ((64, 96), (45, 70)):
        inputs = noise_inputs(described, size, 0)
        assert compare_runners(runner, reference, inputs).within(1e-4)
    other = ReferenceRunner(with_another_attribute(described))
    assert not compare_runners(runner, other, inputs).within(1e-4)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_tensorrt_reads_transposed_convolutions_and_int8_leaves_them_in_float(precision):
    optimised = run_passes(INFERENCE, narrow("simple-resnet50"))[0]
    model = build(optimised, ExportOptions((64, 64), precision=precision), {})
    assert violation(model) is None
    kept = {n.name for n in model.graph.node if n.op_type == "ConvTranspose"}
    assert len(kept) == 3
    layers = {layer.name for layer in quantisable_layers(model)}
    assert "encoder.layer4.2.expand.conv" in layers
    assert not kept & layers
