"""MPII's release: persons in ``mpii_human_pose_v1_u12_1.mat``, as uneven as it was published.

Rectangles may be none, one or several; may lack joints, scale or place; joints come in any order,
some absent; whether one is visible is a number, a character, empty or not said. Places count
from 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from auxnas.compiler.tasks.pose import HIDDEN, MPII16, VISIBLE
from auxnas.search.data.errors import DataError
from auxnas.search.data.matlab_structs import matlab_values
from auxnas.search.data.pose.crops import UNIT, Region
from auxnas.search.data.pose.persons import Person
from auxnas.search.data.pose.texts import MOST

_FORM = "the whole mpii_human_pose_v1_u12_1.mat of MPII (12 MB): is it cut off?"
_LOWER = 15.0
"""Pixels a unit of scale by which the published training moves the centre down."""
HEAD_SHARE = 0.6
"""Size of a head in the diagonal of its box, for PCKh."""


def mpii_region(x: float, y: float, scale: float) -> Region:
    """The box of a person whose published centre, from 1, and scale, of 200 pixels, these are."""
    return Region((x - 1, y + _LOWER * scale - 1), UNIT * scale, UNIT * scale)


def release_persons(path: Path, folder: Path) -> Iterator[Person]:
    """The persons to train on: those in training images, with joints, a scale and a place.

    Args:
        path: the file.
        folder: of the images.

    Raises:
        DataError: when it is damaged or not as published.
    """
    release = matlab_values(path, str(path), ("RELEASE",), _FORM)["RELEASE"]
    entries, training = _list(_field(release, "annolist")), _list(_field(release, "img_train"))
    if not entries or len(entries) != len(training):
        found = f"{len(entries)} entries in annolist, {len(training)} in img_train"
        raise DataError(str(path), found, _FORM)
    for number, (each, trained) in enumerate(zip(entries, training, strict=True), start=1):
        name = _field(_field(each, "image"), "name")
        if not trained:
            continue
        if not isinstance(name, str):
            raise DataError(f"{path} entry {number}", "no name of an image", _FORM)
        for position, rectangle in enumerate(_list(_field(each, "annorect")), start=1):
            line = f"{path.name} entry {number} person {position}"
            person = _person(rectangle, folder / name, line)
            if person is not None:
                yield person


def _person(rectangle: Any, image: Path, line: str) -> Person | None:
    """The person in a rectangle; None where something is not said."""
    place = _field(rectangle, "objpos")
    x, y = (_number(_field(place, axis)) for axis in "xy")
    scale = _number(_field(rectangle, "scale"))
    points = _list(_field(_field(rectangle, "annopoints"), "point"))
    if x is None or y is None or scale is None or scale <= 0 or not points:
        return None
    joints = np.zeros((len(MPII16), 3), np.float32)
    for point in points:
        joint, right, down = (_number(_field(point, name)) for name in ("id", "x", "y"))
        if right is None or down is None or joint not in range(len(MPII16)):
            continue
        joints[int(joint or 0)] = right - 1, down - 1, _flag(_field(point, "is_visible"))
    return Person(image, line, mpii_region(x, y, scale), joints, head=_head(rectangle))


def _flag(value: Any) -> int:
    """The flag of a joint; one of which nothing is said counts as seen."""
    said = value.strip() if isinstance(value, str) else _number(value)
    return HIDDEN if said in ("0", 0) else VISIBLE


def _head(rectangle: Any) -> float:
    """The size of a head; 0 where its box is not said."""
    x1, y1, x2, y2 = (_number(_field(rectangle, name)) for name in ("x1", "y1", "x2", "y2"))
    if x1 is None or y1 is None or x2 is None or y2 is None:
        return 0.0
    return HEAD_SHARE * float(np.hypot(x2 - x1, y2 - y1))


def _field(value: Any, name: str) -> Any:
    """A field of a structure, or of one that is alone; None where there is none."""
    first = value[0] if isinstance(value, list) and value else value
    return first.get(name) if isinstance(first, dict) else None


def _list(value: Any) -> list[Any]:
    """The elements of structures, cells or numbers; none of anything else."""
    if isinstance(value, np.ndarray):
        return list(value.ravel(order="F"))
    return value if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    """A number that pixels can have; None where there is none."""
    if not isinstance(value, np.ndarray) or value.size != 1:
        return None
    found = float(value.ravel()[0])
    return found if abs(found) <= MOST else None
