"""Rows of Hugging Face's, and any object with items, as data."""

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from auxnas.backends.base import BackendUnavailable
from auxnas.search.data import check, open_dataset, parts
from auxnas.search.data.rows.sequences import SequenceDataset
from tests.search.contract_dataset import DatasetContract
from tests.search.people_data import CLASSES, KINDS, TRAIN, VAL, save_stream, truth, write_arrow
from tests.search.test_data_files import refusal

IMAGE = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
LABEL = np.arange(24).reshape(4, 6) % 3


def opened(*items: Any, classes: int | None = 3) -> SequenceDataset:
    return SequenceDataset(list(items), "mine", classes)


MODULE = """
import numpy as np
from PIL import Image

class Items:
    classes = ("a", "b", "c")

    def __init__(self, part):
        self.part = part

    def __len__(self):
        return 3

    def __getitem__(self, index):
        rng = np.random.default_rng([self.part == "val", index])
        image = rng.integers(0, 256, (40, 48, 3), np.uint8)
        return Image.fromarray(image), image[..., 0] % 3

def make(rest, classes, part):
    return Items(part)

make.parts = lambda rest: ("train", "val")
"""


class TestAnyObject(DatasetContract):
    @pytest.fixture
    def spec(self, tmp_path, monkeypatch):
        (tmp_path / "somebodys.py").write_text(textwrap.dedent(MODULE))
        monkeypatch.syspath_prepend(tmp_path)
        return "python:somebodys:make"


PICTURE = Image.fromarray(IMAGE)
IMAGES: dict[str, tuple[Any, Any]] = {
    "array": (IMAGE, IMAGE),
    "grey": (IMAGE[..., 0], np.repeat(IMAGE[..., :1], 3, 2)),
    "one channel": (IMAGE[..., :1], np.repeat(IMAGE[..., :1], 3, 2)),
    "four channels": (np.dstack([IMAGE, IMAGE[..., :1]]), IMAGE),
    "16 bits": (IMAGE[..., 0].astype(np.uint16) * 257, np.repeat(IMAGE[..., :1], 3, 2)),
    "a picture": (PICTURE, IMAGE),
    "a palette": (PICTURE.quantize(24), np.asarray(PICTURE.quantize(24).convert("RGB"))),
    "CMYK": (PICTURE.convert("CMYK"), IMAGE),
}


@pytest.mark.parametrize("form", IMAGES)
def test_images_of_every_form(form: str) -> None:
    given, expected = IMAGES[form]
    for item in ((given, LABEL), [given, LABEL, "more"], {"image": given, "mask": LABEL}):
        assert np.array_equal(opened(item).image(0), expected)
    assert check(opened((given, LABEL))).images == 1


def test_a_turned_picture_is_shown_upright() -> None:
    turned = Image.fromarray(IMAGE)
    turned.getexif()[ExifTags.Base.Orientation] = 6
    assert np.array_equal(opened((turned, LABEL)).image(0), np.rot90(IMAGE, -1))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16, np.int8])
def test_labels_of_every_form(dtype: Any) -> None:
    for label in (LABEL.astype(dtype), Image.fromarray(LABEL.astype(np.uint8)), LABEL.tolist()):
        found = opened((IMAGE, label)).label(0)
        assert found.dtype == np.uint8
        assert np.array_equal(found, LABEL)
    assert np.array_equal(opened((IMAGE, LABEL == 1)).label(0), LABEL == 1)


