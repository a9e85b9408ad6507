"""The numbers of a target, and how they move with their image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = np.ndarray[Any, Any]
Coordinates = NDArray[np.float32]


@dataclass(frozen=True)
class TargetFormat:
    """The numbers of a target.

    Attributes:
        dtype: ``uint8`` for classes, ``float32`` for measurements.
        unlabelled: the number of a pixel that counts neither in a loss nor in a score; NaN
            where any number can be one that counts.
        channels: numbers a pixel.
        linear: whether numbers between two pixels' mean something: those of classes do not.
    """

    dtype: str
    unlabelled: float
    channels: int = 1
    linear: bool = False

    def known(self, target: Array) -> NDArray[np.bool_]:
        """Mask of the numbers that count."""
        found: NDArray[np.bool_] = (
            ~np.isnan(target) if np.isnan(self.unlabelled) else target != self.unlabelled
        )
        return found

    def sample(self, target: Array, rows: Coordinates, columns: Coordinates) -> Array:
        """One target at other places, as an image that is scaled, cropped or mirrored has it.

        Nearest numbers, or means of neighbours that count where the target is linear; a
        place is labelled where its nearest pixel is.

        Args:
            target: (H, W) or (H, W, channels).
            rows: where each row comes from, in pixels of the target; the first one's centre is 0.
            columns: likewise.
        """
        height, width = target.shape[:2]
        nearest = target[_nearest(rows, height)[:, None], _nearest(columns, width)]
        result: Array = self._blended(target, rows, columns, nearest) if self.linear else nearest
        result[~inside(rows, height)] = self.unlabelled
        result[:, ~inside(columns, width)] = self.unlabelled
        return result

    def _blended(
        self, target: Array, rows: Coordinates, columns: Coordinates, nearest: Array
    ) -> Array:
        known = self.known(target)
        values, weights = (
            blend(blend(each.astype(np.float32), rows, 0), columns, 1)
            for each in (np.where(known, target, 0), known)
        )
        means = np.divide(values, weights, out=np.zeros_like(values), where=weights > 0)
        return np.where(self.known(nearest), means, self.unlabelled).astype(self.dtype)


def inside(places: Coordinates, length: int) -> NDArray[np.bool_]:
    """Mask of the places within ``length`` pixels, borders included."""
    return (places >= -0.5) & (places < length - 0.5)


def blend(pixels: NDArray[np.float32], places: Coordinates, axis: int) -> NDArray[np.float32]:
    """Linear interpolation along one axis, the border repeated outside."""
    last = pixels.shape[axis] - 1
    clipped = np.clip(places, 0, last)
    low = clipped.astype(np.intp)
    shape = [1] * pixels.ndim
    shape[axis] = -1
    weight = (clipped - low).reshape(shape)
    first, second = pixels.take(low, axis), pixels.take(np.minimum(low + 1, last), axis)
    result: NDArray[np.float32] = first + weight * (second - first)
    return result


def _nearest(places: Coordinates, length: int) -> NDArray[np.intp]:
    found: NDArray[np.intp] = np.clip(np.floor(places + 0.5), 0, length - 1).astype(np.intp)
    return found
