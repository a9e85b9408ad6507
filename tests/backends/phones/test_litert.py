"""Target litert: its files, and what LiteRT makes of them, where it is installed."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from auxnas.backends.base import ExportOptions
from auxnas.backends.compiling.verification import noise_inputs
from auxnas.backends.runtimes.reference import ReferenceRunner
from auxnas.compiler import CompilerError
from auxnas.compiler.interface import Interface, with_interface
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.genotype import zoo
from auxnas.nascompile.cli import main as nascompile
from tests.backends.phones.contract_phone import PhoneContract, every
from tests.strategies import program


class TestLitert(PhoneContract):
    name = "litert"

    def test_labels_come_out_of_bytes(self, target, tmp_path):
        described = program(zoo.load_published("arch2").genotype)
        network, _ = run_passes(
            INFERENCE, with_interface(described, Interface("labels", format="nhwc-uint8"))
        )
        inputs = noise_inputs(network, (40, 52), 0, 2)
        path = self.made(target, network, tmp_path, ExportOptions((40, 52), 2))
        found, truth = (
            run(inputs)["main"] for run in (target.open(path), ReferenceRunner(network))
        )
        assert (found.dtype, found.shape) == (np.uint8, truth.shape)
        assert (found != truth).mean() < 0.005

    def test_weights_are_half_as_large_in_fp16(self, target, tmp_path):
        sizes = [
            self.made(target, every(), tmp_path, ExportOptions((8, 8), 1, each)).stat().st_size
            for each in ("fp32", "fp16")
        ]
        weights = sum(v.nbytes for v in every().params.values() if v.ndim == 4)
        assert sizes[0] - sizes[1] > 0.3 * weights

    def test_a_damaged_file_is_noticed(self, target, network, tmp_path):
        path = self.made(target, network, tmp_path, ExportOptions((33, 47)))
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        with pytest.raises(CompilerError, match=f"{path.name}: damaged, or of another artefact"):
            target.open(path)

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["--input-size", "dynamic"], "expected an --input-size and a --batch"),
            (["--batch", "dynamic"], "expected an --input-size and a --batch"),
        ],
    )
    def test_what_litert_cannot_take_is_one_line(self, target, words, expected, tmp_path):
        output = str(tmp_path / "x.tflite")
        command = ["arch0", "--target", "litert", "--output", output, *words]
        result = CliRunner().invoke(nascompile, command)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.output
        assert expected in result.stderr
        assert list(tmp_path.iterdir()) == []
