"""The reader of depth maps: pictures of 8 or 16 bits, TIFF and ``.npy``, and their units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxnas.backends.images.arrays import map_array
from auxnas.backends.images.errors import DataError
from auxnas.backends.images.opening import open_picture, orientation, turn_upright
from auxnas.compiler.tasks import TargetFormat

Array = np.ndarray[Any, Any]
Metres = NDArray[np.float32]

MAPS = (".png", ".pgm", ".tif", ".tiff", ".npy")
"""Of files that hold a depth map."""
MILLIMETRES = 1000.0
"""Units a metre of whole numbers where nothing else is said; real numbers are metres."""
_UNITS: Mapping[float, str] = MappingProxyType(
    {
        1000.0: "millimetres",
        5000.0: "TUM",
        256.0: "KITTI",
        8000.0: "SUN RGB-D",
        10000.0: "YCB",
        25.5: "8 bits up to 10 m",
        1.0: "metres",
    }
)
"""Units a metre that data are known to come in."""
NEAR, FAR = 0.3, 30.0
"""Metres that the middle depth of any data lies between."""
_TYPICAL = 3.0
_MODES = ("L", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def read_depth(path: Path, place: str, scale: float | None = None) -> Metres:
    """A depth map in metres, (height, width), 0 where there is none.

    Args:
        path: the file.
        place: how an error names it.
        scale: units a metre; None for 1000 of whole numbers and 1 of real ones.

    Raises:
        DataError: when it is missing, damaged, too large or no map of one channel.
    """
    return metres(stored_depth(path, place), scale)


def stored_depth(path: Path, place: str) -> Array:
    """The numbers of a depth map as they are stored, (height, width).

    Raises:
        DataError: as ``read_depth``.
    """
    return _numpy(path, place) if path.suffix.lower() == ".npy" else _picture(path, place)


def metres(stored: Array, scale: float | None) -> Metres:
    """Stored numbers as metres, 0 for what is not finite or not more than 0."""
    values = stored.astype(np.float64) / (scale_of(stored.dtype) if scale is None else scale)
    with np.errstate(invalid="ignore"):
        known = np.isfinite(values) & (values > 0)
    return np.where(known, values, 0).astype(np.float32)


def scale_of(dtype: np.dtype[Any]) -> float:
    """Units a metre where nothing is said."""
    return MILLIMETRES if dtype.kind in "iu" else 1.0


def _picture(path: Path, place: str) -> Array:
    with open_picture(path, place) as image:
        if image.mode not in _MODES:
            found = f"a picture of mode {image.mode}"
            raise DataError(place, found, "one number a pixel: 16-bit grey, or a TIFF of floats")
        image.load()
        return turn_upright(np.array(image), orientation(image))


def _numpy(path: Path, place: str) -> Array:
    """The numbers of one channel in a file of numpy's own."""
    mapped = map_array(path, place)
    shape = mapped.shape
    if len(shape) == 3 and 1 in (shape[0], shape[-1]):
        shape = shape[:-1] if shape[-1] == 1 else shape[1:]
    if len(shape) != 2 or mapped.dtype.kind not in "iuf" or not mapped.size:
        found = f"an array of shape {mapped.shape} and type {mapped.dtype}"
        raise DataError(place, found, "numbers of shape (height, width)")
    return np.array(mapped).reshape(shape)


def middles_of(depths: Iterable[Metres]) -> list[float]:
    """The median of each depth map that has any depth, in metres."""
    known = (depth[depth > 0] for depth in depths)
    return [float(np.median(depth)) for depth in known if depth.size]


def unit_error(middles: Sequence[float], first: Path, numbers: TargetFormat) -> DataError | None:
    """The error of depth maps that are likely in another unit; None where all is well.

    Args:
        middles: the median of the valid depths of each image that has one, in metres.
        first: the file of the first one.
        numbers: how they were read.
    """
    scale = numbers.units or scale_of(stored_depth(first, str(first)).dtype)
    fault = unit_fault(middles, scale, numbers.limit)
    return None if fault is None else DataError(str(first), *fault)


def unit_remark(depths: Iterable[Metres], first: Path, numbers: TargetFormat) -> str:
    """Remark on depth maps of whole numbers that may be in another unit; else "".

    Args:
        depths: in metres.
        first: likewise.
        numbers: likewise.
    """
    kind = stored_depth(first, str(first)).dtype
    scale = numbers.units or scale_of(kind)
    return other_units(middles_of(depths), scale) if kind.kind in "iu" else ""


def unit_fault(
    middles: Sequence[float], scale: float, limit: float = np.inf
) -> tuple[str, str] | None:
    """Fault and likely remedy of a wrong unit; None where all is well.

    Args:
        middles: the median of the valid depths of each image that has one, in metres.
        scale: units a metre that they were read with.
        limit: metres from which on depth does not count.
    """
    if not len(middles):
        return None
    middle = float(np.median(middles))
    if NEAR <= middle <= min(FAR, limit):
        return None
    likely = _plausible(middle * scale, scale)
    units = " or ".join(f"{each:g} ({depth:.3g} m, {_UNITS[each]})" for each, depth in likely)
    found = f"the middle depth is {middle:.3g} m at {scale:g} units a metre"
    expected = f"{NEAR:g} to {min(FAR, limit):g} m"
    advice = f"perhaps --depth-scale {units}" if units else "--depth-scale N"
    farther = ", or --task depth,max=80 where things are as far as that"
    return found, f"{expected}: {advice}{farther if limit < middle <= FAR else ''}"


def other_units(middles: Sequence[float], scale: float) -> str:
    """Middle depth, and what it is in other units that are plausible; "" without any.

    Args:
        middles: as of ``unit_fault``.
        scale: likewise.
    """
    middle = float(np.median(middles)) if len(middles) else 0.0
    other = _plausible(middle * scale, scale)
    if not other:
        return ""
    words = "; ".join(f"{depth:.3g} m at {units:g}, {_UNITS[units]}" for units, depth in other)
    return f"the middle depth is {middle:.3g} m at {scale:g} units a metre ({words})"


def _plausible(stored: float, scale: float) -> list[tuple[float, float]]:
    """Units other than ``scale`` that a stored middle depth may be in, and its metres then.

    The most typical first.
    """
    found = [(units, stored / units) for units in _UNITS if units != scale]
    sound = [each for each in found if NEAR <= each[1] <= FAR]
    return sorted(sound, key=lambda each: abs(np.log(each[1] / _TYPICAL)))
