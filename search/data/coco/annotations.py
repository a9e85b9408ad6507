"""Files of COCO's annotations: JSON of instances, or of panoptic segments, as classes of VOC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from auxnas.backends.images.opening import check_pixels
from auxnas.compiler.tasks import IGNORE
from auxnas.genotype.errors import short_repr
from auxnas.genotype.texts import encoding_fault, parse_json, read_text
from auxnas.search.data.base import Bytes
from auxnas.search.data.coco.masks import Runs, Size, mask_runs, runs_mask
from auxnas.search.data.errors import DataError
from auxnas.search.data.voc import VOC_CLASSES

T = TypeVar("T")

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
_BACKGROUND = 0


@dataclass(frozen=True)
class CocoImage:
    """An image in a file of annotations.

    Attributes:
        number: its ``id``.
        file_name: of the picture.
        size: (height, width).
        annotations: as they are in the file.
    """

    number: int
    file_name: str
    size: Size
    annotations: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class CocoAnnotations:
    """A file of annotations.

    Attributes:
        path: the file.
        content: what is in it.
    """

    path: Path
    content: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> CocoAnnotations:
        """The annotations in a file.

        Raises:
            DataError: when it is missing, cut off, or of another kind.
        """
        try:
            content = parse_json(read_text(path))
        except UnicodeDecodeError as error:
            raise DataError(str(path), f"no text ({encoding_fault(error)})", "JSON") from None
        except OSError as error:
            raise DataError(str(path), error.strerror or str(error)) from error
        except ValueError as error:
            found, expected = f"no JSON ({str(error)[:100]})", "the whole file: is it cut off?"
            raise DataError(str(path), found, expected) from None
        whole = cls(path, content if isinstance(content, dict) else {})
        for key in ("images", "annotations", "categories"):
            if not isinstance(whole.content.get(key), list):
                expected = "instances or panoptic segments as COCO has them"
                raise DataError(str(path), f"no list {key!r} in it", expected)
        return whole

    @property
    def panoptic(self) -> bool:
        """Whether these are panoptic segments, whose masks are in pictures of their own."""
        return any("segments_info" in each for _, each in self._rows("annotations"))

    @cached_property
    def classes(self) -> Mapping[int, int]:
        """The class of each category: 0, background, of one that VOC has not.

        Raises:
            DataError: when no category is VOC's.
        """
        known = {name: number for number, name in enumerate(VOC_CLASSES)}
        found = {}
        for place, each in self._rows("categories"):
            name = _value(each, "name", str, place)
            found[_value(each, "id", int, place)] = known.get(
                OTHER_NAMES.get(name, name), _BACKGROUND
            )
        if not any(found.values()):
            expected = "some of person, car, dog and so on, by these names"
            raise DataError(str(self.path), "no category of PASCAL VOC's", expected)
        return found

    @cached_property
    def images(self) -> tuple[CocoImage, ...]:
        """All images, in the order of the file.

        Raises:
            DataError: naming what is not as COCO has it.
        """
        own: dict[int, list[Mapping[str, Any]]] = {}
        for place, each in self._rows("annotations"):
            own.setdefault(_value(each, "image_id", int, place), []).append(each)
        found = []
        for place, each in self._rows("images"):
            number = _value(each, "id", int, place)
            size = (_value(each, "height", int, place), _value(each, "width", int, place))
            if min(size) < 1:
                raise DataError(place, f"size {size}", "height and width in pixels")
            check_pixels(size[0] * size[1], f"{size[0]}x{size[1]} pixels (height x width)", place)
            name = _value(each, "file_name", str, place)
            found.append(CocoImage(number, name, size, tuple(own.pop(number, ()))))
        if own:
            expected = "one of its images"
            raise DataError(str(self.path), f"annotations of image {next(iter(own))}", expected)
        return tuple(found)

    def class_of(self, annotation: Mapping[str, Any], place: str) -> int:
        """The class of an annotation or of a segment; 255 for a crowd of one of VOC's.

        Raises:
            DataError: for a category that there is not.
        """
        category = _value(annotation, "category_id", int, place)
        if category not in self.classes:
            raise DataError(place, f"category {category}", "one of the file's categories")
        found = self.classes[category]
        return IGNORE if found and annotation.get("iscrowd") else found

    def covered(self, image: CocoImage) -> int:
        """Pixels of VOC's classes in an image, by the areas that its panoptic segments state."""
        place = f"{self.path} image {image.number}"
        return sum(
            _value(each, "area", int, place)
            for row in image.annotations
            for each in _value(row, "segments_info", list, place)
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


def _value(row: Mapping[str, Any], key: str, kind: type[T], place: str) -> T:
    found = row.get(key)
    if type(found) is not kind:
        expected = {int: "a whole number", str: "text", list: "a list"}[kind]
        what = f"{key} {short_repr(found)}" if key in row else f"no {key}"
        raise DataError(place, what, expected)
    return found


@dataclass(frozen=True)
class CocoRegion:
    """Region of an image and its class, 255 for a crowd."""

    segmentation: Any
    label: int
    place: str

    def runs(self, size: Size) -> Runs:
        """Its run lengths."""
        return mask_runs(self.segmentation, size, self.place)


def shapes_of(image: CocoImage, annotations: CocoAnnotations) -> tuple[CocoRegion, ...]:
    """The regions of VOC's classes in an image."""
    found = []
    for each in image.annotations:
        place = f"{annotations.path} annotation {each.get('id', '?')} of image {image.number}"
        label = annotations.class_of(each, place)
        if label != _BACKGROUND:
            found.append(CocoRegion(each.get("segmentation"), label, place))
    return tuple(found)


def draw_shapes(shapes: Sequence[CocoRegion], size: Size) -> Bytes:
    """Classes, uint8 (height, width): the first of objects that overlap, over any crowd."""
    label = np.full(size, _BACKGROUND, np.uint8)
    crowds = [each for each in shapes if each.label == IGNORE]
    objects = [each for each in reversed(shapes) if each.label != IGNORE]
    for shape in (*crowds, *objects):
        label[runs_mask(shape.runs(size), size)] = shape.label
    return label


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
    return int((draw_shapes(objects, size) != _BACKGROUND).sum()) >= LEAST_PIXELS


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
    for each in _value(row, "segments_info", list, where):
        segments[_value(each, "id", int, where)] = annotations.class_of(_object(each, where), where)
    return _value(row, "file_name", str, where), segments
