"""``nasrun predict --boxes``: persons in a detector's boxes, COCO's results, skeletons."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from auxnas.compiler import CompilerError
from auxnas.compiler.tasks import Segmentation, Task, find_task
from auxnas.nasrun.naming import prediction_files
from auxnas.nasrun.persons import RESULTS, PersonPredictor
from auxnas.search.data import DataError

JOINTS = "left_hand+right_hand+top"
PLACES = np.float32([[6, 8, 0.9], [18, 8, 0.5], [12, 24, 0.1]])


@dataclass
class Answering:
    """A predictor whose joints are at the same places of every crop."""

    task: Task = field(default_factory=lambda: find_task(f"pose,skeleton={JOINTS}"))
    fixed: tuple[int, int] | None = (32, 24)
    batch: int = 2
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    places: np.ndarray = field(default_factory=lambda: PLACES)

    def answers(self, images: list[np.ndarray]) -> list[np.ndarray]:
        assert len(images) <= self.batch
        self.shapes += [image.shape for image in images]
        return [self.places] * len(images)


def box(image_id: Any, x: float, score: float) -> dict[str, Any]:
    row = {"image_id": image_id, "category_id": 1, "score": score}
    return {**row, "bbox": [x, 10.0, 24.0, 32.0]}


def made(
    folder: Path, rows: Any, predictor: Any = None, size: tuple[int, int] | None = None
) -> PersonPredictor:
    folder.mkdir(exist_ok=True)
    images = [folder / "000000000012.jpg", folder / "frame.png", folder / "other.png"]
    for image in images:
        Image.fromarray(np.full((60, 90, 3), 128, np.uint8)).save(image)
    (folder / "boxes.json").write_text(json.dumps(rows))
    targets = prediction_files(images, folder / "out", ["overlay"])
    (folder / "out").mkdir(exist_ok=True)
    predictor = predictor or Answering()
    return PersonPredictor.of(predictor, folder / "boxes.json", size, targets, folder / "out")


def test_persons_in_boxes_are_drawn_and_written_as_results(tmp_path: Path) -> None:
    rows = [box(12, 40, 0.5), box(12, 4, 0.8), box(12, 41, 0.4), box("frame", 20, 0.9)]
    persons = made(tmp_path, [*rows, {**box(12, 9, 1), "category_id": 3}])
    images = [tmp_path / "000000000012.jpg", tmp_path / "frame.png", tmp_path / "other.png"]
    targets = prediction_files(images, tmp_path / "out", ["overlay"])
    done: list[int] = []
    first, second, third = persons.predict(targets, 1.0, done.append)
    persons.write_results()
    assert done == [1, 2, 3]
    assert persons.predictor.shapes == [(32, 24, 3)] * 4
    written = json.loads((tmp_path / "out" / RESULTS).read_text())
    assert [row["image_id"] for row in written] == [12, 12, "frame"]
    assert [row["score"] for row in written] == pytest.approx([0.56, 0.35, 0.63])
    # the box, enlarged by a quarter, is 30 pixels wide: 24 in the crop
    left, top = 4 + 12 - 15, 10 + 16 - 20
    expected = [left + 6 * 1.25, top + 8 * 1.25]
    assert written[0]["keypoints"][:2] == pytest.approx(expected, abs=1e-3)
    assert first.facts == {"persons": written[:2]}
    assert (first.line, second.line, third.line) == ("2 persons", "1 person", "0 persons")
    with Image.open(targets[0].pictures["overlay"]) as picture:
        pixels = np.asarray(picture)
    x, y = (round(value) for value in written[0]["keypoints"][:2])
    assert (pixels[y, x] != 128).any()
    x, y = (round(value) for value in written[0]["keypoints"][6:8])
    assert (pixels[y, x] == 128).all()  # a joint that hardly scores
    with Image.open(targets[2].pictures["overlay"]) as picture:
        assert (np.asarray(picture) == 128).all()


def test_a_network_that_finds_nothing_draws_nothing(tmp_path: Path) -> None:
    faint = Answering()
    faint.places = PLACES * np.float32([1, 1, 0.1])
    persons = made(tmp_path, [box(12, 40, 0.5)], faint)
    image = tmp_path / "000000000012.jpg"
    targets = prediction_files([image], tmp_path / "out", ["overlay"])
    (found,) = persons.predict(targets, 1.0, lambda done: None)
    assert found.facts["persons"][0]["score"] == 0
    with Image.open(targets[0].pictures["overlay"]) as picture, Image.open(image) as photograph:
        assert np.array_equal(np.asarray(picture), np.asarray(photograph))


def test_an_image_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    persons = made(tmp_path, [box(12, 40, 0.5)])
    (tmp_path / "frame.png").write_bytes(b"no picture")
    targets = prediction_files([tmp_path / "frame.png"], tmp_path / "out", ["overlay"])
    (found,) = persons.predict(targets, 0.5, lambda done: None)
    assert found.error is not None
    assert "frame.png: not an image file" in found.error


@pytest.mark.parametrize(
    ("rows", "size", "predictor", "words"),
    [
        ([box(13, 4, 1)], None, None, "boxes.json: no box of the 3 images, expected image_id"),
        ([box(12, 4, 1)], (64, 64), None, "--crop-size: 64x64, expected 32x24"),
        ([box(12, 4, 1)], None, Answering(Segmentation(("a", "b"))), "--boxes: an artefact of"),
        ([box("a", 4, "x")], None, None, "box 0 score: 'x'"),
    ],
)
def test_faults_of_the_request_are_named(
    tmp_path: Path, rows: Any, size: tuple[int, int] | None, predictor: Any, words: str
) -> None:
    with pytest.raises((CompilerError, DataError), match=words):
        made(tmp_path, rows, predictor, size)


def test_files_of_others_are_not_replaced(tmp_path: Path) -> None:
    made(tmp_path, [box(12, 4, 1)], Answering(fixed=None), (48, 48)).write_results()
    made(tmp_path, [box(12, 4, 1)])
    for text in ('{"a": 1}', "no JSON", "[1]"):
        (tmp_path / "out" / RESULTS).write_text(text)
        with pytest.raises(CompilerError, match="none of results, expected another --output"):
            made(tmp_path, [box(12, 4, 1)])
    (tmp_path / "out" / RESULTS).unlink()
    Image.new("RGB", (9, 9)).save(tmp_path / "12.png")
    persons = made(tmp_path, [box(12, 4, 1)])
    both = [tmp_path / "000000000012.jpg", tmp_path / "12.png"]
    targets = prediction_files(both, tmp_path / "out", ["overlay"])
    with pytest.raises(CompilerError, match=r"the number of .*12.jpg too"):
        PersonPredictor.of(persons.predictor, tmp_path / "boxes.json", None, targets, tmp_path)
