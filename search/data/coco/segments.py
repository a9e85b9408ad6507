"""``coco-segments:DIR_OR_FILE.json``: COCO's JSON with the categories that it has itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from auxnas.search.data.base import Reader
from auxnas.search.data.coco.annotations import CocoAnnotations
from auxnas.search.data.coco.reader import coco_files
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import same_classes
from auxnas.search.data.outlines.files import UprightFiles

_KINDS = ("instances", "panoptic", "stuff")
"""Of annotations, the first that there are of a folder."""
_ENDS = {"train": ("train*", "Train", "default"), "val": ("val*", "Validation")}
"""Ends of a file's name, COCO's first and CVAT's behind."""
_BESIDE = "_annotations.coco.json"
"""Name of a file beside its pictures, as Roboflow has it in a folder for each part."""
_FOLDERS = {"train": ("train",), "val": ("valid", "val", "test")}


def open_coco_segments(where: str, classes: int | None, part: str) -> UprightFiles:
    """The images of a part.

    Of instances the classes are the background and the categories in the order of their ids, and
    crowds count as not labelled; of panoptic segments and of stuff the categories alone.

    Args:
        where: COCO's folder, one that CVAT or Roboflow wrote, or the file of the training part.
        classes: how many; None for as many as there are.
        part: ``train`` or ``val``.

    Raises:
        DataError: when a file is missing, damaged or of another kind.
        BackendUnavailable: for polygons, when pycocotools is not installed.
    """
    name, files = f"coco-segments:{where}", coco_segment_parts(where)
    if part not in files:
        raise DataError(name, f"no {part} part", f"annotations/{_KINDS[0]}_{part}2017.json")
    annotations = CocoAnnotations.read(files[part], own=True)
    found = coco_files(annotations)
    same_classes(found.classes, classes, str(files[part]))
    if not found.pairs:
        raise DataError(str(files[part]), "no images in it", "at least one")
    return replace(found, name=name, manner=f"{found.manner} own {annotations.background}")


def coco_segment_parts(where: str) -> dict[str, Path]:
    """The file of annotations of each part.

    Raises:
        DataError: when there is none.
    """
    path = Path(where)
    if path.is_file():
        other = path.with_name(path.name.replace("train", "val"))
        return {"train": path} | ({"val": other} if other != path and other.is_file() else {})
    for found in _found(path):
        if "train" in found:
            return found
    expected = f"annotations/{_KINDS[0]}_train2017.json, train/{_BESIDE}, or a file of annotations"
    raise DataError(f"coco-segments:{where}", "no annotations of a training part in it", expected)


def _found(folder: Path) -> Iterator[dict[str, Path]]:
    """The files of each layout."""
    beside = {
        part: [path for name in names if (path := folder / name / _BESIDE).is_file()]
        for part, names in _FOLDERS.items()
    }
    yield {part: paths[0] for part, paths in beside.items() if paths}
    for kind in _KINDS:
        named = {
            part: [
                path
                for end in ends
                for path in sorted((folder / "annotations").glob(f"{kind}_{end}.json"))[-1:]
            ]
            for part, ends in _ENDS.items()
        }
        yield {part: paths[0] for part, paths in named.items() if paths}


def _is_coco(where: Path) -> bool:
    """Whether this is a file of JSON, or a folder with such annotations."""
    if where.is_file():
        return where.suffix == ".json"
    return any("train" in found for found in _found(where))


COCO_SEGMENTS = Reader(open_coco_segments, coco_segment_parts, fits=_is_coco)
"""``coco-segments:DIR_OR_FILE.json``."""
