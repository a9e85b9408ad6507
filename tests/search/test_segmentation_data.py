"""SBD, COCO and Cityscapes: the same pictures through every reader, and what can be wrong."""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from auxnas.backends.base import BackendUnavailable
from auxnas.search.data import VOC_CLASSES, DataError, Dataset, check, open_dataset, parts
from auxnas.search.data.coco.masks import decompress_runs, mask_runs, runs_mask
from auxnas.search.data.layouts.cityscapes import CITYSCAPES_CLASSES
from auxnas.search.data.matlab_structs import matlab_structs
from auxnas.search.data.sbd import read_sbd_label
from tests.search.contract_dataset import DatasetContract
from tests.search.test_data_files import REAL, refusal, turn

mask = pytest.importorskip("pycocotools.mask", reason="the extra coco is not installed")
scipy_io = pytest.importorskip("scipy.io", reason="the extra dev is not installed")

SIZE = (40, 48)
NAMES = ("2008_000001", "2008_000002", "2008_000003")
COCO_NAMES = {
    "aeroplane": "airplane",
    "sofa": "couch",
    "tvmonitor": "tv",
    "motorbike": "motorcycle",
}


def picture(name: str) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(sum(name.encode()))
    return rng.integers(0, 256, (*SIZE, 3), np.uint8)


def truth(name: str) -> np.ndarray[Any, Any]:
    """Two objects of VOC's classes, of which the first is the first in front."""
    shift = int(name[-1])
    label = np.zeros(SIZE, np.uint8)
    label[5:30, 2 + shift : 32 + shift] = 18  # sofa
    label[12:38, 20:46] = 5 * shift
    return label


def write_pictures(folder: Path, names: tuple[str, ...] = NAMES) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(picture(name)).save(folder / f"{name}.jpg", quality=95)


def write_voc(root: Path, train: str = "1", val: str = "3") -> str:
    year = root / "VOC2012"
    for folder in ("ImageSets/Segmentation", "SegmentationClass"):
        (year / folder).mkdir(parents=True)
    write_pictures(year / "JPEGImages")
    for name in NAMES:
        label = Image.fromarray(truth(name), "P")
        label.putpalette(list(range(256)) * 3)
        label.save(year / f"SegmentationClass/{name}.png")
    write_lists(year / "ImageSets/Segmentation", train=train, val=val)
    return f"voc:{root}"


def write_lists(folder: Path, **numbers: str) -> None:
    for part, some in numbers.items():
        names = "".join(f"2008_00000{number}\n" for number in some)
        (folder / f"{part}.txt").write_text(names)


def write_sbd(root: Path, kind: str = "cls", train: str = "12", val: str = "3") -> str:
    data = root / "benchmark_RELEASE" / "dataset"
    (data / kind).mkdir(parents=True)
    write_pictures(data / "img")
    for name in NAMES:
        label = truth(name)
        if kind == "cls":
            one = {"Segmentation": label, "Boundaries": np.zeros((1, 20), object)}
            scipy_io.savemat(data / f"cls/{name}.mat", {"GTcls": one})
        else:
            classes = [value for value in np.unique(label) if value]
            numbers = sum((label == each) * n for n, each in enumerate(classes, 1))
            one = {
                "Segmentation": np.asarray(numbers, np.uint8),
                "Categories": np.array(classes, np.uint8)[:, None],
            }
            scipy_io.savemat(data / f"inst/{name}.mat", {"GTinst": one}, do_compression=True)
    write_lists(data, train=train, val=val)
    return f"sbd:{root}"


CATEGORIES = [
    {"id": 10 * n + 1, "name": COCO_NAMES.get(name, name)} for n, name in enumerate(VOC_CLASSES[1:])
] + [{"id": 999, "name": "zebra"}, {"id": 1000, "name": "sky-other-merged"}]
ID_OF = {n + 1: row["id"] for n, row in enumerate(CATEGORIES[:20])}


def segmentation(region: np.ndarray[Any, Any], form: str) -> Any:
    found = mask.encode(np.asfortranarray(region.astype(np.uint8)))
    text = found["counts"].decode()
    if form == "compressed":
        return {"size": list(SIZE), "counts": text}
    runs = decompress_runs(text)
    assert runs is not None
    return {"size": list(SIZE), "counts": runs.tolist()}


