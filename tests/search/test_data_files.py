"""Lists, the VOC layout, and every way in which files can be wrong."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from auxnas.backends.progress import Silent
from auxnas.search.data import (
    VOC_CLASSES,
    DataError,
    Dataset,
    FileDataset,
    SyntheticDataset,
    check,
    open_dataset,
    parts,
    stack,
)
from auxnas.search.data.spec import TAKES, check_source, with_absolute_path
from auxnas.search.examples.images import pixel_store
from auxnas.search.seams import DATA_FORMS, DATASETS, DataForm
from tests.search.contract_dataset import SIZE as CONTRACT_SIZE
from tests.search.contract_dataset import DatasetContract

REAL = Path(os.environ.get("AUXNAS_DATA", Path(__file__).parents[3] / "shared" / "data"))
CLASSES = 4


def write_pair(root: Path, name: str, size: tuple[int, int] = (6, 8)) -> str:
    """An image and a label of all classes and 255; returns the line of a list."""
    rng = np.random.default_rng(sum(name.encode()))
    for folder in ("images", "labels"):
        (root / folder).mkdir(exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(root / f"images/{name}.jpg")
    label = rng.choice(np.array([*range(CLASSES), 255], np.uint8), size)
    Image.fromarray(label).save(root / f"labels/{name}.png")
    return f"images/{name}.jpg\tlabels/{name}.png"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pairs in train.lst, one in val.lst, and classes.txt."""
    lines = [write_pair(tmp_path, name) for name in ("a", "b", "c")]
    (tmp_path / "train.lst").write_text("\n".join(lines) + "\n")
    (tmp_path / "val.lst").write_text(write_pair(tmp_path, "d"))
    (tmp_path / "classes.txt").write_text("one\ntwo words\nthree\nfour\n")
    return tmp_path


def opened(folder: Path, **kwargs: object) -> Dataset:
    return open_dataset(f"list:{folder}", **kwargs)  # type: ignore[arg-type]


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_list_of_a_folder(folder: Path) -> None:
    data = opened(folder)
    assert (len(data), data.classes) == (3, ("one", "two words", "three", "four"))
    assert data.image(1).shape == (6, 8, 3)
    assert data.image(1).dtype == data.label(1).dtype == np.uint8
    assert np.array_equal(data.label(1), np.array(Image.open(folder / "labels/b.png")))
    assert len(opened(folder, part="val")) == 1
    assert parts(f"list:{folder}") == ("train", "val")


def test_list_file_and_forms_of_lines(folder: Path) -> None:
    text = "\ufeffimages/a.jpg   labels/a.png\r\n\r\nimages/b.jpg\t labels/b.png \r\n"
    (folder / "odd.list").write_text(text, newline="")
    data = open_dataset(f"list:{folder / 'odd.list'}")
    assert len(data) == 2
    assert check(data).images == 2
    assert parts(f"list:{folder / 'odd.list'}") == ("train",)


def test_names_with_blanks_need_a_tab(folder: Path) -> None:
    (folder / "train.lst").write_text(write_pair(folder, "my street"))
    assert check(opened(folder)).images == 1


def test_classes_without_names(folder: Path) -> None:
    (folder / "classes.txt").unlink()
    assert opened(folder, classes=CLASSES).classes == ("class0", "class1", "class2", "class3")
    assert "classes.txt" in refusal(lambda: opened(folder))
    assert "2..255" in refusal(lambda: opened(folder, classes=256))


def test_only_list_of_a_folder_is_used(folder: Path) -> None:
    (folder / "train.lst").rename(folder / "things.lst")
    assert "things.lst, val.lst, expected train.lst" in refusal(lambda: opened(folder))
    (folder / "val.lst").unlink()
    assert len(opened(folder)) == 3
    assert parts(f"list:{folder}") == ("train",)
    assert "no val part" in refusal(lambda: opened(folder, part="val"))


def test_size_is_applied_to_both(folder: Path) -> None:
    data = opened(folder, size=(12, 16))
    images, labels = stack(data)
    assert images.shape == (3, 12, 16, 3)
    assert np.array_equal(labels[0][::2, ::2], opened(folder).label(0))


