"""The reader of photographs and the reader of label images: one rule each, for every command.

A picture is turned upright as its EXIF tag says, be it a photograph or a label image. Of one with
several frames the first counts. Photographs: grey, palette and colour pictures of 8 bits become
RGB, transparency is left out; 16 bits are scaled to 8 over their full range; 32 bits and floats
are refused, since the file does not say which value is white. Label images: grey values of 1 to 16
bits up to 255, be they stored as equal channels, or indices into a palette, are classes as they are
stored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from auxnas.backends.images.arrays import map_array
from auxnas.backends.images.colours import ColourError, colour_counts
from auxnas.backends.images.depth import read_depth
from auxnas.backends.images.errors import DataError
from auxnas.backends.images.opening import (
    Header,
    header,
    open_picture,
    orientation,
    raw_mode,
    turn_upright,
)
from auxnas.compiler.tasks import TargetFormat

Bytes = NDArray[np.uint8]

_LABEL_MODES = ("1", "L", "P")
_GREY_INSIDE = ("LA", "RGB", "RGBA")
_COLOURED_MODES = ("RGB", "RGBA", "P", "PA")
_LOSSY = ("JPEG", "MPO")
_WIDENED = {"L;2": 85, "L;4": 17}
"""Factors by which Pillow scales grey values of 2 and 4 bits, so that the largest is 255."""
_DEEP_FORMATS = ("PNG", "PPM")
"""Formats whose pixels of 16 bits Pillow gives as mode I, in some versions."""
_WIDE = {"I": "32-bit integers", "F": "floating-point numbers"}
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0


def read_photograph(
    path: str | Path | bytes, place: str | None = None, upright: bool = True
) -> Bytes:
    """A photograph as uint8 RGB ``(height, width, 3)``, upright.

    Args:
        path: any format that Pillow reads, or the bytes of such a file.
        place: how an error names the file; its path by default.
        upright: whether it is turned as EXIF says.

    Raises:
        DataError: when it is missing, damaged, too large, or of more than 16 bits a channel.
    """
    place = place or ("an image" if isinstance(path, bytes) else str(path))
    with open_picture(path if isinstance(path, bytes) else Path(path), place) as image:
        return photograph_of(image, place, upright)


def photograph_of(image: Any, place: str, upright: bool = True) -> Bytes:
    """A photograph of a picture of Pillow's, as ``read_photograph`` gives it.

    Raises:
        DataError: naming ``place``, for one of more than 16 bits a channel.
    """
    stored = raw_mode(image)
    image.load()
    pixels = _rgb(image, stored, place)
    return turn_upright(pixels, orientation(image)) if upright else pixels


def _rgb(image: Any, stored: str, place: str) -> Bytes:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in _DEEP_FORMATS):
        return _from_16_bits(image, stored)
    if image.mode in _WIDE:
        raise DataError(
            place,
            f"pixels are {_WIDE[image.mode]} (mode {image.mode})",
            "8 or 16 bits a channel, as the file does not say which value is white: "
            "scale the values to 0..255 and save them as 8 bits",
        )
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return np.array(image.convert("RGB"), dtype=np.uint8)


def _from_16_bits(image: Any, stored: str) -> Bytes:
    """Grey of 16 bits (12 in some TIFFs) over the full range: of 16 bits a 257th, rounded."""
    full = 4095 if stored == "I;12" else 65535
    grey = (np.asarray(image).astype(np.uint32) * 255 + full // 2) // full
    if image.format == "TIFF" and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 255 - grey
    return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)


def read_label(path: str | Path | bytes, place: str | None = None) -> Bytes:
    """A label image as uint8 ``(height, width)``: the values as stored, 0 and 1 for 1 bit.

    Raises:
        DataError: when it is missing, damaged, too large, in colour, of values above 255, or
            in a format that alters values.
    """
    place = place or ("a label image" if isinstance(path, bytes) else str(path))
    with open_picture(path if isinstance(path, bytes) else Path(path), place) as image:
        return label_of(image, place)


def label_of(image: Any, place: str) -> Bytes:
    """A label image of a picture of Pillow's, as ``read_label`` gives it.

    Raises:
        DataError: naming ``place``, for one in colour, of values above 255, or in a format that
            alters values.
    """
    _check_lossless(image, place)
    return _indices(image, place)


def read_coloured_label(path: str | Path | bytes, place: str, palettes: bool = True) -> Bytes:
    """The colours of a label image in colour or with a palette, uint8 ``(height, width, 3)``.

    Transparency is left out. Of a grey one ``(height, width)``, as ``read_label``.

    Args:
        path: of the file.
        place: how an error names it.
        palettes: whether a palette's colours are read rather than the indices.

    Raises:
        DataError: when it is missing, damaged, too large, of another kind, or in a format that
            alters values.
    """
    with open_picture(path if isinstance(path, bytes) else Path(path), place) as image:
        _check_lossless(image, place)
        if image.mode not in _COLOURED_MODES[: 4 if palettes else 2]:
            return _indices(image, place)
        tag = orientation(image)
        return turn_upright(_colours(image), tag)


def _check_lossless(image: Any, place: str) -> None:
    if image.format in _LOSSY:
        lossless = "a lossless format such as PNG"
        raise DataError(place, "a JPEG, which alters label values", lossless)


def _is_grey(image: Any) -> bool:
    """Whether this is grey stored with transparency, or as colours."""
    if image.mode not in _GREY_INSIDE:
        return False
    colours = np.asarray(image)[..., :-1] if image.mode.endswith("A") else np.asarray(image)
    return bool((colours == colours[..., :1]).all())


def _indices(image: Any, place: str) -> Bytes:
    """The values of a label image that is not decoded yet, upright."""
    deep = image.mode.startswith("I;16") or (image.mode == "I" and image.format in _DEEP_FORMATS)
    if image.mode not in _LABEL_MODES and not deep and not _is_grey(image):
        raise _colour_error(image, place)
    widened = _WIDENED.get(raw_mode(image)[:3], 1)
    image.load()
    found = np.array(image) if image.mode not in _GREY_INSIDE else np.array(image)[..., 0]
    if found.max(initial=0) > 255:
        row, column = np.argwhere(found > 255)[0]
        value = f"label value {found[row, column]} at row {row} column {column}"
        raise DataError(place, value, "class indices of 8 bits")
    return turn_upright(found.astype(np.uint8) // np.uint8(widened), orientation(image))


def _colour_error(image: Any, place: str) -> DataError:
    """The error of a label image that has no indices, with its colours where it has some."""
    said = (
        f"a label image of mode {image.mode}",
        "one class index a pixel (greyscale or palette): convert colours to indices and floats "
        "to 8-bit integers, or list the classes' names in classes.txt and their colours in "
        "palette.txt, beside images and masks",
    )
    if image.mode not in ("RGB", "RGBA"):
        return DataError(place, *said)
    colours = colour_counts(_colours(image))
    return ColourError(place, *said, colours, image.width * image.height)


def _colours(image: Any) -> Bytes:
    """Colours without transparency."""
    return np.array(image.convert("RGBA").convert("RGB"), np.uint8)


def read_numbers(path: str | Path, numbers: TargetFormat, place: str | None = None) -> NDArray[Any]:
    """The label in a file, ``(height, width, ...)``: an image of classes, a depth map, an ``.npy``.

    Raises:
        DataError: when it is missing, damaged, too large, or holds other numbers.
    """
    place = place or str(path)
    if numbers.classes:
        return read_label(path, place)
    path = Path(path)
    if numbers.metric:
        return read_depth(path, place, numbers.units)
    found = map_array(path, place, numbers.channels)
    if found.dtype.kind not in "fiu" or found.ndim < 2:
        expected = f"an array of {numbers.dtype} (height, width, ...)"
        raise DataError(place, f"{found.dtype}", expected)
    return np.array(found, numbers.dtype)


def reading_manner(found: Header, label: bool = False) -> str:
    """Name of the conversion of a file's pixels where they are not taken as stored; else empty.

    Part of the names of what is kept of the pixels: those read in another manner are others.
    """
    words = []
    if found.orientation != 1 and found.format != "TIFF":  # Pillow itself has always turned those
        words.append(f"turned {found.orientation}")
    if label and found.raw_mode[:3] in _WIDENED:
        words.append(found.raw_mode[:3])
    return " ".join(words)


def check_sizes(
    photograph: tuple[Path, Bytes], label: tuple[Path, NDArray[Any]], place: str
) -> None:
    """Compares the sizes of a photograph and of its label image, both upright.

    Args:
        photograph: its file, and its pixels.
        label: its file, and its values.
        place: how an error names the label image.

    Raises:
        DataError: naming both sizes, and the EXIF tag that turns one of the two.
    """
    (image_file, pixels), (label_file, values) = photograph, label
    if pixels.shape[:2] == values.shape[:2]:
        return
    tags = [header(file.read_bytes()).orientation for file in (image_file, label_file)]
    found = f"label of {_size(values)} pixels (height x width){_turn(tags[1])}"
    expected = f"{_size(pixels)} as its image{_turn(tags[0])}"
    if values.shape[:2] == pixels.shape[1::-1] and max(tags) > 4:
        expected += ": turn the label likewise, or save the photograph without the tag"
    raise DataError(place, found, expected)


def _turn(tag: int) -> str:
    return "" if tag == 1 else f", turned by its EXIF tag (orientation {tag})"


def _size(pixels: NDArray[Any]) -> str:
    return f"{pixels.shape[0]}x{pixels.shape[1]}"


def resize_rgb(image: Bytes, size: tuple[int, int]) -> Bytes:
    """``image`` at (height, width): bilinear, averaging where it shrinks."""
    return _resize(image, size, Image.Resampling.BILINEAR)


def resize_indices(label: Bytes, size: tuple[int, int]) -> Bytes:
    """``label`` at (height, width): each pixel takes the nearest one's class."""
    return _resize(label, size, Image.Resampling.NEAREST)


def _resize(pixels: Bytes, size: tuple[int, int], resample: Image.Resampling) -> Bytes:
    if pixels.shape[:2] == tuple(size):
        return pixels
    height, width = size
    return np.array(Image.fromarray(pixels).resize((width, height), resample), dtype=np.uint8)