def write_coco(root: Path, form: str = "compressed", part: str = "train") -> str:
    """Instances, or panoptic segments with the background as stuff."""
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    write_pictures(root / f"{part}2017")
    images, annotations = [], []
    kind = "panoptic" if form == "panoptic" else "instances"
    for number, name in enumerate(NAMES, 1):
        height, width = SIZE
        size = {"height": height, "width": width}
        images.append({"id": number, "file_name": f"{name}.jpg", **size})
        label, rows = truth(name), []
        for value in np.unique(label):
            category = ID_OF.get(int(value), 1000)
            row = {"id": 300 * number + int(value), "category_id": category, "iscrowd": 0}
            rows.append({**row, "area": int((label == value).sum())})
        if kind == "panoptic":
            ids = 300 * number + label.astype(int)
            colours = np.stack([ids % 256, ids // 256, ids // 65536], 2).astype(np.uint8)
            folder = root / f"annotations/panoptic_{part}2017"
            folder.mkdir(exist_ok=True)
            Image.fromarray(colours).save(folder / f"{name}.png")
            one = {"image_id": number, "file_name": f"{name}.png", "segments_info": rows}
            annotations.append(one)
        else:
            for row in rows[1:]:
                region = label == row["id"] % 300
                annotations.append(
                    {**row, "image_id": number, "segmentation": segmentation(region, form)}
                )
    found = {"images": images, "annotations": annotations, "categories": CATEGORIES}
    (root / f"annotations/{kind}_{part}2017.json").write_text(json.dumps(found))
    return f"coco:{root}"


FORMATS: dict[str, Callable[[Path], str]] = {
    "voc": lambda root: write_voc(root, "123", ""),
    "sbd classes": lambda root: write_sbd(root, "cls", "123"),
    "sbd instances": lambda root: write_sbd(root, "inst", "123"),
    "coco": write_coco,
    "coco plain": lambda root: write_coco(root, "plain"),
    "coco panoptic": lambda root: write_coco(root, "panoptic"),
}


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_pictures_through_every_reader(tmp_path: Path, form: str) -> None:
    spec = FORMATS[form](tmp_path / "here")
    data = open_dataset(spec)
    assert (data.classes, len(data)) == (VOC_CLASSES, 3)
    assert check(data).images == 3
    for index, name in enumerate(NAMES):
        assert np.array_equal(data.label(index), truth(name))
        stored = next(tmp_path.rglob(f"{name}.jpg"))
        assert np.array_equal(data.image(index), np.array(Image.open(stored)))
        assert name in data.place(index)
    assert len({tuple(colour) for colour in data.palette.tolist()}) == 21
    # A copy, as MATLAB's files say the second that they were written in.
    shutil.copytree(tmp_path / "here", tmp_path / "again")
    copied = open_dataset(spec.replace("here", "again"))
    assert copied.name != data.name
    assert copied.fingerprint() == data.fingerprint()


class TestCoco(DatasetContract):
    @pytest.fixture
    def spec(self, tmp_path):
        return write_coco(tmp_path)


# SBD ------------------------------------------------------------------------------------------


def sbd_label(root: Path) -> Path:
    return root / "benchmark_RELEASE/dataset/cls/2008_000002.mat"


SPOILED_SBD: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut off": (
        lambda p: p.write_bytes(p.read_bytes()[:200]),
        "2008_000002.mat (train.txt line 2): cannot be read",
    ),
    "HDF5": (
        lambda p: p.write_bytes(b"MATLAB 7.3 MAT-file" + bytes(105) + b"\x00\x02IM" + bytes(99)),
        "2008_000002.mat (train.txt line 2): cannot be read (HDF5, MATLAB's version 7.3: save it",
    ),
    "missing": (lambda p: p.unlink(), "2008_000002.mat (train.txt line 2): no such file"),
    "other": (
        lambda p: scipy_io.savemat(p, {"x": 1}),
        "2008_000002.mat (train.txt line 2): no struct GTcls or GTinst in it",
    ),
    "no field": (lambda p: scipy_io.savemat(p, {"GTcls": {"a": 1}}), "no numbers in a field Segm"),
    "no struct": (lambda p: scipy_io.savemat(p, {"GTcls": 3}), "no struct GTcls or GTinst"),
    "text": (
        lambda p: scipy_io.savemat(p, {"GTcls": {"Segmentation": "text"}}),
        "no numbers in a field Segmentation",
    ),
    "class": (
        lambda p: scipy_io.savemat(p, {"GTcls": {"Segmentation": np.full(SIZE, 21)}}),
        "label value 21 at row 0 column 0, expected 0..20 or 255",
    ),
    "wide": (
        lambda p: scipy_io.savemat(p, {"GTcls": {"Segmentation": np.full(SIZE, 300)}}),
        "a Segmentation of other numbers than uint8",
    ),
    "instances": (
        lambda p: scipy_io.savemat(
            p, {"GTinst": {"Segmentation": np.full(SIZE, 2), "Categories": np.array([[5]])}}
        ),
        "instance 2, expected at most 1",
    ),
    "category": (
        lambda p: scipy_io.savemat(
            p, {"GTinst": {"Segmentation": np.full(SIZE, 1), "Categories": np.array([[40]])}}
        ),
        "category 40, expected 1..20",
    ),
    "size": (
        lambda p: scipy_io.savemat(p, {"GTcls": {"Segmentation": np.zeros((48, 40))}}),
        "label of 48x40 pixels (height x width), expected 40x48 as its image",
    ),
}


