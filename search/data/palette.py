"""Colours to draw classes with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pascal(count: int) -> NDArray[np.uint8]:
    """The PASCAL VOC colours, uint8 ``(count, 3)``.

    Bits 0, 3, 6 of the class become the top bits of red, 1, 4, 7 of green, 2, 5 of blue.
    """
    classes = np.arange(count)
    colours = np.zeros((count, 3), dtype=np.uint8)
    for position in range(8):
        channel, bit = position % 3, 7 - position // 3
        colours[:, channel] |= (((classes >> position) & 1) << bit).astype(np.uint8)
    return colours
