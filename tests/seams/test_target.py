"""A user's target, made and checked by the real command."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from PIL import Image

from auxnas.backends.targets import TARGETS, atomic_write_set, installed_target, target_of
from auxnas.compiler import CompilerError
from auxnas.compiler.interface import Interface, with_interface
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.genotype import plugins, zoo
from auxnas.genotype.plugins import PluginError
from auxnas.nascompile.cli import main as nascompile
from auxnas.nasrun.cli import main as nasrun
from tests.backends.contract_target import TargetContract
from tests.strategies import program

OWN = "target:Text"
WORDS = ["arch0", "--width", 0.1, "--agg-size", 4, "--input-size", "32x48", "--target", OWN]


class Runner:
    """A runner around another one."""

    def __init__(self, opened):
        self.opened = opened


@pytest.fixture(scope="module")
def small():
    """The contract's network."""
    described = program(zoo.load_published("arch0").genotype)
    return run_passes(INFERENCE, with_interface(described, Interface("logits", True)))[0]


@pytest.mark.usefixtures("user")
class TestText(TargetContract):
    name = OWN


class Scaled(Runner):
    """Numbers a tenth too large."""

    def __call__(self, inputs):
        return {name: 1.1 * value for name, value in self.opened(inputs).items()}


class Cut(Runner):
    """A row less."""

    def __call__(self, inputs):
        return {name: value[:, :, 1:] for name, value in self.opened(inputs).items()}


class Renamed(Runner):
    """Another name of the output."""

    def __call__(self, inputs):
        return {f"{name}0": value for name, value in self.opened(inputs).items()}


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("mutant", [Scaled, Cut, Renamed])
def test_the_contract_sees_a_runner_that_does_something_else(mutant, small, tmp_path):
    target = target_of(OWN)
    target.open = lambda path: mutant(type(target)().open(path))
    with pytest.raises(AssertionError):
        TestText().test_it_means_what_the_reference_does(target, small, tmp_path)


@pytest.mark.usefixtures("user")
def test_the_contract_sees_a_precision_that_is_ignored(small, tmp_path):
    target = target_of(OWN)
    target.precisions = ("fp32", "fp16")
    with pytest.raises(AssertionError):
        TestText().test_it_means_what_the_reference_does(target, small, tmp_path)


@pytest.mark.usefixtures("user")
def test_the_contract_sees_a_file_too_many(small, tmp_path):
    target = target_of(OWN)
    export = target.export

    def litters(network, path, options, metadata):
        export(network, path, options, metadata)
        path.with_name("more").touch()

    target.export = litters
    with pytest.raises(AssertionError):
        TestText().test_it_writes_its_own_files_and_no_other(target, small, tmp_path)


@pytest.mark.usefixtures("user")
def test_one_that_writes_nothing_is_said_to(tmp_path):
    with (
        pytest.raises(CompilerError, match=r"the target .* wrote no file"),
        atomic_write_set(tmp_path / "a.npz", OWN),
    ):
        pass
    assert not list(tmp_path.glob("*.npz"))


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


@pytest.mark.usefixtures("user")
def test_nasrun_opens_it(command, monkeypatch):
    command(nascompile, *WORDS)
    Image.new("RGB", (48, 32), (90, 120, 30)).save("a.png")
    said = command(nasrun, "explain", "arch0.npz", "--target", OWN, "--json").stdout
    assert json.loads(said)["metadata"]["model"]["agg_size"] == 4
    used = ["predict", "arch0.npz", "a.png", "--output", "out", "--target", OWN]
    command(nasrun, *used)
    with Image.open("out/a_labels.png") as labels:
        assert (labels.mode, labels.size) == ("P", (48, 32))
    failed = command(nasrun, *used, "--threads", 2, fails=True)
    assert failed.stderr == f"error: threads: 2, expected none: {OWN} opens files by itself\n"
    point = EntryPoint("text", OWN, "auxnas.targets")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point])
    assert command(nasrun, "bench", "arch0.npz", "--runs", 1, "--warmup", 0).exit_code == 0