def test_grey_and_transparent_images_become_rgb(folder: Path) -> None:
    grey = Image.new("L", (8, 6), 7)
    grey.save(folder / "images/a.jpg")
    Image.new("RGBA", (8, 6), (1, 2, 3, 4)).save(folder / "images/b.jpg", "PNG")
    Image.new("P", (8, 6)).save(folder / "images/c.jpg", "PNG", transparency=b"\x00\x80")
    data = opened(folder)
    assert check(data).images == 3
    assert {data.image(i).shape for i in range(3)} == {(6, 8, 3)}
    assert tuple(data.image(1)[0, 0]) == (1, 2, 3)


def test_summary_counts_pixels(folder: Path) -> None:
    data = opened(folder)
    seen: list[tuple[int, int]] = []
    summary = check(data, lambda done, total: seen.append((done, total)))
    labels = np.stack([data.label(index) for index in range(3)])
    assert summary.pixels == tuple(int((labels == value).sum()) for value in range(CLASSES))
    assert summary.unlabelled == int((labels == 255).sum())
    assert seen == [(1, 3), (2, 3), (3, 3)]


def replace_label(folder: Path, image: Image.Image) -> None:
    image.save(folder / "labels/b.png")


def cut(folder: Path, name: str, share: float) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: int(len(data) * share)])


def turn(path: Path, tag: int = 6) -> None:
    """Tags a picture as one to be turned; its pixels stay."""
    with Image.open(path) as image:
        exif = image.getexif()
        exif[0x0112] = tag
        image.save(path, exif=exif)


def set_value(folder: Path) -> None:
    label = np.zeros((6, 8), np.uint8)
    label[3, 5:] = 37
    replace_label(folder, Image.fromarray(label))


SPOILED = {
    "missing image": (
        lambda f: (f / "images/b.jpg").unlink(),
        ["images/b.jpg (train.lst line 2): no such file"],
    ),
    "missing label": (
        lambda f: (f / "labels/b.png").unlink(),
        ["labels/b.png (train.lst line 2): no such file"],
    ),
    "folder for a file": (
        lambda f: ((f / "labels/b.png").unlink(), (f / "labels/b.png").mkdir()),
        ["labels/b.png (train.lst line 2): no such file"],
    ),
    "value": (
        set_value,
        ["labels/b.png", "label value 37 at row 3 column 5, expected 0..3 or 255"],
    ),
    "size": (
        lambda f: replace_label(f, Image.new("L", (6, 8))),
        ["labels/b.png", "8x6", "expected 6x8"],
    ),
    "colours": (
        lambda f: replace_label(f, Image.new("RGB", (8, 6), (1, 2, 3))),
        ["labels/b.png", "mode RGB", "convert colours to indices"],
    ),
    "sixteen bits": (
        lambda f: replace_label(f, Image.new("I;16", (8, 6), 300)),
        ["labels/b.png", "label value 300 at row 0 column 0, expected class indices of 8 bits"],
    ),
    "wide image": (
        lambda f: Image.new("I", (8, 6)).save(f / "images/b.jpg", "TIFF"),
        ["images/b.jpg (train.lst line 2): pixels are 32-bit integers", "8 or 16 bits a channel"],
    ),
    "float image": (
        lambda f: Image.new("F", (8, 6)).save(f / "images/b.jpg", "TIFF"),
        ["images/b.jpg", "floating-point numbers", "8 or 16 bits a channel"],
    ),
    "float label": (
        lambda f: Image.new("F", (8, 6)).save(f / "labels/b.png", "TIFF"),
        ["labels/b.png", "mode F", "8-bit integers"],
    ),
    "unturned label": (
        lambda f: turn(f / "images/b.jpg"),
        [
            "labels/b.png (train.lst line 2): label of 6x8 pixels (height x width)",
            "8x6 as its image, turned by its EXIF tag (orientation 6): turn the label likewise",
        ],
    ),
    "lossy label": (
        lambda f: Image.new("L", (8, 6)).save(f / "labels/b.png", "JPEG"),
        ["labels/b.png", "JPEG", "PNG"],
    ),
    "truncated image": (lambda f: cut(f, "images/b.jpg", 0.97), ["images/b.jpg", "truncated"]),
    "truncated label": (lambda f: cut(f, "labels/b.png", 0.6), ["labels/b.png", "cannot be read"]),
    "not an image": (
        lambda f: (f / "images/b.jpg").write_text("hello"),
        ["images/b.jpg (train.lst line 2): not an image file"],
    ),
    "empty image": (lambda f: cut(f, "images/b.jpg", 0), ["images/b.jpg", "an empty file"]),
}


