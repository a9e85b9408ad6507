"""Augmentation of an image on its way into training (paper, section 7.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from auxnas.compiler.encoders import IMAGENET
from auxnas.compiler.tasks import Segmentation, TargetFormat, Task
from auxnas.compiler.tasks.target import blend, inside
from auxnas.search.data.base import Bytes, check_size
from auxnas.search.data.errors import DataError

Floats = NDArray[np.float32]
Array = np.ndarray[Any, Any]


class Augmentation(Protocol):
    """A random version of an image on its way into training, and of its label.

    A task names the place of what makes one: of the task, the size of what comes out, the range
    of magnifications, the probability of a mirror, and the encoder's mean.
    """

    def __call__(self, image: Bytes, label: Array, rng: np.random.Generator) -> tuple[Bytes, Array]:
        """Image and label, the same for both; all choices come from ``rng``."""


@dataclass(frozen=True)
class Augment:
    """Mirrors, scales and crops (or pads) at random, all in one resampling.

    Attributes:
        size: (height, width) of what comes out.
        scale: range of the magnification, drawn evenly.
        mirror: probability of exchanging left and right.
        mean: the encoder's, which fills what lies outside the image.
        target: the numbers of a label, and how they move.

    Raises:
        DataError: when the size or the range makes no sense.
    """

    size: tuple[int, int]
    scale: tuple[float, float] = (0.5, 2.0)
    mirror: float = 0.5
    mean: tuple[float, float, float] = field(default=IMAGENET.mean, repr=False)
    target: TargetFormat = field(default=Segmentation.target, repr=False)

    def __post_init__(self) -> None:
        check_size(self.size)
        low, high = self.scale
        if not 0 < low <= high:
            raise DataError("scale", repr(self.scale), "two positive numbers in order")
        if not 0 <= self.mirror <= 1:
            raise DataError("mirror", repr(self.mirror), "a probability")

    @classmethod
    def of(
        cls,
        task: Task,
        size: tuple[int, int],
        scale: tuple[float, float],
        mirror: float,
        mean: tuple[float, float, float],
    ) -> Augment:
        """The augmentation of a task; ``Task.augmentation`` names another one's place."""
        return cls(size, scale, mirror, mean, task.labels)

    def __call__(self, image: Bytes, label: Array, rng: np.random.Generator) -> tuple[Bytes, Array]:
        """One random version of an image and its label, the same for both.

        Args:
            image: uint8 ``(height, width, 3)``.
            label: its label, ``(height, width, ...)``.
            rng: where all choices come from; four numbers are drawn.

        Returns:
            uint8 ``(*size, 3)``, outside filled with the mean, and a label of ``size``, with
            nothing outside.
        """
        low, high = self.scale
        draws = rng.random(4)
        factor = low + (high - low) * float(draws[0])
        rows = _places(image.shape[0], self.size[0], factor, draws[1])
        columns = _places(image.shape[1], self.size[1], factor, draws[2])
        if draws[3] < self.mirror:
            columns = columns[::-1]
        fill = np.rint(255 * np.array(self.mean)).astype(np.uint8)
        moved = self.target.moved(label, rows, columns, factor)
        return _sample_image(image, rows, columns, fill), moved


def _places(length: int, wanted: int, factor: float, draw: float) -> Floats:
    """Source coordinate of each of ``wanted`` pixels along one axis, in source pixels.

    The source scaled by ``factor`` and the window are laid over each other at random,
    with the smaller one within the larger. Half-pixel centres (align_corners=False).
    """
    slack = length * factor - wanted
    start = slack * draw
    centres = np.arange(wanted, dtype=np.float32) + np.float32(0.5 + start)
    return centres / np.float32(factor) - np.float32(0.5)


def _sample_image(image: Bytes, rows: Floats, columns: Floats, fill: Bytes) -> Bytes:
    """Bilinear samples; the colour ``fill`` outside."""
    wide = blend(image.astype(np.float32), rows, 0)
    result = np.rint(blend(wide, columns, 1)).astype(np.uint8)
    result[~inside(rows, image.shape[0])] = fill
    result[:, ~inside(columns, image.shape[1])] = fill
    return result
