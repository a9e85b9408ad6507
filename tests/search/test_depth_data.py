"""Depth as users have it: pictures, arrays, lists, folders, NYU's file; how each can be wrong."""

import itertools
import os
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from auxnas.backends.images.depth import other_units, read_depth, unit_fault
from auxnas.compiler.tasks import find_task
from auxnas.search.data import Augment, DataError, check, open_dataset, parts
from auxnas.search.data.scenes.synthetic import FARTHEST, render_scene
from auxnas.search.data.spec import task_on, with_absolute_path

REAL = Path(os.environ.get("AUXNAS_DATA", Path(__file__).parents[3] / "shared" / "data")) / "depth"
SIZE = (12, 16)
TASK = find_task("depth")


def metres(seed=0, size=SIZE):
    """Depth from 1 to 4 m, a tenth missing."""
    rng = np.random.default_rng(seed)
    found = rng.uniform(1, 4, size).astype(np.float32)
    found[rng.random(size) < 0.1] = 0
    return found


def photograph(path, seed=0, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def depth_png(path, seed=0, scale=1000, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(scale * metres(seed, size)).astype(np.uint16)).save(path)


def pair(folder, name, seed=0, scale=1000):
    photograph(folder / f"rgb/{name}.png", seed)
    depth_png(folder / f"depth/{name}.png", seed, scale)


def opened(spec, **kwargs):
    return open_dataset(spec, task=kwargs.pop("task", TASK), **kwargs)


def refusal(action):
    with pytest.raises(DataError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", ["png", "pgm", "tif"])
def test_whole_numbers_are_millimetres_unless_said(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    depth_png(path)
    np.testing.assert_allclose(read_depth(path, "a"), metres(), atol=1e-3)
    depth_png(path, scale=5000)
    np.testing.assert_allclose(read_depth(path, "a", 5000), metres(), atol=2e-4)


def test_eight_bits_are_read_with_their_unit(tmp_path):
    Image.fromarray(np.uint8([[0, 51, 255]])).save(tmp_path / "a.png")
    np.testing.assert_allclose(read_depth(tmp_path / "a.png", "a", 25.5), [[0, 2, 10]])


def test_real_numbers_are_metres_and_what_is_none_is_missing(tmp_path):
    values = np.float32([[1.5, np.nan, np.inf, -2, 0]])
    expected = np.float32([[1.5, 0, 0, 0, 0]])
    np.save(tmp_path / "a.npy", values)
    np.save(tmp_path / "b.npy", values[..., None].astype(np.float64))
    Image.fromarray(values).save(tmp_path / "c.tiff")
    for name in ("a.npy", "b.npy", "c.tiff"):
        np.testing.assert_array_equal(read_depth(tmp_path / name, name), expected)
    np.save(tmp_path / "d.npy", np.uint16([[1500, 0]]))
    np.testing.assert_array_equal(read_depth(tmp_path / "d.npy", "d"), np.float32([[1.5, 0]]))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda p: np.save(p, np.zeros((2, 3, 4))), "shape (2, 3, 4)"),
        (lambda p: np.save(p, np.array([["a"]])), "numbers of shape (height, width)"),
        (lambda p: np.save(p, np.array([[None]]), allow_pickle=True), "cannot be read"),
        (lambda p: p.write_bytes(b"\x93NUMPY\x01\x00"), "cannot be read"),
        (lambda p: p.write_bytes(b""), "cannot be read"),
        (lambda p: archive(p), "an archive of arrays"),
        (lambda p: p.mkdir(), "a folder"),
        (lambda p: None, "no such file"),
    ],
)
def test_arrays_that_are_none_are_named(tmp_path, write, message):
    path = tmp_path / "a.npy"
    write(path)
    found = refusal(lambda: read_depth(path, "a.npy (line 1)"))
    assert found.startswith("a.npy (line 1): ")
    assert message in found


def test_a_picture_in_colour_is_no_depth_map(tmp_path):
    photograph(tmp_path / "a.png")
    assert "mode RGB, expected one number a pixel" in refusal(
        lambda: read_depth(tmp_path / "a.png", "a")
    )


def archive(path):
    np.savez(path.with_suffix(".npz"), a=np.ones((2, 2)))
    path.with_suffix(".npz").rename(path)


