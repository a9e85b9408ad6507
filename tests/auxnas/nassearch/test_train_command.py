"""``nassearch train``: what it takes and prints, its files, its exit statuses."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from auxnas.backends.artefacts.artefact import open_artefact
from auxnas.backends.null.learner import NullLearner
from auxnas.compiler.decoders import HandMade
from auxnas.compiler.weights import load_weights
from auxnas.genotype import read, zoo
from auxnas.nassearch.train import encoder_layers
from auxnas.search.data.scenes.layout import CLASSES
from auxnas.search.trials.records import best_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch = pytest.importorskip("torch")

SMALL = [
    "--data",
    "synthetic:12",
    "--size",
    "32x32",
    "--preset",
    "demo",
    "--set",
    "model.width=0.1",
]
TINY = [*SMALL, "--learner", "null", "--set", "model.agg_size=8"]

EVERY_CLASS = json.dumps(CLASSES)

PLAIN = "[[[0,0],[4,0],[5,4]],[0,[0,1,9,9],[1,0,9,0],[1,0,4,9]]]"
"""Trains faster than the published ones."""


@pytest.mark.parametrize("name", ["arch0", "simple-resnet50"])
def test_a_named_architecture_ends_in_files_that_compile(run, tmp_path, name):
    from auxnas.nascompile.cli import main as nascompile

    out = tmp_path / "t"
    result = run("train", *TINY, "--set", "train.channels=8", "--genotype", name, "--out", out)
    assert result.exit_code == 0, result.output
    assert "mIoU 0." in result.stdout
    assert "epoch 8/8: loss" in result.stderr
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("next: ")]
    command = line.removeprefix("next: nascompile ").split()
    done = CliRunner().invoke(nascompile, [*command, "--json"])
    assert done.exit_code == 0, done.output
    assert Path(command[-1]).is_file()
    found = json.loads((out / "result.json").read_text())
    assert json.loads(done.stdout)["parameters"] == found["parameters"]
    if name == "arch0":
        assert read(out / "genotype.json").extra["model"]["agg_size"] == 8
        return
    assert command[0] == found["network"] == name
    metadata = open_artefact(command[-1]).metadata
    assert metadata["decoder"] == {"name": name, "channels": 8}
    assert metadata["model"]["encoder"] == "resnet50"
    for other, theirs in (("deeplabv3", "deeplabv3"), ("arch0", "[[[3, 3]")):
        wrong = CliRunner().invoke(nascompile, [other, *command[1:]])
        assert wrong.exit_code == 2
        assert f"weights of {name}, expected of {theirs}" in wrong.stderr


def test_a_hand_made_network_brings_its_encoder_and_leaves_another_ones_weights():
    """Of a run, which may have the same one: then its weights are kept."""
    simple = HandMade("simple-resnet50")
    encoder = {"model": {"encoder": "resnet50"}}
    of_run = {"model": {"encoder": "mobilenet_v2"}, "encoder_weights": "run/encoder.safetensors"}
    assert encoder_layers(simple, [{}, of_run, {}]) == [{**encoder, "encoder_weights": None}]
    assert encoder_layers(simple, [of_run, {**of_run, **encoder}, {}]) == [encoder]
    for other in (HandMade("deeplabv3"), zoo.load_published("arch0").genotype):
        assert encoder_layers(other, [of_run]) == []


def test_another_encoder_than_a_hand_made_networks_is_one_line(run, tmp_path):
    wrong = ("--set", "model.encoder=mobilenet_v2", "--out", tmp_path / "t")
    result = run("train", *TINY, "--genotype", "simple-resnet50", *wrong)
    assert result.exit_code == 2
    expected = "expected resnet50, which simple-resnet50 is made of"
    assert result.stderr.splitlines()[-1] == f"error: model.encoder: mobilenet_v2, {expected}"
    assert not (tmp_path / "t").exists()


def test_json_is_the_result(run, tmp_path):
    result = run("train", *TINY, "--genotype", "lwrf", "--out", tmp_path / "t", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads((tmp_path / "t" / "result.json").read_text())


def test_a_runs_trials_are_trained_on_its_data_with_its_encoder(run, place_of, tmp_path):
    from auxnas.search.loop.run import execute

    place = place_of("run", data__source="synthetic:15", pretrain__seed=4)
    best = best_of(execute(place))[0]
    common = ("--preset", "demo", "--set", "model.agg_size=8")
    for name, source in (("a", place.folder), ("b", f"{place.folder}:{best.number + 1}")):
        result = run("train", *common, "--genotype", source, "--out", tmp_path / name, "--json")
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        assert found["network"] == best.key
        assert found["images"]["train"] == 15
        begun = json.loads((tmp_path / name / "training.json").read_text())["settings"]
        assert begun["encoder_weights"] == str(place.folder / "encoder.safetensors")
        assert begun["learner"] == "null"
        assert (begun["model"]["width"], begun["model"]["sep_repeats"]) == (0.1, 2)
    rival = ("--genotype", "lwrf", "--run", place.folder, "--out", tmp_path / "c", "--json")
    result = run("train", *common, *rival)
    assert result.exit_code == 0, result.output
    again = json.loads((tmp_path / "c" / "training.json").read_text())
    assert again["encoder"] == json.loads((tmp_path / "a" / "training.json").read_text())["encoder"]
    for trial in ("99", "0", "first", ""):
        result = run("train", "--genotype", f"{place.folder}:{trial}", "--out", tmp_path / "d")
        assert result.exit_code != 0
        assert "error: " in result.stderr
        assert not (tmp_path / "d").exists()


def test_ctrl_c_keeps_the_last_checkpoint(run, tmp_path, monkeypatch):
    inner, calls = NullLearner.fit_part, []

    def interrupting(self, *args, **more):
        calls.append(args[4])
        if len(calls) == 4:
            raise KeyboardInterrupt
        return inner(self, *args, **more)

    monkeypatch.setattr(NullLearner, "fit_part", interrupting)
    command = ("train", *TINY, "--genotype", "arch1", "--out", tmp_path / "t")
    result = run(*command)
    assert result.exit_code == 130
    last = result.stderr.splitlines()[-1]
    assert last == "interrupted: the same command goes on from the last checkpoint"
    result = run(*command)
    assert result.exit_code == 0, result.output
    assert "going on after epoch 3" in result.stderr
    assert calls == [range(n, n + 1) for n in (0, 1, 2, 3, 3, 4, 5, 6, 7)]


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["--genotype", "arch7"], 2, "arch7: no such file"),
        (["--data", "elsewhere"], 2, "data.source: 'elsewhere', expected synthetic"),
        (["--data", "list:/nowhere"], 2, "list:/nowhere: no such file or folder"),
        (["--data", "synthetic:1"], 2, "images to train on: 1 images, expected at least 2"),
        (["--set", f"task.ignore={EVERY_CLASS}"], 2, "no labelled pixel of a class that counts"),
        (
            ["--epochs", "2"],
            2,
            "train.epochs: 2, expected at least 4, one for each of train.phases",
        ),
        (["--set", "stage1.epochs=3"], 2, "stage1: no such setting, expected perhaps"),
        (["--set", "train.rate=3"], 2, "train.rate: no such setting, expected perhaps"),
        (["--preset", "huge"], 2, "'huge' is none of paper, small, demo"),
        (["--teacher", "/no/where"], 2, "/no/where: no such file"),
        (["--run", "/no/run"], 2, "/no/run: no run here"),
        (["--encoder-weights", "/no.safetensors"], 2, "/no.safetensors: no such file"),
    ],
)
def test_errors_are_one_line_and_leave_no_folder(run, tmp_path, args, status, words):
    result = run("train", *TINY, "--genotype", "arch0", "--out", tmp_path / "t", *args)
    assert result.exit_code == status, result.output
    assert not (tmp_path / "t").exists()
    assert result.stdout == ""
    last = result.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert words in last


def test_torch_goes_on_to_the_same_bits(run, tmp_path, monkeypatch):
    """All of it at once: auxiliary heads, a teacher, Polyak, frozen batch norm, both rates, and
    other images in the first phase.
    """
    import auxnas.search.storage.checkpoint

    plan = [*SMALL, *("--set", "model.agg_size=8", "--epochs", "3")]
    plan += ["--set", "train.phases=[1,2]", "--set", "train.auxiliary=[0.3,0.1]"]
    plan = ["--data", "synthetic:9", *plan]
    plan += ["--set", "train.polyak=0.9", "--set", "train.validate_every=3"]
    teacher = tmp_path / "teacher.safetensors"
    result = run("pretrain", *SMALL, "--epochs", 1, "--out", teacher)
    assert result.exit_code == 0, result.output
    plan += ["--teacher", str(teacher), "--encoder-weights", str(teacher)]
    plan += ["--genotype", PLAIN, "--out"]
    assert run("train", *plan, tmp_path / "alone").exit_code == 0

    inner, saves = auxnas.search.storage.checkpoint.Checkpoint.save, []

    def interrupting(self, folder):
        inner(self, folder)
        saves.append(self.epoch)
        if len(saves) < 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(auxnas.search.storage.checkpoint.Checkpoint, "save", interrupting)
    for status in (130, 130, 0):
        assert run("train", *plan, tmp_path / "stopped").exit_code == status
    assert saves == [1, 2, 3]
    alone, stopped = (
        load_weights(tmp_path / name / "model.safetensors")[0] for name in ("alone", "stopped")
    )
    assert alone.keys() == stopped.keys()
    assert all(np.array_equal(alone[name], stopped[name]) for name in alone)
    lines = [
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("alone", "stopped")
    ]
    for one, other in zip(*lines, strict=True):
        del one["seconds"], other["seconds"]
        assert one == other
