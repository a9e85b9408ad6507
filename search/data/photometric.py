"""Photometric augmentation: random changes of an image's colours and sharpness."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray

from auxnas.backends.images.degrading import blur, compress
from auxnas.search.data.base import Bytes
from auxnas.search.data.errors import DataError

Matrix = NDArray[np.float32]

_GREY = (0.299, 0.587, 0.114)
"""Luma of red, green and blue (ITU-R BT.601)."""
_YIQ = np.array([_GREY, (0.596, -0.274, -0.322), (0.211, -0.523, 0.312)])
"""Luma, and the plane of colours in which a rotation changes the hue (NTSC)."""


@dataclass(frozen=True)
class Photometric:
    """Changes colours and sharpness at random; where a strength is 0, nothing of its kind.

    With u even in -1 to 1, another one for each change, v even in 0 to 1, x a pixel's red, green
    and blue, and grey(x) its luma three times:

    * brightness: x is multiplied by 1 + ``brightness`` u;
    * contrast: its distance from the image's mean grey by 1 + ``contrast`` u;
    * saturation: its distance from grey(x) by 1 + ``saturation`` u;
    * hue: it is turned about the axis of greys, in the plane of NTSC's I and Q, by ``hue`` u turns;
    * blur: Gaussian, with a deviation of ``blur`` v pixels;
    * JPEG: written and read at the quality 100 (1 - ``jpeg`` v), 5 at least.

    The first four are linear, so that one product with a 3x3 matrix does them all, and colours
    are cut to 0 to 255 once.

    Attributes:
        brightness: 0 to 1, like ``contrast``, ``saturation`` and ``jpeg``.
        contrast: spread of the factor.
        saturation: spread of the factor.
        hue: turns, 0 to 0.5.
        blur: largest deviation, pixels.
        jpeg: share of the quality that may be lost.

    Raises:
        DataError: naming the strength that is out of range.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    blur: float = 0.0
    jpeg: float = 0.0

    def __post_init__(self) -> None:
        for name, most in (*((n, 1) for n in _SHARES), ("hue", 0.5), ("blur", 100)):
            if not 0 <= getattr(self, name) <= most:
                found = repr(getattr(self, name))
                raise DataError(f"photometric.{name}", found, f"0 to {most}")

    def __bool__(self) -> bool:
        """Whether anything is changed."""
        return any(astuple(self))

    def __call__(self, image: Bytes, rng: np.random.Generator) -> Bytes:
        """One random version of an image; ``rng`` is asked for six numbers, or for none.

        Args:
            image: uint8 ``(height, width, 3)``.
            rng: where all choices come from.
        """
        if not self:
            return image
        draws = rng.random(6)
        if any((self.brightness, self.contrast, self.saturation, self.hue)):
            image = self._recoloured(image, 2 * draws[:4] - 1)
        if self.blur:
            image = blur(image, self.blur * float(draws[4]))
        return compress(image, 1 - self.jpeg * float(draws[5])) if self.jpeg else image

    def _recoloured(self, image: Bytes, signed: NDArray[np.float64]) -> Bytes:
        """Brightness, contrast, saturation and hue, each by its number in -1 to 1."""
        factors = 1 + signed * (self.brightness, self.contrast, self.saturation, 0)
        mean = factors[0] * (image.reshape(-1, 3).mean(axis=0) @ _GREY)
        grey = np.tile(_GREY, (3, 1))
        saturated = factors[2] * np.eye(3) + (1 - factors[2]) * grey
        matrix = hue_rotation(self.hue * signed[3]) @ saturated * (factors[0] * factors[1])
        shift = (1 - factors[1]) * mean  # greys are where they were after the other two
        found = image.astype(np.float32) @ matrix.T.astype(np.float32) + np.float32(shift)
        changed: Bytes = np.clip(np.rint(found), 0, 255).astype(np.uint8)
        return changed


_SHARES = ("brightness", "contrast", "saturation", "jpeg")


def hue_rotation(turns: float) -> Matrix:
    """(3, 3) on red, green and blue: turns the hue and keeps the luma, and greys as they are."""
    across, along = cos(2 * pi * turns), sin(2 * pi * turns)
    turn = np.array([(1, 0, 0), (0, across, -along), (0, along, across)])
    found: Matrix = np.linalg.solve(_YIQ, turn @ _YIQ)
    return found
