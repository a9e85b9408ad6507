"""Image files and resizing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from auxnas.search.data.errors import DataError

_INDEX_MODES = ("1", "L", "P")
_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def read_rgb(path: Path, place: str) -> NDArray[np.uint8]:
    """An image file as uint8 RGB ``(height, width, 3)``.

    Args:
        path: any format that pillow reads, 8 bits a channel.
        place: how an error names the file.

    Raises:
        DataError: when it is missing, damaged, or has more than 8 bits a channel.
    """
    image = _load(path, place)
    if image.mode in _DEEP_MODES:
        raise DataError(place, f"pixels of mode {image.mode}", "8 bits a channel")
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return np.array(image.convert("RGB"), dtype=np.uint8)


def read_indices(path: Path, place: str) -> NDArray[np.uint8]:
    """A label file as uint8 ``(height, width)``: grey values, or indices into its palette.

    Raises:
        DataError: when it is missing, damaged, in colour, or in a format that alters values.
    """
    image = _load(path, place)
    if image.format == "JPEG":
        raise DataError(place, "a JPEG, which alters label values", "a lossless format such as PNG")
    if image.mode not in _INDEX_MODES:
        raise DataError(
            place,
            f"a label image of mode {image.mode}",
            "one 8-bit class index a pixel (greyscale or palette): convert colours to indices",
        )
    return np.array(image, dtype=np.uint8)


def _load(path: Path, place: str) -> Any:
    """The decoded image; every way to fail becomes a DataError that names ``place``."""
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except FileNotFoundError:
        raise DataError(place, "no such file") from None
    except Image.UnidentifiedImageError:
        raise DataError(place, "not an image file") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(place, f"cannot be read ({error})", "an intact image file") from error


def resize_rgb(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """``image`` at (height, width): bilinear, averaging where it shrinks."""
    return _resize(image, size, "BILINEAR")


def resize_indices(label: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """``label`` at (height, width): each pixel takes the nearest one's class."""
    return _resize(label, size, "NEAREST")


def _resize(pixels: NDArray[np.uint8], size: tuple[int, int], how: str) -> NDArray[np.uint8]:
    if pixels.shape[:2] == tuple(size):
        return pixels
    height, width = size
    resample = Image.Resampling[how]
    resized = Image.fromarray(pixels).resize((width, height), resample)
    return np.array(resized, dtype=np.uint8)
