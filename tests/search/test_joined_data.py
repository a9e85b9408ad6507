"""Sources joined with +: classes, parts, pictures that are in several, and messages."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from auxnas.backends.progress import Silent
from auxnas.search.data import (
    VOC_CLASSES,
    BaseDataset,
    Dataset,
    SyntheticDataset,
    check,
    open_dataset,
    parts,
    subset,
)
from auxnas.search.data.joined import JoinedDataset, JoinedSource, join_datasets, picture_names
from auxnas.search.data.spec import sources, task_on, unscored_classes, with_absolute_path
from auxnas.search.errors import SettingsError
from auxnas.search.examples.images import pixel_store, statistics_of
from auxnas.search.settings.resolving import resolve
from tests.search.contract_dataset import DatasetContract
from tests.search.test_data_files import refusal
from tests.search.test_segmentation_data import (
    NAMES,
    SIZE,
    truth,
    write_coco,
    write_lists,
    write_sbd,
    write_voc,
)

pytest.importorskip("scipy", reason="the extra dev is not installed")
pytest.importorskip("pycocotools", reason="the extra coco is not installed")


def write_list(root: Path, names: tuple[str, ...], count: int = 2, first: int = 0) -> str:
    """Pairs of 1s but for a pixel, with classes of these names."""
    root.mkdir()
    rows = []
    for number in range(first, first + count):
        Image.new("RGB", (8, 6), (number, 0, 0)).save(root / f"{number}.png")
        label = np.ones((6, 8), np.uint8)
        label[0, 0], label[0, 1] = 0, 255
        Image.fromarray(label).save(root / f"{number}_label.png")
        rows.append(f"{number}.png\t{number}_label.png\n")
    (root / "train.lst").write_text("".join(rows))
    (root / "classes.txt").write_text("\n".join(names))
    return f"list:{root}"


@pytest.fixture
def voc_and_sbd(tmp_path: Path) -> tuple[str, str]:
    """VOC trains on 1 and validates on 3; SBD trains on 1 and 2 and has 3 in its own list."""
    return write_voc(tmp_path / "v"), write_sbd(tmp_path / "s")


# What is written ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("voc:a", ["voc:a"]),
        ("voc:a + sbd:b", ["voc:a", "sbd:b"]),
        ("voc:a+sbd:b+coco:c", ["voc:a", "sbd:b", "coco:c"]),
        ("synthetic + python:a:B:c", ["synthetic", "python:a:B:c"]),
        ("python:a:B + synthetic", ["python:a:B", "synthetic"]),
        ("list:a+b", ["list:a+b"]),
        ("list:c++", ["list:c++"]),
        ("list:c++ + my-own:d", ["list:c++", "my-own:d"]),
        ("voc:a + synthetics", ["voc:a + synthetics"]),
    ],
)
def test_a_plus_divides_where_a_format_follows(spec: str, found: list[str]) -> None:
    assert list(sources(spec)) == found


def test_a_path_with_a_plus_is_a_path(tmp_path: Path) -> None:
    spec = write_list(tmp_path / "a +voc:b", ("x", "y"))
    assert sources(spec) == (spec,)
    assert len(open_dataset(spec)) == 2


def test_paths_options_and_classes_of_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    spec = "voc:a+synthetic:3 + sbd:b"
    assert with_absolute_path(spec) == f"voc:{tmp_path}/a + synthetic:3 + sbd:{tmp_path}/b"
    assert unscored_classes(spec) == ("background",)
    assert task_on("depth:a + synthetic", "depth") == task_on("synthetic", "depth")


def test_a_source_that_is_none_is_named() -> None:
    with pytest.raises(SettingsError, match=r"data.source: 'voc:a \+ sdb:b', expected sbd:b"):
        resolve({"data": {"source": "voc:a + sdb:b"}})
    assert "data 'sdb:b': not a known kind of data" in refusal(
        lambda: open_dataset("synthetic + sdb:b")
    )


# The paper's 10,582 ---------------------------------------------------------------------------


def test_sbd_gives_voc_what_it_has_not(voc_and_sbd: tuple[str, str]) -> None:
    for spec in (" + ".join(voc_and_sbd), "+".join(reversed(voc_and_sbd))):
        data, val = open_dataset(spec), open_dataset(spec, part="val")
        assert parts(spec) == ("train", "val")
        places = sorted(data.label_place(index) for index in range(len(data)))
        assert [Path(place.split(" (")[0]).name for place in places] == [
            f"{NAMES[1]}.mat",
            f"{NAMES[0]}.png",
        ]
        assert [Path(val.place(0)).stem[:11], len(val)] == [NAMES[2], 1]
        assert data.remark == (
            f"{voc_and_sbd[1]}: 2 of 3 images are left out: 1 are validated on, 1 are there with "
            "other labels, which count"
        )
        assert check(data).images == 2


def test_sbd_alone_is_as_its_lists_have_it(voc_and_sbd: tuple[str, str], tmp_path: Path) -> None:
    _, sbd = voc_and_sbd
    write_lists(tmp_path / "v/VOC2012/ImageSets/Segmentation", train="12")
    (tmp_path / "v/VOC2012/ImageSets/Segmentation/val.txt").unlink()
    spec = " + ".join(voc_and_sbd)
    assert [len(open_dataset(each)) for each in (sbd, spec)] == [2, 2]
    val = open_dataset(spec, part="val")
    assert (val.name, len(val)) == (sbd, 1)


class Named(BaseDataset):
    """Pictures of a collection; where each is from shows in its labels."""

    classes = ("x", "y")
    palette = np.zeros((2, 3), np.uint8)

    def __init__(self, name: str, pictures: list[int], collection: str = "VOC") -> None:
        self.name, self.pictures, self.collection = name, pictures, collection

    def __len__(self) -> int:
        return len(self.pictures)

    def fingerprint(self) -> str:
        return f"{self.name} {self.pictures}"

    def image(self, index: int) -> Any:
        return np.full((2, 2, 3), self.pictures[index] % 256, np.uint8)

    def label(self, index: int) -> Any:
        return np.zeros((2, 2), np.uint8)

    def picture(self, index: int) -> str:
        return f"{self.collection}/{self.pictures[index]}" if self.collection else ""


NUMBERS = st.lists(st.integers(0, 30), max_size=20, unique=True)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.booleans())
def test_a_picture_is_there_once_and_never_to_validate_on_too(
    voc: list[int], val: list[int], own_train: list[int], own_val: list[int], first: bool
) -> None:
    others = Named("coco", list(range(5)), "")
    sbd = JoinedSource((Named("sbd", own_train), Named("sbd", own_val)), borrowed=True)
    mine = [JoinedSource((Named("voc", voc),)), sbd]
    held = picture_names([Named("voc", val)])
    data = join_datasets([JoinedSource((others,)), *(mine if first else mine[::-1])], held)
    found = [(data.picture(index), data.origin(index)[0].name) for index in range(len(data))]
    assert found[:5] == [("", "coco")] * 5
    names = [name for name, _ in found[5:]]
    assert len(names) == len(set(names))
    assert data.name.split(" + ") == list(dict.fromkeys(data.name.split(" + ")))
    assert set(names) == {f"VOC/{n}" for n in {*voc, *own_train, *own_val} - {*val}}
    for name, source in found[5:]:
        assert (source == "voc") == (int(name[4:]) in voc)


def test_the_count_of_the_paper() -> None:
    """1,464 and 1,449 images of VOC; 8,498 and 2,857 of SBD, which has all but 676 of VOC's."""
    order = random.Random(0).sample(range(12_031), 12_031)
    voc, val, sbd = order[:1464], order[1464:2913], order[676:]
    members = [JoinedSource((Named("sbd", sbd[:8498]), Named("sbd", sbd[8498:])), borrowed=True)]
    members.append(JoinedSource((Named("voc", voc),)))
    data = join_datasets(members, picture_names([Named("", val)]))
    assert (len(sbd), len(data)) == (11_355, 10_582)


