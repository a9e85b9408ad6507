"""Opening of image files: sizes are checked before anything is decoded, failures name the file."""

from __future__ import annotations

import os
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from auxnas.backends.images.errors import DataError
from auxnas.compiler.files import kind_of_text

MOST_PIXELS = 89_478_485
"""Pixels of the largest picture that is decoded: a quarter of a GiB at 3 bytes each."""

FAULTS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""Exceptions that Pillow's parsers raise on damaged files."""

_HEAD = 512
"""Bytes at the beginning of a file that tell its kind."""
_DRAWINGS = ("EPS", "WMF")
"""Formats that are drawn by another program or library rather than decoded."""
_PNG_METADATA = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")
"""Marks of the metadata that a PNG may have behind its pixels, which are decoded to find it."""


@contextmanager
def open_picture(path: Path | bytes, place: str) -> Iterator[Any]:
    """The picture in a file, or in the bytes of one, header read.

    What fails in the block is an error of the file.

    Raises:
        DataError: naming ``place``, when it is missing, no regular file, no picture, too
            large, or damaged.
    """
    if isinstance(path, Path):
        check_regular_file(path, place)
    try:
        # Of a path Pillow maps the file, and mistakes rows for columns in a TIFF that is turned.
        opened = path.open("rb") if isinstance(path, Path) else BytesIO(path)
        with _quiet(), opened as file, Image.open(file) as image:
            _check_header(image, place)
            yield image
    except DataError:
        raise
    except Image.UnidentifiedImageError:
        raise _no_picture(path, place) from None
    except Image.DecompressionBombError:
        raise _too_large(place, "a picture") from None
    except FAULTS as error:
        words = str(error) or type(error).__name__
        raise DataError(place, f"cannot be read ({words})", "an intact image file") from error


def _no_picture(path: Path | bytes, place: str) -> DataError:
    """The error of a file that is no picture, by its first bytes."""
    if isinstance(path, Path):
        with path.open("rb") as file:
            head = file.read(_HEAD)
    else:
        head = path[:_HEAD]
    if head[4:8] == b"ftyp":
        return DataError(place, "a picture as phones keep them (HEIC), or a film", "JPEG or PNG")
    return DataError(place, *(kind_of_text(head) or ("not an image file",)))


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings of Pillow: what matters is checked here, and said in one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def check_regular_file(path: Path, place: str) -> None:
    """Finds what is missing, a broken link, a folder, or a pipe that would be waited for."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(place, _missing(path)) from None
    except OSError as error:
        raise DataError(place, error.strerror or str(error)) from error
    except ValueError as error:
        raise DataError(place, f"no file name ({error})") from error
    if not stat.S_ISREG(mode):
        raise DataError(place, "a folder" if stat.S_ISDIR(mode) else "no regular file", "a file")


def _missing(path: Path) -> str:
    return f"a broken link (to {os.readlink(path)})" if path.is_symlink() else "no such file"


def _check_header(image: Any, place: str) -> None:
    width, height = image.size
    check_pixels(width * height, f"{height}x{width} pixels (height x width)", place)
    if image.format in _DRAWINGS:
        raise DataError(place, f"a drawing ({image.format})", "a picture of pixels")


def check_pixels(pixels: int, found: str, place: str) -> None:
    """Finds more pixels than are read; ``found`` is how an error names them."""
    if pixels > MOST_PIXELS:
        raise _too_large(place, found)


def _too_large(place: str, found: str) -> DataError:
    most = f"at most {MOST_PIXELS / 1e6:.0f} million pixels: make it smaller or cut it up"
    return DataError(place, found, most)


def orientation(image: Any) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or it cannot be made out."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except FAULTS:
        return 1
    return value if type(value) is int and 1 <= value <= 8 else 1


def turn_upright(pixels: NDArray[Any], tag: int) -> NDArray[Any]:
    """Pixels (height, width, ...) as stored, upright as the EXIF orientation says."""
    if tag in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if tag in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if tag in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def raw_mode(image: Any) -> str:
    """Pillow's name of how pixels are stored, of a file's picture that is not decoded yet."""
    tile = getattr(image, "tile", None)
    arguments = tile[0][3] if tile else ""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


@dataclass(frozen=True)
class Header:
    """Facts that decide how the pixels of a file are taken.

    Attributes:
        format: Pillow's name of the format.
        raw_mode: Pillow's name of how pixels are stored.
        orientation: as EXIF has it, 1 to 8.
        size: (height, width) of the pixels as they are stored.
    """

    format: str = ""
    raw_mode: str = ""
    orientation: int = 1
    size: tuple[int, int] = (0, 0)

    @property
    def upright(self) -> tuple[int, int]:
        """(height, width) as it is shown."""
        return self.size if self.orientation < 5 else (self.size[1], self.size[0])


def header(data: bytes) -> Header:
    """The header in the bytes of an image file; an empty one where they cannot be read."""
    try:
        with _quiet(), Image.open(BytesIO(data)) as image:
            stored = raw_mode(image)
            tagged = image.format != "PNG" or any(mark in data for mark in _PNG_METADATA)
            small = image.width * image.height <= MOST_PIXELS
            tag = orientation(image) if tagged and small else 1
            turned = image.format == "TIFF" and tag > 4  # Pillow gives the size as it is shown
            size = image.size if turned else image.size[::-1]
            return Header(image.format or "", stored, tag, size)
    except (*FAULTS, Image.DecompressionBombError):
        return Header()
