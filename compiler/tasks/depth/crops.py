"""Parts of an image that depth is scored in, as published evaluations cut them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_ROUNDING = 1e-6
"""Of a pixel: what floating-point numbers lose of a whole one."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of an image, as shares of its sides.

    Attributes:
        rows: first row, and the first one below.
        columns: likewise.
        about: where it comes from.
    """

    rows: tuple[float, float]
    columns: tuple[float, float]
    about: str

    def of(self, size: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns of an image of (height, width), rounded down."""
        rows, columns = (
            slice(*(int(share * side + _ROUNDING) for share in shares))
            for shares, side in ((self.rows, size[0]), (self.columns, size[1]))
        )
        return rows, columns


def _pixels(top: int, bottom: int, left: int, right: int, about: str) -> Crop:
    """A part given in pixels of 480x640."""
    return Crop((top / 480, bottom / 480), (left / 640, right / 640), about)


_COLUMNS = (0.03594771, 0.96405229)

CROPS: Mapping[str, Crop] = MappingProxyType(
    {
        "none": Crop((0, 1), (0, 1), "the whole image"),
        "authors": _pixels(40, 440, 40, 600, "of the published networks' own test images"),
        "nyu": _pixels(45, 471, 41, 601, "of NYUv2 in BTS and mmsegmentation"),
        "eigen": _pixels(21, 460, 25, 616, "of NYUv2, Eigen et al. 2014"),
        "garg": Crop((0.40810811, 0.99189189), _COLUMNS, "of KITTI, Garg et al. 2016"),
        "eigen-kitti": Crop((0.3324324, 0.91351351), _COLUMNS, "of KITTI, Eigen et al. 2014"),
    }
)
"""By name. Those of NYUv2 are given for 480x640 and cut the same part out of other sizes."""
