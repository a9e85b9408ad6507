"""Photographs on disk to network inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from auxnas.compiler import CompilerError, Size
from auxnas.compiler.interface import Interface

Array = np.ndarray[Any, Any]

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def read_image(path: str | Path) -> Array:
    """(H, W, 3) uint8 RGB, turned upright as a camera's EXIF data say.

    Raises:
        CompilerError: when the file is no image, or one too large to be meant.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except FileNotFoundError:
        raise CompilerError(str(path), "no such file", "an image") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise CompilerError(str(path), f"unreadable ({error})", "an image") from None


def read_label(path: str | Path) -> Array:
    """(H, W) uint8 class ids of a palette or grey image, 255 where not labelled.

    Raises:
        CompilerError: when the file is no such image.
    """
    try:
        with Image.open(path) as image:
            mode, found = image.mode, np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise CompilerError(str(path), f"unreadable ({error})", "a label image") from None
    if mode not in ("L", "P"):
        raise CompilerError(str(path), f"mode {mode}", "8-bit class ids: mode L or P")
    return found


def find_images(folder: str | Path, most: int | None = None) -> list[Path]:
    """The image files below ``folder`` in order of name, at most ``most`` spread over them.

    Raises:
        CompilerError: when there are none, or no folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "not a directory" if folder.exists() else "no such directory"
        raise CompilerError(str(folder), what, "a directory of images")
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not found:
        raise CompilerError(str(folder), "no image files", f"some of {', '.join(SUFFIXES)}")
    if most is None or len(found) <= most:
        return found
    return [found[index * len(found) // most] for index in range(most)]


def resized(image: Array, size: Size) -> Array:
    """``image`` bilinearly resized to (height, width), antialiased."""
    if image.shape[:2] == size:
        return image
    picture = Image.fromarray(image)
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def fed(image: Array, size: Size, interface: Interface) -> dict[str, Array]:
    """The input ``image`` of a network with these ends, one image of ``size``."""
    pixels = resized(image, size)[None]
    if interface.format == "nhwc-uint8":
        return {"image": pixels}
    mean, deviation = (np.array(v, np.float32) for v in (interface.mean, interface.deviation))
    values = (pixels.astype(np.float32) / 255 - mean) / deviation
    return {"image": np.ascontiguousarray(values.transpose(0, 3, 1, 2), np.float32)}


def batches(
    images: Sequence[Array], count: int, size: Size, interface: Interface
) -> Iterator[dict[str, Array]]:
    """The inputs of ``count`` images at a time; the first ones fill up the last batch."""
    for start in range(0, len(images), count):
        some = (images[index % len(images)] for index in range(start, start + count))
        yield {"image": np.concatenate([fed(each, size, interface)["image"] for each in some])}