WRONG: dict[str, tuple[Any, str]] = {
    "a tensor": ((IMAGE.astype(np.float32), LABEL), "mine item 0: an image of float32 4x6x3"),
    "channels first": (
        (IMAGE.transpose(2, 0, 1), LABEL),
        "an image of uint8 3x4x6, expected uint8",
    ),
    "no label": ((IMAGE,), "an item tuple, expected an image and a label"),
    "a number": (3, "an item int, expected an image and a label"),
    "other keys": ({"picture": IMAGE, "mask": LABEL}, "a table of ['picture', 'mask']"),
    "a large value": ((IMAGE, LABEL + 300), "label value 300, expected class indices of 8 bits"),
    "less than 0": ((IMAGE, LABEL - 1), "label value -1, expected class indices of 8 bits"),
    "real labels": ((IMAGE, LABEL / 2), "a label of float64 4x6, expected whole numbers"),
    "a class": ((IMAGE, LABEL), "label value 2 at row 0 column 2"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_in_an_item_is_named(case: str) -> None:
    item, expected = WRONG[case]
    assert expected in refusal(lambda: check(opened(item, classes=2)))


def test_classes_of_an_object() -> None:
    assert "mine has no names in classes" in refusal(lambda: opened((IMAGE, LABEL), classes=None))
    assert opened((IMAGE, LABEL)).classes == ("class0", "class1", "class2")
    assert opened((IMAGE, LABEL)).fingerprint() != opened((IMAGE, LABEL * 0)).fingerprint()


# Hugging Face's -------------------------------------------------------------------------------


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: Any) -> None:
    import sys

    (tmp_path / "state.json").write_text(json.dumps({"_data_files": [{"filename": "a.arrow"}]}))
    (tmp_path / "a.arrow").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BackendUnavailable, match=r"hf: .*'pyarrow' .*auxnas\[hf\]"):
        open_dataset(f"hf:{tmp_path}", classes=3)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    pytest.importorskip("pyarrow", reason="the extra hf is not installed")
    (tmp_path / "here").mkdir()
    write_arrow(tmp_path / "here")
    return tmp_path / "here"


class TestHuggingFace(DatasetContract):
    @pytest.fixture
    def spec(self, stored):
        return f"hf:{stored}"


def test_rows_that_name_files(stored: Path) -> None:
    import pyarrow

    table = pyarrow.ipc.open_stream(stored / "train/data-00000-of-00002.arrow").read_all()
    row = table.to_pylist()[0]
    (stored / "train/a.jpg").write_bytes(row["image"]["bytes"])
    row["image"] = {"bytes": None, "path": "a.jpg"}
    table = pyarrow.Table.from_pylist([row], schema=table.schema)
    save_stream(table, stored / "train/data-00000-of-00002.arrow")
    data = open_dataset(f"hf:{stored}")
    assert check(data).images == len(TRAIN)
    assert np.array_equal(data.label(0), truth(KINDS[0]))
    (stored / "train/a.jpg").unlink()
    assert "row 0 image: " in refusal(lambda: check(data))


WRONG_ROWS: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut off": (
        lambda root: (root / "train/data-00001-of-00002.arrow").write_bytes(b"\xff\xff\xff\xff"),
        "data-00001-of-00002.arrow: cannot be read (",
    ),
    "a file": (
        lambda root: (root / "train/data-00001-of-00002.arrow").unlink(),
        "data-00001-of-00002.arrow: no such file",
    ),
    "no state": (lambda root: (root / "train/state.json").unlink(), "state.json: No such file"),
    "no classes": (lambda root: (root / "id2label.json").unlink(), "id2label.json, "),
    "classes": (
        lambda root: (root / "id2label.json").write_text('{"1": "a", "0": "b"}'),
        "id2label.json: 1: 'a', expected 0: a name",
    ),
}


@pytest.mark.parametrize("case", WRONG_ROWS)
def test_what_is_wrong_in_rows_is_named(stored: Path, case: str) -> None:
    spoil, expected = WRONG_ROWS[case]
    spoil(stored)
    assert expected in refusal(lambda: check(open_dataset(f"hf:{stored}")))


def test_parts_and_classes_of_rows(stored: Path) -> None:
    spec = f"hf:{stored}"
    assert parts(spec) == ("train", "val")
    assert [len(open_dataset(spec, part=part)) for part in parts(spec)] == [len(TRAIN), len(VAL)]
    assert open_dataset(spec).classes == CLASSES
    assert parts(f"hf:{stored / 'train'}") == ("train",)
    assert len(open_dataset(f"hf:{stored / 'train'}", classes=4)) == len(TRAIN)
