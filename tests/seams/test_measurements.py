"""A user's task on measurements of a dataset's own: float labels, searched, scored and used."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from auxnas.backends.progress import Silent
from auxnas.compiler import CompilerError
from auxnas.compiler.tasks import Segmentation, TargetFormat, find_task
from auxnas.nascompile.cli import main as nascompile
from auxnas.nasrun.cli import main as nasrun
from auxnas.nassearch.cli import main as nassearch
from auxnas.search.data import Augment, DataError, FileDataset, check, open_dataset
from auxnas.search.examples.context import DataContext
from auxnas.search.examples.images import pixel_key
from auxnas.search.settings.resolving import nest, resolve
from auxnas.search.storage.cache import json_digest

OWN = "metres:Metres"
METRES = """
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from auxnas.compiler.tasks import Head, TargetFormat
from task import Regression

@dataclass(frozen=True)
class Metres(Regression):
    name: ClassVar[str] = "metres"
    target: ClassVar[TargetFormat] = TargetFormat("float32", np.nan, power=-1)
    labels = target

    def target_of(self, label, image):
        return label
"""
SHORT = ["--set", f"task.name={OWN}", "--set", "latency.measure=false", "--preset", "demo"]
SHORT += ["--set", "pretrain.epochs=1", "--set", "pretrain.channels=8", "--set", "stage1.epochs=1"]
SHORT += ["--set", "model.width=0.1", "--set", "model.agg_size=4", "--set", "threads=1"]


def metres(number, size=(36, 40)):
    """Distances from 1 to 3; some are missing."""
    rng = np.random.default_rng(number)
    found = np.broadcast_to(np.linspace(1, 3, size[1], dtype=np.float32), size).copy()
    found[rng.random(size) < 0.1] = np.nan
    return found


@pytest.fixture
def pairs(user):
    """The list of twelve images, darker where the distance is larger, and their distances."""
    (user / "metres.py").write_text(METRES)
    lines = []
    for number in range(12):
        label = metres(number)
        grey = np.nan_to_num(255 - 60 * label).astype(np.uint8) + np.uint8(number)
        Image.fromarray(np.stack([grey] * 3, -1)).save(user / f"{number}.png")
        np.save(user / f"{number}.npy", label)
        lines.append(f"{number}.png {number}.npy")
    (user / "train.lst").write_text("\n".join(lines))
    return user


def refused(command, *words):
    found = command(nassearch, "run", *map(str, words), "--out", "run", fails=True)
    assert found.exit_code == 2
    (line,) = found.stderr.strip().splitlines()[-1:]
    return line


def test_it_is_searched_scored_compiled_and_used(pairs, command):
    words = ["--data", f"list:{pairs}", "--size", "32x32", *SHORT]
    command(nassearch, "run", *words, "--trials", 1, "--out", "run")
    found = json.loads(command(nassearch, "eval", "run", "--task", OWN, "--json").stdout)
    assert 0 < found["error"] < 3
    assert "mean error" in command(nassearch, "top", "run").stdout
    files = ["run/best.json", "--weights", "run/best.safetensors", "--task", OWN]
    command(nascompile, *files, "--head", "positive", "--output", "a.onnx")
    used = ["predict", "a.onnx", "0.png", "--output", "out", "--task", OWN, "--json"]
    made = json.loads(command(nasrun, *used).stdout)
    assert (made["task"], made["classes"], made["legend"]) == ("metres", [], None)
    with Image.open(made["images"][0]["overlay"]) as picture:
        assert picture.size == (40, 36)


def test_the_null_learner_searches_and_trains_on_them(pairs, command):
    words = ["--data", f"list:{pairs}", "--size", "32x32", *SHORT, "--learner", "null"]
    command(nassearch, "run", *words, "--trials", 2, "--out", "run")
    long = ["--genotype", "run:best", "--set", f"task.name={OWN}", "--preset", "demo"]
    trained = command(nassearch, "train", *long, "--learner", "null", "--out", "long")
    assert f"--task {OWN}" in trained.stdout
    assert "(error " in command(nassearch, "status", "run").stdout


def test_a_file_alone_names_no_code_to_predict_with(pairs, command):
    made = ["arch0", "--task", OWN, "--classes", 1, "--width", 0.1, "--agg-size", 4]
    command(nascompile, *made, "--input-size", "32x32", "--no-verify", "--output", "a.onnx")
    from auxnas.genotype import plugins

    plugins._named_by_user.discard(OWN)
    words = ["predict", "a.onnx", "0.png", "--output", "out"]
    failed = command(nasrun, *words, fails=True)
    assert f"expected --task {OWN}" in failed.stderr
    assert not (pairs / "out").exists()


BROKEN = {
    "another size": (metres(0, (30, 40)), "3.npy (train.lst line 4): label of 30x40 pixels"),
    "several channels": (np.ones((36, 40, 2), np.float32), "label of 36x40x2 pixels"),
    "infinity": (np.full((36, 40), np.inf, np.float32), "label has inf, expected finite numbers"),
    "no numbers": (np.full((36, 40), "far"), "expected an array of float32"),
}


@pytest.mark.parametrize(("label", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_label_is_one_line(pairs, command, label, message):
    np.save(pairs / "3.npy", label)
    words = ["--data", f"list:{pairs}", "--size", "32x32", *SHORT, "--learner", "null"]
    assert message in refused(command, *words)


def test_what_is_no_data_of_the_task_is_one_line(pairs, command):
    words = [*SHORT, "--learner", "null"]
    synthetic = refused(command, "--data", "synthetic:12", *words)
    assert "synthetic:12: labels of classes, expected float32, 1 a pixel, nan" in synthetic
    (pairs / "3.npy").write_bytes((pairs / "3.npy").read_bytes()[:100])
    assert "3.npy (train.lst line 4): cannot be read" in refused(
        command, "--data", f"list:{pairs}", "--size", "32x32", *words
    )
    for number in range(12):
        np.save(pairs / f"{number}.npy", np.full((36, 40), np.nan, np.float32))
    found = refused(command, "--data", f"list:{pairs}", "--size", "32x32", *words)
    assert "no labelled pixel in any image, first " in found
    assert "expected some number that counts" in found


def test_they_are_checked_and_counted(pairs):
    data = open_dataset(f"list:{pairs}", task=find_task(OWN))
    found = check(data)
    known = sum(int((~np.isnan(metres(n))).sum()) for n in range(12))
    assert (found.pixels, found.unlabelled) == ((known,), 12 * 36 * 40 - known)
    assert data.fingerprint() == open_dataset(f"list:{pairs}", task=find_task(OWN)).fingerprint()


@pytest.mark.parametrize("missing", [0.0, np.nan])
def test_numbers_follow_the_image(missing):
    """Distances shrink as much as everything grows; channels change places in the mirror."""
    kind = TargetFormat("float32", missing, channels=2, power=-1, mirrored=(1, 0))
    label = np.stack([np.full((8, 8), 4, np.float32), np.full((8, 8), 6, np.float32)], -1)
    label[:2] = missing
    image = np.zeros((8, 8, 3), np.uint8)
    for mirror, first in ((0, 2), (1, 3)):
        augment = Augment((20, 20), scale=(2, 2), mirror=mirror, target=kind)
        _, moved = augment(image, label, np.random.default_rng(0))
        known = kind.known(moved)
        assert moved.shape == (20, 20, 2)
        assert set(np.unique(moved[..., 0][known[..., 0]])) == {first}
        assert known.sum() == 2 * 12 * 16
    assert kind.resized(label, (4, 6)).shape == (4, 6, 2)
    assert kind.fault(label, (8, 8)) is None


class Majority(TargetFormat):
    """Classes of which the commonest stands for all."""


@pytest.mark.parametrize(
    "numbers",
    [
        Majority("uint8", 255, classes=True),
        TargetFormat("uint8", 0, classes=True),
        TargetFormat("float32", 0),
        TargetFormat("uint8", 255),
    ],
)
def test_labels_that_are_resized_or_read_otherwise_are_stored_apart(numbers):
    plain = FileDataset("x", ("a", "b"), (), None)
    assert pixel_key(plain) == json_digest("pixels", plain.fingerprint())
    assert pixel_key(replace(plain, labels=numbers)) != pixel_key(plain)


def test_formats_have_the_keys_of_versions_in_which_bytes_were_classes():
    plain = FileDataset("x", ("a", "b"), (), None)
    for numbers in (TargetFormat("uint8", 0, classes=True), TargetFormat("float32", np.nan)):
        text = (
            f"TargetFormat(dtype={numbers.dtype!r}, unlabelled={numbers.unlabelled!r}, channels=1, "
            "linear=False, power=0.0, mirrored=())"
        )
        known = json_digest("pixels", plain.fingerprint(), text)
        assert pixel_key(replace(plain, labels=numbers)) == known
    bytes_, classes = (TargetFormat("uint8", 0, classes=kind) for kind in (False, True))
    assert pixel_key(replace(plain, labels=bytes_)) != pixel_key(replace(plain, labels=classes))


def test_bytes_are_measurements_where_they_are_not_said_to_be_classes(pairs):
    numbers = TargetFormat("uint8", 0, linear=True)
    assert numbers.described == "uint8, 1 a pixel, 0 where there is none"
    assert not numbers.same_numbers(replace(numbers, classes=True))
    for number in range(12):
        np.save(pairs / f"{number}.npy", np.nan_to_num(80 * metres(number)).astype(np.uint8))
    task = type("Own", (type(find_task(OWN)),), {"target": numbers, "labels": numbers})()
    data = open_dataset(f"list:{pairs}", task=task)
    assert data.label(0)[data.label(0) > 0].min() >= 80
    assert len(check(data).pixels) == 1
    with pytest.raises(CompilerError, match="dtype: 'int16', expected 'uint8', of classes"):
        TargetFormat("int16", 0, classes=True)


@pytest.mark.parametrize(
    "numbers",
    [TargetFormat("uint8", 255, channels=3), TargetFormat("uint8", 0), TargetFormat("int16", 255)],
)
def test_data_with_other_numbers_than_the_tasks_are_refused(numbers):
    task = type("Own", (Segmentation,), {"name": "own", "target": numbers})()
    with pytest.raises(DataError, match=f"labels of classes, expected {numbers.dtype}, "):
        open_dataset("synthetic:2", task=task)
    moving = TargetFormat("uint8", 255, linear=True, power=-1, classes=True)
    assert open_dataset("synthetic:2", task=type("Own", (Segmentation,), {"target": moving})())


@pytest.mark.parametrize(
    ("channels", "mirrored"), [(1, (0,)), (2, (0,)), (2, (0, 0)), (2, (1, 2)), (2, (0, 1, 2))]
)
def test_channels_that_a_mirror_cannot_exchange_are_refused(channels, mirrored):
    with pytest.raises(CompilerError, match=r"mirrored: .*each of several channels once"):
        TargetFormat("float32", 0, channels, mirrored=mirrored)


def test_images_to_train_on_move_their_labels_as_the_task_says(pairs):
    own = {"task.name": OWN, "data.source": f"list:{pairs}", "data.size": [32, 32]}
    data = DataContext(resolve(nest(own)), pairs / "cache", Silent())
    part = data.search_split.train
    every, rng = range(len(part)), np.random.default_rng(0)
    near = data.examples(part, (2, 2)).batch(every, rng).labels
    far = data.examples(part, (0.5, 0.5)).batch(every, rng).labels
    assert near.dtype == far.dtype == np.float32
    assert 0.5 <= np.nanmin(near) < np.nanmax(near) <= 1.5  # of 1 to 3
    assert 2 <= np.nanmin(far) < np.nanmax(far) <= 6
    assert (np.isfinite(far).reshape(len(part), -1).sum(1) <= 16 * 16).all()
