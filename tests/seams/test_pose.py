"""Pose from end to end by the real commands: searched, scored, compiled, verified, predicted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from auxnas.backends.compiling.verification import output_difference, pooled_difference
from auxnas.backends.int8.measuring import HeldOutView, Judge
from auxnas.backends.int8.photographs import find_photographs, read_labels
from auxnas.compiler import CompilerError
from auxnas.compiler.tasks import find_task
from auxnas.compiler.tasks.pose import VISIBLE, person_label
from auxnas.nascompile.cli import main as nascompile
from auxnas.nasrun.cli import main as nasrun
from auxnas.nassearch.cli import main as nassearch
from auxnas.search.settings.resolving import resolve
from auxnas.search.settings.training import TrainingSettings, preset_layers
from auxnas.search.training.training import phase_recipe, phases
from tests.search import pose_files

TINY = ["--set", "pretrain.epochs=1", "--set", "pretrain.channels=8", "--set", "stage1.epochs=1"]
TINY += ["--set", "model.width=0.05", "--set", "model.agg_size=4", "--set", "threads=1"]
TINY += ["--preset", "demo", "--size", "40x32", "--set", "latency.measure=false"]
NET = ["--width", "0.05", "--agg-size", "4", "--sep-repeats", "1"]
LEARNED = ["--size", "64x48", "--learner", "null", "--set", "latency.measure=false"]
DATA = ["--data", "synthetic:10", "--task", "pose,skeleton=mpii,reward=pckh_50"]


def test_it_is_searched_scored_compiled_and_used(user, command):
    command(nassearch, "run", *DATA, *TINY, "--trials", 1, "--out", "run")
    (trial,) = json.loads(command(nassearch, "top", "run", "--json").stdout)
    assert trial["reward"] == trial["metrics"]["pckh_50"]
    assert "PCKh@0.5" in command(nassearch, "top", "run").stdout
    found = json.loads(command(nassearch, "eval", "run", "--json").stdout)
    assert set(found) >= {"oks", "pckh_10", "pckh_11", "pck_20"}
    assert len(found["per_joint"]) == 16
    assert "left_wrist" in command(nassearch, "eval", "run").stdout
    command(nassearch, "report", "run", "--output", "r.html")

    files = ["run/best.json", "--weights", "run/best.safetensors", "--head", "keypoints"]
    made = json.loads(command(nascompile, *files, "--output", "a.onnx", "--json").stdout)
    errors = next(iter(made["checks"].values()))
    assert errors["moved_joints"] == 0
    assert errors["mean_absolute"] < 1e-3


def predicted(command, artefact, image):
    out = command(nasrun, "predict", artefact, image, "--output", "o", "--json").stdout
    (found,) = json.loads(out)["images"]
    return np.array(list(found["keypoints"].values())), found["overlay"]


def test_a_head_inside_the_graph_finds_what_predict_finds_in_maps(user, command):
    """Also where the decoder's maps are of stride 8, and in a photograph of another size."""
    rng, found = np.random.default_rng(0), {}
    small = Image.fromarray(rng.integers(0, 256, (64, 48, 3), np.uint8))
    small.save("small.png")
    small.resize((96, 192)).save("large.png")
    for head in ("keypoints", "logits"):
        words = ["arch1", *NET, "--task", "pose", "--head", head, "--input-size", "64x48"]
        command(nascompile, *words, "--output", f"{head}.onnx", "--no-verify")
        found[head], _ = predicted(command, f"{head}.onnx", "small.png")
        large, overlay = predicted(command, f"{head}.onnx", "large.png")
        with Image.open(overlay) as picture:
            assert picture.size == (96, 192)
        assert large[:, 0].max() <= 96
        assert large[:, 1].max() <= 192
        assert large[:, 1].max() > 64
    np.testing.assert_allclose(found["keypoints"], found["logits"], atol=2e-3)


@pytest.mark.parametrize("skeleton", ["coco", "mpii"])
def test_outputs_are_the_joints(user, command, skeleton):
    joints = {"coco": 17, "mpii": 16}[skeleton]
    words = ["arch0", *NET, "--task", f"pose,skeleton={skeleton}", "--dry-run"]
    found = json.loads(command(nascompile, *words, "--json").stdout)
    assert found["model"]["classes"] == joints
    failed = command(nascompile, *words, "--classes", 3, fails=True)
    assert f"has {joints} outputs" in failed.stderr


def test_keypoints_have_a_stride_of_their_own(user, command):
    words = ["arch0", *NET, "--task", "pose", "--head", "keypoints", "--resize-output", "input"]
    failed = command(nascompile, *words, "--dry-run", fails=True)
    assert "keypoints are found at a stride of 4" in failed.stderr


def test_data_of_another_kind_are_named(user, command):
    words = ["run", *TINY, "--learner", "null", "--trials", 1, "--out", "run"]
    Image.new("RGB", (40, 32)).save("a.png")
    Image.new("L", (40, 32)).save("b.png")
    (user / "train.lst").write_text("a.png\tb.png\n")
    failed = command(nassearch, *words, "--data", "list:train.lst", "--task", "pose", fails=True)
    assert "joints of a person (COCO-17), as the task pose has them" in failed.stderr


def test_the_null_learner_pretends(user, command):
    words = [*DATA, *TINY, "--learner", "null", "--out", "run"]
    command(nassearch, "run", *words, "--trials", 3)
    rewards = {
        row["reward"] for row in json.loads(command(nassearch, "top", "run", "--json").stdout)
    }
    assert len(rewards) > 1


