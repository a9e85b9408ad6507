"""Pictures of answers and the legend, as files."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from auxnas.compiler.files import atomic_write
from auxnas.compiler.tasks import PixelPicture, Scale
from auxnas.genotype.errors import inline

Array = np.ndarray[Any, Any]

_MAKER = "auxnas nasrun"
"""The ``Software`` of every picture that is written here."""
_LINE, _MARGIN, _SWATCH, _GAP, _ROWS = 26, 12, 18, 24, 16
"""Of the legend: height of a line, around it, a colour's side, between columns, in pixels;
and how many lines stand in a column."""
_SHORTEST, _TEXT = 120, 12
"""Pixels: height of a scale at least, and of its text."""


def write_picture(picture: PixelPicture, path: Path) -> None:
    """Writes it as PNG; where it has a palette its pixels are places in that.

    Raises:
        OSError: when it cannot be written.
    """
    pixels = picture.pixels if picture.scale is None else with_scale(picture.pixels, picture.scale)
    image = Image.fromarray(pixels)
    if picture.palette is not None:
        image.putpalette(picture.palette.tobytes())
    _save(image, path)


def with_scale(colours: Array, scale: Scale) -> Array:
    """A picture in colours with its scale to the right: uint8 (H or more, W + n, 3)."""
    height = max(len(colours), _SHORTEST)
    font = ImageFont.load_default(size=_TEXT)
    width = ceil(max(font.getlength(text) for _, text in scale.marks))
    canvas = Image.new("RGB", (2 * _MARGIN + _SWATCH + width, height), (255, 255, 255))
    places = np.arange(height - 2 * _MARGIN) * len(scale.colours) // (height - 2 * _MARGIN)
    bar = np.repeat(scale.colours[places][:, None], _SWATCH, axis=1)
    canvas.paste(Image.fromarray(bar), (_MARGIN // 2, _MARGIN))
    pen = ImageDraw.Draw(canvas)
    for share, text in scale.marks:
        place = (_MARGIN + _SWATCH, _MARGIN + share * (height - 2 * _MARGIN - 1))
        pen.text(place, text, (0, 0, 0), font=font, anchor="lm")
    missing = height - len(colours)
    pixels = np.pad(colours, ((0, missing), (0, 0), (0, 0)), constant_values=255)
    return np.concatenate([pixels, np.asarray(canvas)], axis=1)


def write_legend(names: Sequence[str], palette: Array, path: Path) -> None:
    """Writes the classes' colours, indices and names, in columns.

    Raises:
        OSError: when it cannot be written.
    """
    font = ImageFont.load_default(size=16)
    texts = [f"{index}  {inline(name)}" for index, name in enumerate(names)]
    width = 2 * _SWATCH + ceil(max(font.getlength(text) for text in texts)) + _GAP
    columns = ceil(len(texts) / _ROWS)
    rows = ceil(len(texts) / columns)
    size = (columns * width - _GAP + 2 * _MARGIN, rows * _LINE + 2 * _MARGIN)
    canvas = Image.new("RGB", size, (255, 255, 255))
    pen = ImageDraw.Draw(canvas)
    for index, text in enumerate(texts):
        x, y = _MARGIN + index // rows * width, _MARGIN + index % rows * _LINE
        box = (x, y + 4, x + _SWATCH, y + 4 + _SWATCH)
        pen.rectangle(box, tuple(int(part) for part in palette[index]), (90, 90, 90))
        pen.text((x + 3 * _SWATCH // 2, y + _LINE // 2), text, (0, 0, 0), font=font, anchor="lm")
    _save(canvas, path)


def _save(picture: Any, path: Path) -> None:
    about = PngInfo()
    about.add_text("Software", _MAKER)
    with atomic_write(path) as temporary:
        picture.save(temporary, format="PNG", pnginfo=about)


def written_here(path: Path) -> bool:
    """Whether a file is a picture of ours, which a later one may replace.

    Raises:
        OSError: when it cannot be read.
    """
    with path.open("rb") as file:
        return f"tEXtSoftware\0{_MAKER}".encode() in file.read(1024)
