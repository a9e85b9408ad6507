"""Shapes that are drawn as Pillow draws them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw


def pen_mask(
    kind: str, points: Sequence[tuple[float, float]], size: tuple[int, int], width: int = 0
) -> NDArray[np.bool_]:
    """Pixels of a shape, its border included: (height, width).

    Args:
        kind: ``polygon``, ``rectangle``, ``ellipse`` (of two corners) or ``line``.
        points: (x, y) of it; pixel 0 has its centre at 0.
        size: (height, width).
        width: of a line.
    """
    canvas = Image.new("L", size[::-1])
    pen = ImageDraw.Draw(canvas)
    if kind == "line":
        pen.line(points, fill=1, width=width)
    else:
        getattr(pen, kind)(points, fill=1, outline=1)
    return np.asarray(canvas).astype(bool)
