"""The reader of depth maps: pictures of 8 or 16 bits, TIFF and ``.npy`` of real numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxnas.backends.images.arrays import map_array
from auxnas.backends.images.opening import open_picture, orientation, turn_upright
from auxnas.search.data.errors import DataError

Array = np.ndarray[Any, Any]
Metres = NDArray[np.float32]

SUFFIXES = (".png", ".pgm", ".tif", ".tiff", ".npy")
"""Of files that hold a depth map."""
MILLIMETRES = 1000.0
"""Units a metre of whole numbers where nothing else is said; real numbers are metres."""
_SCALES = (1000.0, 5000.0, 256.0, 8000.0, 10000.0, 25.5, 1.0)
"""Units a metre that data are known to come in: millimetres, TUM and the paper's authors, KITTI,
SUN RGB-D, YCB, 8 bits up to 10 m, metres."""
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
    likely = min(_SCALES, key=lambda each: abs(np.log(middle * scale / each / _TYPICAL)))
    found = f"the middle depth is {middle:.3g} m at {scale:g} units a metre"
    expected = f"{NEAR:g} to {min(FAR, limit):g} m: perhaps --set data.depth_scale={likely:g}"
    farther = ", or --task depth,max=80 where things are as far as that"
    return found, expected + (farther if limit < middle <= FAR else "")
