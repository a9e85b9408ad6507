"""Crops of persons on their way into training, and without their margin everywhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxnas.compiler.tasks import find_task
from auxnas.compiler.tasks.pose import COCO17, Joints, context, person_label
from auxnas.search.data.pose.augment import PersonAugment, sampled
from auxnas.search.examples.images import IMAGE, LABEL, ImageExamples, PixelStore
from auxnas.search.storage.store import open_store

SIZE = (40, 32)
MARGIN = context(SIZE)
WHOLE = tuple(side + 2 * MARGIN for side in SIZE)


def made(rng):
    """A crop with its margin, and the label of someone in it."""
    image = rng.integers(1, 256, (*WHOLE, 3), dtype=np.uint8)
    points = rng.uniform(MARGIN + 4, MARGIN + 20, (17, 2))
    return image, person_label(points, rng.integers(0, 3, 17), area=100, head=5)


def augment(**options):
    kwargs = {"scaling": 0.0, "turning": 0.0, "mirror": 0.0} | options
    return PersonAugment(SIZE, skeleton=COCO17, **kwargs)


def test_nothing_moved_is_the_published_crop():
    rng = np.random.default_rng(0)
    image, label = made(rng)
    out, moved = augment()(image, label, rng)
    np.testing.assert_array_equal(out, image[MARGIN:-MARGIN, MARGIN:-MARGIN])
    np.testing.assert_allclose(moved, Joints().cut(label, MARGIN), atol=1e-5)


def test_a_mirror_is_a_mirror():
    rng = np.random.default_rng(1)
    image, label = made(rng)
    out, moved = augment(mirror=1.0)(image, label, rng)
    np.testing.assert_array_equal(
        out[:, 1:], image[MARGIN:-MARGIN, MARGIN + 1 : -MARGIN][:, ::-1]
    )  # the middle is that of places, so it is half a pixel off that of the pixels
    expected = Joints().cut(label, MARGIN)
    known = expected[:-1, 2] > 0
    expected[:-1, 0] = np.where(known, SIZE[1] - expected[:-1, 0], 0)
    np.testing.assert_allclose(moved[:-1], expected[list(COCO17.mirrored)], atol=1e-5)


@given(st.integers(0, 200))
def test_joints_stay_on_their_pixels(seed):
    """A bright spot at a joint is at the joint's new place, its size scaled with the person."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(MARGIN + 13, MARGIN + 19, 2)
    y, x = np.indices(WHOLE)
    spot = 255 * np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / 8)
    image = np.repeat(spot[..., None], 3, 2).astype(np.uint8)
    label = person_label([place] * 17, [2] * 17, area=100, head=5)
    found = augment(scaling=0.3, turning=40.0, mirror=0.5)
    out, moved = found(image, label, rng)
    weights = out[..., 0].astype(float)
    rows, columns = np.indices(SIZE)
    centre = [(each * weights).sum() / weights.sum() for each in (columns, rows)]
    np.testing.assert_allclose(centre, moved[0, :2], atol=0.35)
    scale = moved[-1, 0] / 10
    assert 1 / 1.3 - 1e-6 <= scale <= 1 / 0.7 + 1e-6
    assert moved[-1, 1] == pytest.approx(5 * scale)
    assert weights.sum() == pytest.approx(spot.astype(np.uint8).sum() * scale**2, rel=0.1)


@pytest.mark.parametrize(("turn", "place"), [(30, (15.2397, 56.3857)), (-80, (190.9171, 76.6037))])
def test_the_published_turns(turn, place):
    """Of a crop of 192x256: the vectors that independent code gave."""
    matrix = PersonAugment((256, 192), 0, 0, 0, COCO17).matrix(
        np.zeros((256, 192, 3), np.uint8), 1.137778, turn, False
    )
    found = matrix[:, :2] @ (np.array([100, 50]) - (130, 140)) + (96, 128)
    np.testing.assert_allclose(found, place, atol=1e-3)


def test_outside_is_black():
    matrix = np.array([[1.0, 0, 100], [0, 1, 0]])
    assert not sampled(np.full((8, 8, 3), 9, np.uint8), matrix, (8, 8)).any()


def test_only_training_sees_the_margin(tmp_path):
    rng = np.random.default_rng(0)
    image, label = made(rng)
    rows = [{IMAGE: image[None], LABEL: label[None]}]
    store = open_store(tmp_path / "store", 1, lambda: rows, {}, print)
    pixels = PixelStore(store.folder, 1, "", MARGIN, Joints())
    inner = pixels.read(IMAGE, [0])
    np.testing.assert_array_equal(inner[0], image[MARGIN:-MARGIN, MARGIN:-MARGIN])
    task = find_task("pose")
    still = ImageExamples(pixels, (0,), augment(), task=task)
    plain, moved = still.batch([0], None), still.batch([0], rng)
    np.testing.assert_array_equal(plain.inputs[IMAGE], moved.inputs[IMAGE])
    np.testing.assert_allclose(plain.labels, moved.labels, atol=1e-4)
    assert plain.labels.shape == (1, 10, 8, 18)
