"""Annotations of joints in the JSON of COCO: read, checked, and made persons of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from auxnas.compiler.tasks.pose import Skeleton
from auxnas.search.data.errors import DataError
from auxnas.search.data.pose.crops import Region, Size
from auxnas.search.data.pose.persons import Person, checked_skeleton
from auxnas.search.data.pose.texts import entry, number, numbers, read_json, whole

_FORM = "COCO's keypoints: an object of images, annotations and categories"
AREA_SHARE = 0.53
"""Area of a person in that of the box, where the annotations do not say it."""


@dataclass(frozen=True)
class KeypointAnnotations:
    """The content of a file.

    Attributes:
        path: the file.
        skeleton: joints of the category that has any.
        category: its number.
        images: by number.
        rows: all annotations of the category, crowds and those without joints too.
    """

    path: Path
    skeleton: Skeleton
    category: int
    images: Mapping[int, Mapping[str, Any]]
    rows: Sequence[Mapping[str, Any]]

    def place(self, row: Mapping[str, Any]) -> str:
        """Words by which errors name an annotation."""
        return f"{self.path} annotation {row.get('id', '?')}"

    def size(self, image_id: int) -> Size:
        """(height, width) of an image.

        Raises:
            DataError: when that is no size.
        """
        image, place = self.images[image_id], f"{self.path} image {image_id}"
        height, width = (whole(entry(image, side, place), place) for side in ("height", "width"))
        if min(height, width) < 1:
            raise DataError(place, f"{height}x{width} (height x width)", "pixels")
        return height, width


def read_annotations(path: Path) -> KeypointAnnotations:
    """The annotations in a file, its skeleton and the references between them checked.

    Raises:
        DataError: naming what is not as COCO has it.
    """
    known = read_json(path, _FORM)
    parts = (entry(known, key, str(path)) for key in ("images", "annotations", "categories"))
    images, rows, categories = (_objects(part, path) for part in parts)
    category = _with_joints(categories, path)
    skeleton = checked_skeleton(category["keypoints"], str(path))
    by_number = {whole(entry(row, "id", f"{path} images"), f"{path} images"): row for row in images}
    number_of = whole(entry(category, "id", f"{path} categories"), f"{path} categories")
    chosen = [row for row in rows if row.get("category_id", number_of) == number_of]
    found = KeypointAnnotations(path, skeleton, number_of, by_number, chosen)
    for row in chosen:
        image_id = entry(row, "image_id", found.place(row))
        if image_id not in by_number:
            raise DataError(found.place(row), f"image {image_id}", "the number of one in images")
    return found


def _objects(value: object, path: Path) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise DataError(str(path), "a part that is no list of objects", _FORM)
    return value


def _with_joints(categories: list[dict[str, Any]], path: Path) -> dict[str, Any]:
    found = [row for row in categories if row.get("keypoints")]
    if len(found) != 1 or not isinstance(found[0]["keypoints"], list):
        names = f"{len(found)} categories with keypoints"
        raise DataError(str(path), names, "one, whose 'keypoints' are the names of the joints")
    return found[0]


def clean_box(box: Sequence[float], size: Size) -> tuple[float, float, float, float] | None:
    """A true box within its image, as the published training has it: a pixel smaller.

    None for one that nothing is left of.
    """
    (x, y, width, height), (rows, columns) = box, size
    left, top = max(0.0, x), max(0.0, y)
    right = min(columns - 1.0, left + max(0.0, width - 1))
    bottom = min(rows - 1.0, top + max(0.0, height - 1))
    if right - left < 1 or bottom - top < 1:
        return None
    return left, top, right - left, bottom - top


def persons_of(known: KeypointAnnotations, folder: Path) -> Iterator[Person]:
    """The persons that count: no crowd, some area, some joint.

    Args:
        known: the annotations.
        folder: of the images.

    Raises:
        DataError: naming an annotation that is none.
    """
    for row in known.rows:
        place = known.place(row)
        count = 3 * len(known.skeleton)
        joints = numbers(row.get("keypoints", [0] * count), count, f"{place} keypoints")
        box = numbers(entry(row, "bbox", place), 4, f"{place} bbox")
        area = number(row.get("area", AREA_SHARE * box[2] * box[3]), f"{place} area")
        size = known.size(row["image_id"])
        cleaned = clean_box(box, size)
        if row.get("iscrowd") or area <= 0 or not any(joints) or cleaned is None:
            continue
        yield Person(
            folder / str(entry(known.images[row["image_id"]], "file_name", place)),
            f"{known.path.name} annotation {row.get('id', '?')}",
            Region.of_box(cleaned),
            np.array(joints, np.float32).reshape(-1, 3),
            area,
            image_id=row["image_id"],
            size=size,
        )


_CUT = 3
"""Boxes that begin exactly at 1 while none begins before: cut off at a first pixel that is 1."""


def first_pixel_remark(known: KeypointAnnotations) -> str:
    """Remark on places of which it cannot be told whether they count from 0; "" where they do.

    They seem to count from 1 where none is below 1, and some reach over the far borders or boxes
    begin at 1, as those of persons who are cut off do at the first pixel.

    Raises:
        DataError: naming the file and an annotation, where they seem to count from 1.
    """
    lowest, over, cut = np.inf, None, []
    for row in known.rows:
        height, width = known.size(row["image_id"])
        x, y, w, h = row["bbox"]
        joints = np.reshape(row.get("keypoints", []), (-1, 3))
        places = joints[joints[:, 2] > 0, :2]
        lowest = min(lowest, x, y, *places.ravel())
        beyond = x + w > width + 0.5 or y + h > height + 0.5
        if beyond or (places == (width, height)).any():
            over = over or row
        if 1 in (x, y):
            cut.append(row)
    if lowest < 1:
        return ""
    expected = "places that count from 0: subtract 1 from all"
    if over is not None:
        found = "reaches a pixel over the border, and nothing in the file is below 1"
        raise DataError(known.place(over), found, expected)
    if len(cut) >= _CUT:
        found = f"begins at 1, as {len(cut)} boxes do, and nothing in the file is below 1"
        raise DataError(known.place(cut[0]), found, expected)
    return (
        f"{known.path}: nothing lies at a first pixel, so whether places count from 0 or from 1 "
        "cannot be told: they are taken to count from 0"
    )