def test_no_image_left_is_an_error(voc_and_sbd: tuple[str, str], tmp_path: Path) -> None:
    write_lists(tmp_path / "v/VOC2012/ImageSets/Segmentation", train="3")
    write_lists(tmp_path / "s/benchmark_RELEASE/dataset", train="3")
    assert "no image to train on (" in refusal(lambda: open_dataset(" + ".join(voc_and_sbd)))


# Joins like any data --------------------------------------------------------------------------


class TestJoined(DatasetContract):
    @pytest.fixture
    def spec(self, tmp_path):
        return f"{write_coco(tmp_path / 'c', 'plain')} + {write_voc(tmp_path / 'v', train='12')}"

    def test_parts_share_no_image(self, spec, whole):
        """COCO's picture of the same pixels is another name to it: the statistics tell."""
        assert picture_names([whole[0]]).isdisjoint(picture_names([whole[1]]))


def test_items_are_those_of_the_members(tmp_path: Path, voc_and_sbd: tuple[str, str]) -> None:
    coco = write_coco(tmp_path / "c")
    spec = " + ".join([coco, *reversed(voc_and_sbd)])
    for size in (None, (32, 32)):
        data = open_dataset(spec, size=size)
        alone = [open_dataset(coco, size=size), open_dataset(voc_and_sbd[0], size=size)]
        assert (len(data), data.classes) == (5, VOC_CLASSES)
        assert data.name == f"{coco} + {voc_and_sbd[1]} + {voc_and_sbd[0]}"
        for index, (member, place) in enumerate([(alone[0], n) for n in range(3)]):
            assert np.array_equal(data.image(index), member.image(place))
            assert np.array_equal(data.label(index), member.label(place))
            assert data.place(index) == member.place(place)
        assert np.array_equal(data.label(4), alone[1].label(0))
        assert data.fingerprint() not in {each.fingerprint() for each in alone}
    store = pixel_store(data, tmp_path / "cache", Silent())
    counts = statistics_of(data, store, tmp_path / "cache", Silent())
    assert counts.firsts == (0, 1, 2, 1, 0)
    assert counts.places[4] == data.place(4)


