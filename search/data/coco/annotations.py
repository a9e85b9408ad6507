"""Files of COCO's annotations: JSON of instances, or of panoptic segments, as classes of VOC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from auxnas.backends.images.opening import check_pixels
from auxnas.compiler.tasks import IGNORE
from auxnas.genotype.errors import short_repr
from auxnas.search.data.coco.masks import Runs, Size, mask_runs, runs_mask
from auxnas.search.data.documents import json_document, member
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import check_classes
from auxnas.search.data.outlines.shapes import Drawing, Mark, Mask, draw_marks
from auxnas.search.data.voc import VOC_CLASSES

LEAST_PIXELS = 1000
"""Pixels of VOC's classes in an image that is kept; the usual rule for COCO under VOC."""
OTHER_NAMES = {
    "airplane": "aeroplane",
    "motorcycle": "motorbike",
    "potted plant": "pottedplant",
    "dining table": "diningtable",
    "couch": "sofa",
    "tv": "tvmonitor",
}
"""COCO's names of VOC's classes, where they differ."""
BACKGROUND = "background"
"""Name of what is no object."""
_BACKGROUND = 0


@dataclass(frozen=True)
class CocoImage:
    """An image in a file of annotations.

    Attributes:
        number: its ``id``.
        file_name: of the picture.
        size: (height, width).
        annotations: as they are in the file.
        fault: that there is no such image, only annotations of it; None where there is.
    """

    number: int
    file_name: str
    size: Size
    annotations: tuple[Mapping[str, Any], ...]
    fault: DataError | None = None


