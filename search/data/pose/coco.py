"""``coco-keypoints:WHERE``: persons in the JSON of COCO, its own or of another skeleton."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from auxnas.compiler.tasks.pose import Skeleton
from auxnas.search.data.base import Reader
from auxnas.search.data.errors import DataError
from auxnas.search.data.pose.crops import Region, Size
from auxnas.search.data.pose.persons import Person, PersonFiles, checked_skeleton
from auxnas.search.data.pose.texts import entry, number, numbers, read_json, whole

_FORM = "COCO's keypoints: an object of images, annotations and categories"
_LAYOUT = "annotations/person_keypoints_train2017.json, or such a file itself"
AREA_SHARE = 0.53
"""Area of a person in that of the box, where the annotations do not say it."""
_PARTS = {"train": r"train", "val": r"val|test"}


@dataclass(frozen=True)
class Annotations:
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


def read_annotations(path: Path) -> Annotations:
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
    found = Annotations(path, skeleton, number_of, by_number, chosen)
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


def persons_of(known: Annotations, folder: Path) -> Iterator[Person]:
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


def check_first_pixel(known: Annotations) -> None:
    """Finds places that seem to count from 1: some reach over the far borders, none is below 1.

    Raises:
        DataError: naming the file and an annotation.
    """
    lowest, over = np.inf, None
    for row in known.rows:
        height, width = known.size(row["image_id"])
        x, y, w, h = row["bbox"]
        joints = np.reshape(row.get("keypoints", []), (-1, 3))
        places = joints[joints[:, 2] > 0, :2]
        lowest = min(lowest, x, y, *places.ravel())
        beyond = x + w > width + 0.5 or y + h > height + 0.5
        if beyond or (places == (width, height)).any():
            over = over or row
    if over is not None and lowest >= 1:
        found = "reaches a pixel over the border, and nothing in the file is below 1"
        raise DataError(known.place(over), found, "places that count from 0: subtract 1 from all")


def keypoint_parts(where: str) -> dict[str, Path]:
    """The file of annotations of each part.

    Raises:
        DataError: when there is none, or which one is meant cannot be told.
    """
    root = Path(where)
    if root.is_file():
        return {"train": root}
    if not root.is_dir():
        raise DataError(f"coco-keypoints:{where}", "no such file or folder")
    found = {part: path for part in _PARTS if (path := _file_of(root, part)) is not None}
    if not found:
        raise DataError(f"coco-keypoints:{where}", "no annotations of joints", _LAYOUT)
    return found


def _file_of(root: Path, part: str) -> Path | None:
    """The file of a part: that with ``keypoints`` in its name where there are several."""
    files = [*sorted(root.glob("annotations/*.json")), *sorted(root.glob("*.json"))]
    fitting = [path for path in files if re.search(_PARTS[part], path.stem.lower())]
    named = [path for path in fitting if "keypoints" in path.stem.lower()] or fitting
    if len(named) > 1:
        names = " and ".join(path.name for path in named[:2])
        raise DataError(f"coco-keypoints:{root}", f"{names} for {part}", "one of them, named")
    return named[0] if named else None


def image_folder(known: Annotations) -> Path:
    """The folder of the images: ``images/train2017`` and ``train2017`` are both usual.

    Raises:
        DataError: naming a file that is in none.
    """
    if not known.images:
        raise DataError(str(known.path), "no images")
    first, image = next(iter(known.images.items()))
    name = str(entry(image, "file_name", f"{known.path} image {first}"))
    beside = known.path.parent
    root = beside.parent if beside.name == "annotations" else beside
    own = known.path.stem.rpartition("_")[2]
    places = [root / "images" / own, root / own, root / "images", root, beside]
    names = [str(row.get("file_name", "")) for row in known.images.values()]
    for place in places:
        if any((place / each).is_file() for each in names):
            return place
    tried = ", ".join(str(place.relative_to(root)) for place in places[:3])
    where = f"{name} ({known.path.name} image {first})"
    raise DataError(where, "no such file, nor any other image", f"them in {tried} of {root}")


def open_coco_keypoints(where: str, classes: int | None, part: str) -> PersonFiles:
    """The persons of a file of annotations, or of a folder with one for each part.

    Args:
        where: the file or the folder.
        classes: means nothing here.
        part: ``train`` or ``val``.

    Raises:
        DataError: naming what is not as it should be, or that there is no person.
    """
    parts = keypoint_parts(where)
    name = f"coco-keypoints:{where}"
    if part not in parts:
        raise DataError(name, f"no {part} part", f"{_LAYOUT} with {part} in its name")
    known = read_annotations(parts[part])
    people = tuple(persons_of(known, image_folder(known)))
    if not people:
        expected = "at least one with a box, an area and a joint"
        raise DataError(str(known.path), f"no person among {len(known.rows)} annotations", expected)
    check_first_pixel(known)
    left = len(known.rows) - len(people)
    remark = f"{known.path}: passed over {left} crowds and persons without joints" if left else ""
    return PersonFiles(name, known.skeleton, people, known.path, remark=remark)


def _is_coco(where: Path) -> bool:
    """Whether this is a JSON file, or a folder with annotations in such."""
    if where.is_file():
        return where.suffix == ".json"
    return any(
        re.search("keypoints|person", path.stem) for path in where.glob("annotations/*.json")
    )


def _options(where: str) -> dict[str, dict[str, str]]:
    """The task's skeleton, as the first part has it."""
    first = next(iter(keypoint_parts(where).values()))
    return {"pose": {"skeleton": read_annotations(first).skeleton.text}}


COCO_KEYPOINTS = Reader(open_coco_keypoints, keypoint_parts, fits=_is_coco, options=_options)
"""``coco-keypoints:DIR_OR_JSON``."""
