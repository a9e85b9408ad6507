"""``nassearch data``: all that is wrong or remarkable in data, each file read once."""

import json
import pickle
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from shlex import quote, split
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from auxnas.backends.images.colours import MOST, ColourError, colour_counts
from auxnas.backends.images.labels import label_map_advice
from auxnas.backends.progress import Silent
from auxnas.compiler.tasks import find_task
from auxnas.nassearch.cli import main
from auxnas.search.data import DataError, check, open_dataset
from auxnas.search.data.base import BaseDataset
from auxnas.search.data.colours import colour_lines, strange_colours
from auxnas.search.data.layouts.classes import LabelKey
from auxnas.search.data.mapped import label_table
from auxnas.search.data.survey import survey_data, survey_document, told_once
from auxnas.search.examples.context import DataContext
from auxnas.search.settings.search import Settings
from tests.search.people_data import (
    CLASSES,
    COLOURS,
    KINDS,
    save_label,
    stem,
    truth,
    write_camvid,
    write_coco,
    write_cvat,
    write_flat,
    write_labelme,
    write_parts,
    write_yolo,
)


def looked(*words: str) -> Result:
    return CliRunner().invoke(main, ["data", *words])


def document(*words: str) -> dict:
    found = looked(*words, "--json")
    assert found.exit_code in (0, 1), found.output
    return json.loads(found.stdout)


def test_what_is_in_data(tmp_path: Path) -> None:
    spec = write_parts(tmp_path)
    found = document(spec)
    assert found["usable"] is True
    labels = np.stack([truth(name) for name in KINDS])
    for number, row in enumerate(found["classes"]):
        assert row["name"] == CLASSES[number]
        assert row["pixels"] == (labels == number).sum()
        assert row["share"] == pytest.approx((labels == number).mean())
        assert row["images"] == len(KINDS)
    parts = found["parts"]
    assert {name: part["images"] for name, part in parts.items()} == {"train": 5, "val": 2}
    assert parts["train"]["sizes"] == [{"height": 40, "width": 48, "images": 5}]
    assert looked(spec).exit_code == 0


def test_faults_are_all_told_and_files_are_read_once(tmp_path: Path) -> None:
    spec = write_flat(tmp_path)
    (tmp_path / "labels/grey.png").write_bytes(b"nothing")
    (tmp_path / "images/colour.jpg").write_bytes(b"nothing")
    Image.new("L", (8, 6)).save(tmp_path / "labels/alpha.png")
    dataset, calls = open_dataset(spec), Counter()

    class Counting:
        def __getattr__(self, name):
            found = getattr(dataset, name)
            if name not in ("image", "label"):
                return found
            return lambda index: (calls.update([(name, index)]), found(index))[1]

        def __len__(self):
            return len(dataset)

        def origin(self, index):
            return self, index

    survey = survey_data("train", Counting())
    assert [fault.found.partition(" (")[0] for fault in survey.faults] == [
        "label of 6x8 pixels",
        "not an image file",
        "not an image file",
    ]
    assert len(survey.statistics) == len(KINDS) - 3
    assert not survey.usable
    assert set(calls.values()) == {1}
    found = looked(spec)
    assert found.exit_code == 1
    assert "train: 3 of 7 cannot be used:" in found.stdout
    assert "not to be trained on as it is" in found.stdout


def test_what_mends_several_files_is_told_once_and_to_a_program_of_each(tmp_path: Path) -> None:
    write_flat(tmp_path)
    for name in ("alpha", "deep"):
        Image.new("RGB", (48, 40), (1, 2, 3)).save(tmp_path / f"labels/{name}.png")
    page = tmp_path / "page.html"
    found = looked(f"folder:{tmp_path}", "--html", str(page))
    said = "names in classes.txt and their colours in palette.txt"
    assert "train: 2 of 7 cannot be used:" in found.stdout
    assert [found.stdout.count(said), page.read_text("utf-8").count(said)] == [1, 1]
    assert found.stdout.count("a label image of mode RGB") == 1
    assert "(and 1 like it)" in found.stdout
    faults = document(f"folder:{tmp_path}")["parts"]["train"]["faults"]
    assert [said in each for each in faults] == [True, True]