LINES = {
    "tab": "rgb/{}.png\tdepth/{}.png",
    "blank": "rgb/{}.png depth/{}.png",
    "focal length": "rgb/{}.png depth/{}.png 518.8579",
    "slash": "/rgb/{}.png /depth/{}.png 518.8579",
    "mask between": "rgb/{0}.png\tmasks/{0}.png\tdepth/{0}.png",
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
@pytest.mark.parametrize("below", ["", "sync", "a/b"])
def test_lists_as_people_write_them(tmp_path, line, below):
    for seed, name in enumerate("ab"):
        pair(tmp_path / below, name, seed)
    listed = "\n".join(line.format(name, name) for name in "ab") + "\nrgb/c.png None 700.1\n"
    (tmp_path / "my_train_files_with_gt.txt").write_text(listed)
    data = opened(f"depth:{tmp_path}")
    assert (len(data), data.classes, parts(f"depth:{tmp_path}")) == (2, (), ("train",))
    np.testing.assert_allclose(data.label(1), metres(1), atol=1e-3)
    assert check(data).images == 2
    assert "1 of 3 lines have no depth map" in data.remark


def test_images_and_depth_maps_can_be_in_different_trees(tmp_path):
    photograph(tmp_path / "raw/drive/1.png")
    depth_png(tmp_path / "annotated/drive/truth/1.png", scale=256)
    (tmp_path / "eigen_test_files.txt").write_text("drive/1.png drive/truth/1.png 707\n")
    data = opened(f"depth:{tmp_path}", part="val", depth_scale=256)
    np.testing.assert_allclose(data.label(0), metres(), atol=4e-3)


def test_lists_can_be_apart_from_the_data(tmp_path):
    """As BTS has them: --data_path for images, --gt_path for depth; of whatever names."""
    photograph(tmp_path / "raw/drive/1.png")
    depth_png(tmp_path / "truth/proj/1.png")
    (tmp_path / "lists").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "lists" / name).write_text("drive/1.png proj/1.png 707\n")
    bare = f"depth:{tmp_path}/lists/a.txt"
    assert "depth:LIST,images=DIR,depth=DIR if it is elsewhere" in refusal(lambda: opened(bare))
    spec = f"{bare},images={tmp_path}/raw,depth={tmp_path}/truth,val={tmp_path}/lists/b.txt"
    assert parts(spec) == ("train", "val")
    data = opened(spec, part="val")
    np.testing.assert_allclose(data.label(0), metres(), atol=1e-3)
    assert data.pairs[0].line == "b.txt line 1"
    before = data.fingerprint()
    for name in ("raw", "truth"):  # by content, wherever they lie
        (tmp_path / name).rename(tmp_path / f"moved-{name}")
    moved = spec.replace("=" + str(tmp_path / "raw"), f"={tmp_path}/moved-raw")
    moved = moved.replace("=" + str(tmp_path / "truth"), f"={tmp_path}/moved-truth")
    assert opened(moved, part="val").fingerprint() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{0},images=nowhere", "images=nowhere: no such folder"),
        ("{0},val={0}", "no such list file"),
        ("{0},depth={0},depth={0}", "depth= twice, expected once"),
        ("{0},images={0}", "no list in"),
    ],
)
def test_places_that_are_none_are_named(tmp_path, text, message):
    pair(tmp_path, "a")
    assert message in refusal(lambda: parts("depth:" + text.format(tmp_path)))


def test_places_hold_from_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pair(tmp_path, "a")
    Path("t.txt").write_text(f"rgb/a.png {tmp_path}/depth/a.png\n")
    spec = "depth:t.txt,images=.,val=t.txt"
    whole = with_absolute_path(spec)
    assert whole == f"depth:{tmp_path}/t.txt,images={tmp_path},val={tmp_path}/t.txt"
    assert with_absolute_path("depth:t.txt") == f"depth:{tmp_path}/t.txt"
    assert opened(whole).fingerprint() == opened(spec).fingerprint()