def test_classes_in_another_order_are_renumbered(tmp_path: Path) -> None:
    one = write_list(tmp_path / "a", ("road", "sky", "car"))
    other = write_list(tmp_path / "b", ("car", "road", "sky"))
    data = open_dataset(f"{one} + {other}")
    assert data.classes == ("car", "road", "sky")
    assert (data.label(0)[0, 0], data.label(0)[0, 1], data.label(0)[1, 1]) == (1, 255, 2)
    assert np.array_equal(data.label(2), open_dataset(other).label(0))
    assert check(data).pixels == (2, 2 + 2 * 46, 2 * 46)
    own = {tuple(row) for row in open_dataset(one).palette.tolist()}
    assert {tuple(row) for row in data.datasets[0].palette.tolist()} == own
    source, place = open_dataset(f"{one} + {other}", size=(32, 32)).origin(0)
    assert np.array_equal(source.label(place), data.label(0))
    Image.fromarray(np.full((6, 8), 7, np.uint8)).save(tmp_path / "a/1_label.png")
    found = refusal(lambda: check(open_dataset(f"{one} + {other}")))
    assert "a/1_label.png (train.lst line 2): label value 7 at row 0 column 0, expected" in found
    (tmp_path / "b/0.png").unlink()
    found = refusal(lambda: check(open_dataset(f"{one} + {other}")))
    assert "b/0.png (train.lst line 1): no such file" in found


def test_other_classes_are_one_line(tmp_path: Path) -> None:
    one = write_list(tmp_path / "a", ("road", "sky", "car"))
    other = write_list(tmp_path / "b", ("road", "sky", "bus"))
    found = refusal(lambda: open_dataset(f"{one} + {other}"))
    expected = f"class 'car' of {one} alone, expected the same class names, in any order"
    assert found == f"{one} + {other}: {expected}"
    more = write_list(tmp_path / "c", ("road", "sky"))
    assert f"class 'car' of {one} alone" in refusal(lambda: open_dataset(f"{more} + {one}"))
    (tmp_path / "a/classes.txt").unlink()
    assert len(open_dataset(f"{one} + {other}", classes=3)) == 4
    assert "no val part, expected one in any of them" in refusal(
        lambda: open_dataset(f"{one} + {other}", part="val", classes=3)
    )


