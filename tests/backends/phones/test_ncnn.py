"""Target ncnn: its files, and what ncnn makes of them where it is installed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings

from auxnas.backends.artefacts.artefact import Artefact
from auxnas.backends.base import ExportOptions
from auxnas.backends.compiling.verification import noise_inputs
from auxnas.backends.phones.facts import read_facts
from auxnas.backends.phones.ncnn_file import ncnn_layers
from auxnas.backends.runtimes.reference import ReferenceRunner
from auxnas.backends.targets import target_of
from auxnas.compiler import CompilerError, Program
from auxnas.nascompile.cli import main as nascompile
from tests.backends.phones.contract_phone import PhoneContract, every, shipped
from tests.strategies import genotypes


class TestNcnn(PhoneContract):
    name = "ncnn"

    def test_a_file_serves_any_size_and_number(self, target, network, tmp_path):
        path = self.made(target, network, tmp_path, ExportOptions(None, None))
        runner = target.open(path)
        for size, count in (((33, 47), 1), ((64, 40), 3)):
            inputs = noise_inputs(network, size, 0, count)
            truth = ReferenceRunner(network)(inputs)["main"]
            np.testing.assert_allclose(runner(inputs)["main"], truth, atol=1e-4 * abs(truth).max())


@settings(max_examples=5, deadline=None)
@given(genotypes())
def test_each_blob_is_written_once_and_read_once(genotype):
    check_blobs(shipped(genotype))


def check_blobs(network: Program) -> None:
    layers = ncnn_layers(network)
    written = Counter(name for layer in layers for name in layer.outputs)
    read = Counter(name for layer in layers for name in layer.inputs)
    outputs = {name for name, _ in network.graph.outputs}
    assert set(written.values()) == {1}
    assert set(read.values()) == {1}
    assert written.keys() - read.keys() == outputs
    seen: set[str] = set()
    for layer in layers:
        assert seen.issuperset(layer.inputs)
        seen.update(layer.outputs)


def test_the_blobs_of_every_primitive():
    check_blobs(every())


@pytest.mark.parametrize(("head", "op"), [("labels", "argmax")])
def test_what_ncnn_has_no_layer_for_is_named(head, op, tmp_path):
    words = [
        "arch0",
        "--target",
        "ncnn",
        "--head",
        head,
        "--output",
        str(tmp_path / "x.ncnn.param"),
    ]
    result = CliRunner().invoke(nascompile, words)
    assert result.exit_code == 2
    expected = f"output.{head}: {op}, which ncnn has no layer for, expected another target"
    assert expected in result.stderr
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


class TestFiles:
    @pytest.fixture
    def made(self, tmp_path):
        path = tmp_path / "net.ncnn.param"
        target_of("ncnn").export(every(), path, ExportOptions((8, 8)), {"tool": "test"})
        return path

    def test_its_size_is_that_of_all_its_files(self, made):
        opened = Artefact(made, {}, (), (), "ncnn")
        assert opened.size == sum(each.stat().st_size for each in made.parent.iterdir())

    def test_weights_are_half_as_large_in_fp16(self, made, tmp_path):
        small = tmp_path / "half.ncnn.param"
        target_of("ncnn").export(every(), small, ExportOptions((8, 8), 1, "fp16"), {})
        full, half = (p.with_suffix(".bin").stat().st_size for p in (made, small))
        assert half < 0.7 * full
        assert " 31=7" in made.read_text()  # computed in float32 where less is the default
        assert " 31=" not in small.read_text()

    def test_the_counts_are_those_of_the_lines(self, made):
        _, counts, *lines = made.read_text().splitlines()
        layers, blobs = map(int, counts.split())
        assert layers == len(lines)
        assert blobs == sum(int(line.split()[3]) for line in lines)

    @pytest.mark.parametrize("suffix", [".param", ".bin"])
    def test_a_file_of_another_artefact_is_noticed(self, made, suffix):
        facts, files = made.with_suffix(".json"), (made, made.with_suffix(".bin"))
        assert read_facts(facts, files).metadata == {"tool": "test"}
        changed = made.with_suffix(suffix)
        changed.write_bytes(changed.read_bytes()[:-1] + b"x")
        with pytest.raises(CompilerError, match=f"{changed.name}: damaged, or of another artefact"):
            read_facts(facts, files)
        changed.unlink()
        with pytest.raises(CompilerError, match=f"{changed.name}: no such file"):
            read_facts(facts, files)

    @pytest.mark.parametrize("text", ["", "{}", "[1]", '{"sha256": 3}', "[" * 99_999])
    def test_a_damaged_file_of_facts_is_named(self, made, text):
        facts: Path = made.with_suffix(".json")
        facts.write_text(text)
        with pytest.raises(CompilerError, match=f"{facts.name}: damaged, or not of an artefact"):
            read_facts(facts, (made,))
        facts.unlink()
        with pytest.raises(CompilerError, match=f"{facts.name}: no such file"):
            read_facts(facts, (made,))
