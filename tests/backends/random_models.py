"""ONNX models of random genotypes on random encoders in random forms."""

from __future__ import annotations

import random
from dataclasses import replace

import onnx

from auxnas.backends.base import ExportOptions
from auxnas.backends.onnx.build import build
from auxnas.compiler import ModelSpec, Program, lower
from auxnas.compiler.encoders import ENCODERS
from auxnas.compiler.interface import Interface, with_interface
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.compiler.weights import initial_params
from tests.strategies import SPACES

SPEC = ModelSpec(classes=5, agg_size=8, auxiliary="none", width=0.25)

MANY = [name for name in ENCODERS if not name.startswith("resnet")]
"""Encoders of five outputs, which some spaces ask for."""


def random_model(rng: random.Random) -> onnx.ModelProto:
    """Some genotype in some form: ends, sizes, precision, opset, passes."""
    genotype = rng.choice(SPACES).sample(rng)
    graph = lower(genotype, replace(SPEC, encoder=rng.choice(MANY)))
    ends = Interface(
        rng.choice(["logits", "probabilities", "labels"]),
        rng.random() < 0.5,
        rng.choice(["nchw-float", "nhwc-uint8"]),
    )
    program = with_interface(Program(graph, initial_params(graph, 0), ""), ends)
    disabled = tuple(each.name for each in INFERENCE if rng.random() < 0.2)
    if rng.random() < 0.8:
        program, _ = run_passes(INFERENCE, program, disabled)
    options = ExportOptions(
        rng.choice([(64, 96), (97, 131), None]),
        rng.choice([1, 2, None]),
        rng.choice(["fp32", "fp16", "bf16"]),
        rng.choice([18, 20, 22]),
    )
    return build(program, options, {})