@pytest.mark.parametrize("case", SPOILED_SBD)
def test_what_is_wrong_in_sbd_is_named(tmp_path: Path, case: str) -> None:
    spec = write_sbd(tmp_path)
    spoil, expected = SPOILED_SBD[case]
    spoil(sbd_label(tmp_path))
    assert expected in refusal(lambda: check(open_dataset(spec)))


def test_the_lists_of_sbd(tmp_path: Path) -> None:
    spec = write_sbd(tmp_path)
    assert parts(spec) == ("train", "val")
    assert [len(open_dataset(spec, part=part)) for part in parts(spec)] == [2, 1]
    data = tmp_path / "benchmark_RELEASE/dataset"
    assert len(open_dataset(f"sbd:{data}")) == 2
    (data / "train.txt").write_text("")
    assert "train.txt: an empty list" in refusal(lambda: open_dataset(spec))
    (data / "train.txt").write_text("2008_000001\nnothing\n")
    message = refusal(lambda: check(open_dataset(spec)))
    assert "img/nothing.jpg (train.txt line 2): no such file" in message
    (data / "train.txt").unlink()
    assert "train.txt: no such file" in refusal(lambda: open_dataset(spec))
    assert "no folder of the benchmark, expected img/" in refusal(
        lambda: open_dataset(f"sbd:{tmp_path / 'benchmark_RELEASE/dataset/img'}")
    )


NUMBERS = st.tuples(
    st.lists(st.integers(0, 5), min_size=2, max_size=3),
    st.sampled_from(["u1", "i1", "u2", "i4", "f4", "f8", "i8"]),
    st.integers(0, 9),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=3), st.booleans())
def test_numbers_of_structs_are_those_of_scipy(rows: list[Any], compressed: bool) -> None:
    fields: dict[str, Any] = {
        f"f{n}": np.random.default_rng(seed).integers(0, 100, shape).astype(dtype)
        for n, (shape, dtype, seed) in enumerate(rows)
    }
    file = BytesIO()
    others = {"text": "abc", "cells": np.array([1, "a"], object), "inner": {"x": 1}}
    scipy_io.savemat(file, {"other": 3, "found": {**others, **fields}}, do_compression=compressed)
    with tempfile.NamedTemporaryFile(suffix=".mat") as place:
        Path(place.name).write_bytes(file.getvalue())
        found = matlab_structs(Path(place.name), "here", ("found", "other"), "a struct")
        oracle = scipy_io.loadmat(place.name)["found"]
    assert found.keys() == {"found"}
    assert found["found"].keys() == fields.keys()
    for name, values in found["found"].items():
        assert np.array_equal(values, oracle[name][0, 0])
        assert values.dtype == oracle[name][0, 0].dtype or not values.size


@pytest.mark.parametrize("kind", ["cls", "inst"])
def test_damaged_bytes_are_errors_or_numbers(tmp_path: Path, kind: str) -> None:
    """scipy ends the process on some of these."""
    write_sbd(tmp_path, kind)
    path = tmp_path / f"benchmark_RELEASE/dataset/{kind}/2008_000002.mat"
    whole, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(150):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), rng.integers(1, 9)):
            content[place] = rng.integers(0, 256)
        path.write_bytes(content)
        try:
            assert read_sbd_label(path, "here").dtype == np.uint8
        except DataError:
            refused += 1
    assert refused > 20


