"""``mpii:WHERE``: MPII Human Pose, as released or in the JSON that published code reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxnas.compiler.tasks.pose import MPII16, VISIBLE
from auxnas.genotype.errors import short_repr
from auxnas.search.data.base import Reader
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import lone_file
from auxnas.search.data.matlab_structs import matlab_values
from auxnas.search.data.pose.persons import Person, PersonFiles
from auxnas.search.data.pose.release import HEAD_SHARE, mpii_region, release_persons
from auxnas.search.data.pose.texts import entry, number, numbers, read_json

_FORM = "a list of persons: image, center, scale, joints and joints_vis"
_LAYOUT = "annot/train.json and annot/valid.json beside images/, such a file, or the release's .mat"
_TRUTH = "gt_valid.mat"
_FILES = {"train": ("train.json",), "val": ("valid.json", "val.json")}
_JOINTS = len(MPII16)
_ESTIMATED = (8, 9)
"""Upper neck and head top, which were computed of the head's box and may lie anywhere."""
Doubles = NDArray[np.float64]


def read_persons(path: Path, folder: Path) -> tuple[list[Person], str]:
    """The persons in a JSON file, whose places count from 1, and a remark on that, or "".

    Args:
        path: the file.
        folder: of the images.

    Raises:
        DataError: naming a person that is none, or saying that places seem to count from 0.
    """
    rows = read_json(path, _FORM)
    if not isinstance(rows, list) or not rows:
        raise DataError(str(path), f"no person ({short_repr(rows)})", _FORM)
    found = [_person(row, path, place, folder) for place, row in enumerate(rows)]
    return found, _first_pixel_remark(path, rows)


def _person(row: Any, path: Path, index: int, folder: Path) -> Person:
    place = f"{path} person {index}"
    x, y = numbers(entry(row, "center", place), 2, f"{place} center")
    scale = number(entry(row, "scale", place), f"{place} scale")
    if scale <= 0:
        raise DataError(f"{place} scale", f"{scale:g}", "the height of the person in 200 pixels")
    points, flags = entry(row, "joints", place), entry(row, "joints_vis", place)
    if not isinstance(points, list) or len(points) != _JOINTS:
        raise DataError(f"{place} joints", short_repr(points), f"{_JOINTS} of MPII")
    places = np.array([numbers(each, 2, f"{place} joints") for each in points])
    annotated = np.array(numbers(flags, _JOINTS, f"{place} joints_vis")) > 0
    joints = np.zeros((_JOINTS, 3), np.float32)
    joints[annotated, :2] = places[annotated] - 1
    joints[annotated, 2] = VISIBLE
    image = folder / str(entry(row, "image", place))
    return Person(image, f"{path.name} person {index}", mpii_region(x, y, scale), joints)


def _first_pixel_remark(path: Path, rows: list[Any]) -> str:
    """Remark on places of which it cannot be told whether they count from 1; "" where they do.

    They seem to count from 0 with at least two borders at 0, and not far fewer than at 1.

    Raises:
        DataError: naming the file and a person, where they seem to count from 0.
    """
    places = np.array([row["joints"] for row in rows], np.float64)
    annotated = np.array([row["joints_vis"] for row in rows]) > 0
    annotated[:, _ESTIMATED] = False
    zeros, ones = ((places == border) & annotated[..., None] for border in (0, 1))
    if zeros.sum() >= max(2, ones.sum() / 2):
        first = int(np.flatnonzero(zeros.any(axis=(1, 2)))[0])
        found = f"{int(zeros.sum())} places are 0, as where the first pixel's is 0"
        raise DataError(f"{path} person {first}", found, "places that count from 1: add 1 to all")
    if zeros.any() or ones.any():
        return ""
    return (
        f"{path}: nothing lies at a first pixel, so whether places count from 0 or from 1 cannot "
        "be told: they are taken to count from 1, as MPII's"
    )


def with_heads(people: list[Person], truth: Path) -> list[Person]:
    """The persons with the sizes of their heads from ``gt_valid.mat``, where they are in it.

    Raises:
        DataError: when it is damaged, or not as published.
    """
    known = read_truth(truth)
    every = np.stack([person.joints for person in people])
    if len(people) == len(known["heads"]):
        rows = np.arange(len(people))
    else:
        rows = np.array([_row_of(joints, known["places"]) for joints in every])
    return [
        person if row < 0 else replace(person, head=float(known["heads"][row]))
        for person, row in zip(people, rows, strict=True)
    ]


