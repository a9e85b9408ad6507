"""Predicting on files: every image is read, labelled and written, or reported by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from auxnas.backends.artefacts.predict import Predictor
from auxnas.backends.images import DataError, read_photograph
from auxnas.compiler import CompilerError
from auxnas.nasrun.naming import PredictionFiles
from auxnas.nasrun.pictures import overlay_classes, write_colours, write_labels, written_here

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class PredictionResult:
    """Outcome of one image.

    Attributes:
        target: the image and where its pictures went.
        size: (height, width); None where it failed.
        shares: share of its pixels by label, the largest first.
        brightest: the largest value of the image, of 255.
        error: reason that there is no label map; None where there is one.
    """

    target: PredictionFiles
    size: tuple[int, int] | None = None
    shares: tuple[tuple[int, float], ...] = ()
    brightest: int = 255
    error: str | None = None


def predict_files(
    predictor: Predictor,
    targets: Sequence[PredictionFiles],
    alpha: float,
    advance: Callable[[int], None] = lambda done: None,
) -> Iterator[PredictionResult]:
    """Label maps and overlays of ``targets``, as many at once as the artefact takes.

    Raises:
        OSError: when a picture cannot be written.
    """
    for start in range(0, len(targets), predictor.batch):
        some = targets[start : start + predictor.batch]
        yield from _together(predictor, some, alpha)
        advance(start + len(some))


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
        found = predictor.labels([image for _, image in read])
    except ValueError as error:
        yield from (PredictionResult(t, error=f"{t.image}: {error}") for t, _ in read)
        return
    for (target, image), labels in zip(read, found, strict=True):
        yield _written(target, image, labels, predictor.classes.palette, alpha)


def _written(
    target: PredictionFiles, image: Array, labels: Array, palette: Array, alpha: float
) -> PredictionResult:
    write_labels(labels, palette, target.labels)
    write_colours(overlay_classes(image, labels, palette, alpha), target.overlay)
    size = (labels.shape[0], labels.shape[1])
    return PredictionResult(target, size, _shares(labels), int(image.max()))


def _shares(labels: Array) -> tuple[tuple[int, float], ...]:
    counts = np.bincount(labels.ravel())
    order = np.argsort(-counts, kind="stable")
    return tuple((int(i), float(counts[i] / labels.size)) for i in order if counts[i])


def prepare_output(output: Path, legend: Path, targets: Sequence[PredictionFiles]) -> None:
    """Makes the directory for the pictures.

    Raises:
        CompilerError: naming a file there that would be replaced, and is none of ours.
        OSError: when that is not possible.
    """
    output.mkdir(parents=True, exist_ok=True)
    pictures = (path for target in targets for path in (target.labels, target.overlay))
    for path in (legend, *pictures):
        if path.is_file() and not written_here(path):
            found = "a file that nasrun did not write, and would replace"
            raise CompilerError(str(path), found, "another directory for --output")
