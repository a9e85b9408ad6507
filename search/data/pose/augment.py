"""Augmentation of a person's crop (Xiao et al. 2018): turns, magnifications and mirrors."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxnas.compiler.tasks.pose import Skeleton
from auxnas.compiler.tasks.pose.joints import HEAD, ROOT_AREA
from auxnas.compiler.tasks.pose.task import HumanPose
from auxnas.search.data.base import Bytes, check_size

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

TURNED = 0.6
"""Probability of a turn at all."""


@dataclass(frozen=True)
class PersonAugment:
    """Turns, scales and mirrors a crop about its middle, all in one resampling.

    A random number N is normal, and clipped: the crop shows 1 + ``scaling`` x N times as much,
    1 - ``scaling`` to 1 + ``scaling``, and is turned by ``turning`` x N, at most twice that.

    Attributes:
        size: (height, width) of what comes out; the crop given has a margin around it.
        scaling: spread of what is shown.
        turning: spread of the turns, degrees.
        mirror: probability of exchanging left and right.
        skeleton: of the labels.
    """

    size: tuple[int, int]
    scaling: float
    turning: float
    mirror: float
    skeleton: Skeleton

    def __post_init__(self) -> None:
        check_size(self.size)

    @classmethod
    def of(
        cls,
        task: HumanPose,
        size: tuple[int, int],
        scale: tuple[float, float],
        mirror: float,
        mean: tuple[float, float, float],
    ) -> PersonAugment:
        """The augmentation that the task's options say; ``scale`` and ``mean`` mean nothing."""
        return cls(size, task.scaling, task.turning, mirror, task.joints)

    def __call__(
        self, image: Bytes, label: Floats, rng: np.random.Generator
    ) -> tuple[Bytes, Floats]:
        """One random version of a crop and its label.

        Args:
            image: uint8 ``(height, width, 3)``, its margin included.
            label: the person's, ``(joints + 1, 3)``.
            rng: where all choices come from; four numbers are drawn.

        Returns:
            uint8 ``(*size, 3)``, black outside, and the label in it.
        """
        (shown, turn), draws = rng.normal(size=2), rng.random(2)
        shown = np.clip(1 + self.scaling * shown, 1 - self.scaling, 1 + self.scaling)
        angle = np.clip(self.turning * turn, -2 * self.turning, 2 * self.turning)
        mirrored = bool(draws[1] < self.mirror)
        matrix = self.matrix(image, 1 / shown, float(angle * (draws[0] < TURNED)), mirrored)
        return sampled(image, matrix, self.size), self._moved(label, matrix, mirrored)

    def matrix(self, image: Bytes, scale: float, angle: float, mirrored: bool) -> Matrix:
        """(2, 3): from places of the image to those of the crop that comes out.

        Args:
            image: the crop with its margin.
            scale: the magnification.
            angle: of the turn, degrees.
            mirrored: whether left and right change places first.
        """
        turn, (height, width) = radians(angle), image.shape[:2]
        linear = scale * np.array([[cos(turn), sin(turn)], [-sin(turn), cos(turn)]])
        linear[:, 0] *= -1 if mirrored else 1
        middle = np.array([self.size[1], self.size[0]]) / 2
        shift = middle - linear @ np.array([width / 2, height / 2])
        return np.column_stack([linear, shift])

    def _moved(self, label: Floats, matrix: Matrix, mirrored: bool) -> Floats:
        found = label.copy()
        known = label[:-1, 2] > 0
        places = label[:-1, :2].astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
        found[:-1, :2] = np.where(known[:, None], places, 0)
        found[-1, [ROOT_AREA, HEAD]] *= np.sqrt(abs(np.linalg.det(matrix[:, :2])))
        if mirrored:
            found[:-1] = found[list(self.skeleton.mirrored)]
        return found


def sampled(image: Bytes, matrix: Matrix, size: tuple[int, int]) -> Bytes:
    """Bilinear samples of an image that a map takes to (height, width), black outside.

    Args:
        image: uint8 (H, W, 3).
        matrix: (2, 3) from places of the image to those of the result, without half pixels.
        size: of the result.
    """
    back = np.linalg.inv(matrix[:, :2])
    rows, columns = np.indices(size, dtype=np.float64)
    columns, rows = columns - matrix[0, 2], rows - matrix[1, 2]
    x = back[0, 0] * columns + back[0, 1] * rows
    y = back[1, 0] * columns + back[1, 1] * rows
    return _bilinear(image, x, y)


def _bilinear(image: Bytes, x: NDArray[Any], y: NDArray[Any]) -> Bytes:
    height, width = image.shape[:2]
    padded = np.zeros((height + 3, width + 3, 3), np.float32)
    padded[1:-2, 1:-2] = image
    x, y = np.clip(x, -1, width) + 1, np.clip(y, -1, height) + 1
    left, top = x.astype(np.intp), y.astype(np.intp)
    across, down = ((at - low).astype(np.float32)[..., None] for at, low in ((x, left), (y, top)))
    flat, first = padded.reshape(-1, 3), top * (width + 3) + left
    upper = flat[first] * (1 - across) + flat[first + 1] * across
    lower = flat[first + width + 3] * (1 - across) + flat[first + width + 4] * across
    found = upper * (1 - down) + lower * down
    pixels: Bytes = (found + np.float32(0.5)).astype(np.uint8)
    return pixels