def _row_of(joints: NDArray[np.float32], places: Doubles) -> int:
    """The row of the truth with a person's joints; -1 where there is none."""
    known = joints[:, 2] > 0
    far = np.abs(places[:, known] - 1 - joints[known, :2]).max(axis=2)
    close = (far < 1).mean(axis=1)
    best = int(close.argmax())
    return best if close[best] > 0.8 else -1


def read_truth(path: Path) -> Mapping[str, Any]:
    """``gt_valid.mat``: places from 1 (n, 16, 2), annotated (n, 16), heads (n,).

    Raises:
        DataError: when it is damaged, or not as published.
    """
    names = ("jnt_missing", "pos_gt_src", "headboxes_src")
    expected = f"the whole {_TRUTH} of MPII's validation: is it cut off?"
    known = matlab_values(path, str(path), names, expected)
    missing, places, boxes = (np.asarray(known[name]) for name in names)
    count = missing.shape[-1] if np.ndim(missing) == 2 else 0
    shapes = (_JOINTS, count), (_JOINTS, 2, count), (2, 2, count)
    if not count or tuple(np.shape(each) for each in (missing, places, boxes)) != shapes:
        found = f"arrays of shapes {np.shape(missing)}, {np.shape(places)} and {np.shape(boxes)}"
        raise DataError(str(path), found, f"({_JOINTS}, n), ({_JOINTS}, 2, n) and (2, 2, n)")
    return {
        "places": np.moveaxis(places, 2, 0).astype(np.float64),
        "annotated": np.asarray(missing).T == 0,
        "heads": HEAD_SHARE * np.linalg.norm((boxes[1] - boxes[0]).astype(np.float64), axis=0),
    }


def mpii_parts(where: str) -> dict[str, Path]:
    """The file of each part: of the release, training alone.

    Raises:
        DataError: when there is none.
    """
    root = Path(where)
    if alone := lone_file(f"mpii:{where}", root):
        return alone
    folders = (root / "annot", root)
    found = {
        part: path
        for part, names in _FILES.items()
        for folder in reversed(folders)
        for name in names
        if (path := folder / name).is_file()
    }
    if not found:
        releases = [path for folder in folders for path in sorted(folder.glob("mpii*.mat"))]
        found = {"train": releases[0]} if releases else {}
    if not found:
        raise DataError(f"mpii:{where}", "no annotations", _LAYOUT)
    return found


def open_mpii(where: str, classes: int | None, part: str) -> PersonFiles:
    """The persons of a part.

    Args:
        where: a folder, a JSON file or the release.
        classes: means nothing here.
        part: ``train`` or ``val``.

    Raises:
        DataError: naming what is not as it should be, or that there is no person.
    """
    name, parts = f"mpii:{where}", mpii_parts(where)
    if part not in parts:
        raise DataError(name, f"no {part} part, only {' and '.join(parts)}", _LAYOUT)
    path = parts[part]
    folder, told = _images(path), ""
    if path.suffix == ".mat":
        people = list(release_persons(path, folder))
    else:
        people, told = read_persons(path, folder)
        truth = path.parent / _TRUTH
        people = with_heads(people, truth) if truth.is_file() else people
    if not people:
        raise DataError(str(path), "no person with joints, a scale and a place", "at least one")
    headless = sum(not person.head for person in people)
    if headless:
        heads = f"{path}: the heads of {headless} persons are not known, which PCKh leaves out"
        told = "\n".join(filter(None, [told, heads]))
    return PersonFiles(name, MPII16, tuple(people), path, remark=told)


def _images(path: Path) -> Path:
    """The folder of the images that belong to a file."""
    places = (path.parent.parent / "images", path.parent / "images")
    return next((place for place in places if place.is_dir()), path.parent / "images")


def _is_mpii(where: Path) -> bool:
    """Whether this is a file that may be one of MPII's, or a folder with such files."""
    if where.is_file():
        return where.suffix in (".json", ".mat")
    names = [name for names in _FILES.values() for name in names]
    return any((where / "annot" / name).is_file() for name in names) or bool(
        [*where.glob("mpii*.mat")]
    )


# The paper's section 7.2 turns and scales persons less than on COCO.
_MOVES = {"scaling": "0.25", "turning": "30"}
_OPTIONS = {"pose": {"skeleton": MPII16.text, "reward": "pckh_50", **_MOVES}}
MPII = Reader(open_mpii, mpii_parts, fits=_is_mpii, options=lambda rest: _OPTIONS)
"""``mpii:DIR_OR_FILE``."""
