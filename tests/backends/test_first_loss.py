"""Training begins at the loss of a guess, whatever decoder is trained."""

from __future__ import annotations

from dataclasses import replace
from math import log, prod, sqrt
from zlib import crc32

import numpy as np
import pytest
import torch
from hypothesis import given
from torch.nn.functional import avg_pool2d, cross_entropy, interpolate

from auxnas.backends.torch import build_module
from auxnas.compiler import (
    Graph,
    ModelSpec,
    Program,
    graph_weights,
    lower,
    lower_refinenet,
    lower_resnet_refinenet,
)
from auxnas.compiler import weights as weights_module
from auxnas.compiler.decoders import HandMade
from auxnas.compiler.tasks.pose.task import HumanPose
from auxnas.compiler.weights import USUAL_START, OutputStart, initial_params
from auxnas.genotype import zoo
from tests.strategies import FIVE, PAPER, SMALL, genotypes

SPEC = ModelSpec(classes=11, width=0.35, agg_size=16, sep_repeats=1)
RIVALS = {
    "lwrf-64": lower_refinenet(SPEC, 64),
    "lwrf-256": lower_refinenet(SPEC, 256),
    "lwrf, width 1, 40 classes": lower_refinenet(ModelSpec(classes=40), 64),
    "resnet-50": lower_resnet_refinenet(50, 11),
    "deeplabv3plus": HandMade("deeplabv3plus", 64).lower(SPEC),
    "simple": HandMade("simple-resnet50", 64).lower(replace(SPEC, encoder="resnet50", width=0.25)),
}


def first_output(
    graph: Graph, seed: int, generator: torch.Generator, start: OutputStart = USUAL_START
) -> torch.Tensor:
    """What the network answers to four images before the first step."""
    module = build_module(Program(graph, initial_params(graph, seed, start), "x")).train()
    noise = torch.randn(4, 3, 96, 96, generator=generator)
    image = interpolate(4 * avg_pool2d(noise, 8), size=(96, 96), mode="bilinear") + 0.3 * noise
    with torch.no_grad():
        (output, *_) = module(image).values()
    return output


def first_loss(graph: Graph, seed: int) -> float:
    """Cross-entropy on random labels before the first step, over the logarithm of the classes."""
    generator = torch.Generator().manual_seed(seed)
    logits = first_output(graph, seed, generator)
    classes = logits.shape[1]
    labels = torch.randint(0, classes, (4, *logits.shape[2:]), generator=generator)
    return float(cross_entropy(logits, labels)) / log(classes)


@pytest.mark.parametrize("name", RIVALS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_rival_begins_at_the_loss_of_a_guess(name, seed):
    assert 1 <= first_loss(RIVALS[name], seed) < 1.25


@pytest.mark.parametrize("name", zoo.NAMES)
def test_a_found_network_begins_at_the_loss_of_a_guess(name):
    assert 1 <= first_loss(lower(zoo.load_published(name).genotype, SPEC), 0) < 1.25


@pytest.mark.parametrize("name", RIVALS)
def test_maps_of_joints_begin_near_0(name):
    """A Gaussian of 2 cells has a mean square of about 0.003 in maps of 64x64."""
    start = OutputStart(scale=HumanPose.first_scale)
    usual, maps = (
        first_output(RIVALS[name], 0, torch.Generator().manual_seed(0), each).square().mean()
        for each in (USUAL_START, start)
    )
    assert 0 < maps < 0.003 < 0.1 < usual


def test_without_scales_the_loss_is_forty_times_that(monkeypatch):
    monkeypatch.setattr(weights_module, "_scales", lambda graph: {})
    assert first_loss(RIVALS["lwrf-64"], 0) > 10


@given(genotypes(PAPER, SMALL, FIVE))
def test_networks_with_batch_norm_begin_as_the_paper_says(genotype):
    graph = lower(genotype, SPEC)
    values = initial_params(graph, 3)
    for name, weight in graph_weights(graph).items():
        if len(weight.shape) == 4:
            generator = np.random.default_rng([3, crc32(name.encode())])
            bound = sqrt(6 / ((weight.shape[0] + weight.shape[1]) * prod(weight.shape[2:])))
            xavier = generator.uniform(-bound, bound, weight.shape).astype(np.float32)
            assert np.array_equal(values[name], xavier)