def write_list(root: Path) -> str:
    """Pairs of a list, two of them without a tab."""
    write_flat(root)
    rows = [f"images/{name}\tlabels/{name.partition('.')[0]}.png" for name in KINDS]
    rows[1:3] = ["images/grey.png", "a b c"]
    (root / "train.lst").write_text("\n".join(rows))
    return f"list:{root}"


def cut_off(*names: str) -> Callable[[Path], object]:
    return lambda root: [(root / name).write_text((root / name).read_text()[:9]) for name in names]


def two_labels_of_cvat(root: Path) -> None:
    text = (root / "annotations.xml").read_text()
    (root / "annotations.xml").write_text(text.replace('label="tree"', 'label="cat"', 2))


def unknown_of_coco(root: Path) -> None:
    """The first image is not there but in annotations; of the second a category is not there."""
    (path,) = (root / "annotations").glob("*train2017.json")
    content = json.loads(path.read_text())
    del content["images"][0]
    row = next(each for each in content["annotations"] if each["image_id"] == 2)
    row.get("segments_info", [row])[0]["category_id"] = 99
    path.write_text(json.dumps(content))


DAMAGED: dict[str, tuple[Callable[[Path], str], Callable[[Path], object], list[str]]] = {
    "list": (write_list, lambda root: None, ["1 names in", "3 names in"]),
    "labelme": (write_labelme, cut_off("grey.json", "deep.json"), ["no JSON", "no JSON"]),
    "ultralytics": (
        write_yolo,
        lambda root: [
            (root / f"labels/train/{name}.txt").write_text(text)
            for name, text in (("grey", "0 0.5 0.5 0.1 0.1"), ("colour", "\n9 1 1 1 1 1 1"))
        ],
        ["class 9", "a box (4"],
    ),
    "coco": (write_coco, unknown_of_coco, ["category 99", "annotations of image 1"]),
    "coco panoptic": (
        lambda root: write_coco(root, "panoptic"),
        unknown_of_coco,
        ["category 99", "annotations of image 1"],
    ),
    "cvat": (write_cvat, two_labels_of_cvat, ["label 'cat'", "label 'cat'"]),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_every_damaged_label_is_told_and_the_others_are_looked_at(
    tmp_path: Path, kind: str
) -> None:
    write, damage, faults = DAMAGED[kind]
    spec = write(tmp_path)
    whole = len(open_dataset(spec))
    damage(tmp_path)
    part = document(spec)["parts"]["train"]
    assert (part["images"], len(part["faults"])) == (whole, 2)
    for fault, words in zip(part["faults"], faults, strict=True):
        assert words in fault
    assert sum(row["images"] for row in part["sizes"]) == whole - 2
    found = looked(spec)
    assert (found.exit_code, found.stderr.count("\n")) == (1, 0)
    assert f"train: 2 of {whole} cannot be used:" in found.stdout
    data = open_dataset(spec)
    with pytest.raises(DataError) as refused:
        check(data)
    assert str(refused.value) in part["faults"]
    place = next(n for n in range(whole) if data.pairs[n].fault is not None)
    for action in data.image, data.label, lambda _: data.fingerprint():
        with pytest.raises(DataError) as again:
            action(place)
        assert str(again.value) == str(refused.value)
    copied = pickle.loads(pickle.dumps(refused.value))
    assert (copied.place, copied.found) == (refused.value.place, refused.value.found)


SPOILS: dict[str, Callable[[Path], object]] = {
    "nothing": lambda root: None,
    "value": lambda root: Image.new("L", (48, 40), 9).save(root / "labels/deep.png"),
    "size": lambda root: Image.new("L", (9, 9)).save(root / "labels/deep.png"),
    "missing": lambda root: (root / "labels/deep.png").unlink(),
    "colour": lambda root: Image.new("RGB", (48, 40), (1, 2, 3)).save(root / "labels/deep.png"),
    "cut off": lambda root: (root / "images/grey.png").write_bytes(b"\x89PNG"),
    "not labelled": lambda root: [
        Image.new("L", (48, 40), 255).save(path) for path in (root / "labels").iterdir()
    ],
}


@pytest.mark.parametrize("case", SPOILS)
def test_data_are_usable_where_the_check_before_training_passes(tmp_path: Path, case: str) -> None:
    spec = write_flat(tmp_path)
    SPOILS[case](tmp_path)
    survey = survey_data("train", open_dataset(spec))
    try:
        check(open_dataset(spec))
    except DataError as error:
        assert not survey.usable
        places = {each.place for each in (*survey.faults, *survey.strange)}
        told = any(place.startswith(error.place) for place in places)
        assert told or not survey.statistics.labelled
    else:
        assert survey.usable


PICTURES = (
    write_flat,
    lambda root: [(root / f"labels/{n}.png").write_bytes(b"no") for n in ("grey", "deep")],
    ["", ""],
)
READ = DAMAGED | {"folder": PICTURES}
"""Damage that is found when the data are opened, and damage that is found by reading files."""


@pytest.mark.parametrize("kind", READ)
def test_a_run_on_damaged_data_names_the_first_file_and_the_look(tmp_path: Path, kind: str) -> None:
    write, damage, _ = READ[kind]
    (tmp_path / "my data").mkdir()
    spec = write(tmp_path / "my data")
    damage(tmp_path / "my data")
    words = ["run", "--data", spec, "--out", str(tmp_path / "out"), "--cache", str(tmp_path)]
    found = CliRunner().invoke(main, words)
    with pytest.raises(DataError) as first:
        check(open_dataset(spec))
    assert found.exit_code == 2
    look = f"{first.value}, and `nassearch data {quote(spec)}` looks at all of them"
    assert look in found.stderr
    assert "train: 2 of" in looked(*split(look.split("`")[1])[2:]).stdout


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_look_asks_what_a_run_asks_of_both_shares(tmp_path: Path, count: int) -> None:
    spec = write_flat(tmp_path)
    for path in sorted((tmp_path / "images").iterdir())[count:]:
        path.unlink()
    data = DataContext(Settings(data={"source": spec}), tmp_path / "cache", Silent())
    found = looked(spec)
    if count == 3:
        data.check_enough_data(data.search_split)
        assert found.exit_code == 0
        return
    with pytest.raises(DataError) as refused:
        data.check_enough_data(data.search_split)
    assert str(refused.value) in found.stdout
    assert found.exit_code == 1


def test_of_labels_that_cannot_be_read_no_class_is_said_to_be_missing(tmp_path: Path) -> None:
    spec = write_flat(tmp_path)
    for path in (tmp_path / "labels").iterdir():
        path.write_bytes(b"nothing")
    found = looked(spec).stdout
    assert "7 of 7 cannot be used" in found
    assert "no image has a pixel" not in found
    assert CLASSES[1] not in found


def test_strange_values_are_counted_with_a_reason(tmp_path: Path) -> None:
    write_flat(tmp_path)
    (tmp_path / "classes.txt").write_text("a\nb\nc")
    found = document(f"folder:{tmp_path}")
    (row,) = found["parts"]["train"]["strange"]
    labels = np.stack([truth(name) for name in KINDS])
    assert (row["value"], row["pixels"], row["images"]) == (3, (labels == 3).sum(), len(KINDS))
    assert row["place"].endswith("at row 5 column 30")
    assert "values up to 3 occur" in found["parts"]["train"]["advice"]


@pytest.mark.parametrize("known", [[], [1], [0, 3]])
def test_colours_that_are_in_no_palette_are_counted(tmp_path: Path, known: list[int]) -> None:
    write_flat(tmp_path)
    for name in KINDS:
        save_label(tmp_path / f"labels/{stem(name)}.png", name, "RGB")
    labels = np.stack([truth(name) for name in KINDS])
    if known:
        lines = ["#{:02x}{:02x}{:02x}".format(*COLOURS[n]) for n in known]
        (tmp_path / "palette.txt").write_text("\n".join([*lines, "#010101"]))
        (tmp_path / "classes.txt").write_text("\n".join([*(CLASSES[n] for n in known), "other"]))
    found = document(f"folder:{tmp_path}")["parts"]["train"]["colours"]
    missing = {n: (labels == n) for n in range(len(CLASSES)) if n not in known}
    assert {row["colour"]: (row["pixels"], row["images"]) for row in found} == {
        ",".join(map(str, COLOURS[n])): (where.sum(), where.any(axis=(1, 2)).sum())
        for n, where in missing.items()
    }
    assert [row["pixels"] for row in found] == sorted((r["pixels"] for r in found), reverse=True)
    for row in found:
        assert row["share"] == pytest.approx(row["pixels"] / labels.size)
        assert bytes.fromhex(row["hex"][1:]) == bytes(map(int, row["colour"].split(",")))
    page = tmp_path / "page.html"
    said = looked(f"folder:{tmp_path}", "--html", str(page)).stdout
    assert all(row["hex"] in said and row["hex"] in page.read_text() for row in found)
    (tmp_path / "classes.txt").write_text("\n".join(CLASSES))
    (tmp_path / "palette.txt").write_text("\n".join(",".join(map(str, c)) for c in COLOURS))
    assert document(f"folder:{tmp_path}")["usable"] is True


WRONG = st.lists(st.sets(st.integers(0, len(CLASSES) - 1)), min_size=3, max_size=3).filter(any)


@settings(max_examples=12, deadline=None)
@given(WRONG)
def test_of_a_wrong_palette_the_colours_are_named_that_no_label_image_has(
    wrong: list[set[int]],
) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        write_flat(root)
        (root / "classes.txt").write_text("\n".join(CLASSES))
        (root / "palette.txt").write_text("\n".join(" ".join(map(str, c)) for c in COLOURS))
        for place, name in enumerate(KINDS):
            others = wrong[place % len(wrong)]
            table = [(200, 9, 250 - n) if n in others else c for n, c in enumerate(COLOURS)]
            pixels = np.array(table, np.uint8)[truth(name)]
            Image.fromarray(pixels).save(root / f"labels/{stem(name)}.png")
        page = root / "page.html"
        said = looked(f"folder:{root}", "--html", str(page)).stdout
        part = document(f"folder:{root}")["parts"]["train"]
        drawn = "Colours of classes that no label image has" in page.read_text("utf-8")
    never = set.intersection(*wrong)
    unused = [[CLASSES[n], ",".join(map(str, COLOURS[n]))] for n in sorted(never)]
    assert part["unused_colours"] == unused
    line = "was found in no label image: is it another one?"
    assert (line in said) == drawn == bool(unused)
    assert all(f"{name} ({colour})" in said for name, colour in unused)
    assert not any("smoothed" in fault for fault in part["faults"])


@pytest.mark.parametrize("damaged", [0, 1, 7])
def test_classes_are_missing_where_all_files_were_read(tmp_path: Path, damaged: int) -> None:
    spec = write_flat(tmp_path)
    (tmp_path / "classes.txt").write_text("\n".join([*CLASSES, "kerb"]))
    for path in sorted((tmp_path / "labels").iterdir())[:damaged]:
        path.write_bytes(b"nothing")
    assert ("no image has a pixel of kerb" in looked(spec).stdout) == (not damaged)


@pytest.mark.parametrize(("pixels", "smoothed"), [(1, True), (19, True), (20, False), (900, False)])
@pytest.mark.parametrize("near", [True, False])
def test_smoothing_is_a_reason_for_colours_that_are_near_and_rare(
    tmp_path: Path, pixels: int, smoothed: bool, near: bool
) -> None:
    key = LabelKey((0, 1), ((0, 0, 0), (200, 200, 200)), "palette.txt", ("road", "sky"))
    label = np.zeros((40, 48, 3), np.uint8)
    label.reshape(-1, 3)[:pixels] = (200, 190, 210) if near else (0, 255, 0)
    Image.fromarray(label).save(tmp_path / "a.png")
    with pytest.raises(ColourError) as found:
        key(tmp_path / "a.png", "a.png")
    assert ("smoothed" in str(found.value)) == (smoothed and near)
    copied = pickle.loads(pickle.dumps(found.value))
    assert copied.unused == found.value.unused == (("sky", (200, 200, 200)),)


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), max_size=60))
def test_all_faults_are_counted(words: list[str]) -> None:
    faults = [f"{n}.png: {word}" for n, word in enumerate(words)]
    assert sum(count for _, count in told_once(faults)) == len(faults)


