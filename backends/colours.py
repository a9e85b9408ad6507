"""Colours that classes are drawn in.

Classes get colours that stay apart for readers with any of the three colour blindnesses
too, unless a dataset brings its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
_Floats = NDArray[np.float64]

BLACK = ("background", "void", "unlabelled", "unlabeled", "ignore")
"""Names of classes that are drawn black."""

_LEVELS = (0, 36, 73, 109, 146, 182, 219, 255)
"""Of red, green and blue, in the colours to choose from."""
_LIGHTNESS = (28.0, 90.0)
"""CIE L* that a colour has, away from black outlines and white paper."""
_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_SIGHTS = (
    ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
)
"""Linear RGB as seen with full sight, and without long, middle and short cones (Machado,
Oliveira and Fernandes 2009, "A Physiologically-based Model for Simulation of Color Vision
Deficiency", severity 1)."""


def cielab(colours: Bytes) -> _Floats:
    """CIE L*a*b* of sRGB colours ``(n, 3)`` in each kind of sight, ``(4, n, 3)``."""
    part = colours / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(_SIGHTS, float).transpose(0, 2, 1), 0, 1)
    white = np.sum(_XYZ, 1)
    ratio = seen @ np.array(_XYZ).T / white
    root = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


@cache
def _chosen() -> Bytes:
    """256 colours, each the farthest from black, white, and all before it.

    Far is what is far in every kind of sight; where two are equal the first is taken.
    """
    grid = np.array(list(itertools.product(_LEVELS, repeat=3)), np.uint8)
    light = cielab(grid)[0, :, 0]
    grid = grid[(light >= _LIGHTNESS[0]) & (light <= _LIGHTNESS[1])]
    places, fixed = cielab(grid), cielab(np.array([[0, 0, 0], [255, 255, 255]], np.uint8))
    away = np.minimum(*(_distance(places, fixed[:, [n]]) for n in (0, 1)))
    order = []
    for _ in range(256):
        order.append(int(np.argmax(np.round(away, 3))))
        away = np.minimum(away, _distance(places, places[:, [order[-1]]]))
    return grid[order]


def _distance(places: _Floats, one: _Floats) -> Any:
    """The least distance in any sight of each place from one, ``(n,)``."""
    return np.linalg.norm(places - one, axis=-1).min(0)


def distinct_colours(count: int) -> Bytes:
    """``count`` colours that are easy to tell apart, uint8 ``(count, 3)``, at most 256.

    The first ones are the same for any count, and the farthest apart.
    """
    return _chosen()[:count].copy()


def class_colours(classes: Sequence[str]) -> Bytes:
    """Colours of classes by their names: black where a name says so, else distinct ones."""
    black = np.array([name.strip().lower() in BLACK for name in classes], bool)
    colours = np.zeros((len(classes), 3), np.uint8)
    colours[~black] = distinct_colours(int((~black).sum()))
    return colours


def pascal_colours(count: int) -> Bytes:
    """The PASCAL VOC colours, uint8 ``(count, 3)``, as its label files have them.

    Bits 0, 3, 6 of the class become the top bits of red, 1, 4, 7 of green, 2, 5 of blue.
    """
    classes = np.arange(count)
    colours = np.zeros((count, 3), dtype=np.uint8)
    for position in range(8):
        channel, bit = position % 3, 7 - position // 3
        colours[:, channel] |= (((classes >> position) & 1) << bit).astype(np.uint8)
    return colours
