"""Splits, subsets, resizing and the training transform."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auxnas.backends.colours import distinct_colours, pascal_colours
from auxnas.backends.images import normalise
from auxnas.compiler.encoders import IMAGENET
from auxnas.search.data import (
    Augment,
    DataError,
    ResizedDataset,
    SyntheticDataset,
    split_dataset,
    stack,
    subset,
)

SMALL = SyntheticDataset(7, seed=3, size=(12, 16))


@given(st.integers(2, 300), st.floats(0.01, 0.99), st.integers(0, 5))
def test_split_is_disjoint_covering_and_repeatable(count: int, fraction: float, seed: int) -> None:
    data = SyntheticDataset(count, size=(4, 4))
    first, second = split_dataset(data, fraction, seed)
    assert sorted(first.indices + second.indices) == list(range(count))
    assert len(first) == min(max(round(count * fraction), 1), count - 1)
    assert split_dataset(data, fraction, seed) == (first, second)


def test_split_depends_on_the_seed_alone() -> None:
    one, other = SyntheticDataset(50, seed=1, size=(4, 4)), SyntheticDataset(50, seed=2)
    assert split_dataset(one, seed=4)[0].indices == split_dataset(other, seed=4)[0].indices
    assert split_dataset(one, seed=4)[0].indices != split_dataset(one, seed=5)[0].indices
    assert split_dataset(one, seed=0)[1].indices == (15, 16, 23, 31, 40)


@pytest.mark.parametrize(("count", "fraction"), [(1, 0.5), (5, 0.0), (5, 1.0), (5, 2.0)])
def test_split_refuses(count: int, fraction: float) -> None:
    with pytest.raises(DataError):
        split_dataset(SyntheticDataset(count), fraction)


def test_subset_shows_the_items_it_names() -> None:
    part = subset(SMALL, [5, 2])
    inner = subset(part, [1])
    assert (len(part), len(inner)) == (2, 1)
    assert np.array_equal(part.image(0), SMALL.image(5))
    assert np.array_equal(inner.label(0), SMALL.label(2))
    assert part.classes == SMALL.classes
    assert part.fingerprint() != subset(SMALL, [2, 5]).fingerprint() != SMALL.fingerprint()
    for wrong in (7, -1):
        with pytest.raises(DataError, match=r"expected 0\.\.6"):
            subset(SMALL, [wrong])


def test_resizing_averages_images_and_picks_labels() -> None:
    small = ResizedDataset(SMALL, (6, 8))
    image = SMALL.image(0).astype(float)
    boxes = image.reshape(6, 2, 8, 2, 3).mean(axis=(1, 3))
    assert np.abs(small.image(0) - boxes).max() < 40
    assert abs(small.image(0).mean() - image.mean()) < 1
    assert set(np.unique(small.label(0))) <= set(np.unique(SMALL.label(0)))
    assert ResizedDataset(SMALL, (12, 16)).image(0) is SMALL.image(0)
    with pytest.raises(DataError, match="size"):
        ResizedDataset(SMALL, (12, 0))


def test_normalise_is_the_formula() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)
    expected = ((images / 255 - IMAGENET.mean) / IMAGENET.deviation).transpose(0, 3, 1, 2)
    result = normalise(images)
    assert result.dtype == np.float32
    assert result.flags.c_contiguous
    np.testing.assert_allclose(result, expected, atol=1e-5)


def coordinates(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """An image whose red and green say where a pixel is, and a label that says so too."""
    rows, columns = np.mgrid[:height, :width]
    image = np.stack((rows * 8, columns * 8, rows * 0 + 50), -1).astype(np.uint8)
    return image, (rows // 4 * 8 + columns // 4).astype(np.uint8)


@settings(deadline=None)
@given(
    st.tuples(st.integers(8, 28), st.integers(8, 28)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(0, 2**32),
)
def test_augment_keeps_image_and_label_together(
    source: tuple[int, int], size: tuple[int, int], seed: int
) -> None:
    image, label = coordinates(*source)
    out, classes = Augment(size)(image, label, np.random.default_rng(seed))
    assert out.shape == (*size, 3)
    assert classes.shape == size
    assert out.dtype == classes.dtype == np.uint8
    inside = classes != 255
    assert np.array_equal(inside, out[..., 2] == 50)
    row, column = out[..., 0] / 8, out[..., 1] / 8
    for place, block in ((row, classes // 8), (column, classes % 8)):
        low, high = block * 4 - 0.6, block * 4 + 3.6
        assert np.all((place >= low) & (place <= high) | ~inside)


def test_augment_follows_its_generator() -> None:
    image, label = SMALL.image(1), SMALL.label(1)
    augment = Augment((10, 10))

    def run(seed: int) -> list[bytes]:
        rng = np.random.default_rng(seed)
        return [part.tobytes() for _ in range(4) for part in augment(image, label, rng)]

    assert run(1) == run(1) != run(2)
    assert len(set(run(1)[::2])) == 4


def test_augment_without_chance_is_the_identity_or_its_mirror() -> None:
    image, label = SMALL.image(1), SMALL.label(1)
    rng = np.random.default_rng(0)
    same = Augment((12, 16), scale=(1, 1), mirror=0)(image, label, rng)
    mirrored = Augment((12, 16), scale=(1, 1), mirror=1)(image, label, rng)
    assert np.array_equal(same[0], image)
    assert np.array_equal(same[1], label)
    assert np.array_equal(mirrored[0], image[:, ::-1])
    assert np.array_equal(mirrored[1], label[:, ::-1])


def test_augment_cuts_anywhere() -> None:
    """The corners of 8x8 windows of 24x24 pixels that say where they are, 0 to 16 each way."""
    rows, columns = np.mgrid[:24, :24].astype(np.uint8)
    augment, rng = Augment((8, 8), scale=(1, 1), mirror=0), np.random.default_rng(0)
    image = np.stack((rows, columns, rows), -1)
    corners = np.array([augment(image, rows, rng)[0][0, 0, :2] for _ in range(300)])
    for found in corners.T:
        assert set(found.tolist()) == set(range(17))
    assert abs(np.corrcoef(corners.T)[0, 1]) < 0.2, "rows and columns are drawn apart"


def test_augment_pads_with_the_mean_and_255() -> None:
    image, label = np.zeros((10, 10, 3), np.uint8), np.zeros((10, 10), np.uint8)
    out, classes = Augment((20, 20), scale=(1, 1))(image, label, np.random.default_rng(0))
    assert (classes == 0).sum() == 100
    assert (classes == 255).sum() == 300
    assert np.all(out[classes == 255] == np.rint(np.array(IMAGENET.mean) * 255))


def test_augment_covers_the_range_of_scales() -> None:
    image, label = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8)
    rng = np.random.default_rng(0)
    augment = Augment((128, 128))
    areas = [(augment(image, label, rng)[1] == 0).sum() for _ in range(200)]
    sides = np.sqrt(areas) / 64
    assert 0.5 <= sides.min() < 0.55
    assert 1.95 < sides.max() <= 2.0


@pytest.mark.parametrize(
    "kwargs",
    [{"size": (0, 4)}, {"size": (4,)}, {"scale": (2, 1)}, {"scale": (0, 1)}, {"mirror": 1.5}],
)
def test_augment_refuses(kwargs: dict[str, object]) -> None:
    with pytest.raises(DataError):
        Augment(**{"size": (4, 4), **kwargs})  # type: ignore[arg-type]


@pytest.mark.parametrize("colours", [distinct_colours, pascal_colours])
def test_palettes_have_no_colour_twice(colours: object) -> None:
    rows = colours(64)  # type: ignore[operator]
    assert rows.shape == (64, 3)
    assert rows.dtype == np.uint8
    assert len({tuple(row) for row in rows.tolist()}) == 64


def test_stack_is_in_order() -> None:
    images, labels = stack(SMALL, [4, 1])
    assert np.array_equal(images[0], SMALL.image(4))
    assert np.array_equal(labels[1], SMALL.label(1))
