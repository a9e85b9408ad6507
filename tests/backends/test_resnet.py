"""Light-Weight RefineNet on ResNet against the same network written down in torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from auxnas.backends.torch import TorchRunner
from auxnas.compiler import Graph, Program
from auxnas.compiler.decoders.resnet_refinenet import (
    from_published,
    lower_resnet_refinenet,
    published_names,
)
from auxnas.compiler.weights import random_params

State = dict[str, Tensor]


def conv(p: State, name: str, x: Tensor, stride: int = 1) -> Tensor:
    weight = p[f"{name}.weight"]
    return F.conv2d(x, weight, p.get(f"{name}.bias"), stride, weight.shape[-1] // 2)


def norm(p: State, name: str, x: Tensor) -> Tensor:
    names = ("running_mean", "running_var", "weight", "bias")
    return F.batch_norm(x, *(p[f"{name}.{suffix}"] for suffix in names), eps=1e-5)


def bottleneck(p: State, name: str, x: Tensor, stride: int) -> Tensor:
    y = norm(p, f"{name}.bn1", conv(p, f"{name}.conv1", x)).relu()
    y = norm(p, f"{name}.bn2", conv(p, f"{name}.conv2", y, stride)).relu()
    y = norm(p, f"{name}.bn3", conv(p, f"{name}.conv3", y))
    if f"{name}.downsample.0.weight" in p:
        x = norm(p, f"{name}.downsample.1", conv(p, f"{name}.downsample.0", x, stride))
    return (x + y).relu()


def pooled(p: State, name: str, x: Tensor) -> Tensor:
    total = x
    for number in (1, 2, 3, 4):
        x = conv(p, f"{name}.0.{number}_outvar_dimred", F.max_pool2d(x, 5, 1, 2))
        total = total + x
    return total


def network(p: State, x: Tensor, blocks: tuple[int, ...]) -> Tensor:
    """The published network, written from its description and its parameters' names."""
    x = F.max_pool2d(norm(p, "bn1", conv(p, "conv1", x, 2)).relu(), 3, 2, 1)
    maps = []
    for layer, count in enumerate(blocks, 1):
        for block in range(count):
            stride = 2 if block == 0 and layer > 1 else 1
            x = bottleneck(p, f"layer{layer}.{block}", x, stride)
        maps.insert(0, x)
    x = conv(p, "p_ims1d2_outl1_dimred", maps[0])
    for stage in (1, 2, 3, 4):
        x = pooled(p, f"mflow_conv_g{stage}_pool", x.relu())
        if stage < 4:
            x = conv(p, f"mflow_conv_g{stage}_b3_joint_varout_dimred", x)
            y = conv(p, f"p_ims1d2_outl{stage + 1}_dimred", maps[stage])
            y = conv(p, f"adapt_stage{stage + 1}_b2_joint_varout_dimred", y)
            x = y + F.interpolate(x, y.shape[2:], mode="bilinear", align_corners=True)
    return conv(p, "clf_conv", x)


@pytest.fixture(scope="module")
def checkpoint() -> dict[str, np.ndarray]:
    graph = lower_resnet_refinenet(50, 3)
    names = published_names(graph)
    return {names[ours]: value for ours, value in random_params(graph, 0).items()}


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(1, 3, 65, 97)).astype(np.float32)


def test_the_network_computes_what_the_published_one_does(checkpoint, image):
    program = from_published(checkpoint, "f")
    weights = {name: torch.from_numpy(value) for name, value in checkpoint.items()}
    expected = network(weights, torch.from_numpy(image), (3, 4, 6, 3)).numpy()
    scale = np.abs(expected).max()

    found = TorchRunner(program, "cpu")({"image": image})["main"]
    assert found.shape == expected.shape == (1, 3, 17, 25)
    assert np.abs(found - expected).max() < 1e-4 * scale

    for mutant in (half_pixel(program), relabelled(program)):
        wrong = TorchRunner(mutant, "cpu")({"image": image})["main"]
        assert np.abs(wrong - expected).max() > 1e-3 * scale


def half_pixel(program: Program) -> Program:
    """The network with maps that grow as the other decoders' do."""
    nodes = (
        replace(node, op="resize") if node.op == "resize_corners" else node
        for node in program.graph.nodes
    )
    return replace(program, graph=Graph(tuple(nodes), program.graph.outputs))


def relabelled(program: Program) -> Program:
    """The network with two arrays of one shape in each other's place."""
    first, second = (f"refinenet.stride{s}.carry.conv.weight" for s in (8, 4))
    swapped = {first: program.params[second], second: program.params[first]}
    return replace(program, params={**program.params, **swapped})
