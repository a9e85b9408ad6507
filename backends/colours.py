"""Colours that classes are drawn in where nothing else says."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

_GOLDEN = 0.61803398875


def distinct(count: int) -> NDArray[np.uint8]:
    """``count`` colours that are easy to tell apart, uint8 ``(count, 3)``.

    Hues step by the golden ratio, so that any run of classes is spread over the circle;
    brightness and saturation alternate for the sake of long lists.
    """
    rows = []
    for index in range(count):
        hue = (0.58 + index * _GOLDEN) % 1
        value, saturation = ((0.95, 0.65), (0.7, 0.9), (0.85, 0.4))[index % 3]
        rows.append(colorsys.hsv_to_rgb(hue, saturation, value))
    return np.round(np.array(rows).reshape(count, 3) * 255).astype(np.uint8)
