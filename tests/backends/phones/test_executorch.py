"""Target executorch, where that is installed; its converter takes a minute a network."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from auxnas.nascompile.cli import main as nascompile
from tests.backends.contract_target import TargetContract

# ExecuTorch 1.5.1 is full of what is deprecated elsewhere.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class TestExecutorch(TargetContract):
    name = "executorch"

    @pytest.mark.parametrize("words", [["--input-size", "dynamic"], ["--batch", "dynamic"]])
    def test_what_it_cannot_take_is_one_line(self, target, words, tmp_path):
        output = str(tmp_path / "x.pte")
        command = ["arch0", "--target", "executorch", "--output", output, *words]
        result = CliRunner().invoke(nascompile, command)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.output
        assert "expected an --input-size and a --batch" in result.stderr
        assert list(tmp_path.iterdir()) == []