@pytest.mark.parametrize("case", SPOILED)
def test_every_bad_file_is_found_and_named(folder: Path, case: str) -> None:
    spoil, expected = SPOILED[case]
    assert check(opened(folder)).images == 3
    spoil(folder)
    for size in (None, (4, 4)):
        message = refusal(lambda size=size: check(opened(folder, size=size)))  # type: ignore[misc]
        for part in expected:
            assert part in message


@pytest.mark.parametrize("value", [CLASSES, 254])
def test_first_and_last_wrong_value(folder: Path, value: int) -> None:
    label = np.full((6, 8), value, np.uint8)
    replace_label(folder, Image.fromarray(label))
    assert f"label value {value} at row 0 column 0" in refusal(lambda: check(opened(folder)))


def test_nothing_labelled(folder: Path) -> None:
    for name in "abc":
        Image.new("L", (8, 6), 255).save(folder / f"labels/{name}.png")
    assert "no labelled pixel" in refusal(lambda: check(opened(folder)))


BAD_LISTS = {
    "": "empty list",
    "\n \n": "empty list",
    "images/a.jpg\n": "train.lst line 1: 1 names",
    "images/a.jpg\tlabels/a.png\n\na b c\n": "train.lst line 3: 3 names",
    "images/a.jpg\t\n": "train.lst line 1: 1 names",
}


@pytest.mark.parametrize("text", BAD_LISTS)
def test_bad_lists(folder: Path, text: str) -> None:
    (folder / "train.lst").write_text(text)
    assert BAD_LISTS[text] in refusal(lambda: check(opened(folder)))


def test_a_fault_that_was_found_at_opening_keeps_nothing_of_its_reads(folder: Path) -> None:
    lines = (folder / "train.lst").read_text()
    (folder / "train.lst").write_text(f"alone\n{lines}")
    data = opened(folder)
    frames = []
    for _ in range(3):
        with pytest.raises(DataError, match="line 1: 1 names in 'alone'") as error:
            data.image(0)
        frames.append(len(list(error.traceback)))
    assert frames == frames[:1] * 3


def test_list_that_is_not_text(folder: Path) -> None:
    (folder / "train.lst").write_bytes(b"\xff\xfe\x00")
    assert "train.lst: not a text file" in refusal(lambda: opened(folder))


def test_bad_classes(folder: Path) -> None:
    message = refusal(lambda: opened(folder, classes=11))
    assert "11" in message
    assert "4 as in" in message
    assert str(folder / "classes.txt") in message
    (folder / "classes.txt").write_text("a\nb\na\n")
    assert "'a' twice" in refusal(lambda: opened(folder))
    (folder / "classes.txt").write_text("\n")
    assert "0 classes" in refusal(lambda: opened(folder))


@pytest.mark.parametrize(
    "spec",
    ["", "mapillary:x", "list:", "voc:", "list", "voc", "synthetic:", "synthetics", "LIST:x"],
)
def test_unknown_kinds(spec: str) -> None:
    assert "list:DIR_OR_FILE" in refusal(lambda: open_dataset(spec))
    assert "list:DIR_OR_FILE" in refusal(lambda: parts(spec))