def test_folders_of_equal_names(tmp_path):
    for seed, name in enumerate(("a", "sub/b")):
        photograph(tmp_path / f"images/train/{name}.jpg", seed)
        depth_png(tmp_path / f"depth/train/{name}.png", seed)
    photograph(tmp_path / "images/test/c.jpg")
    np.save(tmp_path / "alone.npy", metres())
    (tmp_path / "depth/test").mkdir()
    np.save(tmp_path / "depth/test/c.npy", metres())
    photograph(tmp_path / "images/test/d.jpg")
    spec = f"depth:{tmp_path}"
    assert set(parts(spec)) == {"train", "val"}
    train, val = opened(spec), opened(spec, part="val")
    assert (len(train), len(val)) == (2, 1)
    np.testing.assert_allclose(train.label(1), metres(1), atol=1e-3)
    np.testing.assert_array_equal(val.label(0), metres())
    assert val.remark.endswith(f"1 images without a depth map (first {tmp_path}/images/test/d.jpg)")
    assert train.fingerprint() != opened(spec, depth_scale=999).fingerprint()


def test_plain_folders_are_to_train_on(tmp_path):
    photograph(tmp_path / "rgb/a.jpg")
    depth_png(tmp_path / "depth/a.png")
    assert len(opened(f"depth:{tmp_path}")) == 1
    found = refusal(lambda: opened(f"depth:{tmp_path}", part="val"))
    assert "no val part, only train" in found


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: depth_png(f / "depth/a.png", size=(6, 8)), "label of 6x8 pixels"),
        (
            lambda f: Image.new("I;16", SIZE[::-1]).save(f / "depth/a.png"),
            "no labelled pixel in any image, first {}/depth/a.png (train.lst line 1)",
        ),
        (lambda f: (f / "depth/a.png").unlink(), "no such file"),
        (lambda f: (f / "rgb/a.png").write_bytes(b"no picture"), "not an image file"),
        (lambda f: depth_png(f / "depth/a.png", scale=5000), "perhaps --depth-scale 5000"),
        (lambda f: depth_png(f / "depth/a.png", scale=25.5), "perhaps --depth-scale 25.5"),
        (lambda f: (f / "train.lst").write_text("rgb/a.png\n"), "1 names in 'rgb/a.png'"),
        (lambda f: (f / "train.lst").write_text("rgb/a.png None\n"), "no pair in the list"),
        (lambda f: (f / "train.lst").write_text("rgb/a.png other/a.png\n"), "no such file"),
        (lambda f: (f / "my_train.lst").write_text("rgb/a.png depth/a.png\n"), ""),
    ],
)
def test_what_is_wrong_is_found_before_training_and_named(tmp_path, spoil, message):
    pair(tmp_path, "a")
    (tmp_path / "train.lst").write_text("rgb/a.png\tdepth/a.png\n")
    spoil(tmp_path)
    if not message:
        check(opened(f"depth:{tmp_path}"))
        return
    found = refusal(lambda: check(opened(f"depth:{tmp_path}")))
    assert message.format(tmp_path) in found
    assert str(tmp_path) in found


def test_a_unit_is_judged_by_the_middle_depth():
    assert unit_fault([3.0, 2.0, 90.0], 1000) is None
    assert unit_fault([], 1000) is None
    found, expected = unit_fault([11.7], 1000, limit=10)
    assert found == "the middle depth is 11.7 m at 1000 units a metre"
    assert expected.startswith("0.3 to 10 m: perhaps --depth-scale 5000 (2.34 m, TUM) or")
    assert ", or --task" in expected
    assert "depth-scale 256" in unit_fault([0.1], 10000)[1]


@pytest.mark.parametrize(
    ("spec", "task", "message"),
    [
        ("depth:{}", "segmentation", "classes, as the task segmentation has them: --task depth?"),
        ("voc:{}", "depth", "not the layout of voc (depth:"),
        ("depth:{}/nowhere", "depth", "no such file or folder"),
        ("depth:{}/empty", "depth", "neither lists nor folders of depth maps"),
    ],
)
def test_data_that_do_not_fit_are_refused(tmp_path, spec, task, message):
    pair(tmp_path, "a")
    (tmp_path / "empty").mkdir()
    found = refusal(lambda: opened(spec.format(tmp_path), task=find_task(task)))
    assert message in found


def test_lists_of_depth_are_read_and_judged_alike(tmp_path):
    """Whichever reader takes them: the unit is the numbers'."""
    pair(tmp_path, "a", scale=5000)
    (tmp_path / "train.lst").write_text("rgb/a.png\tdepth/a.png\n")
    for name in ("list", "depth"):
        plain = opened(f"{name}:{tmp_path}")
        assert "perhaps --depth-scale 5000" in refusal(partial(check, plain))
        data = opened(plain.name, depth_scale=5000)
        np.testing.assert_allclose(data.label(0), metres(), atol=1e-3)
        assert check(data).images == 1
        assert "m at 5000 units a metre (" in data.note()
        assert data.fingerprint() != plain.fingerprint()
    wrong = partial(opened, f"list:{tmp_path}", task=find_task("segmentation"), classes=2)
    assert "expected data whose depth has a unit" in refusal(partial(wrong, depth_scale=5))


