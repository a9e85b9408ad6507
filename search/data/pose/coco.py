"""``coco-keypoints:WHERE``: persons in the JSON of COCO, its own or of another skeleton."""

from __future__ import annotations

import re
from pathlib import Path

from auxnas.search.data.base import Reader
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import lone_file
from auxnas.search.data.pose.annotations import (
    KeypointAnnotations,
    first_pixel_remark,
    persons_of,
    read_annotations,
)
from auxnas.search.data.pose.judged import CocoPersons
from auxnas.search.data.pose.texts import entry

_LAYOUT = "annotations/person_keypoints_train2017.json, or such a file itself"
_UNPAIRED = (
    "{}: no joint has a side in its name, so none changes places in mirrored images (data.mirror=0 "
    "for joints that would, or names with left and right)"
)
_PARTS = {"train": r"train", "val": r"val|test"}


def keypoint_parts(where: str) -> dict[str, Path]:
    """The file of annotations of each part.

    Raises:
        DataError: when there is none, or which one is meant cannot be told.
    """
    root = Path(where)
    if alone := lone_file(f"coco-keypoints:{where}", root):
        return alone
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


def image_folder(known: KeypointAnnotations) -> Path:
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


def open_coco_keypoints(where: str, classes: int | None, part: str) -> CocoPersons:
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
    folder = image_folder(known)
    people = tuple(persons_of(known, folder))
    if not people:
        expected = "at least one with a box, an area and a joint"
        raise DataError(str(known.path), f"no person among {len(known.rows)} annotations", expected)
    remarks = [first_pixel_remark(known)]
    left = len(known.rows) - len(people)
    if left:
        remarks.append(f"{known.path}: passed over {left} crowds and persons without joints")
    if not known.skeleton.pairs:
        remarks.append(_UNPAIRED.format(known.path))
    remark = "\n".join(filter(None, remarks))
    return CocoPersons(
        name, known.skeleton, people, known.path, remark=remark, known=known, folder=folder
    )


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
