"""Outlines of objects, and the label maps that they are drawn into."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from auxnas.backends.images.drawn import pen_mask
from auxnas.search.data.base import Bytes
from auxnas.search.data.errors import DataError

Size = tuple[int, int]
"""(height, width)."""
Mask = NDArray[np.bool_]
Vertices = NDArray[np.float64]
"""(points, 2): x to the right and y down, in pixels."""


class Outline(Protocol):
    """A part of an image."""

    def mask(self, size: Size) -> Mask:
        """Its pixels: (height, width).

        Raises:
            DataError: where its description is damaged.
        """


@dataclass(frozen=True)
class Polygon:
    """Pixels whose centre lies within some points, by the even-odd rule.

    Pixel 0 reaches from 0 to 1, as in COCO, CVAT and YOLO.

    Attributes:
        points: of it.
        relative: whether they are shares of the image's sides.
    """

    points: Vertices
    relative: bool = False

    def mask(self, size: Size) -> Mask:
        """The pixels."""
        height, width = size
        points = self.points * (width, height) if self.relative else self.points
        turns = np.zeros((height, width + 1), np.int64)
        for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
            first, last = (math.ceil(y - 0.5) for y in sorted((y0, y1)))
            rows = np.arange(max(first, 0), min(last, height))
            if rows.size:
                x = x0 + (rows + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
                np.add.at(turns, (rows, np.ceil(x - 0.5).clip(0, width).astype(int)), 1)
        inside: Mask = turns.cumsum(axis=1)[:, :width] % 2 == 1
        return inside

    @property
    def area(self) -> float:
        """Area of it, where it does not cross itself."""
        x, y = self.points.T
        return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


@dataclass(frozen=True)
class Ellipse:
    """Pixels whose centre lies within an ellipse, turned clockwise by ``degrees``."""

    middle: tuple[float, float]
    radii: tuple[float, float]
    degrees: float = 0.0

    def mask(self, size: Size) -> Mask:
        """The pixels."""
        y, x = np.ogrid[: size[0], : size[1]]
        turn = math.radians(self.degrees)
        right, down = x + 0.5 - self.middle[0], y + 0.5 - self.middle[1]
        first = (right * math.cos(turn) + down * math.sin(turn)) / self.radii[0]
        second = (down * math.cos(turn) - right * math.sin(turn)) / self.radii[1]
        inside: Mask = first**2 + second**2 <= 1
        return inside


@dataclass(frozen=True)
class PenShape:
    """Drawing of Pillow's, border included, whose pixel 0 has its centre at 0, as in LabelMe.

    Attributes:
        kind: ``polygon``, ``rectangle``, ``ellipse`` (of two corners) or ``line``.
        points: of it.
        width: of a line.
    """

    kind: str
    points: Vertices
    width: int = 0

    def mask(self, size: Size) -> Mask:
        """The pixels."""
        return pen_mask(self.kind, [(x, y) for x, y in self.points.tolist()], size, self.width)


@dataclass(frozen=True)
class RunMask:
    """A rectangle of pixels as run lengths along its rows, outside and inside by turns.

    Attributes:
        corner: (row, column) of its first pixel.
        size: (height, width) of the rectangle.
        runs: together all of its pixels.
    """

    corner: tuple[int, int]
    size: Size
    runs: NDArray[np.int64]

    def mask(self, size: Size) -> Mask:
        """The pixels."""
        inside = np.repeat(np.arange(len(self.runs)) % 2 == 1, self.runs).reshape(self.size)
        return pasted(inside, self.corner, size)


def pasted(part: Mask, corner: tuple[int, int], size: Size) -> Mask:
    """A mask (height, width) with ``part`` at ``corner`` (row, column), cut at the border."""
    whole = np.zeros(size, bool)
    (top, left), (high, wide) = corner, part.shape
    rows, columns = slice(max(top, 0), top + high), slice(max(left, 0), left + wide)
    inner = whole[rows, columns] if top + high > 0 and left + wide > 0 else whole[:0, :0]
    inner[...] = part[max(-top, 0) :, max(-left, 0) :][: inner.shape[0], : inner.shape[1]]
    return whole


@dataclass(frozen=True)
class Mark:
    """A shape and its class, 255 for one that does not count."""

    label: int
    shape: Outline


@dataclass(frozen=True)
class Drawing:
    """All marks of an image, the last on top.

    Attributes:
        marks: of it.
        size: (height, width) that they are drawn at; None for the image's own.
    """

    marks: tuple[Mark, ...]
    size: Size | None = None


def draw_marks(marks: Iterable[Mark], size: Size, background: int) -> Bytes:
    """Label map (height, width) of marks, the last on top, ``background`` where there is none."""
    label = np.full(size, background, np.uint8)
    for mark in marks:
        label[mark.shape.mask(size)] = mark.label
    return label


def vertices(numbers: Sequence[float], size: Size, place: str, least: int = 3) -> Vertices:
    """Points of x, y, x, y and so on, which lie within an image or as far beside it at most.

    Raises:
        DataError: when they do not, or are too few.
    """
    if len(numbers) % 2 or len(numbers) < 2 * least:
        found = f"{len(numbers)} numbers"
        raise DataError(place, found, f"x and y of {least} points or more")
    points = np.array(numbers, np.float64).reshape(-1, 2)
    sides = np.array(size[::-1])
    if not ((points >= -sides) & (points <= 2 * sides)).all():
        wrong = points[~((points >= -sides) & (points <= 2 * sides)).all(axis=1)][0]
        expected = f"points of an image of {size[0]}x{size[1]} (height x width)"
        raise DataError(place, f"a point at {wrong[0]:g}, {wrong[1]:g}", expected)
    return points
