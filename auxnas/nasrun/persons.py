"""Predicting on the persons in a detector's boxes: skeletons drawn, and COCO's results."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from auxnas.backends.artefacts.predict import Predictor
from auxnas.backends.images import DataError, read_photograph
from auxnas.compiler import CompilerError
from auxnas.compiler.files import atomic_write
from auxnas.compiler.tasks import PixelPicture
from auxnas.compiler.tasks.pose import Skeleton
from auxnas.compiler.tasks.pose.detections import LEAST_SCORE
from auxnas.compiler.tasks.pose.drawing import draw_skeleton
from auxnas.nasrun.files import PredictionResult
from auxnas.nasrun.naming import PredictionFiles
from auxnas.nasrun.pictures import write_picture
from auxnas.search.data.pose.crops import CropMap, Region
from auxnas.search.data.pose.judged import DetectedBox, FoundPerson, coco_rows, read_boxes
from auxnas.search.data.pose.persons import DEFAULT_CROP

Array = np.ndarray[Any, Any]

RESULTS = "keypoints.json"
"""Name of the file of results."""
_PERSON = 1


@dataclass
class PersonPredictor:
    """Answers to the persons in boxes.

    Attributes:
        predictor: of single crops.
        boxes: of each image, by its number or name as text.
        size: (height, width) of the crops.
        skeleton: the network's.
        results: file of the results.
        rows: the results so far.
    """

    predictor: Predictor
    boxes: Mapping[str, Sequence[DetectedBox]]
    size: tuple[int, int]
    skeleton: Skeleton
    results: Path
    rows: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        predictor: Predictor,
        path: Path,
        size: tuple[int, int] | None,
        targets: Sequence[PredictionFiles],
        folder: Path,
    ) -> PersonPredictor:
        """The predictor on the boxes in a file.

        Args:
            predictor: of single crops.
            path: the file of boxes.
            size: (height, width) of the crops; None for the artefact's own, or the usual.
            targets: the images.
            folder: of the results.

        Raises:
            CompilerError: for an artefact of another task, or of crops of another size; where no
                image has a box, two have the same ones, or another file would be replaced.
            DataError: when the file is damaged.
        """
        _check_replaceable(folder / RESULTS)
        skeleton = predictor.task.labels.skeleton
        if skeleton is None:
            found = f"an artefact of the task {predictor.task.name}"
            raise CompilerError("--boxes", found, "one of pose")
        if size is not None and predictor.fixed not in (None, size):
            raise CompilerError("--crop-size", _by(size), f"{_by(predictor.fixed)}, the artefact's")
        boxes: dict[str, list[DetectedBox]] = {}
        for box in read_boxes(path):
            boxes.setdefault(str(box.image_id), []).append(box)
        size = predictor.fixed or size or DEFAULT_CROP
        made = cls(predictor, boxes, size, skeleton, folder / RESULTS)
        made._check_images(targets, path)
        return made

    def _check_images(self, targets: Sequence[PredictionFiles], path: Path) -> None:
        """Finds that no image has a box, or that two have the same ones."""
        found: dict[str, Path] = {}
        for target in targets:
            key = self.key(target.image)
            if key is not None and found.setdefault(key, target.image) != target.image:
                both = f"the number of {found[key]} too"
                raise CompilerError(str(target.image), both, "one image a number")
        if not found:
            expected = "image_id that is the name of an image, or the number at its end"
            raise CompilerError(str(path), f"no box of the {len(targets)} images", expected)

    def key(self, image: Path) -> str | None:
        """The number, or name, by which the boxes know an image; None where they do not."""
        digits = re.search(r"[0-9]+$", image.stem)
        names = (image.name, image.stem, str(int(digits[0])) if digits else "")
        return next((name for name in names if name in self.boxes), None)

    def predict(
        self, targets: Sequence[PredictionFiles], alpha: float, advance: Callable[[int], None]
    ) -> Iterator[PredictionResult]:
        """Pictures of all persons in each image.

        Raises:
            OSError: when a picture cannot be written.
        """
        for done, target in enumerate(targets, start=1):
            try:
                image = read_photograph(target.image, upright=False)
                rows = self._rows(image, self.boxes.get(self.key(target.image) or "", ()))
            except (DataError, ValueError) as error:
                yield PredictionResult(target, error=str(error))
            else:
                yield self._written(target, image, rows, alpha)
            advance(done)

    def _rows(self, image: Array, boxes: Sequence[DetectedBox]) -> list[dict[str, Any]]:
        """Results of an image."""
        if not boxes:
            return []
        aspect = self.size[1] / self.size[0]
        regions = [Region.of_box(box.box).fitted(aspect) for box in boxes]
        maps = [region.onto(self.size) for region in regions]
        answers = self._answers(image, maps)
        persons = [
            FoundPerson.of(answer, region, self.size, box.score)
            for answer, region, box in zip(answers, regions, boxes, strict=True)
        ]
        return coco_rows(persons, boxes[0].image_id, _PERSON, self.skeleton)

    def _answers(self, image: Array, maps: Sequence[CropMap]) -> list[Array]:
        """(K, 3) of each crop, as many at once as the artefact takes."""
        batch = self.predictor.batch
        crops = [each.crop(image, self.size) for each in maps]
        parts = (crops[start : start + batch] for start in range(0, len(crops), batch))
        return [answer for part in parts for answer in self.predictor.answers(part)]

    def _written(
        self, target: PredictionFiles, image: Array, rows: list[dict[str, Any]], alpha: float
    ) -> PredictionResult:
        self.rows += rows
        over = image
        for row in reversed(rows):  # the most certain person on top
            joints = np.array(row["keypoints"]).reshape(-1, 3)
            joints[:, 2] = joints[:, 2] > LEAST_SCORE
            shown = joints[joints[:, 2] > 0, :2]
            if len(shown):
                side = float(np.ptp(shown, axis=0).max(initial=1))
                over = draw_skeleton(over, joints, self.skeleton, side)
        mixed = np.rint((1 - alpha) * image + alpha * over.astype(np.float32)).astype(np.uint8)
        write_picture(PixelPicture(mixed), target.pictures["overlay"])
        size, line = (image.shape[0], image.shape[1]), f"{len(rows)} person{'s' * (len(rows) != 1)}"
        facts = {"persons": rows}
        return PredictionResult(target, size, int(image.max()), line, facts)

    def write_results(self) -> None:
        """Writes all rows so far as COCO's results.

        Raises:
            OSError: when it cannot be written.
        """
        with atomic_write(self.results) as temporary:
            temporary.write_text(json.dumps(self.rows), encoding="utf-8")


def _check_replaceable(path: Path) -> None:
    """Finds a file that is none of results, and would be replaced."""
    if not path.exists():
        return
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = None
    rows = known if isinstance(known, list) else [known]
    if not all(isinstance(row, dict) and "keypoints" in row for row in rows):
        raise CompilerError(str(path), "a file that is none of results", "another --output")


def _by(size: tuple[int, int] | None) -> str:
    return "x".join(map(str, size or ()))
