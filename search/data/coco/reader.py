"""``coco:DIR_OR_FILE.json``: COCO's annotations as classes of PASCAL VOC."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from auxnas.backends.images import read_photograph
from auxnas.compiler.tasks import IGNORE
from auxnas.search.data.base import Bytes, Reader, text_digest
from auxnas.search.data.coco.annotations import (
    LEAST_PIXELS,
    CocoAnnotations,
    CocoImage,
    covers_enough,
    drawing_of,
    segments_of,
    shapes_of,
)
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import Pair, same_classes
from auxnas.search.data.outlines.files import DrawnFiles, UprightFiles
from auxnas.search.data.outlines.shapes import Drawing
from auxnas.search.data.voc import VOC_CLASSES, VOC_COLOURS

KINDS = ("instances", "panoptic")
"""Of annotations; of a folder that has both, instances are read."""
PARTS = ("train", "val")
T = TypeVar("T")


@dataclass(frozen=True)
class CocoPanoptic(UprightFiles):
    """Images with pictures of panoptic segments.

    Attributes:
        segments: of each picture the class of each id; those of 0 and of crowds are 255.
    """

    segments: tuple[Mapping[int, int], ...] = ()

    def fingerprint(self) -> str:
        """A hash of the files, and of the classes, which the annotations say; reads all once."""
        return text_digest(super().fingerprint(), self.segments)

    def label(self, index: int) -> Bytes:
        """The classes at ``index``: uint8 ``(height, width)``.

        Raises:
            DataError: when the picture is missing, damaged, or has an id without a segment.
        """
        place = self.label_place(index)
        colours = read_photograph(self.pair(index).label, place).astype(np.int64)
        ids, where = np.unique(colours @ (1, 256, 65536), return_inverse=True)
        unknown = [each for each in ids.tolist() if each not in self.segments[index]]
        if unknown:
            raise DataError(place, f"segment id {unknown[0]}", "one of its segments_info")
        known = np.array([self.segments[index][each] for each in ids.tolist()], np.uint8)
        return self.upright(index, known[where].reshape(colours.shape[:2]))


def open_coco(where: str, classes: int | None, part: str) -> UprightFiles:
    """The images whose classes of PASCAL VOC cover ``LEAST_PIXELS`` or more.

    Other categories are background; crowds of VOC's classes count as not labelled, and so does
    what is no panoptic segment.

    Args:
        where: COCO's folder, or the file of annotations of the training part.
        classes: 21, or None.
        part: ``train`` or ``val``.

    Raises:
        DataError: when a file is missing, damaged or of another kind, or no image is left.
        BackendUnavailable: for polygons, when pycocotools is not installed.
    """
    name = f"coco:{where}"
    same_classes(VOC_CLASSES, classes, "PASCAL VOC, which COCO is mapped to")
    files = coco_parts(where)
    if part not in files:
        raise DataError(name, f"no {part} part", f"annotations/{KINDS[0]}_{part}2017.json")
    path = files[part]
    annotations = CocoAnnotations.read(path)
    found = coco_files(annotations, VOC_COLOURS)
    left, total = len(found.pairs), len(annotations.images)
    rule = f"{LEAST_PIXELS} pixels or more of PASCAL VOC's classes"
    if not left:
        raise DataError(str(path), f"none of {total} images has {rule}")
    remark = f"{path}: {total - left} of {total} images are left out, which have not {rule}"
    return replace(found, name=name, remark=remark if left < total else "")


def coco_parts(where: str) -> dict[str, Path]:
    """The file of annotations of each part.

    Raises:
        DataError: when there is none.
    """
    path = Path(where)
    if path.is_file():
        other = path.with_name(path.name.replace(*PARTS))
        return {"train": path} | ({"val": other} if other != path and other.is_file() else {})
    for kind in KINDS:
        found = dict(_of_kind(path, kind))
        if "train" in found:
            return found
    expected = f"annotations/{KINDS[0]}_train2017.json, or a file of annotations"
    raise DataError(f"coco:{where}", "no annotations of a training part in it", expected)


def _of_kind(folder: Path, kind: str) -> Iterator[tuple[str, Path]]:
    """The last year's file of each part."""
    for part in PARTS:
        found = sorted((folder / "annotations").glob(f"{kind}_{part}*.json"))
        if found:
            yield part, found[-1]


