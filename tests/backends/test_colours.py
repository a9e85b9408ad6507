"""Colours of classes: apart for everybody, by a computation of the test's own."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from auxnas.backends.colours import BLACK, cielab, class_colours, distinct_colours, pascal_colours
from auxnas.search.data.scenes.synthetic import SyntheticDataset

BOUND = {12: 20.0, 20: 12.0, 30: 10.0}
"""Least CIE 1976 distance between any two of so many colours, in any kind of sight."""
SIGHTS = {
    "full": np.eye(3),
    "protanopia": [[0.1120, 0.8853, -0.0005], [0.1126, 0.8897, -0.0001], [0.0045, 0.0000, 1.0019]],
    "deuteranopia": [
        [0.2920, 0.7054, -0.0003],
        [0.2934, 0.7089, 0.0000],
        [-0.02098, 0.02559, 1.0019],
    ],
    "tritanopia": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
}
"""Linear RGB to linear RGB: by Vienot, Brettel and Mollon (1999), the last by Machado (2009)."""

SHARE = {"full": 1.0, "protanopia": 0.6, "deuteranopia": 0.6, "tritanopia": 1.0}
"""Of the bound: less where the sight is simulated by another model than the palette's."""


def place(colour, sight):
    """CIE L*a*b* of an sRGB colour as somebody sees it."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in colour / 255]
    r, g, b = np.clip(np.array(SIGHTS[sight]) @ linear, 0, 1)
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
    )
    x, y, z = (t ** (1 / 3) if t > 216 / 24389 else t * 841 / 108 + 4 / 29 for t in xyz)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def least(colours, sight):
    """The distance of the two colours that are most alike."""
    places = [place(colour, sight) for colour in colours]
    return min(np.linalg.norm(a - b) for a, b in combinations(places, 2))


@pytest.mark.parametrize("sight", SIGHTS)
def test_classes_are_apart_in_any_kind_of_sight(sight):
    for count, bound in BOUND.items():
        assert least(distinct_colours(count), sight) >= bound * SHARE[sight], count
    assert least(SyntheticDataset(1).palette, sight) >= 20 * SHARE[sight]


def test_the_measure_finds_a_palette_that_is_not_safe():
    red_and_green = np.array([[200, 80, 60], [120, 120, 50]])
    assert least(red_and_green, "full") > 50
    assert least(red_and_green, "deuteranopia") < 12


def test_the_models_own_measure_is_the_tests():
    seen = cielab(distinct_colours(30))
    for index, sight in ((0, "full"), (3, "tritanopia")):
        other = np.array([place(colour, sight) for colour in distinct_colours(30)])
        assert np.abs(seen[index] - other).max() < 0.5


def test_few_classes_have_the_first_colours_of_many():
    assert len({tuple(colour) for colour in distinct_colours(256).tolist()}) == 256
    assert (distinct_colours(5) == distinct_colours(256)[:5]).all()


def test_background_is_black_and_nothing_else_is():
    found = class_colours(["Void", "road", *BLACK, "sky"])
    assert found[[1, -1]].tolist() == distinct_colours(2).tolist()
    assert not found[[0, *range(2, 2 + len(BLACK))]].any()
    assert class_colours([]).shape == (0, 3)
    assert pascal_colours(2).tolist() == [[0, 0, 0], [128, 0, 0]]