# COCO -----------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_run_lengths_are_those_of_pycocotools(height: int, width: int, data: st.DataObject) -> None:
    bits = st.lists(st.booleans(), min_size=height * width, max_size=height * width)
    region = np.array(data.draw(bits)).reshape(height, width)
    found = mask.encode(np.asfortranarray(region.astype(np.uint8)))
    runs = mask_runs(
        {"size": [height, width], "counts": found["counts"].decode()}, (height, width), ""
    )
    assert np.array_equal(runs_mask(runs, (height, width)), region)
    assert runs[1::2].sum() == mask.area(found)


@settings(max_examples=40, deadline=None)
@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
@given(st.lists(st.lists(st.floats(-9, 28), min_size=3, max_size=6), min_size=1, max_size=3))
def test_polygons_are_those_of_pycocotools(rows: list[list[float]]) -> None:
    polygons = [[*row, *row[::-1]] for row in rows]
    size = (14, 15)
    found = runs_mask(mask_runs(polygons, size, ""), size)
    expected = mask.decode(mask.merge(mask.frPyObjects(polygons, *size)))
    assert np.array_equal(found, expected.astype(bool))


def edited(root: Path, edit: Callable[[Any], object], kind: str = "instances") -> None:
    path = root / f"annotations/{kind}_train2017.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def label_of(spec: str, index: int = 0) -> np.ndarray[Any, Any]:
    return open_dataset(spec).label(index)


def square(first: int, last: int) -> list[list[int]]:
    return [[first, first, last, first, last, last, first, last]]


def test_crowds_overlaps_and_other_categories(tmp_path: Path) -> None:
    spec = write_coco(tmp_path)

    def edit(content: Any) -> None:
        rows = content["annotations"]
        del rows[2:]
        cat, dog, zebra = (ID_OF[8], ID_OF[12], 999)
        rows[0] |= {"category_id": cat, "segmentation": square(0, 40)}
        rows[1] |= {"category_id": dog, "segmentation": square(4, 45)}
        every = {"image_id": 1, "id": 7, "iscrowd": 0, "area": 1}
        whole = segmentation(np.ones(SIZE, bool), "plain")
        rows += [
            {**every, "category_id": zebra, "segmentation": whole},
            {**every, "category_id": dog, "segmentation": whole, "iscrowd": 1},
        ]

    edited(tmp_path, edit)
    label = label_of(spec)
    assert (label[20, 20], label[39, 42], label[0, 47]) == (8, 12, 255)
    assert set(np.unique(label)) == {8, 12, 255}
    edited(tmp_path, lambda content: content["annotations"].pop())
    assert label_of(spec)[0, 47] == 0


@pytest.mark.parametrize(("pixels", "kept"), [(999, False), (1000, True)])
@pytest.mark.parametrize("kind", ["instances", "panoptic"])
def test_images_with_few_pixels_of_the_classes_are_left_out(
    tmp_path: Path, pixels: int, kept: bool, kind: str
) -> None:
    """999 of two objects that overlap, which state more; a crowd and a zebra do not count."""
    spec = write_coco(tmp_path, kind)
    region = (np.arange(SIZE[0] * SIZE[1]) < pixels).reshape(SIZE)
    halves = [region & (np.arange(SIZE[0]) < 15)[:, None], region]

    def edit(content: Any) -> None:
        first = [row for row in content["annotations"] if row["image_id"] == 1]
        if kind == "panoptic":
            _, one, other = first[0]["segments_info"]
            one["area"], other["area"] = 500, pixels - 500
            return
        for row, half in zip(first, halves, strict=True):
            row |= {"segmentation": segmentation(half, "plain"), "area": 2000}
        crowd = segmentation(np.ones(SIZE, bool), "plain")
        content["annotations"].append({**first[0], "segmentation": crowd, "iscrowd": 1})
        content["annotations"].append({**first[0], "segmentation": crowd, "category_id": 999})

    edited(tmp_path, edit, kind)
    data = open_dataset(spec)
    assert len(data) == 2 + kept
    said = "1 of 3 images are left out, which have not 1000 pixels or more of PASCAL VOC's classes"
    assert (said in data.remark) == (not kept)


