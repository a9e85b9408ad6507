"""Data for which an answer is right that looks at no image."""

import numpy as np
import pytest

from auxnas.backends.progress import Silent
from auxnas.compiler.tasks import Segmentation
from auxnas.compiler.tasks.depth import Depth
from auxnas.search.data import DataError
from auxnas.search.data.base import BaseDataset
from auxnas.search.data.statistics import Statistics, empty_remark, sparse_remark
from auxnas.search.examples.context import DataContext, Part, Split, StoredDataset
from auxnas.search.examples.trivial import is_one_map, one_number
from auxnas.search.storage.store import open_store

SIDE, COUNT = 32, 6
RNG = np.random.default_rng(0)
FAR = np.where(RNG.random((SIDE, SIDE)) < 0.3, 30, 2)
VARIED = RNG.uniform(0.5, 9, (COUNT, SIDE, SIDE))


def at(row, value):
    label = np.zeros((SIDE, SIDE))
    label[row, 3] = value
    return label


KINDS = {
    "varied": VARIED,
    "constant": np.full_like(VARIED, 2),
    "nearly": 2 + VARIED / 100,
    "but far": np.stack([FAR] * COUNT),
    "one pixel": np.stack([at(3, 2.5), *[at(3, 0)] * (COUNT - 1)]),
    "some missing": np.where(VARIED < 5, 2, 0),
    "each its own": np.arange(1, COUNT + 1)[:, None, None] + np.zeros_like(VARIED),
    "one map": np.stack([VARIED[0]] * COUNT),
    "a pixel each": np.stack([at(n, 1.5**n) for n in range(COUNT)]),
    "none": np.zeros_like(VARIED),
}
CONSTANT = {"constant", "nearly", "but far", "one pixel", "some missing"}


def stored(path, labels, dtype="float32"):
    images = RNG.integers(0, 255, (len(labels), SIDE, SIDE, 3), dtype=np.uint8)
    rows = {"image": images, "label": labels.astype(dtype)}
    return open_store(path / "store", len(labels), lambda: [rows], {}, lambda line: None)


@pytest.mark.parametrize("kind", KINDS)
def test_depth_that_one_answer_is_right_for(kind, tmp_path):
    store = stored(tmp_path, KINDS[kind])
    every, first, rest = ((store, range(*ends)) for ends in ((COUNT,), (3,), (3, COUNT)))
    assert bool(one_number(Depth(), every)) == (kind in CONSTANT)
    same = kind in {"constant", "nearly", "but far", "one map"}
    if kind not in {"one pixel", "some missing", "none"}:
        assert is_one_map(Depth(), first, rest) == same
    assert one_number(Depth(), (store, ())) == ""


def test_classes_may_be_the_same_map_for_all_images(tmp_path):
    labels = np.stack([RNG.integers(0, 3, (SIDE, SIDE))] * COUNT)
    labels[3, :5] = 255  # what is not labelled is not told
    task = Segmentation(tuple("abc"))
    for name, other, same in (("a", 1, True), ("b", -1, False)):
        labels[-1, 9] = labels[0, 9] if same else (labels[0, 9] + other) % 3
        (tmp_path / name).mkdir()
        store = stored(tmp_path / name, labels, "uint8")
        assert is_one_map(task, (store, range(3)), (store, range(3, COUNT))) is same
        assert one_number(task, (store, range(COUNT))) == ""


class Labelled(BaseDataset):
    """A dataset of these labels."""

    name, classes, palette, labels = "some", (), np.zeros((0, 3), np.uint8), Depth().labels

    def __init__(self, labels):
        self.maps = labels.astype("float32")

    def __len__(self):
        return len(self.maps)

    def fingerprint(self):
        return str(hash(self.maps.tobytes()))

    def image(self, index):
        return np.full((SIDE, SIDE, 3), 20 * index + 1, np.uint8)

    def label(self, index):
        return self.maps[index]


def checked(settings_of, tmp_path, labels, cut):
    lines = []
    display = Silent()
    display.say = lines.append
    context = DataContext(settings_of({"task.name": "depth"}), tmp_path, display)
    dataset = StoredDataset(Labelled(labels), tmp_path, display)
    vars(context)["training"] = dataset
    parts = (range(cut), range(cut, len(labels)))
    names = ("meta-train", "meta-val")
    both = [Part(n, n, dataset, tuple(each)) for n, each in zip(names, parts, strict=True)]
    context.check_enough_data(Split(*both))
    return lines


def test_what_is_trivial_is_refused_or_said_before_a_search(settings_of, tmp_path):
    assert checked(settings_of, tmp_path, VARIED, 4) == []
    for labels, where in (
        (KINDS["constant"], "some: meta-train: depth of 2 everywhere is as right as the labels"),
        (np.where(np.arange(COUNT)[:, None, None] < 4, VARIED, 2), "some: meta-val: depth of 2"),
    ):
        with pytest.raises(DataError, match=where):
            checked(settings_of, tmp_path, labels, 4)
    (line,) = checked(settings_of, tmp_path, KINDS["one map"], 4)
    assert line.startswith("warning: some: the labels of the first image to train on are right")
    lines = checked(settings_of, tmp_path, KINDS["a pixel each"], 4)
    assert [line.partition(": too")[0] for line in lines] == [
        "warning: some: meta-train: 4 of 4,096 numbers in the labels count",
        "warning: some: meta-val: 2 of 2,048 numbers in the labels count",
    ]


def test_few_measurements_are_said_and_few_labelled_pixels_of_classes_are_not():
    values = np.zeros((2, 256), np.int64)
    values[:, 0], values[:, 255] = 1, 999
    found = [Statistics(classes, ("a", "b"), values, values[:, :32]) for classes in ((), ("c",))]
    assert [len([*sparse_remark("x", each)]) for each in found] == [0, 0]
    values[:, 255] = 1000
    assert [len([*sparse_remark("x", each)]) for each in found] == [1, 0]


def test_images_without_a_label_are_said_where_others_have_some():
    values = np.zeros((3, 256), np.int64)
    values[:, 255] = 9
    places = ("a", "b", "c")
    found = Statistics((), places, values, values[:, :32])
    assert not [*empty_remark("x", found)]  # all are: refused elsewhere
    values[[0, 2], 3] = 1
    line = "x: 1 of 3 images have no labelled pixel, first b: they count for nothing"
    assert [*empty_remark("x", found)] == [line]
    values[1, 0] = 1
    assert not [*empty_remark("x", found)]
