"""``labelme:DIR``: LabelMe's JSON beside the images."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from auxnas.backends.images import read_photograph
from auxnas.backends.images.opening import check_pixels
from auxnas.compiler.tasks import IGNORE
from auxnas.search.data.base import Bytes, Reader, Unmatched
from auxnas.search.data.documents import json_document, member
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import Pair, check_classes, same_classes
from auxnas.search.data.layouts.classes import UNLABELLED
from auxnas.search.data.layouts.pairs import files_below, folders_of_parts
from auxnas.search.data.lists import read_names
from auxnas.search.data.outlines.files import DrawnFiles, drawn
from auxnas.search.data.outlines.shapes import (
    Drawing,
    Mark,
    Mask,
    Outline,
    PenShape,
    Size,
    pasted,
    vertices,
)

NAMES = "labels.txt"
"""The class names, as LabelMe's own tools take them; else those that occur, sorted."""
BACKGROUND = ("_background_", "background")
Row = tuple[Pair, dict[str, Any]]
_LOOKED_AT, _LARGEST = 8, 1 << 26
"""Files that are looked at to tell the format, and bytes of the largest."""
_LINE, _POINT = 10, 5
"""Width of a line, and radius of a point, that LabelMe's tools draw."""
_CORNERS = {"rectangle": 2, "circle": 2, "line": 2, "mask": 2, "point": 1, "linestrip": 2}
"""Points of each shape at least; polygons have 3."""


@dataclass(frozen=True)
class PngMask:
    """A mask as a PNG in text, its first pixel at (row, column)."""

    text: str
    corner: tuple[int, int]
    place: str

    def mask(self, size: Size) -> Mask:
        """The pixels."""
        found = read_photograph(_bytes(self.text, self.place), self.place)
        return pasted(found[..., 0] > 0, self.corner, size)


@dataclass(frozen=True)
class LabelmeFiles(DrawnFiles):
    """Images that are beside their JSON, or inside."""

    def image(self, index: int) -> Bytes:
        """The image at ``index``, upright: uint8 ``(height, width, 3)``."""
        pair = self.pair(index)
        if pair.image != pair.label:
            return super().image(index)
        place = self.place(index)
        data = member(json_document(pair.label), "imageData", str, place)
        return read_photograph(_bytes(data, place), place)


def open_labelme(where: str, classes: int | None, part: str) -> DrawnFiles:
    """The images of a part; of shapes that overlap the later one is on top.

    Args:
        where: a folder of JSON, or one with folders ``train`` and ``val`` of it.
        classes: how many; None for as many as there are.
        part: ``train`` or ``val``.

    Raises:
        DataError: when there is no such folder, or no file in it that can be read.
    """
    name, folders = f"labelme:{where}", labelme_parts(where)
    if part not in folders:
        raise DataError(name, f"no {part} part", "folders train and val")
    files = {each: _documents(folder) for each, folder in folders.items()}
    names = _names(Path(where) / NAMES, [row for each in files.values() for row in each])
    shown = tuple(each for each in names if each.lower() not in UNLABELLED)
    same_classes(shown, classes, name)
    check_classes(len(shown), name)
    numbers = {each: shown.index(each) if each in shown else IGNORE for each in names}
    background = next((numbers[each] for each in names if each in BACKGROUND), IGNORE)
    pairs, drawings = drawn(
        (pair, partial(_drawing, str(pair.label), found, numbers)) for pair, found in files[part]
    )
    unmatched = Unmatched(tuple(_unlabelled(folders[part], pairs)))
    return LabelmeFiles(
        name,
        shown,
        pairs,
        Path(where),
        remark=unmatched.remark(folders[part]),
        unmatched=unmatched,
        manner="labelme",
        drawings=drawings,
        background=background,
    )


def labelme_parts(where: str) -> dict[str, Path]:
    """The folder of each part.

    Raises:
        DataError: when there is no JSON of LabelMe's.
    """
    root = Path(where)
    parts = {part: each for part, each in folders_of_parts(root).items() if _has_some(each)}
    found = parts if "train" in parts else {"train": root} if _has_some(root) else {}
    if not found:
        raise DataError(f"labelme:{where}", "no JSON with shapes and imagePath", "LabelMe's files")
    return found


def _has_some(folder: Path) -> bool:
    """Whether one of the first few files of JSON is LabelMe's, by its words; none is parsed."""
    return any(map(_is_labelmes, islice(folder.rglob("*.json"), _LOOKED_AT)))


def _is_labelmes(path: Path) -> bool:
    try:
        content = path.read_bytes() if path.stat().st_size < _LARGEST else b""
    except OSError:
        return False
    return all(word in content for word in (b'"shapes"', b'"imagePath"'))


