"""Folders of images and masks, tables of classes, maps of labels: layouts, and what is wrong."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from auxnas.compiler.tasks import find_task
from auxnas.search.data import check, open_dataset, parts
from auxnas.search.data.mapped import label_table
from auxnas.search.data.spec import suggestion
from auxnas.search.errors import SettingsError
from auxnas.search.settings.resolving import resolve
from tests.search.contract_dataset import DatasetContract
from tests.search.people_data import (
    CLASSES,
    COLOURS,
    KINDS,
    SIZE,
    TRAIN,
    VAL,
    WRITERS,
    save_label,
    stem,
    truth,
    write_ade20k,
    write_camvid,
    write_cvat_masks,
    write_flat,
    write_parts,
    write_photographs,
)
from tests.search.test_data_files import refusal


class TestFolder(DatasetContract):
    @pytest.fixture
    def spec(self, tmp_path):
        return write_parts(tmp_path)


class TestAde20k(DatasetContract):
    @pytest.fixture
    def spec(self, tmp_path):
        return write_ade20k(tmp_path)


def checked(spec: str, **more: object) -> Callable[[], object]:
    return lambda: check(open_dataset(spec, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("form", WRITERS)
def test_a_place_alone_is_told_by_its_layout(tmp_path: Path, form: str) -> None:
    spec = WRITERS[form](tmp_path)
    assert suggestion(spec.partition(":")[2]) == spec


def test_files_without_a_partner_are_passed_over_and_said(tmp_path: Path) -> None:
    spec = write_flat(tmp_path)
    (tmp_path / "labels/grey.png").unlink()
    (tmp_path / "images/deep.png").unlink()
    data = open_dataset(spec)
    assert len(data) == len(KINDS) - 2
    assert data.unmatched.images == (tmp_path / "images/grey.png",)  # type: ignore[attr-defined]
    assert data.unmatched.labels == (tmp_path / "labels/deep.png",)  # type: ignore[attr-defined]
    assert "1 images without a label (first " in data.remark
    assert "1 labels without an image (first " in data.remark


def test_lists_divide_a_folder_as_cvat_does(tmp_path: Path) -> None:
    spec = write_cvat_masks(tmp_path)
    assert parts(spec) == ("train",)
    lists = tmp_path / "ImageSets/Segmentation"
    for name, kinds in ("Train", TRAIN), ("Validation", VAL):
        (lists / f"{name}.txt").write_text("".join(f"{stem(kind)}\n" for kind in kinds))
    assert parts(spec) == ("train", "val")
    found = [len(open_dataset(spec, part=part)) for part in parts(spec)]
    assert found == [len(TRAIN), len(VAL)]


def test_void_is_not_labelled_and_takes_no_number(tmp_path: Path) -> None:
    spec = write_camvid(tmp_path)
    path = tmp_path / "train_labels/colour_L.png"
    pixels = np.array(Image.open(path))
    pixels[:3] = 9
    Image.fromarray(pixels).save(path)
    data = open_dataset(spec)
    assert data.classes == CLASSES
    assert data.palette.tolist() == [list(colour) for colour in COLOURS]
    assert "class_dict.csv: Void counts as not labelled" in data.remark
    found = next(n for n in range(len(data)) if "colour" in data.place(n))
    assert set(np.unique(data.label(found)[:3])) == {255}


def test_colours_and_indices_of_a_palette(tmp_path: Path) -> None:
    """With a table of colours those of a palette count, whatever the order of its indices."""
    spec = write_cvat_masks(tmp_path)
    whole = open_dataset(spec).label(0)
    for path in (tmp_path / "SegmentationClass").iterdir():
        Image.open(path).convert("P", palette=Image.Palette.ADAPTIVE).save(path)
    assert np.array_equal(open_dataset(spec).label(0), whole)


def test_grey_labels_of_16_bits_and_of_equal_channels_are_indices(tmp_path: Path) -> None:
    spec = write_flat(tmp_path)
    label = truth("colour.jpg")
    index = next(n for n in range(len(KINDS)) if "colour" in open_dataset(spec).place(n))
    stored = np.repeat(label[..., None], 3, 2)
    for image in (
        Image.fromarray(label.astype(np.uint16)),
        Image.fromarray(stored),
        Image.fromarray(np.concatenate([stored, 255 - stored[..., :1]], 2)),
        Image.merge("LA", [Image.fromarray(label)] * 2),
    ):
        image.save(tmp_path / "labels/colour.png")
        assert np.array_equal(open_dataset(spec).label(index), label)


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no classes": (
        lambda root: (root / "labelmap.txt").unlink(),
        "classes: not given, and",
    ),
    "no masks": (
        lambda root: [p.unlink() for p in (root / "SegmentationClass").iterdir()],
        "no pictures in SegmentationClass/, expected images/ and masks/",
    ),
    "arrays": (
        lambda root: [
            path.rename(path.with_suffix(".npy")) for path in (root / "SegmentationClass").iterdir()
        ],
        "no pictures in SegmentationClass/ (7 of .npy), expected images/ and masks/",
    ),
    "no photographs": (
        lambda root: [
            path.rename(path.with_suffix(".heic" if n else ""))
            for n, path in enumerate(sorted((root / "JPEGImages").iterdir()))
        ],
        "no image files (6 of .heic, 1 of no suffix), expected some of .jpg,",
    ),
    "no masks' folder": (
        lambda root: shutil.rmtree(root / "SegmentationClass"),
        "JPEGImages/ alone, expected images/ and masks/",
    ),
    "neither folder": (
        lambda root: [shutil.rmtree(root / n) for n in ("SegmentationClass", "JPEGImages")],
        "no such folders in it, expected images/ and masks/",
    ),
    "other names": (
        lambda root: [p.rename(p.with_stem(f"x{p.stem}")) for p in (root / "JPEGImages").iterdir()],
        "7 label images, none with the name of an image in",
    ),
    "a colour": (
        lambda root: Image.new("RGB", SIZE[::-1], (107, 142, 30)).save(
            root / "SegmentationClass/alpha.png"
        ),
        "colour 107,142,30 at row 0 column 0, expected one of the 4 in labelmap.txt (nearest is "
        "tree); of what is not labelled the name is void",
    ),
    "a lossy mask": (
        lambda root: Image.new("RGB", SIZE[::-1]).save(
            root / "SegmentationClass/alpha.png", "JPEG"
        ),
        "alpha.png (alpha.png in",
    ),
    "a colour twice": (
        lambda root: (root / "labelmap.txt").write_text("a:1,2,3::\nb:1,2,3::\n"),
        "labelmap.txt: the colour of b is that of a, expected another one for each class",
    ),
    "no colour": (
        lambda root: (root / "labelmap.txt").write_text("a:1,2,3::\nb:1,2::\n"),
        "labelmap.txt line 2: '1,2', expected red, green and blue",
    ),
    "one class": (
        lambda root: (root / "labelmap.txt").write_text("a:1,2,3::\n"),
        "labelmap.txt: 1 classes, expected 2..255: the background is one, too",
    ),
    "two masks": (
        lambda root: save_label(root / "SegmentationClass/alpha.tif", "alpha.png"),
        "alpha.tif: the name of alpha.png, expected one label image an image",
    ),
    "two images": (
        lambda root: (
            write_photographs(root / "JPEGImages")
            or ((root / "JPEGImages/alpha.png").rename(root / "JPEGImages/grey.bmp"))
        ),
        "one label image for both",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_in_a_folder_is_named(tmp_path: Path, case: str) -> None:
    spec = write_cvat_masks(tmp_path)
    spoil, expected = WRONG[case]
    spoil(tmp_path)
    assert expected in refusal(checked(spec))


def test_folders_may_be_in_capitals(tmp_path: Path) -> None:
    spec = write_flat(tmp_path)
    data = open_dataset(spec)
    known = [data.label(index) for index in range(len(data))]
    (tmp_path / "images").rename(tmp_path / "Images")
    (tmp_path / "labels").rename(tmp_path / "LABELS")
    found = open_dataset(spec)
    assert len(found) == len(known)
    assert all(np.array_equal(found.label(n), label) for n, label in enumerate(known))
    shutil.copytree(tmp_path / "Images", tmp_path / "images")
    (tmp_path / "images/alpha.png").unlink()
    assert len(open_dataset(spec)) == len(known) - 1  # small letters come first


def test_numbers_of_classes_that_contradict_a_table(tmp_path: Path) -> None:
    spec = write_flat(tmp_path)
    assert "3 asked for, expected 4 as in" in refusal(checked(spec, classes=3))
    (tmp_path / "classes.txt").unlink()
    assert open_dataset(spec, classes=4).classes == ("class0", "class1", "class2", "class3")
    assert "label value 3" in refusal(checked(spec, classes=3))


def test_what_is_wrong_in_ade20k_is_named(tmp_path: Path) -> None:
    spec = write_ade20k(tmp_path)
    assert "150 as in ADE20K" in refusal(checked(spec, classes=151))
    path = tmp_path / "annotations/training/alpha.png"
    Image.new("L", SIZE[::-1], 151).save(path)
    assert "label value 151 at row 0" in refusal(checked(spec))
    Image.new("L", SIZE[::-1], 0).save(path)
    label = open_dataset(spec).label(0)
    assert set(np.unique(label)) == {255}
    (tmp_path / "objectInfo150.txt").unlink()
    assert open_dataset(spec).classes[149] == "class149"
    (tmp_path / "objectInfo150.txt").write_text("Idx\tName\n1\twall\n")
    assert "1 classes, expected 150, below a head" in refusal(checked(spec))


def test_voc_in_colours_is_voc(tmp_path: Path) -> None:
    from tests.search.test_segmentation_data import NAMES, write_voc
    from tests.search.test_segmentation_data import truth as voc_truth

    spec = write_voc(tmp_path, "123", "")
    known = open_dataset(spec)
    for name in NAMES:
        path = tmp_path / f"VOC2012/SegmentationClass/{name}.png"
        pixels = known.palette[voc_truth(name)]
        pixels[0] = (224, 224, 192)
        Image.fromarray(pixels).save(path)
    label = open_dataset(spec).label(0)
    assert np.array_equal(label[1:], voc_truth(NAMES[0])[1:])
    assert set(label[0]) == {255}


# Maps -----------------------------------------------------------------------------------------


@given(st.integers(-300, 300))
def test_an_offset_is_added_to_all_but_255(offset: int) -> None:
    table = label_table(f"{offset:+d}")
    expected = (v + offset if 0 <= v + offset < 255 else 255 for v in range(255))
    assert table == (*expected, 255)


VALUES = st.dictionaries(st.integers(0, 255), st.integers(0, 255), min_size=1, max_size=9)


@given(VALUES, st.none() | st.integers(0, 255))
def test_a_mapping_renames_what_it_names(pairs: dict[int, int], rest: int | None) -> None:
    terms = [f"{old}={'none' if new == 255 else new}" for old, new in pairs.items()]
    table = label_table(",".join([*terms, *([] if rest is None else [f"*={rest}"])]))
    other = [v if rest is None or v == 255 else rest for v in range(256)]
    assert list(table) == [pairs.get(v, other[v]) for v in range(256)]


def test_ranges_of_a_mapping() -> None:
    table = label_table("0=none, 1-150=0-149, 200-254=7")
    assert table[:152] == (255, *range(150), 151)
    assert set(table[200:255]) == {7}


@pytest.mark.parametrize(
    "text", ["", "1", "a=1", "1=256", "1-3=0-4", "3-1=0", "*=0-3", "1=3-1", "="]
)
def test_other_texts_are_no_maps(text: str) -> None:
    if text == "1":
        assert label_table(text)[0] == 1
        return
    with pytest.raises(ValueError, match="an offset like -1, or FROM=TO"):
        label_table(text)


def test_a_map_is_a_setting() -> None:
    assert resolve({"data": {"map": -1}}).data.map == "-1"
    assert resolve({"data": {"map": "0=none,1-3=0-2"}}).data.map == "0=none,1-3=0-2"
    with pytest.raises(SettingsError, match=r"data\.map"):
        resolve({"data": {"map": "1=300"}})


def test_mapped_labels_are_checked_as_they_are_mapped(tmp_path: Path) -> None:
    """And are other data, as far as anything kept of them is concerned."""
    spec = write_flat(tmp_path)
    (tmp_path / "classes.txt").unlink()
    opened = partial(open_dataset, spec, classes=3)
    assert "label value 3" in refusal(lambda: check(opened()))
    data = opened(label_map="-1")
    assert check(data).unlabelled > 0
    assert np.array_equal(data.label(0), opened().label(0) - np.uint8(1))
    again, sized = opened(label_map="0=255,1-3=0-2"), opened(label_map="-1", size=(20, 24))
    assert again.label(0).tolist() == data.label(0).tolist()
    assert set(np.unique(sized.label(0))) <= {0, 1, 2, 255}
    assert len({each.fingerprint() for each in (opened(), data, again, sized)}) == 4
    (tmp_path / "a.lst").write_text("images/grey.png\tlabels/grey.png")
    folder = partial(open_dataset, spec, task=find_task("depth"))
    assert "labels of classes, expected float32" in refusal(folder)
    depth = partial(open_dataset, f"list:{tmp_path}", task=find_task("depth"), label_map="-1")
    assert "expected data whose labels are classes" in refusal(depth)


def test_a_map_is_held_by_a_join(tmp_path: Path) -> None:
    write_flat(tmp_path / "a")
    write_flat(tmp_path / "b")
    spec = f"folder:{tmp_path / 'a'} + folder:{tmp_path / 'b'}"
    data = open_dataset(spec, label_map="3=none")
    assert len(data) == 2 * len(KINDS)
    assert 3 not in np.unique(data.label(len(KINDS)))
    assert check(data).pixels[3] == 0
