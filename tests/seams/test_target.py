"""A user's target, made and checked by the real command."""

from __future__ import annotations

import json

import numpy as np
import pytest

from auxnas.backends.targets import TARGETS
from auxnas.nascompile.cli import main as nascompile
from tests.backends.contract_target import TargetContract

OWN = "target:Text"
WORDS = ["arch0", "--width", 0.1, "--agg-size", 4, "--input-size", "32x48", "--target", OWN]


@pytest.mark.usefixtures("user")
class TestText(TargetContract):
    name = OWN


def test_it_is_made_and_checked(user, command):
    made = json.loads(command(nascompile, *WORDS, "--json").stdout)
    assert made["target"] == OWN
    assert made["output"] == "arch0.npz"
    assert made["checks"]["32x48"]["max_relative"] < 1e-4
    with np.load("arch0.npz") as file:
        assert "conv2d" in str(file["graph"])
        assert json.loads(str(file["model"]))["agg_size"] == 4
    lines = command(nascompile, *WORDS).stdout
    assert "numpy" in lines


@pytest.mark.parametrize("name", ["a.onnx", "a.bin", "a"])
def test_a_file_of_another_name_is_refused(user, command, name):
    found = command(nascompile, *WORDS, "--output", name, fails=True)
    assert "expected a name that ends in .npz" in found.stderr
    assert not list(user.glob("a*"))


WRONG = """
from auxnas.backends.target import Target
class Bare(Target): pass
class Odd(Target):
    runtime, suffix, precisions = "odd", ".odd", ("fp8",)
class Absent(Target):
    runtime, suffix = "far", ".far"
    def missing(self): return "the far library is not here"
class Broken(Target):
    runtime, suffix = "numpy", ".broken"
    def export(self, program, path, options, metadata): path.write_text("")
    def open(self, path): return lambda inputs: {"main": 0 * inputs["image"][:, :1]}
"""


@pytest.mark.parametrize(
    ("target", "options", "status", "message"),
    [
        ("onxx", [], 2, "targets: no 'onxx', expected perhaps onnx, or one of onnx"),
        ("target:Nothing", [], 2, "targets: 'target:Nothing' cannot be imported"),
        ("target:np", [], 2, "targets: target:np is <module"),
        ("wrong:Bare", [], 2, "a subclass of auxnas.backends.target.Target with a runtime"),
        ("wrong:Odd", [], 2, "wrong:Odd: precisions ('fp8',), expected some of fp32"),
        ("wrong:Absent", [], 3, "wrong:Absent: the far library is not here"),
        (OWN, ["--precision", "fp16"], 2, "--precision fp16: target target:Text, expected"),
        (OWN, ["--opset", "20"], 2, "--opset has no effect with --target target:Text"),
    ],
)
def test_what_is_wrong_is_one_line(user, command, target, options, status, message):
    (user / "wrong.py").write_text(WRONG)
    words = [*WORDS[:-1], target, *options]
    found = command(nascompile, *words, fails=True)
    (line,) = found.stderr.strip().splitlines()
    assert message in line
    assert found.exit_code == status
    assert not [path for path in user.iterdir() if path.name.startswith("arch0")]


def test_one_that_does_something_else_is_not_written(user, command):
    (user / "wrong.py").write_text(WRONG)
    found = command(nascompile, *WORDS[:-1], "wrong:Broken", fails=True)
    assert found.exit_code == 1
    assert not (user / "arch0.broken").exists()


def test_ours_are_named_in_the_help(command):
    help_ = command(nascompile, "--help").stdout
    assert all(name in help_ for name in TARGETS)