def test_what_is_not_shown_is_counted_in_files(tmp_path: Path) -> None:
    """Of faults in the same words many are one line; those behind the last line are more files."""
    spec = write_flat(tmp_path)
    for path in [*(tmp_path / "images").iterdir(), *(tmp_path / "labels").iterdir()]:
        path.unlink()
    for n in range(30):
        Image.new("RGB", (9, 9)).save(tmp_path / f"images/{n:02}.png")
        Image.new("L", (1 + min(n, 15), 1)).save(tmp_path / f"labels/{n:02}.png")
    said = looked(spec).stdout
    assert "train: 30 of 30 cannot be used:" in said
    assert re.search(r"  and 20 more \(--json", said)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([(0, 0, 0), (0, 0, 255), (255, 0, 1), (9, 200, 0)]), min_size=1))
def test_colours_are_counted(pixels: list[tuple[int, int, int]]) -> None:
    assert colour_counts(np.array(pixels, np.uint8)) == Counter(pixels)


def test_of_many_colours_the_most_frequent_are_told() -> None:
    codes = np.concatenate([np.arange(MOST + 40), np.repeat(np.arange(40), 3)])
    pixels = np.stack([codes >> 8, codes & 255, codes & 7], axis=-1).astype(np.uint8)
    found = colour_counts(pixels)
    assert len(found) == MOST
    assert list(found.values())[:41] == [4] * 40 + [1]
    error = ColourError("a.png", "colours", "none", found, codes.size)
    lines = colour_lines(strange_colours([error, DataError("b", "c"), error], 0), 5)
    assert len(lines) == 7
    assert lines[1].split()[:4] == ["0,0,0", "#000000", f"{4 / codes.size:.2%}", "of"]
    assert f"and {MOST - 5} more" in lines[-1]
    assert pickle.loads(pickle.dumps(error)).colours == found