def test_what_is_drawn_is_joined_too(tmp_path: Path) -> None:
    names = SyntheticDataset(1).classes
    spec = f"{write_list(tmp_path / 'a', names[::-1])} + synthetic:3"
    data = open_dataset(spec, size=(32, 40))
    assert [data.image(index).shape for index in range(5)] == [(32, 40, 3)] * 5
    drawn = SyntheticDataset(3, size=(32, 40))
    assert np.array_equal(data.label(4), drawn.label(2))
    assert data.label(0).max() in (255, len(names) - 2)
    turned = open_dataset(f"synthetic:3 + {write_list(tmp_path / 'b', names[::-1])}", size=(32, 40))
    assert turned.classes == names
    assert np.array_equal(turned.label(2), drawn.label(2))


def test_a_wrong_unit_is_found_in_each(tmp_path: Path) -> None:
    from auxnas.compiler.tasks import find_task

    specs = []
    for name, depth in (("a", 3000), ("b", 3000), ("c", 30)):
        folder = tmp_path / name
        folder.mkdir()
        rows = []
        for number in range(3):
            Image.new("RGB", (8, 6), (number, 0, 0)).save(folder / f"{number}.png")
            Image.fromarray(np.full((6, 8), depth + number, np.uint16)).save(
                folder / f"d{number}.png"
            )
            rows.append(f"{number}.png\td{number}.png\n")
        (folder / "train.lst").write_text("".join(rows))
        specs.append(f"depth:{folder}")
    task = find_task("depth")
    joined = open_dataset(" + ".join(specs[:2]), task=task)
    assert check(joined).images == 6
    assert open_dataset(" + ".join(specs), task=task, depth_scale=100).label(0)[0, 0] == 30
    found = refusal(lambda: check(open_dataset(" + ".join(specs), task=task)))
    assert "c/d0.png: the middle depth is 0.031 m" in found
    assert "labels of" in refusal(lambda: open_dataset(f"{specs[0]} + synthetic:2"))


def test_views_of_joins(voc_and_sbd: tuple[str, str]) -> None:
    data = open_dataset(" + ".join(voc_and_sbd))
    view: Dataset = subset(data, [1])
    assert isinstance(data, JoinedDataset)
    assert (view.place(0), view.picture(0)) == (data.place(1), data.picture(1))
    assert (view.margin, view.note()) == (0, "")
    assert np.array_equal(view.label(0), truth(NAMES[1]))
    assert view.label(0).shape == SIZE


def test_a_join_answers_for_its_items() -> None:
    """Members that a join does not hand on are asked of what it joins, or mean nothing of it."""
    usual = {name for name in vars(BaseDataset) if not name.startswith("_")}
    others = {"check_presence", "check_item", "suspicion"}  # of where an item is stored
    others |= {"of_task", "scaled", "rendered"}  # before the join
    others |= {"official", "unmatched"}  # of data alone
    assert usual - vars(JoinedDataset).keys() - {"remark"} == others


# By command -----------------------------------------------------------------------------------


def test_it_is_searched_trained_and_scored(run, voc_and_sbd, tmp_path: Path) -> None:
    write_lists(tmp_path / "v/VOC2012/ImageSets/Segmentation", train="12")
    joined = ("--data", voc_and_sbd[1], "+", voc_and_sbd[0])  # as without quotes
    spec = (*joined, "--size", "32x32", "--preset", "demo")
    tiny = ("--learner", "null", "--set", "model.width=0.1", "--set", "model.agg_size=8")
    out = tmp_path / "t"
    found = run("train", "--genotype", "arch0", *spec, *tiny, "--epochs", 4, "--out", out, "--json")
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["images"] == {"train": 2, "val": 1}
    assert "3 of 3 images are left out: 1 are validated on, 2 are" in found.stderr
    found = run("eval", out, "--json", "--learner", "null")
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["part"] == "val"


def test_code_in_any_of_them_is_asked_for() -> None:
    from auxnas.search.settings.recorded import check_trusted

    values = {"data": {"source": "voc:a + python:somebodys:Reader:x"}}
    with pytest.raises(SettingsError, match="somebodys:Reader, code that a file alone asks for"):
        check_trusted(values)
