"""Photometric augmentation: what each strength does to an image, and that 0 does nothing."""

import colorsys
import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from auxnas.search.data.errors import DataError
from auxnas.search.data.photometric import Photometric, hue_rotation
from auxnas.search.examples.images import ImageExamples

GREY = np.array((0.299, 0.587, 0.114))
STRONG = Photometric(0.4, 0.4, 0.4, 0.1, 1.5, 0.7)
IMAGE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
MILD = np.random.default_rng(1).integers(90, 160, (24, 32, 3), np.uint8)
"""No factor up to 1.2 brings its colours to 0 or 255."""


class Drawn:
    """A generator that draws what it is told to."""

    def __init__(self, *draws: float) -> None:
        self.draws = np.array(draws)

    def random(self, count: int) -> np.ndarray:
        assert count == len(self.draws)
        return self.draws


def changed(image, u=(0, 0, 0, 0), v=(0, 0), **strengths):
    """``image`` under strengths, with four numbers in -1 to 1 and two in 0 to 1."""
    return Photometric(**strengths)(image, Drawn(*((np.array(u) + 1) / 2), *v))


def test_without_strength_the_image_itself_comes_back_and_nothing_is_drawn():
    rng = np.random.default_rng(3)
    assert Photometric()(IMAGE, rng) is IMAGE
    assert rng.random() == np.random.default_rng(3).random()


def test_the_generator_decides_alone_and_six_numbers_are_drawn_whatever_the_strengths():
    one, other, third = (np.random.default_rng(seed) for seed in (1, 1, 2))
    first = STRONG(IMAGE, one)
    assert first.dtype == np.uint8
    assert first.shape == IMAGE.shape
    assert np.array_equal(first, STRONG(IMAGE, other))
    assert not np.array_equal(first, STRONG(IMAGE, third))
    Photometric(hue=0.1)(IMAGE, third)
    drawn = np.random.default_rng(2)
    drawn.random(12)
    assert third.random() == drawn.random()


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue", "blur", "jpeg"])
def test_every_strength_changes_the_image_by_itself(name):
    alone = replace(Photometric(), **{name: getattr(STRONG, name)})
    assert not np.array_equal(alone(IMAGE, np.random.default_rng(0)), IMAGE)


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1))
def test_brightness_contrast_and_saturation_are_what_one_after_the_other_does(b, c, s):
    found = changed(MILD, (b, c, s, 0), brightness=0.2, contrast=0.2, saturation=0.3)
    pixels = MILD * (1 + 0.2 * b)
    mean = (pixels @ GREY).mean()
    pixels = mean + (pixels - mean) * (1 + 0.2 * c)
    own = (pixels @ GREY)[..., None]
    pixels = own + (pixels - own) * (1 + 0.3 * s)
    assert np.abs(found - pixels).max() < 0.51


@given(st.floats(-0.5, 0.5))
def test_a_turned_hue_keeps_luma_and_greys_and_turns_back(turns):
    turn = hue_rotation(turns)
    assert GREY @ turn == pytest.approx(GREY)
    assert turn @ np.ones(3) == pytest.approx(np.ones(3))
    assert turn @ hue_rotation(-turns) == pytest.approx(np.eye(3))
    assert hue_rotation(turns + 1) == pytest.approx(turn)


def test_a_third_of_a_turn_takes_red_towards_another_primary_colour():
    """HSV's hue moves the same way, for either direction, by about as much."""
    for turns in (1 / 3, -1 / 3):
        colour = np.clip(hue_rotation(turns) @ (0.6, 0.4, 0.4), 0, 1)
        hue = colorsys.rgb_to_hsv(*colour)[0]
        assert min(abs(hue - 1 / 3), abs(hue - 2 / 3)) < 0.1


def test_blur_spreads_a_point_by_its_deviation():
    point = np.zeros((41, 41, 3), np.uint8)
    point[20, 20] = 255
    found = changed(point, v=(0.5, 0), blur=2.0)
    weights = found[..., 0] / found[..., 0].sum()
    places = np.arange(41) - 20
    assert (weights.sum(0) * places**2).sum() == pytest.approx(1, abs=0.35)
    assert found[..., 0].sum() == pytest.approx(255, rel=0.1)


def test_jpeg_is_what_that_quality_keeps():
    found = changed(IMAGE, v=(0, 0.5), jpeg=0.8)
    buffer = io.BytesIO()
    Image.fromarray(IMAGE).save(buffer, "JPEG", quality=60)
    assert np.array_equal(found, np.asarray(Image.open(buffer)))
    assert changed(IMAGE, v=(0, 1), jpeg=1).shape == IMAGE.shape


@pytest.mark.parametrize(("name", "value"), [("hue", 0.6), ("contrast", -0.1), ("jpeg", 1.5)])
def test_a_strength_out_of_range_is_named(name, value):
    with pytest.raises(DataError, match=rf"photometric\.{name}: {value}, expected 0 to "):
        Photometric(**{name: value})


class Moved:
    """An augmentation that draws as ours do and changes nothing."""

    def __call__(self, image, label, rng):
        rng.random(4)
        return image, label


class Pixels:
    """Images and labels in memory."""

    def read(self, name, rows):
        labels = IMAGE[..., 0] % 3
        return np.stack([IMAGE if name == "image" else labels for _ in rows])

    read_whole = read


def test_images_change_where_they_are_trained_on_and_labels_never():
    plain = ImageExamples(Pixels(), (0, 1), Moved())
    strong = replace(plain, photometric=STRONG)

    def batch(examples, seed=5):
        rng = None if seed is None else np.random.default_rng(seed)
        return examples.batch([0, 1], rng)

    before, after = batch(plain), batch(strong)
    assert np.array_equal(after.labels, before.labels)
    assert not np.array_equal(after.inputs["image"], before.inputs["image"])
    first, second = after.inputs["image"]
    assert not np.array_equal(first, second), "each image has numbers of its own"
    scored, known = batch(strong, None), batch(plain, None)
    assert np.array_equal(scored.inputs["image"], known.inputs["image"])
    assert np.array_equal(
        batch(replace(plain, photometric=Photometric())).inputs["image"], before.inputs["image"]
    )
