"""A picture of a confusion matrix: what the pixels of each class are taken for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_CELL, _MARGIN, _FONT = 46, 16, 14
_WHITE, _DARK, _RULE = (255, 255, 255), (8, 48, 107), (200, 200, 200)
_LONGEST = 24
"""Characters of a class's name that are shown."""


def shares(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Each row of ``counts`` over its sum; a class without pixels has zeros."""
    total = counts.sum(axis=1, keepdims=True).astype(np.float64)
    found: NDArray[np.float64] = counts / np.maximum(total, 1)
    return found


def draw_confusion(counts: NDArray[Any], classes: Sequence[str], path: Path) -> None:
    """Writes the picture; rows are the truth, columns the guess, in percent of the row.

    Args:
        counts: (classes, classes).
        classes: their names.
        path: a file whose suffix Pillow knows.

    Raises:
        OSError: when it cannot be written.
        ValueError: for a suffix that Pillow does not know.
    """
    font = ImageFont.load_default(size=_FONT)
    names = [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in classes]
    side = max(int(font.getlength(name)) for name in names) + 10
    left, top = 2 * _MARGIN + side, 2 * _MARGIN + _FONT + side
    extent = len(classes) * _CELL
    size = (left + extent + _MARGIN, top + extent + _MARGIN)
    canvas = Image.new("RGB", size, _WHITE)
    pen = ImageDraw.Draw(canvas)
    title = "rows: truth, columns: guess, in % of the row"
    pen.text((_MARGIN, _MARGIN), title, (0, 0, 0), font=font)
    for index, name in enumerate(names):
        middle = index * _CELL + _CELL // 2
        pen.text((left - 8, top + middle), name, (0, 0, 0), font=font, anchor="rm")
        _upright(canvas, name, (left + middle, top - 8), font)
    for (row, column), share in np.ndenumerate(shares(counts)):
        _cell(pen, (left + column * _CELL, top + row * _CELL), float(share), font)
    canvas.save(path)


def _cell(pen: Any, corner: tuple[int, int], share: float, font: Any) -> None:
    """A square, the darker the larger its share, with the share in it."""
    x, y = corner
    tint = tuple(round(w + (d - w) * share) for w, d in zip(_WHITE, _DARK, strict=True))
    pen.rectangle((x, y, x + _CELL, y + _CELL), tint, _RULE)
    if share >= 0.005:
        ink = _WHITE if share > 0.5 else (0, 0, 0)
        middle = (x + _CELL // 2, y + _CELL // 2)
        pen.text(middle, f"{100 * share:.0f}", ink, font=font, anchor="mm")


def _upright(canvas: Any, text: str, foot: tuple[int, int], font: Any) -> None:
    """Text that reads from ``foot``, its middle, upwards."""
    width = int(font.getlength(text)) + 2
    strip = Image.new("RGB", (width, _CELL), _WHITE)
    ImageDraw.Draw(strip).text((0, _CELL // 2), text, (0, 0, 0), font=font, anchor="lm")
    canvas.paste(strip.rotate(90, expand=True), (foot[0] - _CELL // 2, foot[1] - width))
