"""A format of data of your own: images that numpy makes, discs on noise.

    nassearch run --data python:dataset:Discs:24 --preset demo --out discs

from this folder, or with it on PYTHONPATH.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from auxnas.search.data import DataError

Bytes = NDArray[np.uint8]


class Discs:
    """COUNT images of 96x96, each with a disc brighter than the noise around it."""

    classes = ("noise", "disc")
    palette: Bytes = np.array([[40, 40, 40], [230, 180, 60]], np.uint8)

    def __init__(self, rest: str, classes: int | None, part: str) -> None:
        if not rest.isdecimal() or int(rest) < 1:
            raise DataError("data python:dataset:Discs", repr(rest), "a number of images")
        self.count, self.part = int(rest), part
        self.name = f"discs:{rest}"

    @staticmethod
    def parts(rest: str) -> Sequence[str]:
        """Without this there would be ``train`` alone."""
        return "train", "val"

    def __len__(self) -> int:
        return self.count

    def fingerprint(self) -> str:
        """All that the images and labels depend on."""
        return f"discs 1 {self.count} {self.part}"

    def image(self, index: int) -> Bytes:
        """The image at ``index``: uint8 RGB (height, width, 3)."""
        noise = self._random(index).integers(0, 128, (96, 96, 3))
        return (noise + 100 * self.label(index)[..., None]).astype(np.uint8)

    def label(self, index: int) -> Bytes:
        """The classes of its pixels: uint8 (height, width)."""
        y, x, radius = self._random(index).uniform((24, 24, 12), (72, 72, 24))
        rows, columns = np.mgrid[:96, :96]
        return (np.hypot(rows - y, columns - x) < radius).astype(np.uint8)

    def _random(self, index: int) -> np.random.Generator:
        return np.random.default_rng([self.part == "val", index])
