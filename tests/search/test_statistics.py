"""Classes without a pixel, images that are there twice: said or refused before any training."""

import json
import random
from collections import Counter
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from auxnas.backends.images.labels import missing_reason, range_reason, some_names
from auxnas.search.data import DataError, SyntheticDataset, check, open_dataset, split_dataset
from auxnas.search.data.statistics import Statistics, leaked_remark, missing_remarks, mixed_remark
from auxnas.search.examples import images as images_module

SMALL = ("--learner", "null", "--size", "32x32", "--set", "model.width=0.1")


def write_list(root, labels, name="train.lst", images=None):
    """A list with an image for each of the labels; equal numbers give equal pixels."""
    root.mkdir(exist_ok=True)
    lines = []
    for n, label in enumerate(labels):
        seed = n if images is None else images[n]
        pixels = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8)
        stem = f"{name.split('.')[0]}{n}"
        Image.fromarray(pixels).save(root / f"{stem}.png")
        Image.fromarray(np.asarray(label, np.uint8)).save(root / f"{stem}_label.png")
        lines.append(f"{stem}.png\t{stem}_label.png\n")
    (root / name).write_text("".join(lines))
    return f"list:{root}"


def label_of(*values):
    """A label with each of the values."""
    return np.resize(np.array(values, np.uint8), (32, 32))


def spoken(result):
    return " ".join(result.stderr.split())


def trained(run, data, out, classes=2):
    words = ("--data", data, "--classes", classes, *SMALL, "--epochs", 1, "--out", out)
    return run("pretrain", *words)


# Only one class ---------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["run", "pretrain", "train", "ablate"])
def test_masks_of_0_and_255_are_refused_before_anything_is_trained(run, tmp_path, command):
    if command == "ablate":
        pytest.importorskip("matplotlib")
    data = write_list(tmp_path / "data", [label_of(0, 255)] * 6)
    out = tmp_path / "out.safetensors"  # pretrain writes a file, the others make a folder
    first = {
        "run": ("--trials", 2),
        "pretrain": (),
        "train": ("--genotype", "arch0"),
        "ablate": ("--count", 1),
    }
    words = (*first[command], "--data", data, "--classes", 2, *SMALL, "--out", out)
    result = run(command, *words)
    assert result.exit_code == 2, result.output
    assert "no class but 'class0' has a pixel" in spoken(result)
    assert "store 1 for it" in spoken(result)
    assert not out.exists()


def test_a_part_of_one_class_is_refused_whatever_the_rest_has(place_of, tmp_path):
    labels = [label_of(0, 1)] * 12
    _, val = split_dataset(SyntheticDataset(12, 0, (32, 32)))
    labels[val.indices[0]] = label_of(1)
    place = place_of(data__source=write_list(tmp_path / "data", labels), data__classes=2)
    with pytest.raises(DataError, match=r"meta-val: no class but 'class1'.*data.meta_train"):
        place.data.check_enough_data(place.data.search_split)


def test_a_network_is_not_scored_on_masks_of_0_and_255(run, tmp_path):
    data = write_list(tmp_path / "data", [label_of(0, 1)] * 6)
    result = trained(run, data, weights := tmp_path / "encoder.safetensors")
    assert result.exit_code == 0, result.output
    masks = write_list(tmp_path / "masks", [label_of(0, 255)] * 2)
    result = run("eval", weights, "--data", masks, "--learner", "null", "--size", "32x32")
    assert result.exit_code == 2, result.output
    assert "images to score: no class but 'class0'" in spoken(result)


# Some classes ------------------------------------------------------------------------------


def test_a_class_that_no_label_has_is_said(run, tmp_path):
    data = write_list(tmp_path / "data", [label_of(0, 1)] * 6)
    result = trained(run, data, tmp_path / "e.safetensors", classes=3)
    assert result.exit_code == 0, result.output
    assert f"{data}: no image has a pixel of class2" in spoken(result)


@pytest.mark.parametrize(
    ("pixels", "unlabelled", "words"),
    [
        ((9, 0), 3, "store 1 for it"),
        ((9, 0), 0, ""),
        ((9, 9), 3, ""),
        ((0, 9, 9, 9), 0, "off by one"),
        ((0, 9), 0, "off by one"),
        ((9, 9, 0, 9), 0, ""),
        ((9, 0, 0, 0, 0), 0, ""),
        ([9 * (n in (7, 8, 11, 23, 24)) for n in range(34)], 0, "a mapping to 0..4"),
    ],
)
def test_likely_reasons_of_missing_classes(pixels, unlabelled, words):
    reason = missing_reason(pixels, unlabelled)
    assert words in reason
    assert bool(words) == bool(reason)