def test_the_shift_of_the_flip_test_is_measured_on_meta_val(user, command):
    command(nassearch, "run", *DATA, *TINY, "--learner", "null", "--trials", 1, "--out", "run")
    words = ["eval", "run", "--task", "pose,flip=measured", "--json"]
    found = command(nassearch, *words)
    assert json.loads(found.stdout)["flip"] in ("0", "1")
    assert "images of meta-val: flip=0" in found.stderr
    elsewhere = command(nassearch, *words, "--data", "synthetic:20")
    assert "reward on 2 images of meta-val: flip=0" in elsewhere.stderr


def test_the_recipe_of_section_7_2():
    settings = resolve(*preset_layers("paper-pose"), kind=TrainingSettings)
    task = find_task(settings.task.name)
    rates = {}
    for phase in phases(settings.train):
        recipe = phase_recipe(settings.train, phase, task)
        assert {each.kind for each in recipe.optimisers} == {"adam"}
        assert (recipe.poly, recipe.auxiliary, recipe.frozen) == (0, 0, False)
        assert recipe.batch_size == 128
        (rate,) = {each.rate for each in recipe.optimisers}
        rates |= dict.fromkeys(phase.epochs, rate)
    assert len(rates) == 140
    for epoch, rate in {0: 1e-3, 89: 1e-3, 90: 1e-4, 119: 1e-4, 120: 1e-5, 139: 1e-5}.items():
        assert rates[epoch] == pytest.approx(rate)
    assert settings.data.size == (256, 192)


def test_int8_is_scored_on_joints_in_pixels_of_the_photograph(user):
    """Whatever the size that the network is given; an answer that is right comes to 1."""
    task, rng = find_task("pose"), np.random.default_rng(0)
    for folder in ("images", "labels"):
        (user / folder).mkdir()
    for number in range(8):
        pixels = rng.integers(0, 256, (64, 48, 3), np.uint8)
        Image.fromarray(pixels).save(f"images/{number}.png")
        places = rng.uniform(4, 40, (17, 2)) + number
        np.save(f"labels/{number}.npy", person_label(places, np.full(17, VISIBLE), 900))
    found = read_labels(find_photographs("images", "labels", task.labels), task)
    assert [size for size, _ in found] == [(64, 48)] * 2
    feeds = [{"image": np.array(number)} for number in (3, 7)]

    def right(feed):
        """The truth in pixels of an image of 128x24, which the photograph is brought to."""
        joints = np.load(f"labels/{int(feed['image'])}.npy")[None, :-1]
        return joints * (0.5, 2, 1)

    judge = Judge([HeldOutView((128, 24), feeds, [])], found, task, "keypoints")
    assert judge.score(list(map(right, feeds))).reward == pytest.approx(1)
    np.save("labels/3.npy", np.zeros((17, 3), np.float32))
    with pytest.raises(CompilerError, match=r"3\.npy: label of shape \(17, 3\), expected \(17 jo"):
        read_labels(find_photographs("images", "labels", task.labels), task)


def test_one_joint_of_many_images_is_a_small_share():
    """An image has so few joints that one which moves would be past any tolerance."""
    task, still = find_task("pose"), np.zeros((1, 17, 3))
    moved = still.copy()
    moved[0, 0, 0] = 20
    found = [output_difference(each, still, task) for each in (still, moved, still, still)]
    assert pooled_difference(found).disagreement == pytest.approx(1 / 68)
    assert not found[1].within(0.05)
    assert pooled_difference(found).within(0.05)
    maps = [
        output_difference(each, np.ones((1, 3, 1, 2), np.float32))
        for each in (np.ones((1, 3, 1, 2), np.float32), np.full((1, 3, 1, 2), 2, np.float32))
    ]
    assert pooled_difference(maps).max_relative == 1


def _persons(folder):
    """Five photographs of a person each, as COCO has them."""
    file, rng = pose_files.coco(folder), np.random.default_rng(0)
    known = json.loads(file.read_text())
    person, picture = known["annotations"][0], known["images"][0]
    images = [{**picture, "id": n, "file_name": f"{n}.png"} for n in range(5)]
    rows = [{**person, "id": n + 1, "image_id": n} for n in range(5)]
    for n in range(5):
        rows[n]["bbox"] = [n, 6, 30, 33]
        pixels = rng.integers(0, 256, (48, 64, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"images/train2017/{n}.png")
    file.write_text(json.dumps({**known, "images": images, "annotations": rows}))


def test_persons_of_other_files_by_command(user, command):
    """A task keeps its preset's options; joined persons and a val part alone say what they lack."""
    for folder in ("a", "b"):
        _persons(user / folder)
    coco = ("coco-keypoints:a", "coco-keypoints:b")
    words = ["--data", coco[0], "--preset", "demo-pose", "--task", "pose,turning=5", *LEARNED]
    begun = command(nassearch, "run", *words, "--trials", 1, "--out", "run")
    assert "17 joints, 1 trials, trained on no device" in begun.stderr
    written = (user / "run/settings.toml").read_text()
    assert 'name = "pose,sigma=1.5,scaling=0.1,turning=5"' in written

    joined = ["eval", "run", "--data", " + ".join(coco), "--learner", "null"]
    assert "no average precision, which is of one of" in command(nassearch, *joined).stderr
    for option in ("--results", "--boxes"):
        failed = command(nassearch, *joined, "--part", "train", option, "r.json", fails=True)
        assert "expected one of the joined data: numbers of images" in failed.stderr
    path = user / "a/annotations/person_keypoints_train2017.json"
    path.rename(path.with_name("person_keypoints_val2017.json"))
    (user / "a/images/train2017").rename(user / "a/images/val2017")
    lone = ["eval", "run", "--data", coco[0], "--learner", "null", "--task", "pose,flip=measured"]
    failed = command(nassearch, *lone, fails=True)
    assert "coco-keypoints:a has val alone, expected flip=0 or flip=1" in failed.stderr