def _documents(folder: Path) -> list[Row]:
    """The files of a folder, without the images in them."""
    return [_document(path) for path in sorted(folder.rglob("*.json"))]


def _document(path: Path) -> Row:
    """A file; one that cannot be read is a fault, and has no shapes."""
    try:
        found = json_document(path)
        member(found, "shapes", list, str(path))
        found["imageData"] = bool(found.get("imageData"))
        return Pair(_image_of(path, found), path, path.name), found
    except DataError as fault:
        return Pair(path, path, path.name, fault), {"shapes": []}


def _unlabelled(folder: Path, pairs: Sequence[Pair]) -> Iterator[Path]:
    """The pictures in a folder that no JSON names, nor has the name of where it names none."""
    used = {pair.image.resolve() for pair in pairs}
    lost = {p.label.stem for p in pairs if p.image == p.label or not p.image.is_file()}
    for path in files_below(folder):
        if path.resolve() not in used and path.stem not in lost:
            yield path


def _names(path: Path, rows: Sequence[Row]) -> tuple[str, ...]:
    """The label names in their order, the background first where nothing else is said.

    Raises:
        DataError: the first fault, where no document can be read.
    """
    if path.is_file():
        return read_names(path)
    faults = [pair.fault for pair, _ in rows if pair.fault is not None]
    if len(faults) == len(rows):
        raise faults[0]
    shapes = (each for _, found in rows for each in found["shapes"])
    labels = (each.get("label") for each in shapes if isinstance(each, dict))
    named = sorted({each for each in labels if isinstance(each, str)})
    own = [each for each in named if each in BACKGROUND] or [BACKGROUND[1]]
    return (*own, *(each for each in named if each not in own))


def _image_of(path: Path, found: Mapping[str, Any]) -> Path:
    """The image's file, written with slashes of any kind; the document that has it inside."""
    name = PureWindowsPath(member(found, "imagePath", str, str(path))).as_posix()
    image = path.parent / name
    return path if found["imageData"] and not image.is_file() else image


def _drawing(place: str, found: Mapping[str, Any], numbers: Mapping[str, int]) -> Drawing:
    """The shapes of a document."""
    height, width = (member(found, f"image{side}", int, place) for side in ("Height", "Width"))
    if min(height, width) < 1:
        raise DataError(place, f"size {height}x{width}", "height and width in pixels")
    check_pixels(height * width, f"{height}x{width} pixels (height x width)", place)
    marks = []
    for n, row in enumerate(found["shapes"]):
        label, where = member(row, "label", str, f"{place} shape {n}"), f"{place} shape {n}"
        if label not in numbers:
            raise DataError(where, f"label {label[:60]!r}", f"one of {NAMES}")
        marks.append(Mark(numbers[label], _shape(row, (height, width), where)))
    return Drawing(tuple(marks), (height, width))


def _shape(row: Mapping[str, Any], size: Size, place: str) -> Outline:
    """A shape as LabelMe draws it."""
    kind = row.get("shape_type") or "polygon"
    flat = [value for point in member(row, "points", list, place) for value in _pair(point, place)]
    points = vertices(flat, size, place, _CORNERS.get(kind, 3))
    if kind in ("polygon", "oriented_rectangle"):
        return PenShape("polygon", points)
    if kind == "rectangle":
        return PenShape("rectangle", np.sort(points[:2], axis=0))
    if kind in ("circle", "point"):
        radius = float(np.hypot(*(points[0] - points[1]))) if kind == "circle" else _POINT
        return PenShape("ellipse", np.array([points[0] - radius, points[0] + radius]))
    if kind in ("line", "linestrip"):
        return PenShape("line", points, _LINE)
    if kind == "mask":
        left, top = np.sort(points[:2], axis=0)[0].astype(int).tolist()
        return PngMask(member(row, "mask", str, place), (top, left), place)
    expected = "polygon, rectangle, oriented_rectangle, circle, line, linestrip, point or mask"
    raise DataError(place, f"shape_type {str(kind)[:40]!r}", expected)


def _pair(point: Any, place: str) -> list[float]:
    if not (isinstance(point, list) and len(point) == 2):
        raise DataError(place, f"a point {str(point)[:40]}", "x and y")
    if not all(type(value) in (int, float) and abs(value) < 1e9 for value in point):
        raise DataError(place, f"a point {str(point)[:40]}", "two numbers")
    return point


def _bytes(text: str, place: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise DataError(place, "damaged base64", "a picture in it") from None


def _is_labelme(where: Path) -> bool:
    return where.is_dir() and (
        _has_some(where) or any(map(_has_some, folders_of_parts(where).values()))
    )


LABELME = Reader(open_labelme, labelme_parts, fits=_is_labelme)
"""``labelme:DIR``."""