@pytest.mark.parametrize(
    ("values", "classes", "words"),
    [
        ([0, 128], 2, "store 0 and 1"),
        ([1, 2, 3, 4], 4, "labels from 1 to 4 are off by one"),
        ([7, 8, 23], 19, "a mapping to 0..18"),
        ([0, 1, 2, 3, 4], 3, "more classes"),
    ],
)
def test_likely_reasons_of_values_out_of_range(tmp_path, values, classes, words):
    assert words in range_reason(values, classes)
    labels = [label_of(values[0], 255), label_of(*values, 255)]
    data = open_dataset(write_list(tmp_path / "data", labels), classes=classes)
    with pytest.raises(DataError, match=rf"expected 0..{classes - 1} or 255; .*{words}"):
        check(data)


def statistics(*rows, classes=3):
    """Statistics of images with these counts, content told by the image's place."""
    values = np.zeros((len(rows), 256), np.int64)
    for n, row in enumerate(rows):
        values[n, : len(row)] = row
    content = np.zeros((len(rows), 32), np.uint8)
    content[:, 0] = range(len(rows))
    names = tuple(f"class{n}" for n in range(classes))
    return Statistics(names, tuple(f"image {n}" for n in range(len(rows))), values, content)


def test_classes_that_one_part_has_and_the_other_has_not_are_said():
    first, second = statistics((1, 2, 0)), statistics((0, 2, 4))
    lines = list(missing_remarks("data", ("meta-train", first), ("meta-val", second)))
    assert len(lines) == 2
    assert lines[0].startswith("meta-train has no pixel of class2, which meta-val has")
    assert lines[1].startswith("meta-val has no pixel of class0")
    whole = statistics((1, 2, 3))
    assert not list(missing_remarks("data", ("meta-train", whole), ("meta-val", whole)))
    part = statistics((1, 2, 0))
    lines = list(missing_remarks("data", ("meta-train", part), ("meta-val", part)))
    assert lines == ["data: no image has a pixel of class2"]


def test_masks_of_0_and_255_among_others_are_said():
    mask, plain = {0: 5, 255: 4}, {0: 5, 1: 4}
    rows = [[row.get(value, 0) for value in range(256)] for row in (plain, mask, mask)]
    (line,) = mixed_remark("data", statistics(*rows, classes=2))
    assert "of 2 images are of 0 and 255, first image 1, those of 1 of 0 and 1, first" in line
    assert "store 1 for it" in line
    for others in (rows[:1], rows[1:]):
        assert not list(mixed_remark("data", statistics(*others, classes=2)))
    assert not list(mixed_remark("data", statistics(*rows, classes=3)))


def test_images_and_pixels_of_each_class():
    found = statistics((1, 2, 0), (5, 0, 0))
    assert (found.pixels.tolist(), found.images.tolist()) == ([6, 2, 0], [2, 1, 0])
    assert found.missing == ("class2",)
    assert found.of([1]).missing == ("class1", "class2")
    assert some_names(map(str, range(23))) == "0, 1, 2, 3, 4, 5 and 17 more"


# Twice ----------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 12), min_size=2, max_size=40), st.floats(0.05, 0.95))
def test_images_that_are_alike_stay_together(like, fraction):
    firsts = [like.index(value) for value in like]
    data = SyntheticDataset(len(like), 0, (32, 32))
    if len(set(firsts)) < 2:
        with pytest.raises(DataError, match="1 different images"):
            split_dataset(data, fraction, firsts=firsts)
        return
    train, val = split_dataset(data, fraction, firsts=firsts)
    assert sorted((*train.indices, *val.indices)) == list(range(len(like)))
    assert train.indices
    assert val.indices
    parts = [Counter(like[n] for n in part.indices) for part in (train, val)]
    assert not parts[0] & parts[1]
    asked = min(max(round(len(like) * fraction), 1), len(like) - 1)
    for part, sign in zip(parts, (-1, 1), strict=True):
        for size in part.values() if len(part) > 1 else ():
            assert abs(len(train) + sign * size - asked) >= abs(len(train) - asked)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["", *"abcd"])), max_size=12))