@dataclass(frozen=True)
class CocoAnnotations:
    """A file of annotations.

    Attributes:
        path: the file.
        content: what is in it.
        own: whether its own categories are the classes, rather than VOC's.
        background: number of what is no object; None where there is nothing of the kind.
    """

    path: Path
    content: Mapping[str, Any]
    own: bool = False
    background: int | None = _BACKGROUND

    @classmethod
    def read(cls, path: Path, own: bool = False) -> CocoAnnotations:
        """The annotations in a file.

        Args:
            path: the file.
            own: whether its own categories are the classes. Panoptic segments, and what is
                called stuff, then have no background.

        Raises:
            DataError: when it is missing, cut off, or of another kind.
        """
        content = json_document(path)
        whole = cls(path, content, own)
        for key in ("images", "annotations", "categories"):
            if not isinstance(whole.content.get(key), list):
                expected = "instances or panoptic segments as COCO has them"
                raise DataError(str(path), f"no list {key!r} in it", expected)
        everywhere = own and (whole.panoptic or path.name.startswith("stuff"))
        return replace(whole, background=None) if everywhere else whole

    @property
    def panoptic(self) -> bool:
        """Whether these are panoptic segments, whose masks are in pictures of their own."""
        return any("segments_info" in each for _, each in self._rows("annotations"))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The class names: VOC's, or the background and the categories in the order of their ids.

        Raises:
            DataError: for a name that two categories have, or too many.
        """
        if not self.own:
            return VOC_CLASSES
        rows = sorted(
            (member(each, "id", int, place), member(each, "name", str, place))
            for place, each in self._rows("categories")
        )
        names = [name for _, name in rows]
        first = () if self.background is None or BACKGROUND in names else (BACKGROUND,)
        found = (*first, *sorted(names, key=lambda name: name != BACKGROUND))
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise DataError(str(self.path), f"category {twice[0]!r} twice", "distinct names")
        check_classes(len(found), str(self.path))
        return found

    @cached_property
    def classes(self) -> Mapping[int, int]:
        """The class of each category: 0, background, of one that VOC has not.

        Raises:
            DataError: when no category is VOC's, though it should be.
        """
        if self.own:
            return {
                member(each, "id", int, place): self.names.index(member(each, "name", str, place))
                for place, each in self._rows("categories")
            }
        known = {name: number for number, name in enumerate(VOC_CLASSES)}
        found = {}
        for place, each in self._rows("categories"):
            name = member(each, "name", str, place)
            found[member(each, "id", int, place)] = known.get(
                OTHER_NAMES.get(name, name), _BACKGROUND
            )
        if not any(found.values()):
            expected = "some of person, car, dog by these names, or coco-segments: for its own"
            raise DataError(str(self.path), "no category of PASCAL VOC's", expected)
        return found

    @cached_property
    def images(self) -> tuple[CocoImage, ...]:
        """All images, in the order of the file; behind them those that only annotations name.

        Raises:
            DataError: naming what is not as COCO has it.
        """
        own: dict[int, list[Mapping[str, Any]]] = {}
        for place, each in self._rows("annotations"):
            own.setdefault(member(each, "image_id", int, place), []).append(each)
        found = []
        for place, each in self._rows("images"):
            number = member(each, "id", int, place)
            size = (member(each, "height", int, place), member(each, "width", int, place))
            if min(size) < 1:
                raise DataError(place, f"size {size}", "height and width in pixels")
            check_pixels(size[0] * size[1], f"{size[0]}x{size[1]} pixels (height x width)", place)
            name = member(each, "file_name", str, place)
            found.append(CocoImage(number, name, size, tuple(own.pop(number, ()))))
        for number, rows in own.items():
            told = f"annotations of image {number}", "one of its images"
            fault = DataError(str(self.path), *told)
            found.append(CocoImage(number, self.path.name, (1, 1), tuple(rows), fault))
        return tuple(found)

    def class_of(self, annotation: Mapping[str, Any], place: str) -> int:
        """The class of an annotation or of a segment; 255 for a crowd of one of VOC's.

        Raises:
            DataError: for a category that there is not.
        """
        category = member(annotation, "category_id", int, place)
        if category not in self.classes:
            raise DataError(place, f"category {category}", "one of the file's categories")
        found = self.classes[category]
        return IGNORE if found != self.background and annotation.get("iscrowd") else found

    def covered(self, image: CocoImage) -> int:
        """Pixels of VOC's classes in an image, by the areas that its panoptic segments state."""
        place = f"{self.path} image {image.number}"
        return sum(
            member(each, "area", int, place)
            for row in image.annotations
            for each in member(row, "segments_info", list, place)
            if self.class_of(_object(each, place), place) not in (_BACKGROUND, IGNORE)
        )

    def _rows(self, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The entries of a list, and how errors name them."""
        for number, each in enumerate(self.content[key]):
            place = f"{self.path} {key}[{number}]"
            yield place, _object(each, place)


def _object(row: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise DataError(place, short_repr(row), "an object")
    return row


@dataclass(frozen=True)
class CocoRegion:
    """Region of an image and its class, 255 for a crowd."""

    segmentation: Any
    label: int
    place: str

    def runs(self, size: Size) -> Runs:
        """Its run lengths."""
        return mask_runs(self.segmentation, size, self.place)

    def mask(self, size: Size) -> Mask:
        """Its pixels."""
        return runs_mask(self.runs(size), size)


def shapes_of(image: CocoImage, annotations: CocoAnnotations) -> tuple[CocoRegion, ...]:
    """The regions of an image, but for those of the background."""
    found = []
    for each in image.annotations:
        place = f"{annotations.path} annotation {each.get('id', '?')} of image {image.number}"
        label = annotations.class_of(each, place)
        if label != annotations.background:
            found.append(CocoRegion(each.get("segmentation"), label, place))
    return tuple(found)


def drawing_of(shapes: Sequence[CocoRegion], size: Size) -> Drawing:
    """A drawing in which the first of objects that overlap is on top, and crowds are below."""
    crowds = [each for each in shapes if each.label == IGNORE]
    objects = [each for each in reversed(shapes) if each.label != IGNORE]
    return Drawing(tuple(Mark(each.label, each) for each in (*crowds, *objects)), size)


def covers_enough(shapes: Sequence[CocoRegion], size: Size) -> bool:
    """Whether the classes have ``LEAST_PIXELS``: together, crowds apart."""
    objects, total = [shape for shape in shapes if shape.label != IGNORE], 0
    for shape in objects:
        area = int(shape.runs(size)[1::2].sum())
        if area >= LEAST_PIXELS:
            return True
        total += area
    if total < LEAST_PIXELS:
        return False
    label = draw_marks(drawing_of(objects, size).marks, size, _BACKGROUND)
    return int((label != _BACKGROUND).sum()) >= LEAST_PIXELS


def segments_of(image: CocoImage, annotations: CocoAnnotations) -> tuple[str, Mapping[int, int]]:
    """Name of an image's panoptic picture, and the class of each segment's id in it.

    Raises:
        DataError: when there is not one such annotation, or it is not as COCO has it.
    """
    where = f"{annotations.path} image {image.number}"
    if len(image.annotations) != 1:
        found = f"{len(image.annotations)} panoptic annotations"
        raise DataError(where, found, "one for each image")
    (row,) = image.annotations
    segments = {0: IGNORE}
    for each in member(row, "segments_info", list, where):
        segments[member(each, "id", int, where)] = annotations.class_of(_object(each, where), where)
    return member(row, "file_name", str, where), segments
