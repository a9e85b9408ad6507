"""Pictures in memory, arrays and Pillow's, by the rules of files."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from auxnas.backends.images.errors import DataError
from auxnas.backends.images.reading import label_of, photograph_of

Bytes = NDArray[np.uint8]
_SIDES = "height x width"


def photograph_pixels(found: Any, place: str) -> Bytes:
    """A photograph as uint8 RGB ``(height, width, 3)``.

    Args:
        found: a picture of Pillow's, or an array: grey of uint8 or uint16 ``(height, width)``, or
            uint8 with one, three or four channels last.
        place: how an error names it.

    Raises:
        DataError: for anything else.
    """
    if isinstance(found, Image.Image):
        return photograph_of(found, place)
    array = np.asarray(found)
    array = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
    grey = array.ndim == 2 and array.dtype in (np.uint8, np.uint16)
    colour = array.ndim == 3 and array.dtype == np.uint8 and array.shape[2] in (3, 4)
    if not array.size or not (grey or colour):
        what = f"an image of {array.dtype} {'x'.join(map(str, array.shape))}"
        raise DataError(place, what, f"uint8 of {_SIDES} x 3, or a picture of Pillow's")
    return photograph_of(Image.fromarray(array), place)


def label_values(found: Any, place: str) -> Bytes:
    """A label as uint8 ``(height, width)``.

    Args:
        found: a picture of Pillow's, or an array of whole numbers up to 255.
        place: how an error names it.

    Raises:
        DataError: for anything else.
    """
    if isinstance(found, Image.Image):
        return label_of(found, place)
    array = np.asarray(found)
    if array.dtype.kind not in "iub" or array.ndim != 2 or not array.size:
        what = f"a label of {array.dtype} {'x'.join(map(str, array.shape))}"
        raise DataError(place, what, f"whole numbers of {_SIDES}, or a picture of Pillow's")
    wrong = array[(array < 0) | (array > 255)]
    if wrong.size:
        raise DataError(place, f"label value {wrong[0]}", "class indices of 8 bits")
    return array.astype(np.uint8)
