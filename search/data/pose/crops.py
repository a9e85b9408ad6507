"""Crops of persons: from a box to an affine map without a turn, and the pixels that it takes.

A map takes a place of the image to ``scale * place + shift`` of the crop; the first pixel's place
is 0 in both, without half pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxnas.compiler.tasks.pose import ABSENT, person_label
from auxnas.search.data.base import Bytes

Points = NDArray[np.float64]
Size = tuple[int, int]

ENLARGED = 1.25
"""Sides of a crop in those of the box, grown to the crop's proportions."""
UNIT = 200.0
"""Pixels that published scales count in."""


@dataclass(frozen=True)
class Region:
    """Part of an image: the box of a person, or what a crop shows.

    Attributes:
        centre: x and y.
        width, height: pixels.
    """

    centre: tuple[float, float]
    width: float
    height: float

    @classmethod
    def of_box(cls, box: Sequence[float]) -> Region:
        """The region of a box: x, y, width and height."""
        x, y, width, height = box
        return cls((x + width * 0.5, y + height * 0.5), width, height)

    def fitted(self, aspect: float) -> Region:
        """What a crop of proportions width / height shows of a box: grown to them, enlarged."""
        width, height = self.width, self.height
        if width > aspect * height:
            height = width / aspect
        else:
            width = height * aspect
        return Region(self.centre, width * ENLARGED, height * ENLARGED)

    @property
    def scale(self) -> tuple[float, float]:
        """Width and height in units of 200 pixels, as published results have them."""
        return self.width / UNIT, self.height / UNIT

    def onto(self, size: Size, margin: int = 0) -> CropMap:
        """The map onto a crop of (height, width), its width filled, with a margin around it."""
        height, width = size
        scale = width / self.width
        x, y = self.centre
        return CropMap(scale, (width * 0.5 - scale * x, height * 0.5 - scale * y), margin)


@dataclass(frozen=True)
class CropMap:
    """A map from an image to a crop.

    Attributes:
        scale: pixels of the crop a pixel of the image.
        shift: x and y of the image's first pixel in the crop without its margin.
        margin: pixels that are shown around the crop on every side.
    """

    scale: float
    shift: tuple[float, float]
    margin: int = 0

    def forward(self, points: Points) -> Points:
        """Places (..., 2) of the image in the crop, its margin included."""
        found: Points = self.scale * points + np.array(self.shift) + self.margin
        return found

    def back(self, points: Points) -> Points:
        """Places (..., 2) of the crop in the image."""
        found: Points = (np.asarray(points, np.float64) - self.margin - self.shift) / self.scale
        return found

    def crop(self, image: Bytes, size: Size) -> Bytes:
        """The pixels of a crop of (height, width) and its margin; bilinear, black outside."""
        (height, width), (x, y) = size, self.shift
        rows, columns = (
            (np.arange(-self.margin, length + self.margin) - start) / self.scale
            for length, start in ((height, y), (width, x))
        )
        found = _taken(_taken(image, rows, 0), columns, 1)
        pixels: Bytes = np.clip(found + np.float32(0.5), 0, 255).astype(np.uint8)
        return pixels

    def label(
        self,
        joints: NDArray[np.float32],
        area: float = 0.0,
        head: float = 0.0,
        score: float = 1.0,
    ) -> NDArray[np.float32]:
        """The label of a person in the crop.

        Args:
            joints: (K, 3) x, y and flag in the image.
            area: pixels of the image that the person covers; 0 where it is not known.
            head: pixels of the image that errors are measured by; likewise.
            score: the box's.
        """
        places = self.forward(joints[:, :2].astype(np.float64))
        places[joints[:, 2] == ABSENT] = 0
        area, head = area * self.scale**2, head * self.scale
        return person_label(places, joints[:, 2], area, head, score)


def _taken(pixels: NDArray[Any], places: NDArray[Any], axis: int) -> NDArray[np.float32]:
    """Linear interpolation along one axis, 0 outside."""
    low = np.floor(places)
    share = (places - low).astype(np.float32)
    length = pixels.shape[axis]
    found: NDArray[np.float32] = np.zeros(1, np.float32)
    for start, weight in ((low, 1 - share), (low + 1, share)):
        weight = np.where((start >= 0) & (start < length), weight, np.float32(0))
        index = np.clip(start, 0, length - 1).astype(np.intp)
        shape = [1] * pixels.ndim
        shape[axis] = -1
        found = found + weight.reshape(shape) * pixels.take(index, axis)
    return found
