"""The reader of ``.npy`` files: a file is mapped, so its size is known before its numbers are."""

from __future__ import annotations

from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from auxnas.backends.images.errors import DataError
from auxnas.backends.images.opening import FAULTS, check_pixels, check_regular_file

_ARCHIVE = b"PK\x03\x04"


def map_array(path: Path, place: str, channels: int = 1) -> np.ndarray[Any, Any]:
    """The array in a file of numpy's own; what its header says is all there, and not too much.

    Args:
        path: the file.
        place: how an error names it.
        channels: most numbers a pixel.

    Raises:
        DataError: naming ``place``, when it is missing, no regular file, an archive of arrays,
            damaged, or too large.
    """
    check_regular_file(path, place)
    try:
        with path.open("rb") as file:
            archive = file.read(len(_ARCHIVE)) == _ARCHIVE
        if archive:
            raise DataError(place, "an archive of arrays (.npz)", "one array (.npy)")
        with np.errstate(over="raise"):
            mapped = np.lib.format.open_memmap(path, mode="r")
    except DataError:
        raise
    except (*FAULTS, TokenError) as error:
        words = str(error) or type(error).__name__
        raise DataError(place, f"cannot be read ({words})", "an intact .npy file") from error
    check_pixels(mapped.size // channels, f"an array of shape {mapped.shape}", place)
    return mapped
