"""Depth from end to end by the real commands: searched, scored, compiled, verified, predicted."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from auxnas.backends.images import DataError
from auxnas.backends.int8.measuring import Judge
from auxnas.backends.int8.photographs import find_photographs, read_labels
from auxnas.compiler.tasks.depth import Depth
from auxnas.compiler.weights import load_weights
from auxnas.nascompile.cli import main as nascompile
from auxnas.nasrun.cli import main as nasrun
from auxnas.nassearch.cli import main as nassearch

TINY = ["--set", "pretrain.epochs=1", "--set", "pretrain.channels=8", "--set", "stage1.epochs=1"]
TINY += ["--set", "model.width=0.05", "--set", "model.agg_size=4", "--set", "threads=1"]
TINY += ["--preset", "demo-depth", "--size", "32x32", "--set", "latency.measure=false"]
NET = ["--width", "0.05", "--agg-size", "4", "--sep-repeats", "1"]


@pytest.fixture
def pairs(user):
    """Twelve images, lighter where they are nearer, and their depth in 16-bit PNGs of 1/5000 m."""
    rng, lines = np.random.default_rng(0), []
    for number in range(12):
        metres = np.broadcast_to(rng.uniform(1, 2, (36, 1)) + np.linspace(0, 2, 40), (36, 40))
        light = np.rint(255 - 50 * metres).astype(np.uint8)
        Image.fromarray(np.stack([light] * 3, -1)).save(user / f"{number}.png")
        Image.fromarray(np.rint(5000 * metres).astype(np.uint16)).save(user / f"{number}_d.png")
        lines.append(f"{number}.png {number}_d.png 518.8")
    (user / "train.lst").write_text("\n".join(lines))
    return user


def last_line(result):
    assert result.exit_code == 2, result.output
    return result.stderr.strip().splitlines()[-1]


def test_it_is_searched_scored_compiled_and_used(pairs, command):
    data = ["--data", f"depth:{pairs}", "--depth-scale", 5000]
    command(nassearch, "run", *data, *TINY, "--trials", 1, "--out", "run")
    (trial,) = json.loads(command(nassearch, "top", "run", "--json").stdout)
    rates = [trial["metrics"][f"delta{n}"] for n in (1, 2, 3)]
    assert trial["reward"] == pytest.approx(np.prod(rates) ** (1 / 3))
    assert "RMSE (m)" in command(nassearch, "top", "run").stdout
    assert "(rmse " in command(nassearch, "status", "run").stdout  # the most telling first

    other = ["eval", "run", "--task", "depth,crop=nyu,pooling=pixels"]
    found = json.loads(command(nassearch, *other, "--json").stdout)
    assert (found["pooling"], found["crop"], found["picture"]) == ("pixels", "nyu", None)
    assert found["valid_pixels"] == 32 * 35  # of 36x40
    assert found["scored_at"] == "the labels' own size"
    found = json.loads(command(nassearch, *other, "--network-size", "--json").stdout)
    assert (found["valid_pixels"], found["scored_at"]) == (28 * 28, "32x32")

    files = ["run/best.json", "--weights", "run/best.safetensors", "--head", "depth"]
    made = command(nascompile, *files, "--output", "a.onnx", "--json")
    (errors,) = {
        tuple(each.items()) for each in list(json.loads(made.stdout)["checks"].values())[:1]
    }
    assert dict(errors)["relative_error"] < 1e-4
    used = json.loads(
        command(nasrun, "predict", "a.onnx", "0.png", "--output", "o", "--json").stdout
    )
    (image,) = used["images"]
    with Image.open(image["depth"]) as picture:
        assert (picture.mode, picture.size) == ("I;16", (40, 36))
        metres = np.asarray(picture) / image["units_per_metre"]
    assert metres.min() == pytest.approx(image["nearest"], abs=1e-3)
    assert metres.max() == pytest.approx(image["farthest"], abs=1e-3)
    with Image.open(image["colours"]) as picture:
        assert picture.mode == "RGB"
        assert picture.width > 40


def test_outputs_are_a_matter_of_the_task(user, command):
    words = ["arch0", *NET, "--task", "depth", "--dry-run"]
    found = json.loads(command(nascompile, *words, "--json").stdout)
    assert found["model"]["classes"] == 1
    failed = command(nascompile, *words, "--classes", 3, fails=True)
    assert "--classes 3: the task depth has 1 output, expected none" in last_line(failed)


@pytest.mark.parametrize("head", ["depth", "logits"])
def test_the_head_is_clamped_or_predict_does_it(user, command, head):
    words = ["arch0", *NET, "--task", "depth,max=2", "--head", head, "--input-size", "64x64"]
    command(nascompile, *words, "--output", "a.onnx", "--no-verify")
    Image.fromarray(np.full((50, 70, 3), 200, np.uint8)).save("a.png")
    used = json.loads(
        command(nasrun, "predict", "a.onnx", "a.png", "--output", "o", "--json").stdout
    )
    assert 1e-3 <= used["images"][0]["nearest"] <= used["images"][0]["farthest"] <= 2


def test_a_wrong_unit_is_named_before_anything_is_trained(pairs, command):
    words = ["run", "--data", f"depth:{pairs}", *TINY, "--learner", "null", "--out", "run"]
    line = last_line(command(nassearch, *words, fails=True))
    assert "0_d.png: the middle depth is" in line
    assert "--depth-scale 5000" in line
    assert not (pairs / "run").exists()


def test_rendered_scenes_need_no_data(user, command):
    words = ["--data", "synthetic:6", *TINY, "--learner", "null", "--trials", 2, "--out", "run"]
    command(nassearch, "run", *words)
    with open("run/best.safetensors", "rb") as file:
        assert b"depth,max=40" in file.read()
    failed = command(nassearch, "eval", "run", "--task", "segmentation", fails=True)
    assert "--task: segmentation, expected depth" in failed.stderr


@pytest.mark.parametrize("suffix", ["png", "tif", "npy"])
def test_int8_is_judged_on_depth_as_training_reads_it(user, suffix):
    rng, task, metres = np.random.default_rng(0), Depth(), {}
    for folder in ("images", "labels"):
        (user / folder).mkdir()
    for number in range(8):
        pixels = rng.integers(0, 256, (12, 16, 3), np.uint8)
        Image.fromarray(pixels).save(f"images/{number}.png")
        metres[number] = rng.uniform(1, 4, (12, 16))
        stored = np.rint(5000 * metres[number]).astype(np.uint16)
        if suffix == "npy":
            np.save(f"labels/{number}.npy", stored)
        else:
            Image.fromarray(stored).save(f"labels/{number}.{suffix}")
    numbers = replace(task.labels, units=5000)
    found = read_labels(find_photographs("images", "labels", numbers), task)
    np.testing.assert_allclose([each for _, each in found], [metres[3], metres[7]], atol=1e-3)
    assert Judge([], found, Depth(("class0",)), "depth").missing == ()
    with pytest.raises(DataError, match="perhaps --depth-scale 5000"):
        read_labels(find_photographs("images", "labels", task.labels), task)


def test_a_unit_without_depth_is_refused(user, command):
    words = ["arch0", "--precision", "int8", "--images", ".", "--depth-scale", "5"]
    assert "--depth-scale is for --labels of depth" in last_line(
        command(nascompile, *words, fails=True)
    )
    assert "for depth, not for the task segmentation" in last_line(
        command(nascompile, *words, "--labels", ".", fails=True)
    )


def test_transfer_is_one_command(pairs, command):
    """From a search of segmentation, whose encoder is taken over, to depth."""
    run = ["--data", "synthetic:6", "--preset", "demo", "--size", "32x32", "--learner", "null"]
    run += ["--set", "latency.measure=false", "--set", "pretrain.channels=8"]
    command(nassearch, "run", *run, "--trials", 1, "--out", "seg")
    data = ["--task", "depth", "--data", f"depth:{pairs}", "--depth-scale", 5000]
    words = ["--genotype", "seg:best", *data, "--preset", "demo", "--epochs", 4, "--out", "long"]
    done = command(nassearch, "train", *words, "--set", "data.crop=[40,48]", "--json")
    assert json.loads(done.stdout)["rmse"] > 0
    said = r"encoder: from .*: 0.26 M numbers carried over; .* are no encoder's"
    assert re.search(said, done.stderr)
    trained = json.loads((pairs / "long/genotype.json").read_text())
    assert (trained["model"]["task"], trained["model"]["classes"]) == ("depth", 1)


@pytest.mark.parametrize("kind", ["folder", "file", "rival"])
def test_a_trained_network_is_carried_over(pairs, command, kind):
    """Its model and its encoder, to the bit (the null learner trains nothing); no more of it."""
    words = ["--data", "synthetic:6", "--classes", 12, "--size", "32x32", "--learner", "null"]
    words += ["--preset", "demo", "--set", "pretrain.channels=8", "--set", "task.ignore=sky"]
    network = "lwrf" if kind == "rival" else "arch1"
    words += ["--epochs", 4, "--set", "model.width=0.1", "--set", "train.channels=8"]
    command(nassearch, "train", "--genotype", network, *words, "--out", "seg")
    source = "seg/model.safetensors" if kind == "file" else "seg"
    words = ["--genotype", source, "--task", "depth", "--data", f"depth:{pairs}", "--seed", 1]
    words += ["--depth-scale", 5000, "--preset", "demo", "--learner", "null", "--epochs", 4]
    done = command(nassearch, "train", *words, "--out", "long")
    assert "encoder: from seg/model.safetensors: 0." in done.stderr
    before, after = (load_weights(Path(f"{name}/model.safetensors"))[0] for name in ("seg", "long"))
    same = {name for name in after if np.array_equal(before.get(name, np.nan), after[name])}
    assert {name for name in after if name.startswith("encoder.")} <= same
    assert any(name.endswith(".weight") and name not in same for name in after)
    begun = json.loads(Path("long/training.json").read_text())["settings"]
    assert (begun["model"]["width"], begun["data"]["size"]) == (0.1, [32, 32])
    assert (begun["data"]["classes"], begun["task"]["ignore"]) == (None, [])
    assert (begun["train"]["channels"] == 8) == (kind == "rival")


def test_the_recipe_of_section_7_3(user, command):
    found = command(nassearch, "settings", "train", "--preset", "paper-depth", "--json").stdout
    values = {row["name"]: row["preset"] for row in json.loads(found)}
    assert values["train.epochs"] == 300
    assert (values["train.decoder_rate"], values["train.encoder_rate"]) == (7e-3, 1e-3)
    assert values["train.decoder_optimiser"] == "sgd"
