"""``nassearch eval``: scores class by class, and the picture of what is taken for what."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from auxnas.backends.measuring.timing import Latency
from auxnas.compiler.tasks import Segmentation
from auxnas.nassearch.evaluation.confusion import draw_confusion, shares
from auxnas.search.evaluation.scoring import scores
from auxnas.search.networks.networks import read_network
from auxnas.search.training.run import train_network
from tests.search.training import ARCH0, LWRF, training

TASK = Segmentation(("road", "sky", "car", "pole"), ("road",))
COUNTS = np.array([[6, 2, 0, 0], [1, 9, 0, 0], [0, 0, 0, 0], [3, 0, 0, 1]])
SUMS = {"confusion": COUNTS}


def test_scores_by_hand():
    found = scores(TASK, SUMS)
    assert found["iou"] == {"road": 0.5, "sky": 0.75, "car": None, "pole": 0.25}
    assert found["miou"] == 0.5
    assert found["accuracy"] == pytest.approx((0.9 + 0.25) / 2)
    assert found["pixel_accuracy"] == 16 / 22
    assert found["confusion"] == COUNTS.tolist()
    assert scores(Segmentation(TASK.classes), SUMS)["miou"] == 0.5


def test_rows_by_hand():
    rows = {row["class"]: row for row in TASK.class_rows(SUMS)}
    assert rows["pole"] == {"class": "pole", "iou": 0.25, "accuracy": 0.25, "pixels": 4 / 22}
    assert (rows["car"]["iou"], rows["car"]["accuracy"], rows["car"]["pixels"]) == (None, None, 0)


def test_shares_are_of_rows():
    found = shares(COUNTS)
    assert found.sum(axis=1).tolist() == [1, 1, 0, 1]
    assert found[0, 1] == 0.25


def test_the_picture_is_darker_where_more_are(tmp_path):
    names = ["a class with a rather long name", "b", "c", "d"]
    draw_confusion(COUNTS, names, tmp_path / "a.png")
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("L"), dtype=float)
    cell, margin = 46, 16
    top, left = np.array(pixels.shape) - 4 * cell - margin
    tints = pixels[top + 4 :: cell, left + 4 :: cell][:4, :4]
    flat, tint = shares(COUNTS).ravel(), tints.ravel()
    for darker in range(16):
        for lighter in range(16):
            if flat[darker] > flat[lighter]:
                assert tint[darker] < tint[lighter]
    assert tint.max() == 255


COMMON = ("--data", "synthetic:12", "--learner", "null")


@pytest.mark.parametrize("name", ["lwrf", "arch0"])
def test_a_trained_folder_has_the_scores_of_its_training(run, tmp_path, cache, name):
    known = {"lwrf": LWRF, "arch0": ARCH0}[name]
    result = train_network(training(tmp_path / "t", cache, known))
    found = run("eval", tmp_path / "t", *COMMON[2:], "--json")
    assert found.exit_code == 0, found.output
    same = json.loads(found.stdout)
    assert same["images"] == result["images"]["val"]
    for key in ("miou", "iou", "confusion", "parameters", "multiply_adds", "network", "size"):
        assert same[key] == result[key]
    assert same["picture"] == str(tmp_path / "t" / "confusion.png")
    with Image.open(same["picture"]) as picture:
        assert picture.format == "PNG"
    before = Path(same["picture"]).read_bytes()
    other = run("eval", tmp_path / "t", "--data", "synthetic:9", *COMMON[2:], "--json")
    assert json.loads(other.stdout)["picture"] is None
    assert Path(same["picture"]).read_bytes() == before


def test_latency_is_measured_when_asked_for(run, tmp_path, cache, monkeypatch):
    train_network(training(tmp_path / "t", cache, LWRF))
    timed = []
    monkeypatch.setattr(
        "auxnas.nassearch.evaluation.evaluate.compiled_latency",
        lambda *args: timed.append(args) or Latency([0.0125] * 3),
    )
    assert "latency_ms" not in json.loads(run("eval", tmp_path / "t", *COMMON, "--json").stdout)
    options = (*COMMON, "--latency", "--threads", "1")
    found = json.loads(run("eval", tmp_path / "t", *options, "--json").stdout)
    assert (found["latency_ms"], found["latency_spread"]) == (12.5, 0)
    ((graph, size, threads, *_),) = timed
    assert (size, threads) == ((32, 32), 1)
    assert str(graph) == str(read_network(tmp_path / "t").program.graph)
    assert (
        "12.50 ms (onnxruntime, spread 0.0%) at 32x32"
        in run("eval", tmp_path / "t", *options).stdout
    )


def test_the_table_names_every_class_and_what_is_not_counted(run, tmp_path, cache):
    train_network(training(tmp_path / "t", cache))
    weights = tmp_path / "t" / "model.safetensors"
    picture = tmp_path / "other.png"
    options = ("--part", "train", "--size", "64x32", "--ignore", "sky", "--picture", picture)
    found = run("eval", weights, *COMMON, *options)
    assert found.exit_code == 0, found.output
    for word in ("sky (not counted)", "mean", "IoU", "pixel accuracy", str(picture)):
        assert word in found.stdout
    assert "12 images of synthetic:12" in found.stderr
    assert picture.is_file()
    assert not (tmp_path / "t" / "confusion.png").exists()


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["--data", "list:/nowhere"], 2, "list:/nowhere: no such file or folder"),
        (["--ignore", "sea"], 2, "task.ignore: no class 'sea', expected some of"),
        (["--size", "31x64"], 2, "data.size: (31, 64), expected 32 to"),
        (["--part", "test"], 2, "'test' is not one of"),
        (["--picture", "a.svg"], 2, ".svg, expected .png or .jpg or .webp"),
        (["--picture", "/no/such/folder/a.png"], 2, "its directory does not exist"),
    ],
)
def test_errors_are_one_line(run, tmp_path, cache, args, status, words):
    train_network(training(tmp_path / "t", cache))
    result = run("eval", tmp_path / "t", *COMMON, *args)
    assert result.exit_code == status, result.output
    assert words in result.stderr.splitlines()[-1]
    assert result.stdout == ""


def test_data_of_other_classes_are_refused(run, tmp_path, cache):
    train_network(training(tmp_path / "t", cache))
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    Image.new("L", (32, 32)).save(tmp_path / "b.png")
    (tmp_path / "all.lst").write_text("a.png\tb.png\n")
    names = json.loads((tmp_path / "t" / "genotype.json").read_text())["classes"]
    options = ("--data", f"list:{tmp_path}/all.lst", "--learner", "null")
    assert run("eval", tmp_path / "t", *options).exit_code == 0
    for changed, words in (
        ([*names[:-1], "moon"], f"class 'moon', expected '{names[-1]}' in its place"),
        (names[:-1], f"the network has {len(names)} classes, the data {len(names) - 1} as in"),
    ):
        (tmp_path / "classes.txt").write_text("\n".join(changed))
        result = run("eval", tmp_path / "t", *options)
        assert result.exit_code == 2
        assert words in result.stderr


def test_a_network_that_is_not_there_is_named(run, tmp_path):
    result = run("eval", tmp_path / "none")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {tmp_path / 'none'}: no such file or folder, expected")