def coco_files(
    annotations: CocoAnnotations, colours: tuple[tuple[int, ...], ...] = ()
) -> UprightFiles:
    """The images of a file of annotations; of VOC's classes those that have enough of them.

    Args:
        annotations: of instances or panoptic segments.
        colours: of the classes; none to make some up.
    """
    path = annotations.path
    if annotations.panoptic:
        return _panoptic(annotations, colours)

    def drawing(image: CocoImage) -> Drawing | None:
        shapes = shapes_of(image, annotations)
        enough = annotations.own or covers_enough(shapes, image.size)
        return drawing_of(shapes, image.size) if enough else None

    kept = _kept(annotations.images, drawing, Drawing(()))
    folder = _picture_folder(path, [image for image, _ in kept])
    pairs = tuple(_pair(image, folder, path) for image, _ in kept)
    return DrawnFiles(
        "",
        annotations.names,
        pairs,
        _root(path),
        colours,
        manner="coco instances",
        as_stored=True,
        drawings=tuple(drawing for _, drawing in kept),
        background=IGNORE if annotations.background is None else annotations.background,
    )


def _panoptic(annotations: CocoAnnotations, colours: tuple[tuple[int, ...], ...]) -> CocoPanoptic:
    path = annotations.path

    def segments(image: CocoImage) -> tuple[str, Mapping[int, int]] | None:
        enough = annotations.own or annotations.covered(image) >= LEAST_PIXELS
        return segments_of(image, annotations) if enough else None

    nothing: tuple[str, Mapping[int, int]] = ("", {})
    kept = _kept(annotations.images, segments, nothing)
    folder, masks = _picture_folder(path, [image for image, _ in kept]), _mask_folder(path)
    pairs = tuple(_pair(image, folder, masks / name) for image, (name, _) in kept)
    return CocoPanoptic(
        "",
        annotations.names,
        pairs,
        _root(path),
        colours,
        manner="coco panoptic",
        as_stored=True,
        segments=tuple(segments for _, (_, segments) in kept),
    )


def _kept(
    images: Iterable[CocoImage], make: Callable[[CocoImage], T | None], nothing: T
) -> list[tuple[CocoImage, T]]:
    """Images with what is made of each, but for those of which ``make`` gives None.

    One of which nothing can be made has a fault, and ``nothing``.
    """
    found: list[tuple[CocoImage, T]] = []
    for image in images:
        try:
            made = make(image) if image.fault is None else nothing
        except DataError as fault:
            found.append((replace(image, fault=fault), nothing))
        else:
            found += [] if made is None else [(image, made)]
    return found


def _pair(image: CocoImage, folder: Path, label: Path) -> Pair:
    return Pair(folder / image.file_name, label, f"image {image.number}", image.fault)


def _root(path: Path) -> Path:
    """COCO's folder, by that of a file of annotations."""
    return path.parent.parent if path.parent.name == "annotations" else path.parent


def _picture_folder(path: Path, images: list[CocoImage]) -> Path:
    """The folder with the pictures: ``train2017`` or ``images/train2017``, or one around it."""
    root, part = _root(path), path.stem.rpartition("_")[2]
    folders = [root / part, root / "images" / part, root / "images", root]
    names = [image.file_name for image in images[:1]]
    return next((f for f in folders if any((f / name).is_file() for name in names)), folders[0])


def _mask_folder(path: Path) -> Path:
    """The folder with panoptic pictures: of the name of the annotations, beside them or above."""
    beside = path.with_suffix("")
    above = _root(path) / path.stem
    return above if above.is_dir() and not beside.is_dir() else beside


def _is_coco(where: Path) -> bool:
    """Whether this is a file of JSON, or a folder with such annotations."""
    if where.is_file():
        return where.suffix == ".json"
    return any("train" in dict(_of_kind(where, kind)) for kind in KINDS)


COCO = Reader(open_coco, coco_parts, ("background",), _is_coco)
"""``coco:DIR_OR_FILE.json``."""
