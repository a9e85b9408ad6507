"""Targets of phones: a graph of every primitive, and laws that each of them keeps besides."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings

from auxnas.backends.base import ExportOptions
from auxnas.backends.compiling.verification import noise_inputs
from auxnas.backends.runtimes.reference import ReferenceRunner
from auxnas.backends.targets import target_of
from auxnas.compiler import CompilerError, Program, parse_graph
from auxnas.compiler.interface import Interface, with_interface
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.compiler.weights import random_params
from auxnas.genotype import Genotype
from auxnas.nascompile.cli import main as nascompile
from auxnas.nasrun.cli import main as nasrun
from tests.backends.contract_target import TargetContract
from tests.strategies import genotypes, program

EVERY = """
image = input(; bytes=0, channels=3, stride=1)
constant = vector(; channels=8) @constant
stem = conv2d(image; bias=1, dilation=1, groups=1, kernel=3, out=8, stride=2) @stem
norm = batch_norm(stem) @norm
clipped = relu6(norm)
apart = conv2d(clipped; bias=0, dilation=2, groups=8, kernel=3, out=8, stride=1) @apart
positive = relu(apart)
grouped = conv2d(positive; bias=1, dilation=1, groups=2, kernel=5, out=8, stride=1) @grouped
bounded = clamp(grouped; high=700, low=100)
pool = max_pool(bounded; kernel=3, stride=2)
mean = global_mean(pool)
point = conv2d(mean; bias=0, dilation=1, groups=1, kernel=1, out=8, stride=1) @point
everywhere = spread(point, pool)
same = identity(everywhere)
nothing = zero(same)
total = add(pool, constant, nothing, pool)
grown = resize(total, norm)
cornered = resize_corners(total, norm)
both = concat(grown, cornered, norm)
large = deconv2d(both; bias=1, kernel=4, out=5, stride=2) @large
main = softmax(large)
return main=main, raw=stem, low=total
"""
"""A graph of every primitive that they have, and outputs that others read."""


def every():
    graph = parse_graph(EVERY)
    return Program(graph, random_params(graph, 0), "every")


def shipped(genotype: Genotype) -> Program:
    return run_passes(INFERENCE, with_interface(program(genotype), Interface()))[0]


class PhoneContract(TargetContract):
    """Tests of the target called ``name``."""

    def assert_equal(self, target, network, size, folder):
        inputs = noise_inputs(network, size, 0, 2)
        path = self.made(target, network, folder, ExportOptions(size, 2))
        found, expected = target.open(path)(inputs), ReferenceRunner(network)(inputs)
        assert found.keys() == expected.keys()
        for name, truth in expected.items():
            np.testing.assert_allclose(found[name], truth, atol=1e-4 * abs(truth).max())

    def test_every_primitive_means_what_the_reference_does(self, target, tmp_path):
        for size in ((8, 12), (32, 32)):
            self.assert_equal(target, every(), size, tmp_path)

    def test_networks_mean_what_the_reference_does(self, target, tmp_path):
        @settings(max_examples=3, deadline=None)
        @given(genotypes())
        def law(genotype):
            self.assert_equal(target, shipped(genotype), (40, 33), tmp_path)

        law()

    def test_an_input_of_another_size_or_type_is_refused(self, target, network, tmp_path):
        runner = target.open(self.made(target, network, tmp_path, ExportOptions((33, 47))))
        with pytest.raises(CompilerError, match=r"image \(1, 3, 64, 40\) float32, expected image"):
            runner(noise_inputs(network, (64, 40), 0, 1))
        fitting = noise_inputs(network, (33, 47), 0, 1)["image"]
        with pytest.raises(CompilerError, match="float64, expected image"):
            runner({"image": fitting.astype(np.float64)})
        with pytest.raises(CompilerError, match="other, expected one named image"):
            runner({"other": fitting})

    def test_it_is_made_checked_and_opened_by_the_commands(self, target, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        words = ["arch0", "--agg-size", "8", "--width", "0.25", "--sep-repeats", "1", "--json"]
        words += ["--target", self.name, "--input-size", "64x64", "--input-format", "nhwc-uint8"]
        output = f"net{target_of(self.name).suffix}"
        made = CliRunner().invoke(nascompile, [*words, "--output", output])
        assert made.exit_code == 0, made.output
        assert json.loads(made.stdout)["difference"]["max_relative"] < 1e-4
        for command in (["explain", output], ["bench", output, "--runs", "2", "--warmup", "0"]):
            result = CliRunner().invoke(nasrun, [*command, "--json"])
            assert result.exit_code == 0, result.output
