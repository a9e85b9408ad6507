"""``cvat:DIR_OR_FILE.xml``: CVAT's own XML, "CVAT for images" 1.1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from auxnas.backends.images.opening import check_pixels
from auxnas.search.data.base import Reader
from auxnas.search.data.documents import number_in, xml_document
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import Pair, check_classes, same_classes
from auxnas.search.data.layouts.pairs import parts_of_names
from auxnas.search.data.lists import parse_colour
from auxnas.search.data.outlines.files import DrawnFiles, drawn
from auxnas.search.data.outlines.shapes import (
    Drawing,
    Ellipse,
    Mark,
    Outline,
    Polygon,
    RunMask,
    Size,
    Vertices,
    vertices,
)

FILE = "annotations.xml"
BACKGROUND = "background"
_AREAS = ("polygon", "box", "ellipse", "mask")


def open_cvat(where: str, classes: int | None, part: str) -> DrawnFiles:
    """The images of a part: a subset of CVAT's; without one for training all images.

    The classes are the background and CVAT's labels in their order. What has no area, as lines and
    points, is passed over.

    Args:
        where: a folder with ``annotations.xml`` and ``images/``, or such a file.
        classes: how many; None for as many as there are.
        part: ``train`` or ``val``.

    Raises:
        DataError: when the file is missing, damaged, or no such XML.
    """
    name, path = f"cvat:{where}", _file(where)
    root = xml_document(path)
    images = _parts(root)
    if part not in images:
        raise DataError(name, f"no {part} part", "images of a subset Validation")
    labels = _labels(root, path)
    names = tuple(labels)
    same_classes(names, classes, str(path))
    check_classes(len(names), str(path))
    rows = images[part]
    pairs, drawings = drawn(
        (Pair(_image(path.parent, each), path, _title(each)), partial(_drawing, each, names, path))
        for each in rows
    )
    return DrawnFiles(
        name,
        names,
        pairs,
        path.parent,
        tuple(labels.values()) if all(labels.values()) else (),
        remark=_remark(path, rows),
        manner="cvat",
        drawings=drawings,
    )


def cvat_parts(where: str) -> tuple[str, ...]:
    """The parts that there are.

    Raises:
        DataError: as ``open_cvat``.
    """
    return tuple(_parts(xml_document(_file(where))))


def _file(where: str) -> Path:
    path = Path(where)
    return path / FILE if path.is_dir() else path


def _parts(root: Element) -> dict[str, list[Element]]:
    """The images of each part."""
    images: dict[str, list[Element]] = {}
    for each in root.findall("image"):
        images.setdefault(each.get("subset", ""), []).append(each)
    found = parts_of_names(images)
    return found if "train" in found else {"train": root.findall("image")}


def _labels(root: Element, path: Path) -> dict[str, tuple[int, ...]]:
    """The labels in their order, the background first, with their colours, () for none."""
    found: dict[str, tuple[int, ...]] = {}
    for label in root.iterfind("meta//labels/label"):
        name, colour = label.findtext("name", ""), label.findtext("color", "")
        if name in found or not name:
            raise DataError(
                str(path), f"label {name!r} twice" if name else "a label without a name"
            )
        found[name] = parse_colour(colour, f"{path}, color of {name}") if colour else ()
    if not found or root.tag != "annotations":
        expected = "annotations with meta and labels: CVAT for images 1.1"
        raise DataError(str(path), f"XML of {root.tag!r} without labels", expected)
    return {BACKGROUND: found.pop(BACKGROUND, (0, 0, 0)), **found}


def _title(image: Element) -> str:
    return f"image {image.get('id', '?')}"


def _image(root: Path, image: Element) -> Path:
    """The file of an image, in one of the folders where CVAT puts them."""
    name, subset = image.get("name", ""), image.get("subset", "")
    places = [root / "images" / name, root / "images" / subset / name, root / name]
    return next((each for each in places if each.is_file()), places[0])


def _drawing(image: Element, names: Sequence[str], path: Path) -> Drawing:
    """The shapes of an image, by their order from below."""
    place = f"{path} {_title(image)}"
    height, width = (int(number_in(image.get(side), side, place)) for side in ("height", "width"))
    if min(height, width) < 1:
        raise DataError(place, f"size {height}x{width}", "height and width in pixels")
    check_pixels(height * width, f"{height}x{width} pixels (height x width)", place)
    rows = [each for each in image if each.tag in _AREAS]
    rows.sort(key=lambda each: number_in(each.get("z_order", "0"), "z_order", place))
    marks = []
    for each in rows:
        label = each.get("label", "")
        if label not in names:
            raise DataError(
                place, f"{each.tag} of label {label[:60]!r}", "one of the labels in meta"
            )
        marks.append(Mark(names.index(label), _shape(each, (height, width), place)))
    return Drawing(tuple(marks), (height, width))


def _shape(row: Element, size: Size, place: str) -> Outline:
    place = f"{place} {row.tag}"

    def value(name: str) -> float:
        return number_in(row.get(name), name, place)

    if row.tag == "polygon":
        texts = row.get("points", "").replace(";", ",").split(",")
        return Polygon(vertices([number_in(each, "point", place) for each in texts], size, place))
    turn = number_in(row.get("rotation", "0"), "rotation", place)
    if row.tag == "box":
        left, top, right, bottom = map(value, ("xtl", "ytl", "xbr", "ybr"))
        corners = [left, top, right, top, right, bottom, left, bottom]
        return Polygon(_turned(vertices(corners, size, place), turn))
    if row.tag == "ellipse":
        middle = vertices([value("cx"), value("cy")], size, place, 1)[0]
        radii = value("rx"), value("ry")
        if min(radii) <= 0:
            raise DataError(place, f"radii {radii[0]:g}, {radii[1]:g}", "more than 0")
        return Ellipse((float(middle[0]), float(middle[1])), radii, turn)
    return _run_mask(row, size, place)


def _run_mask(row: Element, size: Size, place: str) -> RunMask:
    top, left, height, width = (
        int(number_in(row.get(name), name, place)) for name in ("top", "left", "height", "width")
    )
    counts = [number_in(each, "run", place) for each in row.get("rle", "").split(",")]
    runs = np.array(counts).astype(np.int64)
    inside = 0 < height <= size[0] and 0 < width <= size[1]
    if not inside or (runs < 0).any() or int(runs.sum()) != height * width:
        found = f"runs of {int(runs.sum())} pixels for a mask of {height}x{width}"
        raise DataError(place, found, "as many as the mask has, which is within its image")
    return RunMask((top, left), (height, width), runs)


def _turned(points: Vertices, degrees: float) -> Vertices:
    """Points turned clockwise around their middle."""
    turn, middle = np.deg2rad(degrees), points.mean(axis=0)
    (x, y), (cosine, sine) = (points - middle).T, (np.cos(turn), np.sin(turn))
    found: Vertices = np.stack([x * cosine - y * sine, x * sine + y * cosine], axis=1) + middle
    return found


def _remark(path: Path, images: Sequence[Element]) -> str:
    """Words about shapes that are passed over, and images that have none."""
    lines = Counter(e.tag for image in images for e in image if e.tag not in (*_AREAS, "tag"))
    bare = sum(all(each.tag not in _AREAS for each in image) for image in images)
    told = [f"{count} of {tag}, which has no area," for tag, count in sorted(lines.items())]
    words = [f"passed over {' and '.join(told)} in it".replace(", in", " in")] if told else []
    if bare > 0:
        words.append(f"{bare} of {len(images)} images have no shape: they are all background")
    return f"{path}: {'; '.join(words)}" if words else ""


def _is_cvat(where: Path) -> bool:
    if where.is_file():
        return where.suffix == ".xml"
    return (where / FILE).is_file()


CVAT = Reader(open_cvat, cvat_parts, fits=_is_cvat)
"""``cvat:DIR_OR_FILE.xml``."""