def test_images_in_both_parts_and_twice(tmp_path: Path) -> None:
    spec = write_parts(tmp_path)
    for folder, end in ("images", "colour.jpg"), ("masks", "colour.png"):
        shutil.copy(tmp_path / folder / "train" / end, tmp_path / folder / "val" / end)
        again = end.replace("colour", "again")
        shutil.copy(tmp_path / folder / "train" / end, tmp_path / folder / "train" / again)
    found = document(spec)
    assert any("1 of 3 images to validate on are trained on too" in r for r in found["remarks"])
    ((second, first),) = found["parts"]["train"]["repeated"]
    assert sorted(("again" in first, "again" in second)) == [False, True]


def test_files_without_a_partner(tmp_path: Path) -> None:
    spec = write_parts(tmp_path)
    (tmp_path / "masks/train/grey.png").unlink()
    (tmp_path / "images/val/deep.png").unlink()
    parts = document(spec)["parts"]
    assert parts["train"]["images_without_label"] == [str(tmp_path / "images/train/grey.png")]
    assert document(spec, "--map", "+0")["parts"] == parts
    assert parts["val"]["labels_without_image"] == [str(tmp_path / "masks/val/deep.png")]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 90), st.sets(st.integers(0, 89), max_size=30))
def test_examples_are_spread_over_what_can_be_read(count: int, damaged: set[int]) -> None:
    readable = [index not in damaged for index in range(count)]

    class Readable(BaseDataset):
        name, classes = "some", ("a", "b")

        def __len__(self) -> int:
            return len(readable)

        def image(self, index: int) -> np.ndarray:
            if not readable[index]:
                raise DataError(str(index), "not an image file")
            return np.full((2, 2, 3), index, np.uint8)

        def label(self, index: int) -> np.ndarray:
            return np.zeros((2, 2), np.uint8)

    data = Readable()
    usable = [n for n, each in enumerate(readable) if each]
    shown = [int(each.image[0, 0, 0]) for each in survey_data("train", data).samples]
    assert len(shown) == min(8, len(usable))
    assert shown == sorted(set(shown))
    assert set(shown) <= set(usable)
    if len(usable) > 8:  # those that are not shown are no long row
        places = [-1, *map(usable.index, shown), len(usable)]
        assert max(np.diff(places)) <= 1 + len(usable) // 4


