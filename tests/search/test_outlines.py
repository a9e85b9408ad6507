"""Outlines: what they cover, the formats that have them, and every way in which these are wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from auxnas.search.data import DataError, check, open_dataset, parts
from auxnas.search.data.outlines.shapes import (
    Drawing,
    Ellipse,
    Mark,
    PenShape,
    Polygon,
    RunMask,
    draw_marks,
    pasted,
)
from auxnas.search.data.outlines.yaml_file import yaml_values
from tests.search.contract_dataset import DatasetContract
from tests.search.people_data import (
    CLASSES,
    KINDS,
    SIZE,
    TRAIN,
    VAL,
    truth,
    write_coco,
    write_cvat,
    write_labelme,
    write_yolo,
    write_yolo_masks,
)
from tests.search.test_data_files import refusal


class TestCvat(DatasetContract):
    @pytest.fixture
    def spec(self, tmp_path):
        return write_cvat(tmp_path)


class TestUltralytics(DatasetContract):
    @pytest.fixture
    def spec(self, tmp_path):
        return write_yolo(tmp_path)


class TestCocoSegments(DatasetContract):
    @pytest.fixture
    def spec(self, tmp_path):
        return write_coco(tmp_path)


class TestLabelme(DatasetContract):
    @pytest.fixture
    def spec(self, tmp_path):
        return write_labelme(tmp_path)


# Shapes -----------------------------------------------------------------------------------------

CORNER = st.tuples(st.floats(-9, 20), st.floats(-9, 20))


def within(x: float, y: float, points: list[tuple[float, float]]) -> bool:
    """Whether a ray to the right crosses an odd number of edges."""
    crossed = 0
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        if (y0 <= y) != (y1 <= y):
            crossed += x0 + (y - y0) * ((x1 - x0) / (y1 - y0)) > x
    return crossed % 2 == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(CORNER, min_size=3, max_size=7))
def test_a_polygon_covers_the_pixels_whose_centre_is_within(points: Any) -> None:
    """Points on a border are the one or the other, and none is here."""
    height, width = 10, 11
    found = Polygon(np.array(points)).mask((height, width))
    differ = [
        (row, column)
        for row in range(height)
        for column in range(width)
        if found[row, column] != within(column + 0.5, row + 0.5, points)
    ]
    near = [
        abs((x1 - x0) * (row + 0.5 - y0) - (y1 - y0) * (column + 0.5 - x0)) < 1e-6
        for row, column in differ
        for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True)
    ]
    assert not differ or any(near)


@given(*[st.integers(-4, 14)] * 4)
def test_a_rectangle_covers_its_pixels(left: int, top: int, right: int, bottom: int) -> None:
    left, right = sorted((left, right))
    top, bottom = sorted((top, bottom))
    points = [[left, top], [right, top], [right, bottom], [left, bottom]]
    expected = np.zeros((9, 10), bool)
    expected[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    assert np.array_equal(Polygon(np.array(points, float)).mask((9, 10)), expected)
    assert Polygon(np.array(points, float)).area == (right - left) * (bottom - top)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(-8, 12), st.integers(-8, 12))
def test_a_pasted_part_is_cut_at_the_border(high: int, wide: int, top: int, left: int) -> None:
    padded = np.zeros((40, 40), bool)
    padded[15 + top : 15 + top + high, 15 + left : 15 + left + wide] = True
    found = pasted(np.ones((high, wide), bool), (top, left), (7, 8))
    assert np.array_equal(found, padded[15:22, 15:23])


def test_an_ellipse_and_its_turn() -> None:
    flat, upright = (Ellipse((6, 5), radii, 0).mask((10, 12)) for radii in ((5, 2), (2, 5)))
    assert np.array_equal(Ellipse((6, 5), (5, 2), 90).mask((10, 12)), upright)
    rows, columns = np.nonzero(flat)
    assert all(((columns + 0.5 - 6) / 5) ** 2 + ((rows + 0.5 - 5) / 2) ** 2 <= 1)
    assert flat.sum() == pytest.approx(np.pi * 10, rel=0.1)


def test_the_last_mark_is_on_top() -> None:
    whole = RunMask((0, 0), (2, 3), np.array([0, 6]))
    part = PenShape("rectangle", np.array([[1.0, 0.0], [1.0, 1.0]]))
    drawing = Drawing((Mark(1, whole), Mark(2, part)))
    assert draw_marks(drawing.marks, (2, 4), 9).tolist() == [[1, 2, 1, 9]] * 2
    assert draw_marks(drawing.marks[::-1], (2, 4), 9).tolist() == [[1, 1, 1, 9]] * 2


# YAML -------------------------------------------------------------------------------------------

YAML: dict[str, Any] = {
    "names: [a, 'b, c', \"d # e\"]  # f": ["a", "b, c", "d # e"],
    "names:\n  0: a\n  1: traffic light\n": {"0": "a", "1": "traffic light"},
    "names:\n- a\n- 'it''s'\n": ["a", "it's"],
    "names:\n  - a  # first\n\n  - b": ["a", "b"],
    "names: {0: a, 1: 'b'}": {"0": "a", "1": "b"},
    "names: [a,\n  b,\n  c]": ["a", "b", "c"],
    "names: a#b": "a#b",
    "---\nother: &x |\n  names: c\nnames: a b\n": "a b",
}


@pytest.mark.parametrize("text", YAML)
def test_values_of_a_yaml(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    assert yaml_values(path, ("names",)) == {"names": YAML[text]}


@pytest.mark.parametrize(
    "text",
    [
        "names: *x",
        "names: |\n  a",
        "names: [a, [b]]",
        "names: [a",
        "names:\n  - a\n  b: c",
        'names: "a\\n"',
        "names: a\nnames: b",
        "  indented",
        "names:\n  a",
    ],
)
def test_other_yaml_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    assert f"{path} line " in refusal(lambda: yaml_values(path, ("names",)))


@pytest.mark.parametrize("text", ["names: null", "names:", "names: ~", "", "other: 3"])
def test_empty_values_are_left_out(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    assert yaml_values(tmp_path / "a.yaml", ("names",)) == {}


# Formats ----------------------------------------------------------------------------------------


def edited(path: Path, edit: Callable[[Any], object]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def shape(**values: Any) -> Callable[[Any], object]:
    return lambda content: content["shapes"][0].update(values)


WRONG_LABELME: dict[str, tuple[Callable[[Any], object], str]] = {
    "no shapes": (lambda c: c.pop("shapes"), "grey.json: no shapes, expected a list"),
    "a label": (shape(label="cat"), "grey.json shape 0: label 'cat', expected one of labels.txt"),
    "no object": (lambda c: c["shapes"].append("road"), "shape 3: no label, expected text"),
    "a list": (shape(label=["road"]), "shape 0: label ['road'], expected text"),
    "no label": (lambda c: c["shapes"][0].pop("label"), "shape 0: no label, expected text"),
    "two points": (shape(points=[[1, 2], [3, 4]]), "4 numbers, expected x and y of 3 points"),
    "far": (shape(points=[[1, 2], [3, 4], [999, 1]]), "a point at 999, 1, expected points of an"),
    "text": (shape(points=[[1, 2], [3, 4], ["5", 1]]), "a point ['5', 1], expected two numbers"),
    "infinite": (shape(points=[[1, 2], [3, 4], [1e999, 1]]), "grey.json"),
    "a kind": (shape(shape_type="spline"), "shape_type 'spline', expected polygon, rectangle"),
    "a mask": (lambda c: c["shapes"][2].update(mask="!"), "shape 2: damaged base64"),
    "no mask": (lambda c: c["shapes"][2].update(mask=None), "shape 2: mask None, expected text"),
    "a picture": (lambda c: c["shapes"][2].update(mask="aGFsbG8="), "shape 2: not an image file"),
    "size": (lambda c: c.update(imageHeight=41), "label of 41x48 pixels"),
    "no size": (lambda c: c.update(imageHeight=0), "grey.json: size 0x48, expected height and"),
    "large": (lambda c: c.update(imageHeight=10**8), "expected at most 89 million pixels"),
    "no image": (lambda c: c.update(imagePath="gone.png"), "gone.png (grey.json): no such file"),
}


@pytest.mark.parametrize("case", WRONG_LABELME)
def test_what_is_wrong_in_labelme_is_named(tmp_path: Path, case: str) -> None:
    spec = write_labelme(tmp_path)
    edit, expected = WRONG_LABELME[case]
    edited(tmp_path / "grey.json", edit)
    assert expected in refusal(lambda: check(open_dataset(spec)))


@pytest.mark.parametrize("inside", [False, True])
def test_pictures_without_json_are_passed_over_and_said(tmp_path: Path, inside: bool) -> None:
    spec = write_labelme(tmp_path, inside)
    whole = open_dataset(spec)
    assert (whole.remark, whole.unmatched.images) == ("", ())
    (tmp_path / "grey.json").write_text("{")  # damaged: its picture is no picture without one
    alone = [tmp_path / "a.png", tmp_path / "photographs/b.JPG"]
    for path in (*alone, tmp_path / "grey.png"):
        Image.new("RGB", (4, 4)).save(path)
    data = open_dataset(spec)
    assert data.unmatched.images == tuple(alone)
    assert f"passed over 2 images without a label (first {alone[0]})" in data.remark
    assert len(data) == len(whole)


def test_outlines_of_the_stored_size_turn_with_their_image(tmp_path: Path) -> None:
    """As tools leave them that do not look at EXIF."""
    spec = write_labelme(tmp_path)
    box = [[3.0, 5.0], [9.0, 20.0]]
    values = {"shape_type": "rectangle", "points": box, "label": "car"}
    edited(tmp_path / "turned.json", lambda c: c.update(shapes=[c["shapes"][1] | values]))
    edited(tmp_path / "turned.json", lambda c: c.update(imageHeight=48, imageWidth=40))
    data = open_dataset(spec)
    (place,) = (n for n in range(len(data)) if "turned" in data.place(n))
    stored = np.zeros((48, 40), np.uint8)
    stored[5:21, 3:10] = data.classes.index("car")
    assert np.array_equal(data.label(place), np.rot90(stored, -1))
    assert check(data).images == len(KINDS)


def test_labels_of_labelme_without_a_list_of_them(tmp_path: Path) -> None:
    spec = write_labelme(tmp_path)
    (tmp_path / "labels.txt").unlink()
    assert open_dataset(spec).classes == ("background", "car", "road", "tree")
    edited(tmp_path / "grey.json", shape(label="_background_"))
    assert open_dataset(spec).classes == ("_background_", "car", "road", "tree")
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\nroad\ncar\ntree\n")
    edited(tmp_path / "grey.json", shape(label="__ignore__"))
    data = open_dataset(spec)
    assert data.classes == ("_background_", "road", "car", "tree")
    index = next(n for n in range(len(data)) if "grey" in data.place(n))
    assert 255 in data.label(index)


def test_parts_of_labelme_have_the_same_classes(tmp_path: Path) -> None:
    write_labelme(tmp_path, inside=True)
    (tmp_path / "labels.txt").unlink()
    for part, names in ("train", TRAIN), ("val", VAL):
        (tmp_path / part).mkdir()
        for name in names:
            path = tmp_path / f"{name.partition('.')[0]}.json"
            path.rename(tmp_path / part / path.name)
    edited(tmp_path / "val/deep.json", shape(label="aardvark"))
    spec = f"labelme:{tmp_path}"
    assert parts(spec) == ("train", "val")
    found = [open_dataset(spec, part=part) for part in parts(spec)]
    assert found[0].classes == found[1].classes == (CLASSES[0], "aardvark", "car", "road", "tree")


WRONG_CVAT: dict[str, tuple[str, str, str]] = {
    "cut off": ("</annotations>", "", "no XML ("),
    "bomb": (
        "<annotations>",
        '<!DOCTYPE a [<!ENTITY x "y">]><annotations>',
        "annotations.xml: a document type, expected XML without one: entities are not read",
    ),
    "a label": ('label="tree"', 'label="cat"', "of label 'cat', expected one of the labels in"),
    "no labels": ("meta>", "mata>", "XML of 'annotations' without labels"),
    "a point": ("0.00,20.00;", "0.00;", "numbers, expected x and y of 3 points or more"),
    "no number": ('xtl="3.0"', 'xtl="left"', "xtl 'left', expected a number"),
    "not finite": ('xtl="3.0"', 'xtl="inf"', "xtl 'inf', expected a number"),
    "runs": ('rle="0, 200"', 'rle="0, 199"', "runs of 199 pixels for a mask of 20x10"),
    "a size": ('height="40"', 'height="41"', "label of 41x48 pixels"),
    "no size": ('height="40"', 'height="0"', "size 0x48, expected height and width"),
    "a file": ('name="grey.png"', 'name="gone.png"', "images/gone.png (image 1): no such file"),
    "a colour": ("#804080", "purple", "color of road: 'purple', expected red, green and blue"),
}


@pytest.mark.parametrize("case", WRONG_CVAT)
def test_what_is_wrong_in_cvat_is_named(tmp_path: Path, case: str) -> None:
    spec = write_cvat(tmp_path)
    old, new, expected = WRONG_CVAT[case]
    path = tmp_path / "annotations.xml"
    if case == "no labels":
        path.write_text(path.read_text().replace(old, new))
    else:
        replaced(path, old, new)
    assert expected in refusal(lambda: check(open_dataset(spec)))


def test_what_has_no_area_in_cvat_is_said(tmp_path: Path) -> None:
    data = open_dataset(write_cvat(tmp_path))
    assert f"passed over {len(TRAIN)} of polyline, which has no area" in data.remark
    replaced(tmp_path / "annotations.xml", 'subset="Validation"', 'subset="other"')
    replaced(tmp_path / "annotations.xml", 'subset="Validation"', 'subset="other"')
    assert parts(f"cvat:{tmp_path}") == ("train",)


def test_ellipses_and_turned_boxes_of_cvat(tmp_path: Path) -> None:
    spec = write_cvat(tmp_path)
    path = tmp_path / "annotations.xml"
    ellipse = '<ellipse label="tree" cx="24" cy="20" rx="10" ry="5" rotation="90" z_order="9" />'
    replaced(path, "<polyline", f"{ellipse}<polyline")
    label = open_dataset(spec).label(0)
    assert np.array_equal(
        label == 3,
        Ellipse((24, 20), (5, 10)).mask(SIZE) | (truth(KINDS[0]) == 3),
    )
    replaced(path, 'xtl="3.0"', 'rotation="180" xtl="3.0"')
    assert np.array_equal(open_dataset(spec).label(0), label)


WRONG_YOLO: dict[str, tuple[str, str, str, str]] = {
    "a class": ("labels/train/grey.txt", "0 0.0", "7 0.0", "class 7, expected 0..2"),
    "no number": ("labels/train/grey.txt", "0 0.0", "0 x", "a number 'x', expected a number"),
    "pixels": (
        "labels/train/grey.txt",
        "0 0.0",
        "0 40",
        "a point with 40, expected 0 to 1: shares of the image's width and height, no pixels",
    ),
    "beyond": ("labels/train/grey.txt", "0 0.0", "0 1.01", "a point with 1.01, expected 0 to 1"),
    "before": ("labels/train/grey.txt", "0 0.0", "0 -0.01", "a point with -0.01, expected 0 to 1"),
    "no train": ("data.yaml", "train: images/train", "", "no train in it, expected the data.yaml"),
    "no folder": ("data.yaml", "train: images/train", "train: gone", "gone: no such folder or lis"),
    "numbers": ("data.yaml", "  0: road", "  5: road", "numbers 5, 1, 2, expected 0, 1, 2"),
    "no names": ("data.yaml", "names:", "other:", "names: no class names"),
    "a count": ("data.yaml", "names:", "nc: 5\nnames:", "3 different ones, expected 5"),
}


@pytest.mark.parametrize("case", WRONG_YOLO)
def test_what_is_wrong_in_a_data_yaml_is_named(tmp_path: Path, case: str) -> None:
    spec = write_yolo(tmp_path)
    name, old, new, expected = WRONG_YOLO[case]
    replaced(tmp_path / name, old, new)
    spec = f"ultralytics:{tmp_path / 'data.yaml'}" if name == "data.yaml" else spec
    assert expected in refusal(lambda: check(open_dataset(spec)))


def test_boxes_are_no_polygons_and_empty_files_are_background(tmp_path: Path) -> None:
    spec = write_yolo(tmp_path)
    path = tmp_path / "labels/train/grey.txt"
    path.write_text("")
    data = open_dataset(spec)
    index = next(n for n in range(len(data)) if "grey" in data.place(n))
    assert set(np.unique(data.label(index))) == {data.classes.index("background")}
    path.write_text("0 0.5 0.5 0.1 0.1\n")
    assert "a box (4 numbers behind the class)" in refusal(lambda: check(open_dataset(spec)))
    path.unlink()
    assert "1 images without a label" in open_dataset(spec).remark


def test_a_data_yaml_of_another_place(tmp_path: Path) -> None:
    """Files that name folders one up are read from beside them, as they are unpacked."""
    spec = write_yolo_masks(tmp_path)
    replaced(tmp_path / "own.yaml", "[images/train]", "../images/train")
    assert len(open_dataset(spec)) == len(TRAIN)
    assert open_dataset(spec).classes == CLASSES


def test_crowds_and_other_layouts_of_coco(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    spec = write_coco(tmp_path, polygons=True)
    data = open_dataset(spec)
    assert data.classes == CLASSES
    path = tmp_path / "annotations/instances_train2017.json"
    edited(path, lambda c: c["annotations"][0].update(iscrowd=1))
    crowd = open_dataset(spec).label(0)
    assert set(np.unique(crowd)) == {0, 1, 2, 255}
    assert set(np.unique(data.label(0)[crowd == 255])) == {3}
    for name in ("train", "valid"):
        (tmp_path / "robo" / name).mkdir(parents=True)
        part = {"train": "train", "valid": "val"}[name]
        for file in (tmp_path / f"{part}2017").iterdir():
            file.rename(tmp_path / "robo" / name / file.name)
        stored = tmp_path / f"annotations/instances_{part}2017.json"
        stored.rename(tmp_path / "robo" / name / "_annotations.coco.json")
    robo = f"coco-segments:{tmp_path / 'robo'}"
    assert parts(robo) == ("train", "val")
    assert check(open_dataset(robo)).images == len(TRAIN)
    alone = f"coco-segments:{tmp_path / 'robo/train/_annotations.coco.json'}"
    assert (parts(alone), len(open_dataset(alone))) == (("train",), len(TRAIN))


def test_stuff_and_panoptic_segments_have_no_background(tmp_path: Path) -> None:
    spec = write_coco(tmp_path, "stuff")
    path = tmp_path / "annotations/stuff_train2017.json"
    whole = open_dataset(spec)
    edited(path, lambda c: c["annotations"].pop(0))
    label = open_dataset(spec).label(0)
    assert whole.classes == CLASSES
    assert set(np.unique(label[whole.label(0) == 3])) == {255}
    edited(path, lambda c: c["categories"].append({"id": 99, "name": "car"}))
    assert "category 'car' twice" in refusal(lambda: open_dataset(spec))


def test_parts_of_other_classes_are_refused_by_a_run(tmp_path: Path) -> None:
    from auxnas.backends.progress import Silent
    from auxnas.search.examples.context import DataContext
    from auxnas.search.settings.resolving import resolve

    spec = write_coco(tmp_path)
    path = tmp_path / "annotations/instances_val2017.json"
    settings = resolve({"data": {"source": spec, "size": [32, 32]}})

    def validation() -> Any:
        return DataContext(settings, tmp_path / "cache", Silent()).validation

    assert validation().dataset.classes == CLASSES
    edited(path, lambda c: c["categories"].append({"id": 0, "name": "zebra"}))
    with pytest.raises(DataError, match=r"class 'zebra' of .* alone"):
        validation()
    edited(path, lambda c: c["categories"].pop())
    edited(path, lambda c: [row.update(id=20 - row["id"]) for row in c["categories"]])
    edited(path, lambda c: [r.update(category_id=20 - r["category_id"]) for r in c["annotations"]])
    assert open_dataset(spec, part="val").classes == ("background", "tree", "car", "road")
    assert validation().dataset.classes == CLASSES