@pytest.mark.parametrize("place", ["gone:Class", "target:np", "target:Nothing"])
@pytest.mark.usefixtures("user")
def test_an_installed_one_that_is_broken_hurts_its_own_files_alone(place, monkeypatch):
    points = [EntryPoint(*each, "auxnas.targets") for each in (("theirs", place), ("text", OWN))]
    monkeypatch.setattr(plugins, "entry_points", lambda group: points)
    target_of(OWN)  # as where the user named it: their folder is looked in
    for name in ("a.onnx", "a.ONNX", "a.xml", "a.trt.zip", "a"):
        assert installed_target(name) is None
    assert installed_target("a.npz") == "text"
    with pytest.raises(PluginError, match=r"^target: .*theirs"):
        installed_target("a.other")


def test_a_runner_that_says_nothing_is_one_line(user, command):
    (user / "wrong.py").write_text(WRONG)
    (user / "a.broken").touch()
    failed = command(nasrun, "explain", "a.broken", "--target", "wrong:Broken", fails=True)
    found = "its runner does not say its metadata, inputs, outputs, devices"
    assert failed.stderr.startswith(f"error: wrong:Broken: {found}, expected an OpenedArtefact")


@pytest.mark.parametrize("name", ["a.onnx", "a.bin", "a"])
def test_a_file_of_another_name_is_refused(user, command, name):
    found = command(nascompile, *WORDS, "--output", name, fails=True)
    assert "expected a name that ends in .npz" in found.stderr
    assert not list(user.glob("a*"))


WRONG = """
from auxnas.backends.target import Target
WORD = "far"
class Bare(Target): pass
class Half(Target):
    runtime, suffix = "numpy", ".half"
    def export(self, program, path, options, metadata): path.write_text("")
class Broken(Half):
    suffix = ".broken"
    def open(self, path): return lambda inputs: {"main": 0 * inputs["image"][:, :1]}
class Odd(Broken):
    runtime, suffix, precisions = "odd", ".odd", ("fp8",)
class Absent(Broken):
    runtime, suffix = "far", ".far"
    def missing(self): return "the far library is not here"
class Dotless(Broken):
    suffix = "broken"
class Nameless(Broken):
    runtime = None
class Given(Broken):
    def __init__(self, word): pass
class Silent(Broken):
    def export(self, program, path, options, metadata): pass
class Alone(Broken):
    beside = (".bin",)
class Beside(Broken):
    beside = ".bin"
class Unopened(Broken):
    def open(self, path): return None
class Outputs(Broken):
    def open(self, path): return lambda inputs: self.outputs
class Nothing(Outputs):
    outputs = None
class Renamed(Outputs):
    outputs = {"out": 1}
class Texts(Outputs):
    outputs = {"main": "1"}
"""


@pytest.mark.parametrize(
    ("target", "options", "status", "message"),
    [
        ("onxx", [], 2, "'--target': no 'onxx', expected perhaps onnx, or one of onnx"),
        ("target:Nothing", [], 2, "'--target': 'target:Nothing' cannot be imported"),
        ("target:np", [], 2, "'--target': target:np is <module"),
        ("wrong:Bare", [], 2, "a subclass of auxnas.backends.target.Target with a runtime"),
        ("wrong:Bare", [], 2, "'--target': wrong:Bare without export, open, expected a subclass"),
        ("wrong:Half", [], 2, "'--target': wrong:Half without open, expected a subclass"),
        ("wrong:Dotless", [], 2, "'--target': wrong:Dotless: suffix 'broken', expected a subclass"),
        ("wrong:Nameless", [], 2, "'--target': wrong:Nameless: runtime None, expected a subclass"),
        ("wrong:Given", [], 2, "'--target': wrong:Given: missing a required argument: 'word'"),
        ("wrong:WORD", [], 2, "'--target': wrong:WORD is 'far', expected a class"),
        ("wrong:Silent", [], 2, "the target wrong:Silent wrote no file, expected one"),
        ("wrong:Alone", ["--no-verify"], 2, ".bin: the target wrong:Alone wrote no file, expected"),
        (
            "wrong:Beside",
            [],
            2,
            "'--target': wrong:Beside: beside '.bin', expected a tuple of",
        ),
        ("wrong:Unopened", [], 2, "target wrong:Unopened: open gives None, expected a runner"),
        ("wrong:Nothing", [], 2, "outputs: None, expected arrays by name"),
        ("wrong:Renamed", [], 2, "outputs: out, expected one named main"),
        ("wrong:Texts", [], 2, "outputs.main: '1', expected an array of numpy's"),
        ("wrong:Silent", ["--no-verify"], 2, "the target wrong:Silent wrote no file, expected"),
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
