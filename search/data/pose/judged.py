"""Persons of COCO's form, in true boxes or a detector's, and results as COCO has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from auxnas.compiler.tasks.pose import Skeleton
from auxnas.compiler.tasks.pose.detections import distinct_persons, person_score
from auxnas.genotype.errors import short_repr
from auxnas.search.data.base import Array
from auxnas.search.data.errors import DataError
from auxnas.search.data.pose.annotations import KeypointAnnotations
from auxnas.search.data.pose.crops import Region, Size
from auxnas.search.data.pose.persons import Person, PersonFiles
from auxnas.search.data.pose.precision import average_precision
from auxnas.search.data.pose.texts import entry, number, numbers, read_json

_FORM = "a list of boxes: image_id, category_id, bbox and score"
TRUE, DETECTED = "truth", "detector"
"""Origins of boxes: figures of one are never compared with those of the other."""
_OVERLAP = 0.5
"""Intersection over union of a detector's box with the true one whose joints label it."""


@dataclass(frozen=True)
class CocoPersons(PersonFiles):
    """Persons of a file of annotations.

    Attributes:
        known: the annotations.
        folder: of the images.
        boxes: origin of the boxes, ``TRUE`` or ``DETECTED``.
    """

    known: KeypointAnnotations | None = None
    folder: Path = Path()
    boxes: str = TRUE

    @property
    def annotations(self) -> KeypointAnnotations:
        """The annotations, which are there."""
        if self.known is None:
            raise DataError(self.name, "no annotations")
        return self.known

    def in_boxes(self, path: Path) -> CocoPersons:
        """The same images, their persons in the boxes of a detector.

        Raises:
            DataError: when the file is damaged or has no box of these images.
        """
        people: dict[int, list[Person]] = {}
        for person in self.people:
            people.setdefault(person.image_id, []).append(person)
        found = tuple(
            _detected(box, self.annotations, self.folder, people.get(box.image_id, ()))
            for box in read_boxes(path, self.annotations)
        )
        if not found:
            raise DataError(str(path), "no box of these images", _FORM)
        return replace(self, people=found, boxes=DETECTED, source=path)

    def official(self, indices: Sequence[int]) -> CocoEvaluation:
        """COCO's evaluation."""
        return CocoEvaluation(self, tuple(indices))


@dataclass(frozen=True)
class CocoEvaluation:
    """COCO's evaluation of answers to some persons.

    Attributes:
        persons: the data.
        indices: positions of the persons.
    """

    persons: CocoPersons
    indices: tuple[int, ...]

    def results(self, answers: Sequence[Array]) -> list[dict[str, Any]]:
        """Answers, each (K, 3) pixels of the crop and score, as rows of COCO's results."""
        found: dict[int, list[FoundPerson]] = {}
        data = self.persons
        for index, answer in zip(self.indices, answers, strict=True):
            person = data.people[index]
            region = person.region.fitted(data.size[1] / data.size[0])
            row = FoundPerson.of(answer, region, data.size, person.score)
            found.setdefault(person.image_id, []).append(row)
        return [
            row
            for image_id, rows in found.items()
            for row in coco_rows(rows, image_id, data.annotations.category, data.skeleton)
        ]

    def figures(self, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Average precision on the images, and the origin of the boxes.

        Raises:
            BackendUnavailable: when pycocotools is not installed.
        """
        data = self.persons
        images = {data.people[index].image_id for index in self.indices}
        whole = len(set(self.indices)) == len(data)
        figures = average_precision(data.annotations, results, None if whole else images)
        return {"boxes": data.boxes, **figures}


@dataclass(frozen=True)
class FoundPerson:
    """Joints found in a box.

    Attributes:
        joints: (K, 3) x and y in the image, and score.
        score: the box's.
        area: pixels of the region that was looked at.
    """

    joints: Array
    score: float
    area: float

    @classmethod
    def of(cls, answer: Array, region: Region, size: Size, score: float) -> FoundPerson:
        """The person of an answer to a crop of (height, width) of a region."""
        places = region.onto(size).back(answer[:, :2])
        joints = np.column_stack((places, answer[:, 2]))
        return cls(joints, score, region.width * region.height)


def coco_rows(
    found: Sequence[FoundPerson], image_id: int, category: int, skeleton: Skeleton
) -> list[dict[str, Any]]:
    """Rows of COCO's results of one image: rescored, those found twice left out."""
    scores = np.array([person_score(each.score, each.joints[:, 2]) for each in found])
    areas = np.array([each.area for each in found])
    every = np.stack([each.joints for each in found])
    return [
        {
            "image_id": image_id,
            "category_id": category,
            "keypoints": [round(float(value), 3) for value in every[place].ravel()],
            "score": float(scores[place]),
        }
        for place in distinct_persons(every, scores, areas, skeleton)
    ]


@dataclass(frozen=True)
class DetectedBox:
    """Box of a person by a detector: x, y, width, height; pixels of the stored image."""

    image_id: int
    box: tuple[float, float, float, float]
    score: float
    line: str


def read_boxes(path: Path, known: KeypointAnnotations | None = None) -> list[DetectedBox]:
    """The boxes of persons in a detector's file, in its order.

    Args:
        path: the file.
        known: keeps boxes of its category and images; without, all of category 1.

    Raises:
        DataError: when the file is damaged, or naming a box that is none.
    """
    rows = read_json(path, _FORM)
    if not isinstance(rows, list):
        raise DataError(str(path), short_repr(rows), _FORM)
    category = 1 if known is None else known.category
    found = []
    for index, row in enumerate(rows):
        place = f"{path} box {index}"
        if entry(row, "category_id", place) != category:
            continue
        image_id = entry(row, "image_id", place)
        x, y, width, height = numbers(entry(row, "bbox", place), 4, f"{place} bbox")
        score = number(entry(row, "score", place), f"{place} score")
        if width <= 0 or height <= 0:
            raise DataError(f"{place} bbox", f"{width:g}x{height:g} pixels", "x, y, width, height")
        if score > 0 and (known is None or image_id in known.images):
            line = f"{path.name} box {index}"
            found.append(DetectedBox(image_id, (x, y, width, height), score, line))
    return found


def _detected(
    box: DetectedBox, known: KeypointAnnotations, folder: Path, people: Sequence[Person]
) -> Person:
    """The person in a detector's box: with the joints of the true one that it overlaps most.

    ``people`` are those of its image.
    """
    region, image = Region.of_box(box.box), known.images[box.image_id]
    nearest = max(people, key=lambda each: _overlap(each.region, region), default=None)
    absent = np.zeros((len(known.skeleton), 3), np.float32)
    if nearest is not None and _overlap(nearest.region, region) >= _OVERLAP:
        return replace(nearest, region=region, line=box.line, score=box.score)
    path = folder / str(image["file_name"])
    size = known.size(box.image_id)
    return Person(path, box.line, region, absent, 0.0, 0.0, box.score, box.image_id, size)


def _overlap(one: Region, other: Region) -> float:
    """Intersection over union."""
    width, height = (
        max(0.0, min(a + p / 2, b + q / 2) - max(a - p / 2, b - q / 2))
        for a, b, p, q in (
            (one.centre[0], other.centre[0], one.width, other.width),
            (one.centre[1], other.centre[1], one.height, other.height),
        )
    )
    shared = width * height
    return shared / (one.width * one.height + other.width * other.height - shared)