def test_a_page_and_a_picture(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    spec = write_camvid(tmp_path / "here")
    page, picture = tmp_path / "page.html", tmp_path / "picture.png"
    found = looked(spec, "--html", str(page), "--picture", str(picture))
    assert found.exit_code == 0
    text = page.read_text()
    for words in (
        *CLASSES,
        "Part train",
        "Part val",
        "data:image/png;base64",
        "Void counts as not",
    ):
        assert words in text
    assert re.findall(r"https?://", text) == []
    with Image.open(picture) as shown:
        pixels = np.array(shown.convert("RGB"))
    road = np.array([128, 64, 128])
    assert (pixels == road).all(axis=2).any()  # in the legend
    assert pixels.shape[1] > 4 * 320
    again = looked(spec, "--html", "page.txt")
    assert again.exit_code == 2


def test_labels_that_are_no_classes(tmp_path: Path) -> None:
    data = open_dataset("synthetic:3", size=(32, 48), task=find_task("depth"))
    found = survey_document([survey_data("train", data)], "synthetic:3")
    assert found["usable"] is True
    assert found["classes"] == []
    assert (
        looked("synthetic:3", "--task", "pose", "--picture", str(tmp_path / "a.png")).exit_code == 0
    )


STORED = st.one_of(
    st.tuples(st.just(0), st.integers(2, 255)),
    st.integers(2, 20).map(lambda last: tuple(range(1, last + 1))),
    st.sets(st.integers(40, 254), min_size=2, max_size=18).map(lambda some: (0, *sorted(some))),
)


@settings(max_examples=60, deadline=None)
@given(STORED)
def test_advice_makes_classes_of_all_values(stored: tuple[int, ...]) -> None:
    values = [value for value in stored if value != 255]
    found = re.search(r"--map (\S+) --classes (\d+)", label_map_advice(values, 255 in stored))
    assert found is not None
    table = label_table(found[1])
    assert sorted(table[value] for value in stored) == list(range(int(found[2])))


def test_advice_is_there_where_nothing_says_the_classes(tmp_path: Path) -> None:
    spec = write_flat(tmp_path)
    (tmp_path / "classes.txt").unlink()
    found = document(spec)
    assert (found["usable"], found["classes"]) == (False, None)
    assert found["parts"]["train"]["advice"] == (
        "values 0..3 occur: --classes 4, or their names in classes.txt"
    )
    for path in (tmp_path / "labels").iterdir():
        Image.fromarray(60 * np.asarray(Image.open(path))).save(path)
    assert document(spec)["parts"]["train"]["advice"] == (
        "values 0, 60, 120, 180 occur: if there are no others, --map 60=1,120=2,180=3 --classes 4"
    )
    for path in (tmp_path / "labels").iterdir():
        Image.open(path).convert("L").point(lambda value: 255 * (value > 0)).save(path)
    assert "--map 255=1 --classes 2" in document(spec, "--classes", "2")["parts"]["train"]["advice"]
    assert document(spec, "--classes", "2", "--map", "255=1")["usable"] is True


def test_terms_of_a_map_that_no_pixel_has_are_said(tmp_path: Path) -> None:
    spec = write_flat(tmp_path)
    found = document(spec, "--map", "9=1,3=2,40-60=none,*=0")
    assert found["usable"] is True
    said = [each.partition("--map ")[2] for each in found["remarks"] if "--map" in each]
    assert said == [f"{term}: no pixel has such a value" for term in ("9=1", "40-60=none")]
    assert not any("--map" in each for each in document(spec, "--map", "+0")["remarks"])


def test_parts_have_the_same_classes(tmp_path: Path) -> None:
    spec = write_coco(tmp_path, "panoptic")
    path = tmp_path / "annotations/panoptic_val2017.json"
    content = json.loads(path.read_text())
    for row in content["categories"]:
        row["id"] = 20 - row["id"]
    for row in (row for each in content["annotations"] for row in each["segments_info"]):
        row["category_id"] = 20 - row["category_id"]
    path.write_text(json.dumps(content))
    found = document(spec)
    labels = np.stack([truth(name) for name in KINDS])
    assert [row["pixels"] for row in found["classes"]] == [(labels == n).sum() for n in range(4)]
    content["categories"].append({"id": 99, "name": "zebra"})
    path.write_text(json.dumps(content))
    other = looked(spec)
    assert (other.exit_code, other.stdout) == (2, "")
    assert "class 'zebra' of" in other.stderr


def test_what_cannot_be_opened_ends_with_2(tmp_path: Path) -> None:
    for words in (
        [f"folder:{tmp_path / 'nowhere'}"],
        ["voc:/nowhere"],
        ["synthetic:3", "--map", "1=300"],
        [write_flat(tmp_path), "--classes", "9"],
    ):
        found = looked(*words)
        assert (found.exit_code, found.stdout) == (2, "")
        assert found.stderr.count("\n") == 1


def test_a_folder_without_a_format_before_it_is_answered_with_one(tmp_path: Path) -> None:
    spec = write_flat(tmp_path)
    where = spec.partition(":")[2]
    for words in where, f"foldr:{where}":
        found = looked(words)
        assert (found.exit_code, found.stdout) == (2, "")
        assert f"expected {spec}? " in found.stderr