def test_how_many_classes_another_task_has_means_nothing():
    assert opened("synthetic:1", classes=21).classes == ()


def test_the_true_unit_is_named_whichever_is_taken():
    """In an error where the middle depth is out of range, else in a remark."""
    units = (1000, 5000, 256, 10000, 25.5)
    for middle, read, true in itertools.product((0.6, 2.7, 13.0), (255, *units), units):
        for limit in (10, 80) if true != read else ():
            found = [middle * true / read]
            fault = unit_fault(found, read, limit)
            words = other_units(found, read) if fault is None else fault[1]
            assert f"at {true:g}," in words or re.search(f"[= ]{true:g} \\({middle:g} m", words)


@pytest.mark.parametrize(("scale", "said"), [(None, True), (256, True), (25.5, False)])
def test_a_unit_that_may_be_another_is_said(tmp_path, scale, said):
    true = 25.5 if scale == 25.5 else 256
    pair(tmp_path, "a", scale=true)
    np.save(tmp_path / "real.npy", metres())
    for name, label in (("whole", "depth/a.png"), ("real", "real.npy")):
        (tmp_path / f"{name}.lst").write_text(f"rgb/a.png {label}\n")
    data = opened(f"depth:{tmp_path}/whole.lst", depth_scale=scale)
    assert ("m at 256" in data.note() or "m at 1000," in data.note()) == said
    assert ("--depth-scale says which" in data.note()) == (scale is None)
    assert "\n" not in data.note()
    assert opened(f"depth:{tmp_path}/real.lst").note() == ""


def test_a_unit_of_other_data_is_refused():
    found = refusal(lambda: opened("synthetic:1", depth_scale=256))
    assert found.startswith("data.depth_scale: 256 for synthetic:1")


def test_rendered_scenes_have_depth_up_to_a_limit_and_steadier_cameras():
    data = opened("synthetic:3", size=(24, 32))
    label = data.label(0)
    assert (label.dtype, label.shape, data.classes) == (np.float32, (24, 32), ())
    assert 0 < label.max() <= FARTHEST
    assert (label == 0).any()
    assert check(data).images == 3
    plain = open_dataset("synthetic:3", size=(24, 32))
    np.testing.assert_array_equal(plain.image(0), render_scene(0, 0, (24, 32)).image)
    assert data.fingerprint() != plain.fingerprint()
    assert task_on("synthetic", "depth,crop=nyu") == "depth,max=40,crop=nyu"
    assert task_on("synthetic:3", "depth,max=20") == "depth,max=20"
    assert task_on("synthetic", "segmentation") == "segmentation"


def test_ground_is_as_deep_as_its_camera_says():
    """One over the depth of a plane is linear in the row and the column of its pixels."""
    scene = render_scene(0, 4, (48, 64), steady=True)
    ground = scene.label == 1
    inverse = 1 / scene.depth[ground]
    rows, columns = np.nonzero(ground)
    plane = np.stack([rows, columns, np.ones_like(rows)], 1)
    solution = np.linalg.lstsq(plane, inverse, rcond=None)[0]
    np.testing.assert_allclose(plane @ solution, inverse, atol=1e-4)


def test_augmentation_divides_depth_by_the_magnification():
    image, label = np.zeros((8, 8, 3), np.uint8), np.full((8, 8), 4, np.float32)
    for task, expected in (("depth", 2), ("depth,scaling=keep", 4)):
        augment = Augment((8, 8), (2.0, 2.0), target=find_task(task).labels)
        _, moved = augment(image, label, np.random.default_rng(0))
        assert set(moved.ravel().tolist()) == {expected}
    small = Augment((8, 8), (0.5, 0.5), target=TASK.labels)
    _, moved = small(image, label, np.random.default_rng(0))
    assert set(moved.ravel().tolist()) == {0, 8}


