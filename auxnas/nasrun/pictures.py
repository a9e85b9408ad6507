"""Label maps, coloured overlays and the legend, as files."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from auxnas.compiler.files import atomic_write
from auxnas.genotype.errors import inline

Array = np.ndarray[Any, Any]

_MAKER = "auxnas nasrun"
"""The ``Software`` of every picture that is written here."""
_STRIP = 256
"""Rows that are mixed at once: bounds the memory that large images take."""
_LINE, _MARGIN, _SWATCH, _GAP, _ROWS = 26, 12, 18, 24, 16
"""Of the legend: height of a line, around it, a colour's side, between columns, in pixels;
and how many lines stand in a column."""


def overlay_classes(image: Array, labels: Array, palette: Array, alpha: float) -> Array:
    """The image with every pixel's class colour over it, contours at full strength.

    Args:
        image: (H, W, 3) uint8.
        labels: (H, W) uint8.
        palette: (256, 3) uint8.
        alpha: share of the colour, 0 to 1.
    """
    mixed, edges = np.empty_like(image), contours(labels)
    for start in range(0, len(labels), _STRIP):
        rows = slice(start, start + _STRIP)
        colours = palette[labels[rows]]
        found = np.round((1 - alpha) * image[rows] + alpha * colours.astype(np.float32))
        mixed[rows] = np.where(edges[rows, :, None], colours, found.astype(np.uint8))
    return mixed


def contours(labels: Array) -> Array:
    """(H, W) bool: pixels whose right or lower neighbour is of another class."""
    edges = np.zeros(labels.shape, bool)
    edges[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edges[:-1] |= labels[:-1] != labels[1:]
    return edges


def write_labels(labels: Array, palette: Array, path: Path) -> None:
    """Writes (H, W) uint8 as a palette PNG: the indices are the labels.

    Raises:
        OSError: when it cannot be written.
    """
    picture = Image.fromarray(labels)
    picture.putpalette(palette.tobytes())
    _save(picture, path)


def write_colours(pixels: Array, path: Path) -> None:
    """Writes (H, W, 3) uint8.

    Raises:
        OSError: when it cannot be written.
    """
    _save(Image.fromarray(pixels), path)


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
