"""Predicting on files: every image is read, answered and written, or reported by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from auxnas.backends.artefacts.predict import Predictor
from auxnas.backends.images import DataError, read_photograph
from auxnas.compiler import CompilerError
from auxnas.compiler.files import check_room
from auxnas.nasrun.naming import PredictionFiles
from auxnas.nasrun.pictures import write_picture, written_here

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class PredictionResult:
    """Outcome of one image.

    Attributes:
        target: the image and where its pictures went.
        size: (height, width); None where it failed.
        brightest: the largest value of the image, of 255.
        line: words of the task on it, for people.
        facts: likewise, as plain data.
        error: reason that there is no picture; None where there is one.
    """

    target: PredictionFiles
    size: tuple[int, int] | None = None
    brightest: int = 255
    line: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None


class FilePredictor(Protocol):
    """Something that answers to image files."""

    @property
    def results(self) -> Path | None:
        """File of what all answers together come to; None where there is none."""

    def predict(
        self, targets: Sequence[PredictionFiles], alpha: float, advance: Callable[[int], None]
    ) -> Iterator[PredictionResult]:
        """Pictures of the answers to ``targets``.

        Raises:
            OSError: when a picture cannot be written.
        """

    def write_results(self) -> None:
        """Writes the file of results, where there is one.

        Raises:
            OSError: when it cannot be written.
        """


@dataclass(frozen=True)
class PicturePredictor:
    """Answers to whole pictures, as many at once as the artefact takes."""

    predictor: Predictor
    results: ClassVar[None] = None

    def predict(
        self, targets: Sequence[PredictionFiles], alpha: float, advance: Callable[[int], None]
    ) -> Iterator[PredictionResult]:
        """Pictures of the answers to ``targets``.

        Raises:
            OSError: when a picture cannot be written.
        """
        batch = self.predictor.batch
        for start in range(0, len(targets), batch):
            some = targets[start : start + batch]
            yield from _together(self.predictor, some, alpha)
            advance(start + len(some))

    def write_results(self) -> None:
        """Writes nothing."""


def _together(
    predictor: Predictor, targets: Sequence[PredictionFiles], alpha: float
) -> Iterator[PredictionResult]:
    read: list[tuple[PredictionFiles, Array]] = []
    for target in targets:
        try:
            read.append((target, read_photograph(target.image)))
        except DataError as error:
            yield PredictionResult(target, error=str(error))
    if not read:
        return
    try:
        found = predictor.answers([image for _, image in read])
    except ValueError as error:
        yield from (PredictionResult(t, error=f"{t.image}: {error}") for t, _ in read)
        return
    for (target, image), answer in zip(read, found, strict=True):
        yield _written(target, image, answer, predictor, alpha)


def _written(
    target: PredictionFiles, image: Array, answer: Array, predictor: Predictor, alpha: float
) -> PredictionResult:
    found = predictor.task.predicted(answer, image, predictor.classes.palette, alpha)
    for name, picture in found.pictures.items():
        write_picture(picture, target.pictures[name])
    size, brightest = (image.shape[0], image.shape[1]), int(image.max())
    return PredictionResult(target, size, brightest, found.line, found.facts)


def prepare_output(output: Path, legend: Path | None, targets: Sequence[PredictionFiles]) -> None:
    """Makes the directory for the pictures.

    Raises:
        CompilerError: naming a file there that would be replaced, and is none of ours.
        OSError: when that is not possible.
    """
    if os.path.lexists(output) and not output.is_dir():
        found = "a file" if output.exists() else "a link that leads nowhere"
        raise CompilerError(str(output), found, "a directory for --output")
    if not output.exists():
        check_room(output)
    output.mkdir(parents=True, exist_ok=True)
    pictures = (path for target in targets for path in target.pictures.values())
    for path in filter(None, (legend, *pictures)):
        if path.is_file() and not written_here(path):
            found = "a file that nasrun did not write, and would replace"
            raise CompilerError(str(path), found, "another directory for --output")