def set_first(**values: Any) -> Callable[[Any], object]:
    return lambda content: content["annotations"][0].update(values)


WRONG_COCO: dict[str, tuple[Callable[[Any], object], str]] = {
    "category": (set_first(category_id=4), "category 4, expected one of the file's categories"),
    "image": (set_first(image_id=77), "annotations of image 77, expected one of its images"),
    "no image": (set_first(image_id=None), "annotations[0]: image_id None, expected a whole"),
    "segmentation": (set_first(segmentation=None), "image 1: a segmentation of type NoneType"),
    "size": (
        set_first(segmentation={"size": [3, 3], "counts": [9]}),
        "image 1: run lengths of size [3, 3], expected [40, 48] as its image",
    ),
    "short": (
        set_first(segmentation={"size": [*SIZE], "counts": [9, 4]}),
        "image 1: run lengths of 13 pixels, expected 1920 pixels",
    ),
    "negative": (
        set_first(segmentation={"size": [*SIZE], "counts": [-80, 2000]}),
        "image 1: run lengths of 1920 pixels, expected 1920 pixels",
    ),
    "damaged": (
        set_first(segmentation={"size": [*SIZE], "counts": "o"}),
        "image 1: damaged run lengths, expected 1920 pixels",
    ),
    "huge": (
        set_first(segmentation={"size": [*SIZE], "counts": [1 << 70]}),
        "image 1: damaged run lengths",
    ),
    "odd": (set_first(segmentation=[[0, 0, 9, 9, 3]]), "image 1: a polygon of 5 numbers"),
    "box": (set_first(segmentation=[[0, 0, 9, 9]]), "image 1: a polygon of 4 numbers"),
    "words": (set_first(segmentation=["abcdef"]), "image 1: a polygon that is no list of numbers"),
    "far": (
        set_first(segmentation=[[0, 0, 9, 9, 1e9, 3]]),
        "image 1: a polygon with a point at 1e",
    ),
    "no name": (
        lambda c: c["images"][1].pop("file_name"),
        "images[1]: no file_name, expected text",
    ),
    "too large": (
        lambda c: c["images"][0].update(width=1 << 40),
        "images[0]: 40x1099511627776 pix",
    ),
    "no list": (lambda c: c.pop("categories"), "no list 'categories' in it"),
    "no VOC": (lambda c: c.update(categories=[{"id": 1, "name": "x"}]), "no category of PASCAL"),
    "nothing": (lambda c: c.update(annotations=[]), "none of 3 images has 1000 pixels or more"),
    "no object": (lambda c: c["annotations"].append(3), "annotations[6]: 3, expected an object"),
    "picture size": (
        lambda c: (
            [row.update(height=48, width=40) for row in c["images"]]
            + [row.update(segmentation=square(0, 39)) for row in c["annotations"]]
        ),
        "label of 48x40 pixels (height x width), expected 40x48 as its image",
    ),
}


@pytest.mark.parametrize("case", WRONG_COCO)
def test_what_is_wrong_in_coco_is_named(tmp_path: Path, case: str) -> None:
    spec = write_coco(tmp_path)
    edit, expected = WRONG_COCO[case]
    edited(tmp_path, edit)
    message = refusal(lambda: check(open_dataset(spec)))
    assert expected in message
    assert "instances_train2017.json" in message


def test_files_of_coco_that_are_missing_or_cut_off(tmp_path: Path) -> None:
    spec = write_coco(tmp_path)
    path = tmp_path / "annotations/instances_train2017.json"
    text = path.read_text()
    path.write_text(text[:-30])
    assert "train2017.json: no JSON (" in refusal(lambda: open_dataset(spec))
    path.write_text(text)
    (tmp_path / f"train2017/{NAMES[1]}.jpg").unlink()
    message = refusal(lambda: check(open_dataset(spec)))
    assert f"train2017/{NAMES[1]}.jpg (image 2): no such file" in message
    path.unlink()
    expected = "no annotations of a training part in it, expected annotations/instances_train2017"
    assert expected in refusal(lambda: open_dataset(spec))


def test_polygons_alone_take_pycocotools(tmp_path: Path, monkeypatch: Any) -> None:
    spec = write_coco(tmp_path)
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    assert check(open_dataset(spec)).images == 3
    edited(tmp_path, set_first(segmentation=square(0, 39)))
    with pytest.raises(BackendUnavailable, match=r"coco: .*'pycocotools' .*auxnas\[coco\]"):
        open_dataset(spec)