@pytest.mark.parametrize(
    ("spec", "meant"),
    [
        ("sythetic", "synthetic[:COUNT]?"),
        ("Synthetic:40", "synthetic:40?"),
        ("synthetic:", "synthetic[:COUNT]?"),
        ("lst:nowhere", "list:nowhere?"),
        ("vo", "voc:DEVKIT?"),
        ("dept:some", "depth:some?"),
        ("python:module", "python:package.module:attribute[:ARGUMENT]?"),
        ("street", "synthetic to try it out, or your own files: there are none at 'street'."),
        ("a/street", "synthetic to try it out, or your own files: there are none at 'a/street'."),
        ("here", "list:here?"),
    ],
)
def test_what_was_meant_is_proposed_with_all_forms(spec, meant, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    with pytest.raises(ValueError) as caught:
        check_source(spec)
    assert str(caught.value) == f"{meant} Kinds of data are {TAKES}"


def test_every_format_of_ours_says_what_it_takes() -> None:
    assert DATA_FORMS.keys() == DATASETS.table.keys()
    assert all(f"{name}{form.words}" in TAKES for name, form in DATA_FORMS.items())


@pytest.mark.parametrize(("name", "form"), DATA_FORMS.items())
def test_a_text_that_is_no_path_is_left_beside_a_file_of_its_name(
    name: str, form: DataForm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "40").touch()
    expected = str(tmp_path / "40") if form.is_path else "40"
    assert with_absolute_path(f"{name}:40") == f"{name}:{expected}"


def test_bad_arguments(folder: Path) -> None:
    assert f"list:{folder}" in refusal(lambda: open_dataset(str(folder)))
    assert "no such file or folder" in refusal(lambda: open_dataset("list:nowhere"))
    assert "train or val" in refusal(lambda: opened(folder, part="test"))
    assert "size" in refusal(lambda: opened(folder, size=(0, 8)))
    for count in ("0", "-3", "x", "1.5", "²"):
        assert "number of images" in refusal(lambda count=count: open_dataset(f"synthetic:{count}"))  # type: ignore[misc]
    assert "expected 12 as in" in refusal(lambda: open_dataset("synthetic", classes=11))


def test_fingerprint_is_of_the_content(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = opened(folder)
    first = data.fingerprint()
    copy = tmp_path_factory.mktemp("copy") / "data"
    folder.rename(copy)
    assert opened(copy).fingerprint() == first
    assert opened(copy, part="val").fingerprint() != first
    assert opened(copy, size=(6, 8)).fingerprint() != opened(copy, size=(8, 6)).fingerprint()
    (copy / "classes.txt").write_text("one\n2\nthree\nfour\n")
    assert opened(copy).fingerprint() != first
    (copy / "classes.txt").write_text("one\ntwo words\nthree\nfour\n")
    content = bytearray((copy / "labels/c.png").read_bytes())
    content[-1] ^= 1
    (copy / "labels/c.png").write_bytes(content)
    assert opened(copy).fingerprint() != first
    (copy / "labels/c.png").unlink()
    assert "labels/c.png (train.lst line 3)" in refusal(lambda: opened(copy).fingerprint())


def test_what_is_read_in_another_manner_has_another_name(folder: Path) -> None:
    """So that pixels kept from before are not taken for those of today."""

    def plain(data: Dataset) -> str:
        """The name before orientation counted: classes, file names and bytes."""
        state = hashlib.sha256(repr(data.classes).encode())
        for letter in "abc":
            for name in (f"images/{letter}.jpg", f"labels/{letter}.png"):
                content = hashlib.sha256((folder / name).read_bytes()).digest()
                state.update(f"\n{name}\n".encode() + content)
        return state.hexdigest()

    assert opened(folder).fingerprint() == plain(opened(folder))
    turn(folder / "images/b.jpg")
    assert opened(folder).fingerprint() != plain(opened(folder))


class Heard(Silent):
    """Keeps the lines that stay."""

    def __init__(self, said: list[str]) -> None:
        self.said = said

    def say(self, line: str) -> None:
        self.said.append(line)


def test_photographs_are_read_upright_and_that_is_said(folder: Path, tmp_path: Path) -> None:
    """By the reader that predicts, in words where sizes would not show it."""
    said: list[str] = []
    for tag in (3, 6):
        write_pair(folder, "a", (8, 8))
        turn(folder / "images/a.jpg", tag)
        data = opened(folder, size=(8, 8))
        with Image.open(folder / "images/a.jpg") as image:
            expected = np.rot90(np.asarray(image), -1 if tag == 6 else 2)
        assert np.array_equal(data.image(0), expected)
        display = Heard(said)
        store = pixel_store(data, tmp_path / "cache", display)
        assert np.array_equal(store.read("image", [0])[0], expected)
        turned = [line for line in said if "EXIF" in line]
        assert len(turned) == 1
        assert "1 of 3 photographs are turned by their EXIF tag" in turned[0]
        assert "a.jpg" in turned[0]
        said.clear()
        pixel_store(opened(folder, size=(8, 8)), tmp_path / "cache", display)
        assert [line for line in said if "EXIF" in line] == turned, "of stored pixels too"
        said.clear()
    turn(folder / "labels/a.png", 6)
    pixel_store(opened(folder, size=(8, 8)), tmp_path / "cache", display)
    assert not any("EXIF" in line for line in said)


@pytest.mark.parametrize(("brightest", "dark"), [(0, False), (9, True), (17, False)])
def test_dark_images_are_said_whenever_they_are_used(brightest, dark, folder, tmp_path) -> None:
    """As those of 12 bits are that were stored in 16."""
    for path in (folder / "images").iterdir():
        with Image.open(path) as image:
            size = image.size
        Image.new("L", size, brightest if path.stem == "b" else 0).convert("RGB").save(path)
    for _ in range(2):
        said: list[str] = []
        pixel_store(opened(folder, size=(8, 8)), tmp_path / "cache", Heard(said))
        lines = [line for line in said if "files of 16 bits that hold 12" in line]
        assert len(lines) == dark
        assert all(f"no value above {brightest} of 255" in line for line in lines)


class Floats(FileDataset):
    """Labels of a user's own making."""

    def label(self, index: int) -> np.ndarray:  # type: ignore[override]
        return super().label(index).astype(np.float32)


class Grey(FileDataset):
    """Images of a user's own making, without channels."""

    def image(self, index: int) -> np.ndarray:  # type: ignore[override]
        return super().image(index)[..., 0]


def test_images_of_another_shape_are_named(folder: Path) -> None:
    data = opened(folder)
    assert isinstance(data, FileDataset)
    grey = Grey(data.name, data.classes, data.pairs, data.root)
    message = refusal(lambda: check(grey))
    assert "a.png (train.lst line 1): image of " in message
    assert "expected height x width x 3" in message


def test_labels_of_another_type_are_named(folder: Path) -> None:
    data = opened(folder)
    assert isinstance(data, FileDataset)
    floats = Floats(data.name, data.classes, data.pairs, data.root)
    message = refusal(lambda: check(floats))
    assert "labels/a.png (train.lst line 1): label of type float32, expected uint8" in message


def test_stack_needs_one_size(folder: Path) -> None:
    write_pair(folder, "b", (5, 8))
    assert "(5, 8)" in refusal(lambda: stack(opened(folder)))
    assert "no image" in refusal(lambda: stack(opened(folder), []))
    assert stack(opened(folder), [2, 0])[0].shape == (2, 6, 8, 3)


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """VOCdevkit with one image in train and one in val."""
    root = tmp_path / "VOCdevkit" / "VOC2012"
    for name in ("ImageSets/Segmentation", "JPEGImages", "SegmentationClass"):
        (root / name).mkdir(parents=True)
    label = np.array([[0, 1, 20], [255, 15, 0]], np.uint8)
    for name, part in (("x", "train"), ("y", "val")):
        (root / f"ImageSets/Segmentation/{part}.txt").write_text(f"{name}\n")
        Image.new("RGB", (3, 2)).save(root / f"JPEGImages/{name}.jpg")
        indexed = Image.fromarray(label)
        indexed.putpalette([value * 37 % 256 for value in range(768)])
        indexed.save(root / f"SegmentationClass/{name}.png")
    return root.parent


def test_voc_reads_indices_not_colours(voc: Path) -> None:
    for where in (voc, voc / "VOC2012"):
        data = open_dataset(f"voc:{where}", classes=21)
        assert (len(data), data.classes) == (1, VOC_CLASSES)
        assert data.label(0).tolist() == [[0, 1, 20], [255, 15, 0]]
    assert check(open_dataset(f"voc:{voc}", part="val")).unlabelled == 1
    assert parts(f"voc:{voc}") == ("train", "val")
    assert data.palette[[1, 15, 20]].tolist() == [[128, 0, 0], [192, 128, 128], [0, 64, 128]]


def test_voc_faults(voc: Path) -> None:
    sets = voc / "VOC2012/ImageSets/Segmentation"
    assert "21 as in" in refusal(lambda: open_dataset(f"voc:{voc}", classes=20))
    assert "VOCdevkit layout" in refusal(lambda: open_dataset(f"voc:{voc.parent / 'no'}"))
    (sets / "train.txt").write_text("x\nz\n")
    message = refusal(lambda: check(open_dataset(f"voc:{voc}")))
    assert "JPEGImages/z.jpg (train.txt line 2): no such file" in message
    (sets / "train.txt").write_text("")
    assert "train.txt: an empty list" in refusal(lambda: open_dataset(f"voc:{voc}"))
    (sets / "val.txt").rename(sets / "trainval.txt")
    assert "no val part" in refusal(lambda: open_dataset(f"voc:{voc}", part="val"))
    (sets / "train.txt").unlink()
    assert len(open_dataset(f"voc:{voc}")) == 1


needs_real = pytest.mark.skipif(
    not REAL.is_dir(), reason="no real photographs: set AUXNAS_DATA to their folder"
)


@needs_real
def test_real_photographs() -> None:
    data = open_dataset(f"list:{REAL / 'camvid'}", classes=11, size=(90, 120), part="val")
    assert len(data) == 101
    assert data.classes[3] == "Road"
    images, labels = stack(data, range(0, 101, 20))
    assert images.shape[1:] == (90, 120, 3)
    assert set(np.unique(labels)) <= {*range(11), 255}
    assert np.bincount(labels.ravel(), minlength=256)[:11].argmax() == 3
    assert np.mean(images[labels == 0]) > np.mean(images[labels == 3])


@needs_real
def test_real_voc() -> None:
    summary = check(open_dataset(f"voc:{REAL / 'VOCdevkit'}", part="val"))
    assert summary.images == 5
    assert summary.pixels[0] > 500_000


# Columns, comments and names -------------------------------------------------------------


@pytest.mark.parametrize("between", ["\t", " ", "   ", " \t "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_further_columns_are_ignored_and_said(
    folder: Path, between: str, end: str, mark: str
) -> None:
    rows = [("images/a.jpg", "labels/a.png"), ("images/b.jpg", "labels/b.png", "objects/b.png")]
    text = mark + "".join(between.join(row) + end for row in rows)
    (folder / "train.lst").write_text(text, encoding="utf-8", newline="")
    data = opened(folder)
    assert [(pair.image.name, pair.label.name) for pair in data.pairs] == [
        ("a.jpg", "a.png"),
        ("b.jpg", "b.png"),
    ]
    assert "ignored in 1 of 2 lines is" in data.remark
    assert "'objects/b.png' (line 2)" in data.remark
    (folder / "train.lst").write_text(between.join(rows[0]))
    assert opened(folder).remark == ""


def test_blanks_in_names_without_a_tab(folder: Path) -> None:
    line = write_pair(folder, "my street").replace("\t", "  ")
    (folder / "train.lst").write_text(line)
    assert opened(folder).pairs[0].image.name == "my street.jpg"
    (folder / "train.lst").write_text(line + " third column.png")
    assert opened(folder).pairs[0].label.name == "my street.png"
    assert "'third column.png'" in opened(folder).remark
    for name in ("p", "q r", "p q", "r"):
        (folder / name).write_bytes(b"")
    (folder / "train.lst").write_text("p q r")
    assert "3 names in 'p q r'" in refusal(lambda: opened(folder))  # two ways to read it
    (folder / "p q").unlink()
    assert opened(folder).pairs[0].label.name == "q r"


def test_comments_are_passed_over_and_names_with_a_hash_are_not(folder: Path) -> None:
    lines = ["# image\tlabel", "", "#images/b.jpg\tlabels/b.png", "images/a.jpg\tlabels/a.png"]
    (folder / "train.lst").write_text("\n".join(lines))
    assert len(opened(folder)) == 1
    (folder / "#1.jpg").write_bytes((folder / "images/a.jpg").read_bytes())
    (folder / "train.lst").write_text("#1.jpg\tlabels/a.png")
    assert check(opened(folder)).images == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("one\n" + "x" * 1_000_000 + "\nthree\nfour\n", "line 2: a class name of 1000000 char"),
        ("one\ntw\x1bo\nthree\nfour\n", r"line 2: control character '\x1b'"),
        ("one\ntw\x0bo\nthree\nfour\n", r"line 2: control character '\x0b'"),
        ("one\n\ntwo\nthree\nfour\n", "line 2: no class name"),
        ("\none\ntwo\nthree\nfour\n", "line 1: no class name"),
        ("one\ntwo\n one \nfour\n", "line 3: class 'one' twice (first in line 1)"),
    ],
)
def test_class_names_that_are_refused(folder: Path, text: str, found: str) -> None:
    (folder / "classes.txt").write_text(text)
    message = refusal(lambda: opened(folder))
    assert found in message
    assert len(message) < 300


def test_class_names_with_mark_comments_and_blank_lines_at_the_end(folder: Path) -> None:
    text = "\ufeff# order of the labels\r\nchaussée\r\ntwo words\r\nthree\r\nfour\r\n\r\n"
    (folder / "classes.txt").write_text(text, encoding="utf-8", newline="")
    assert opened(folder).classes == ("chaussée", "two words", "three", "four")


def test_a_list_with_control_characters(folder: Path) -> None:
    (folder / "train.lst").write_text("images/a.jpg\tlabels/a.png\nimages/\x00.jpg\tlabels/b.png")
    assert r"train.lst line 2: control character '\x00'" in refusal(lambda: opened(folder))


def test_a_folder_alone_suggests_the_kind_of_its_layout(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "dev/VOC2012/ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "bare").mkdir()
    for spec, meant in (
        (folder, f"(list:{folder}?)"),
        (folder / "train.lst", f"(list:{folder / 'train.lst'}?)"),
        (tmp_path / "dev", f"(voc:{tmp_path / 'dev'}?)"),
        (tmp_path / "dev/VOC2012", f"(voc:{tmp_path / 'dev/VOC2012'}?)"),
        (f"sbd:{folder}", f"(list:{folder}?)"),
        (f"list:{tmp_path / 'dev'}", f"(voc:{tmp_path / 'dev'}?)"),
        (f"voc:{tmp_path}/train.lst", f"(list:{tmp_path}/train.lst?)"),
        (tmp_path / "bare", f"(list:{tmp_path / 'bare'}?)"),
        ("list:", "(list:DIR_OR_FILE?)"),
    ):
        assert meant in refusal(lambda spec=spec: open_dataset(str(spec)))  # type: ignore[misc]
    for spec in ("nowhere", "x" * 5000, "folder:nowhere", "a\0b"):
        assert "?)" not in refusal(lambda spec=spec: open_dataset(spec))  # type: ignore[misc]


@pytest.mark.parametrize("text", ["128 64 128\n# sky\n70,130,180\n", "#804080\n#4682b4\n"])
def test_a_list_brings_its_colours(folder: Path, text: str) -> None:
    (folder / "classes.txt").write_text("road\nsky\n")
    (folder / "palette.txt").write_text(text)
    assert opened(folder).palette.tolist() == [[128, 64, 128], [70, 130, 180]]


def test_label_images_of_a_list_may_be_in_its_colours(folder: Path) -> None:
    (folder / "classes.txt").write_text("road\nsky\nsea\ncar\n")
    colours = [(128, 64, 128), (70, 130, 180), (0, 0, 142), (1, 1, 1)]
    text = "".join(f"{r} {g} {b}\n" for r, g, b in colours)
    indices = [opened(folder).label(n) for n in range(3)]
    plain = opened(folder).fingerprint()
    (folder / "palette.txt").write_text(text)
    assert opened(folder).fingerprint() == plain  # of indices the colours are no matter
    table = np.array([*colours, *[(0, 0, 0)] * 252], np.uint8)
    for name, label in zip("ab", indices, strict=False):
        label[label > 3] = 3
        Image.fromarray(table[label]).save(folder / f"labels/{name}.png")
    Image.fromarray(np.full((6, 8, 3), 2, np.uint8)).save(folder / "labels/c.png")
    data = opened(folder)
    assert all(np.array_equal(data.label(n), indices[n]) for n in range(2))
    assert (data.label(2) == 2).all()  # grey: indices
    before = data.fingerprint()
    assert before != plain
    (folder / "palette.txt").write_text(text.replace("142", "143"))
    assert opened(folder).fingerprint() != before
    pixels = table[indices[0]]
    pixels[2, 3] = (128, 64, 120)
    Image.fromarray(pixels).save(folder / "labels/a.png")
    found = refusal(lambda: data.label(0))
    assert "a.png (train.lst line 1): colour 128,64,120 at row 2 column 3, expected" in found
    assert "nearest is road" in found
    assert "of what is not labelled the name is void" in found


@pytest.mark.parametrize("kind", ["list", "folder"])
@pytest.mark.parametrize("coloured", [False, True])
@pytest.mark.parametrize("name", ["Void", "unlabelled", "IGNORE"])
@pytest.mark.parametrize("row", [0, 1, 2])
def test_rows_of_a_palette_that_are_no_class_count_as_not_labelled(
    tmp_path: Path, kind: str, coloured: bool, name: str, row: int
) -> None:
    names, colours = ["road", "sky"], [(128, 64, 128), (70, 130, 180)]
    names.insert(row, name)
    colours.insert(row, (9, 8, 7))
    stored = np.arange(12, dtype=np.uint8).reshape(3, 4) % 3
    for folder in "images", "masks":
        (tmp_path / folder).mkdir()
    Image.fromarray(np.zeros((3, 4, 3), np.uint8)).save(tmp_path / "images/a.png")
    pixels = np.array(colours, np.uint8)[stored] if coloured else stored
    Image.fromarray(pixels).save(tmp_path / "masks/a.png")
    if kind == "list":
        (tmp_path / "train.lst").write_text("images/a.png\tmasks/a.png\n")
    (tmp_path / "classes.txt").write_text("\n".join(names))
    (tmp_path / "palette.txt").write_text("\n".join(" ".join(map(str, c)) for c in colours))
    data = open_dataset(f"{kind}:{tmp_path}", classes=2)
    assert data.classes == ("road", "sky")
    assert data.palette.tolist() == [[128, 64, 128], [70, 130, 180]]
    assert f"{name} counts as not labelled" in data.remark
    table = np.insert(np.array([0, 1], np.uint8), row, 255)
    assert np.array_equal(data.label(0), table[stored])
    (tmp_path / "classes.txt").write_text("\n".join(names[::-1]))
    other = open_dataset(f"{kind}:{tmp_path}")
    assert other.fingerprint() != data.fingerprint()
    assert "3 asked for" in refusal(lambda: open_dataset(f"{kind}:{tmp_path}", classes=3))


def test_a_row_without_a_class_that_moves_makes_other_data(folder: Path) -> None:
    found = set()
    for names in ("void\na\nb\nc", "a\nvoid\nb\nc", "a\nb\nc\nvoid"):
        (folder / "classes.txt").write_text(names)
        (folder / "palette.txt").write_text("1 1 1\n2 2 2\n3 3 3\n4 4 4")
        found.add(opened(folder).fingerprint())
    assert len(found) == 3


def test_colours_without_names_ask_for_these(folder: Path) -> None:
    (folder / "classes.txt").unlink(missing_ok=True)
    (folder / "palette.txt").write_text("1 2 3\n4 5 6\n")
    found = refusal(lambda: open_dataset(f"list:{folder}"))
    assert "palette.txt: colours of classes without names, expected their names in" in found
    assert "classes.txt, one a line, or how many: --classes N" in found
    assert len(open_dataset(f"list:{folder}", classes=2).classes) == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1 2 3\n", "1 colours, expected 2, one for each class"),
        ("1 2 3\n1 2 256\n", "line 2: '1 2 256', expected red, green and blue"),
        ("1 2 3\nred\n", "line 2: 'red'"),
        ("1 2 3\n1 2\n", "line 2: '1 2'"),
        ("1 2 3\n-1 2 3\n", "line 2: '-1 2 3'"),
        ("1 2 3\n#12345\n", "line 2: '#12345'"),
        ("# a\n1 2 3\n\n#010203\n", "line 4: the colour of sky is that of road in line 2"),
    ],
)
def test_colours_that_are_refused(folder: Path, text: str, found: str) -> None:
    (folder / "classes.txt").write_text("road\nsky\n")
    (folder / "palette.txt").write_text(text)
    assert found in refusal(lambda: opened(folder))


class TestSyntheticFormat(DatasetContract):
    @pytest.fixture
    def spec(self):
        return "synthetic:5"


class TestListFormat(DatasetContract):
    @pytest.fixture
    def spec(self, folder):
        return f"list:{folder}"


class TestVocFormat(DatasetContract):
    @pytest.fixture
    def spec(self, voc):
        Image.new("RGB", (3, 2), "red").save(voc / "VOC2012/JPEGImages/x.jpg")
        return f"voc:{voc}"


class Drifting(SyntheticDataset):
    """A mutant: an image is another one every time, and labels are of no class."""

    def image(self, index: int) -> NDArray[np.uint8]:
        return np.random.default_rng().integers(0, 256, (*self.size, 3), np.uint8)

    def label(self, index: int) -> NDArray[np.uint8]:
        return np.full(self.size, 77, np.uint8)


def test_the_contract_finds_a_wrong_dataset() -> None:
    whole = [Drifting(3, size=CONTRACT_SIZE)]
    contract = DatasetContract()
    for check_ in (
        contract.test_it_has_images_of_labelled_pixels,
        contract.test_an_image_is_the_same_every_time,
    ):
        with pytest.raises(AssertionError):
            check_("synthetic:3", whole)
    with pytest.raises(DataError, match="77"):
        contract.test_the_search_can_use_it("synthetic:3", whole)
