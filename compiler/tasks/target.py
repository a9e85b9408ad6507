"""The numbers of a target, and how they move with their image."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from auxnas.compiler.errors import CompilerError

if TYPE_CHECKING:
    from auxnas.compiler.tasks.pose.skeletons import Skeleton

Array = np.ndarray[Any, Any]
Coordinates = NDArray[np.float32]
Size = tuple[int, int]

IGNORE = 255
"""Number of a pixel without a class: it counts neither in a loss nor in a score."""


@dataclass(frozen=True)
class TargetFormat:
    """The numbers of a target, and of a dataset's labels, and how they move with their image.

    Labels that are no map of numbers, as the joints of a person, are a subclass's, which says
    how they are resized and moved.

    Attributes:
        dtype: numpy's; ``uint8`` for classes.
        unlabelled: the number of a pixel that counts neither in a loss nor in a score; NaN
            where any number can be one that counts.
        channels: numbers a pixel.
        linear: whether numbers between two pixels' mean something: those of classes do not. An
            augmentation then takes means of neighbours that count; ``resized`` takes the nearest
            pixel's all the same, so that a missing number is never averaged.
        power: of the magnification, which numbers are multiplied by: -1 for distances from the
            camera, which are half as large where everything looks twice as large.
        mirrored: for each channel the one that it becomes in a mirrored image; empty where
            each stays what it is.
        classes: whether the numbers are those of classes; else they are measurements.
        metric: whether they are metres, which files may hold in another unit, and as pictures.
        units: of metric numbers, how many units of the files make a metre; None for what is usual.
        limit: of metric numbers, metres from which on they do not count.

    Raises:
        CompilerError: where ``mirrored`` does not name each of several channels once, for
            classes of another type, or units that are none.
    """

    dtype: str
    unlabelled: float
    channels: int = 1
    linear: bool = False
    power: float = 0.0
    mirrored: tuple[int, ...] = ()
    classes: bool = field(default=False, kw_only=True, repr=False)
    metric: bool = field(default=False, kw_only=True, repr=False)
    units: float | None = field(default=None, kw_only=True, repr=False)
    limit: float = field(default=inf, kw_only=True, repr=False)

    is_map: ClassVar[bool] = True
    """Whether labels are arrays of an image's size, which files of pixels can hold."""
    element: ClassVar[str] = "pixel"
    """Part of a label that counts or does not, in a word."""

    def __post_init__(self) -> None:
        channels = range(self.channels)
        if self.mirrored and (len(channels) < 2 or sorted(self.mirrored) != list(channels)):
            expected = f"() or each of several channels once (there are {self.channels})"
            raise CompilerError("mirrored", repr(self.mirrored), expected)
        if self.units is not None and not 0 < self.units < inf:
            raise CompilerError("units a metre", f"{self.units:g}", "a number, more than 0")
        if self.classes and self.dtype != "uint8":
            raise CompilerError("dtype", repr(self.dtype), "'uint8', of classes")

    @property
    def skeleton(self) -> Skeleton | None:
        """The joints that labels are the places of, where they are and all have the same."""
        return None

    @property
    def described(self) -> str:
        """The numbers in words."""
        if self.same_numbers(CLASSES):
            return "classes"
        kind = "classes of " * self.classes
        return (
            f"{kind}{self.dtype}, {self.channels} a pixel, {self.unlabelled:g} where there is none"
        )

    def same_numbers(self, other: TargetFormat) -> bool:
        """Whether labels of both hold the same, however they move with their image.

        Labels that are no map say it of maps too.
        """
        if type(other).same_numbers is not TargetFormat.same_numbers:
            return other.same_numbers(self)
        found, wanted = (
            (each.classes, each.dtype, each.channels, str(float(each.unlabelled)))
            for each in (self, other)
        )
        return found == wanted

    def fault(self, label: Array, size: Size) -> str | None:
        """The reason that an array is not the label of an image of ``size``; None where it is."""
        if label.dtype != self.dtype:
            return f"label of type {label.dtype}, expected {self.dtype}"
        shape = size if self.channels == 1 else (*size, self.channels)
        if label.shape != shape:
            found, wanted = ("x".join(map(str, each)) for each in (label.shape, shape))
            return f"label of {found} pixels (height x width), expected {wanted} as its image"
        wrong = label[~np.isfinite(label) & self.known(label)]
        return f"label has {wrong[0]}, expected finite numbers" if wrong.size else None

    def known(self, target: Array) -> NDArray[np.bool_]:
        """Mask of the numbers that count."""
        found: NDArray[np.bool_] = (
            ~np.isnan(target) if np.isnan(self.unlabelled) else target != self.unlabelled
        )
        return found

    def values(self, label: Array) -> Array:
        """The numbers of a label that count, in a row."""
        found: Array = label[self.known(label)]
        return found

    def counted(self, label: Array) -> NDArray[np.uint8]:
        """The classes of its numbers; of measurements 0 for one that counts, else 255."""
        if self.classes:
            return label
        return np.where(self.known(label), 0, IGNORE).astype(np.uint8)

    def resized(self, label: Array, size: Size) -> Array:
        """A label at (height, width): each pixel takes the nearest one's numbers."""
        if label.shape[:2] == tuple(size):
            return label
        rows, columns = map(_steps, label.shape, size)
        found: Array = label[rows[:, None], columns]
        return found

    def filled(self, label: Array, size: Size) -> Array:
        """A label in the upper left corner of (height, width), with nothing around it."""
        found = np.full((*size, *label.shape[2:]), self.unlabelled, label.dtype)
        found[: label.shape[0], : label.shape[1]] = label
        return found

    def cut(self, labels: Array, margin: int) -> Array:
        """Labels, an axis in front, of images without ``margin`` pixels on every side."""
        inner = slice(margin, -margin or None)
        return labels[:, inner, inner]

    def moved(self, target: Array, rows: Coordinates, columns: Coordinates, scale: float) -> Array:
        """A target as an image has it that is scaled, cropped or mirrored.

        Args:
            target: (H, W) or (H, W, channels).
            rows: as for ``sample``.
            columns: likewise; falling in a mirrored image.
            scale: the magnification.
        """
        found = self.sample(target, rows, columns)
        if self.power:
            scaled = (found * scale**self.power).astype(self.dtype)
            found = np.where(self.known(found), scaled, found)
        swaps = self.mirrored and len(columns) > 1 and columns[0] > columns[-1]
        return found[..., list(self.mirrored)] if swaps else found

    def sample(self, target: Array, rows: Coordinates, columns: Coordinates) -> Array:
        """A target's numbers at other places.

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


CLASSES = TargetFormat("uint8", IGNORE, classes=True)
"""One class a pixel."""


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


def _steps(length: int, wanted: int) -> NDArray[np.intp]:
    """The nearest of ``length`` pixels for each of ``wanted``.

    Step by step, as Pillow adds them up: where a centre lies between two pixels, rounding decides.
    """
    step = length / wanted
    places = np.cumsum([step / 2, *[step] * (wanted - 1)])
    return np.minimum(places.astype(np.intp), length - 1)