def test_panoptic_pictures_are_held_against_their_segments(tmp_path: Path) -> None:
    spec = write_coco(tmp_path, "panoptic")
    edited(tmp_path, lambda c: c["annotations"][0]["segments_info"].pop(0), "panoptic")
    found = refusal(lambda: check(open_dataset(spec)))
    assert f"panoptic_train2017/{NAMES[0]}.png (image 1): segment id 300, expected one of" in found
    (tmp_path / f"annotations/panoptic_train2017/{NAMES[2]}.png").unlink()
    assert f"{NAMES[2]}.png (image 3): no such file" in refusal(lambda: check(open_dataset(spec)))


def test_panoptic_data_are_others_where_a_segment_has_another_class(tmp_path: Path) -> None:
    spec = write_coco(tmp_path, "panoptic")
    first = open_dataset(spec)
    label, known = first.label(0), first.fingerprint()
    other = {"category_id": ID_OF[20]}
    edited(tmp_path, lambda c: c["annotations"][0]["segments_info"][1].update(other), "panoptic")
    second = open_dataset(spec)
    assert not np.array_equal(label, second.label(0))
    assert known != second.fingerprint()


def test_parts_and_places_of_coco(tmp_path: Path) -> None:
    """A folder has instances before panoptic segments; a file is itself, and its twin for val."""
    for form in ("compressed", "panoptic"):
        for part in ("train", "val"):
            spec = write_coco(tmp_path, form, part)
    assert parts(spec) == ("train", "val")
    assert "instances_val2017.json (image 1)" in open_dataset(spec, part="val").label_place(0)
    own = f"coco:{tmp_path}/annotations/panoptic_train2017.json"
    assert f"panoptic_val2017/{NAMES[0]}.png" in open_dataset(own, part="val").label_place(0)
    (tmp_path / "images").mkdir()
    (tmp_path / "train2017").rename(tmp_path / "images/train2017")
    assert check(open_dataset(spec)).images == 3


def test_coco_is_of_pixels_as_they_are_stored(tmp_path: Path) -> None:
    spec = write_coco(tmp_path)
    turn(tmp_path / f"train2017/{NAMES[0]}.jpg")
    data = open_dataset(spec)
    assert check(data).images == 3
    assert data.note() == ""


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
@pytest.mark.skipif(not (REAL / "pose/coco").is_dir(), reason="no real COCO here")
def test_real_annotations_are_drawn_as_by_pycocotools() -> None:
    from pycocotools.coco import COCO

    path = REAL / "pose/coco/annotations/person_keypoints_val2017.json"
    data = open_dataset(f"coco:{path}")
    oracle = COCO(str(path))
    assert len(data) > 20
    for index in range(len(data)):
        number = int(data.label_place(index).split("(image ")[1].rstrip(")"))
        rows = oracle.loadAnns(oracle.getAnnIds(number))
        person = sum(oracle.annToMask(row).astype(int) for row in rows if not row["iscrowd"])
        assert np.array_equal(data.label(index) == 15, person > 0)
    assert np.array_equal(
        np.unique(np.concatenate([data.label(i).ravel() for i in range(len(data))])), [0, 15, 255]
    )
    assert check(data).images == len(data)


# Cityscapes -----------------------------------------------------------------------------------


def write_cityscapes(root: Path, kind: str = "labelIds") -> str:
    for part, cities in {"train": ("aachen", "ulm"), "val": ("lindau",)}.items():
        for city in cities:
            stem = f"{city}/{city}_000000_000019"
            for folder in ("leftImg8bit", "gtFine"):
                (root / folder / part / city).mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(picture(city[0] + stem))
            image.save(root / f"leftImg8bit/{part}/{stem}_leftImg8bit.png")
            label = ids(part) if kind == "labelIds" else ids(part) % 19
            Image.fromarray(label).save(root / f"gtFine/{part}/{stem}_gtFine_{kind}.png")
            Image.new("RGB", (8, 8)).save(root / f"gtFine/{part}/{stem}_gtFine_color.png")
    return f"cityscapes:{root}"