@pytest.fixture
def nyu(tmp_path):
    """Three images in the structure of NYU's file, and a split of five."""
    h5py, scipy_io = pytest.importorskip("h5py"), pytest.importorskip("scipy.io")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, *SIZE, 3), np.uint8)
    depths = np.stack([metres(seed) + 0.5 for seed in range(3)])
    raw = np.where(rng.random(depths.shape) < 0.3, 0, depths)
    path = tmp_path / "nyu.mat"
    with h5py.File(path, "w") as file:
        file["images"] = images.transpose(0, 3, 2, 1)
        file["depths"], file["rawDepths"] = depths.transpose(0, 2, 1), raw.transpose(0, 2, 1)
    split = {"trainNdxs": [[1], [3], [5]], "testNdxs": [[2], [4]]}
    scipy_io.savemat(tmp_path / "splits.mat", split)
    return path, images, depths, raw


def test_nyus_file_is_read_upright_in_its_official_split(nyu):
    scipy_io = pytest.importorskip("scipy.io")
    path, images, depths, raw = nyu
    assert parts(f"nyu:{path}") == ("train", "val")
    train, val = opened(f"nyu:{path}"), opened(f"nyu:{path}", part="val")
    assert (len(train), len(val)) == (2, 1)
    np.testing.assert_array_equal(train.image(1), images[2])
    np.testing.assert_array_equal(val.label(0), depths[1])
    measured = opened(f"nyu-raw:{path}")
    np.testing.assert_array_equal(measured.label(0), raw[0])
    assert measured.fingerprint() != train.fingerprint()
    assert check(train).images == 2
    splits = path.parent / "splits.mat"
    for wrong in ("text", [[0]], [[1.5]], [[np.nan]]):
        scipy_io.savemat(splits, {"trainNdxs": wrong})
        assert f"{splits}: trainNdxs" in refusal(lambda: opened(f"nyu:{path}"))
    splits.unlink()
    assert len(opened(f"nyu:{path}")) == 3


def test_a_unit_in_nyus_file_is_judged_and_can_be_said(nyu):
    import h5py

    path, _, depths, _ = nyu
    with h5py.File(path, "r+") as file:
        file["depths"][...] = 1000 * depths.transpose(0, 2, 1)
    found = refusal(lambda: check(opened(f"nyu:{path}")))
    assert f"{path}: depths: the middle depth is" in found
    assert "perhaps --depth-scale 1000" in found
    said = opened(f"nyu:{path}", depth_scale=1000)
    assert check(said).images == 2
    np.testing.assert_allclose(said.label(0), depths[0], rtol=1e-6)
    assert said.fingerprint() != opened(f"nyu:{path}").fingerprint()


def test_nyus_file_cut_off_or_another_one_is_named(nyu):
    path, *_ = nyu
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    found = refusal(lambda: opened(f"nyu:{path}"))
    assert str(path) in found
    assert "is it cut off?" in found
    import h5py

    with h5py.File(path, "w") as file:
        file["images"] = np.zeros((1, 3, 4, 5), np.uint8)
    assert "no array 'depths' in it" in refusal(lambda: opened(f"nyu:{path}"))
    with h5py.File(path, "a") as file:
        file["depths"] = np.zeros((1, 5, 4), np.float32)
    assert "images of shape (1, 3, 4, 5)" in refusal(lambda: opened(f"nyu:{path}"))
    (path.parent / "splits.mat").write_bytes(b"no such thing")
    with h5py.File(path, "w") as file:
        file["images"] = np.zeros((1, 3, 4, 5), np.uint8)
        file["depths"] = np.ones((1, 4, 5), np.float32)
    assert "splits.mat: cannot be read" in refusal(lambda: opened(f"nyu:{path}"))


@pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/data/depth")
@pytest.mark.parametrize(
    ("place", "part", "scale", "task", "count", "missing"),
    [
        ("nyu_official", "val", None, "depth", 24, 0.0),
        ("nyu_sync", "train", None, "depth", 3, 0.267),
        ("nyu_densetorch", "val", 5000, "depth", 2, 0.342),
        ("kitti", "val", 256, "depth,max=80", 3, 0.805),
    ],
)
def test_real_layouts(place, part, scale, task, count, missing):
    data = opened(f"depth:{REAL / place}", part=part, depth_scale=scale, task=find_task(task))
    assert len(data) == count
    label = data.label(0)
    assert data.image(0).shape[:2] == label.shape
    assert (label == 0).mean() == pytest.approx(missing, abs=1e-3)
    assert unit_fault([float(np.median(label[label > 0]))], 1) is None