def test_images_of_one_group_or_of_the_same_pixels_are_together_over_others_too(rows):
    content = np.array([[pixels] * 32 for pixels, _ in rows], np.uint8).reshape(len(rows), 32)
    groups = tuple(group for _, group in rows)
    places = tuple(map(str, range(len(rows))))
    values = np.zeros((len(rows), 256), np.int64)
    found = Statistics((), places, values, content, groups).together
    links = nx.Graph()
    links.add_nodes_from(range(len(rows)))
    for (n, (pixels, group)), (m, (others, another)) in combinations(enumerate(rows), 2):
        if pixels == others or (group and group == another):
            links.add_edge(n, m)
    parts = list(nx.connected_components(links))
    assert found == tuple(min(part) for n in range(len(rows)) for part in parts if n in part)


@pytest.mark.parametrize("seed", range(3))
def test_images_are_counted_and_not_what_is_different(seed):
    data, firsts = SyntheticDataset(100, 0, (32, 32)), [0] * 60 + list(range(60, 100))
    assert [len(part) for part in split_dataset(data, 0.9, seed, firsts)] == [90, 10]


@given(st.integers(2, 40), st.floats(0.01, 0.99), st.integers(0, 99))
def test_without_images_that_are_alike_the_first_of_the_shuffled_are_taken(count, fraction, seed):
    order = list(range(count))
    random.Random(f"split {seed}").shuffle(order)
    train, _ = split_dataset(SyntheticDataset(count, 0, (32, 32)), fraction, seed)
    assert train.indices == tuple(sorted(order[: min(max(round(count * fraction), 1), count - 1)]))


def test_without_images_that_are_alike_the_split_is_what_it_was():
    data = SyntheticDataset(20, 0, (32, 32))
    assert (
        split_dataset(data, 0.9)[1].indices
        == split_dataset(data, 0.9, firsts=range(20))[1].indices
        == (7, 15)
    )


def test_an_image_that_is_there_twice_is_said_and_stays_on_one_side(place_of, tmp_path):
    images = [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]
    data = write_list(tmp_path / "data", [label_of(0, 1)] * 10, images=images)
    place = place_of(data__source=data, data__classes=2, data__meta_train=0.6)
    said = []
    place.display.say = said.append
    place.data.check_enough_data(place.data.search_split)
    assert any("5 of 10 images have the pixels of an earlier one" in line for line in said)
    assert any("train5.png (train.lst line 6)" in line for line in said)
    train, val = (part.indices for part in place.data.search_split)
    assert not {images[n] for n in train} & {images[n] for n in val}
    assert (len(train), len(val)) == (6, 4)


def test_statistics_are_counted_once(place_of, tmp_path, monkeypatch):
    data = write_list(tmp_path / "data", [label_of(0, 1, 255)] * 4)
    first = place_of(data__source=data, data__classes=2).data.training.statistics
    monkeypatch.setattr(images_module, "image_counts", None)
    second = place_of(data__source=data, data__classes=2).data.training.statistics
    assert np.array_equal(first.values, second.values)
    assert first.firsts == second.firsts == (0, 1, 2, 3)
    assert first.pixels.sum() + first.unlabelled == 4 * 32 * 32


def test_a_run_is_scored_on_its_own_meta_val_where_images_are_there_twice(run, place_of, tmp_path):
    from auxnas.search.loop.run import execute

    images = [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]
    data = write_list(tmp_path / "data", [label_of(0, 1)] * 10, images=images)
    place = place_of(data__source=data, data__classes=2, data__meta_train=0.6)
    execute(place)
    result = run("eval", place.folder, "--learner", "null", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["images"] == len(place.data.search_split.val.indices) == 4


def test_images_to_validate_on_that_are_trained_on_are_warned_of(run, tmp_path):
    write_list(tmp_path / "data", [label_of(0, 1)] * 4)
    data = write_list(tmp_path / "data", [label_of(0, 1)] * 2, "val.lst", images=[7, 2])
    words = ("--data", data, "--classes", 2, *SMALL, "--epochs", 4, "--out", tmp_path / "out")
    result = run("train", "--genotype", "arch0", *words, "--set", "pretrain.epochs=1")
    assert "warning: 1 of 2 images to validate on are trained on too" in spoken(result)
    assert "val1.png (val.lst line 2)" in spoken(result)
    assert "train2.png (train.lst line 3)" in spoken(result)


def test_no_warning_without_images_in_both():
    other = statistics((1, 2, 3))
    other.content[0, 1] = 1
    assert not list(leaked_remark(statistics((1, 2, 3)), other))
    assert list(leaked_remark(statistics((1, 2, 3)), statistics((1, 2, 3))))