def ids(part: str) -> np.ndarray[Any, Any]:
    """Every id, and 255."""
    found = np.array([*range(34), 255], np.uint8)
    return np.resize(found[:: 1 if part == "train" else -1], SIZE)


class TestCityscapes(DatasetContract):
    @pytest.fixture
    def spec(self, tmp_path):
        return write_cityscapes(tmp_path)


def test_ids_become_those_that_are_trained_on(tmp_path: Path) -> None:
    """The table is that of cityscapesscripts.helpers.labels: id and training id."""
    known = dict(zip((7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23), range(11), strict=True))
    known |= dict(zip((24, 25, 26, 27, 28, 31, 32, 33), range(11, 19), strict=True))
    data = open_dataset(write_cityscapes(tmp_path))
    assert data.classes == tuple(CITYSCAPES_CLASSES)
    stored = ids("train").ravel().tolist()
    assert data.label(0).ravel().tolist() == [known.get(each, 255) for each in stored]
    assert [list(colour) for _, colour in CITYSCAPES_CLASSES.values()] == data.palette.tolist()


def test_training_ids_are_as_they_are_and_come_first(tmp_path: Path) -> None:
    write_cityscapes(tmp_path)
    data = open_dataset(write_cityscapes(tmp_path, "labelTrainIds"))
    assert np.array_equal(data.label(0), ids("train") % 19)
    assert "gtFine_labelTrainIds.png (aachen/aachen_000000_000019)" in data.label_place(0)


def city(root: Path, name: str) -> Path:
    folder = "leftImg8bit" if "left" in name else "gtFine"
    return root / folder / f"train/ulm/ulm_000000_000019_{name}.png"


WRONG_CITIES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no label": (
        lambda root: city(root, "gtFine_labelIds").unlink(),
        "ulm_000000_000019_gtFine_labelIds.png (ulm/ulm_000000_000019): no such file",
    ),
    "an id": (
        lambda root: Image.new("L", SIZE[::-1], 34).save(city(root, "gtFine_labelIds")),
        "label value 34 at row 0 column 0, expected 0..18 or 255",
    ),
    "colours": (
        lambda root: Image.new("RGB", SIZE[::-1], (1, 2, 3)).save(city(root, "gtFine_labelIds")),
        "a label image of mode RGB",
    ),
    "no image": (
        lambda root: [each.unlink() for each in root.glob("leftImg8bit/train/*/*")],
        "leftImg8bit/train: no image, expected CITY/NAME_leftImg8bit.png",
    ),
    "no folder": (
        lambda root: (root / "gtFine").rename(root / "gtCoarse"),
        "not the layout of Cityscapes, expected folders leftImg8bit/train and gtFine/train",
    ),
}


@pytest.mark.parametrize("case", WRONG_CITIES)
def test_what_is_wrong_in_cityscapes_is_named(tmp_path: Path, case: str) -> None:
    spec = write_cityscapes(tmp_path)
    spoil, expected = WRONG_CITIES[case]
    spoil(tmp_path)
    assert expected in refusal(lambda: check(open_dataset(spec)))


def test_labels_without_images_are_said(tmp_path: Path) -> None:
    spec = write_cityscapes(tmp_path)
    city(tmp_path, "leftImg8bit").unlink()
    data = open_dataset(spec)
    assert len(data) == 1
    assert "passed over the labels of 1 images that are not there" in data.remark


def opening(spec: str, **more: Any) -> Callable[[], Dataset]:
    return lambda: open_dataset(spec, **more)


def test_numbers_of_classes_and_other_tasks_are_refused(tmp_path: Path) -> None:
    from auxnas.compiler.tasks import find_task

    specs = write_sbd(tmp_path / "s"), write_coco(tmp_path / "c"), write_cityscapes(tmp_path / "y")
    for spec, own in zip(specs, (21, 21, 19), strict=True):
        said = refusal(opening(spec, classes=3))
        assert f"3 asked for, expected {own}" in said
        assert said.endswith("as in PASCAL VOC, which COCO is mapped to") == (spec == specs[1])
        assert "--task segmentation?" in refusal(opening(spec, task=find_task("depth")))
        assert "no val part" in refusal(opening(specs[1], part="val"))
        assert isinstance(open_dataset(spec, size=(32, 32)).image(0), np.ndarray)
        with pytest.raises(DataError, match=r"data\.depth_scale: 2 for"):
            open_dataset(spec, depth_scale=2)
