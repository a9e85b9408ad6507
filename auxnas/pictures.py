"""Pictures of predictions: image, truth and guess side by side, with a legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from auxnas.backends.images import resize_indices, resize_rgb
from auxnas.search.data import IGNORE, normalise, stack
from auxnas.search.examples.images import IMAGE
from auxnas.search.loop.workplace import Workplace
from auxnas.search.trials.records import Trial

Bytes = NDArray[np.uint8]

SHOWN = 4
"""Examples in a picture of predictions."""
TITLES = ("image", "truth", "prediction")
UNLABELLED = (224, 224, 192)
"""The colour of borders in PASCAL VOC's own pictures, where black is background."""
_PANEL, _GAP, _LINE, _MARGIN = 320, 8, 26, 12
"""Width of a panel, between panels, height of a line of text, around it all; in pixels."""


@dataclass(frozen=True)
class Example:
    """One row of the picture.

    Attributes:
        image: uint8 (height, width, 3).
        truth: uint8 (height, width), 255 where not labelled.
        guess: uint8 (height, width).
    """

    image: Bytes
    truth: Bytes
    guess: Bytes


def colour(labels: Bytes, palette: Bytes) -> Bytes:
    """Label values as colours, uint8 (height, width, 3)."""
    table = np.zeros((256, 3), dtype=np.uint8)
    table[: len(palette)] = palette
    table[IGNORE] = UNLABELLED
    coloured: Bytes = table[labels]
    return coloured


def classify(logits: NDArray[Any], size: tuple[int, int]) -> Bytes:
    """(N, classes, h, w) logits, grown bilinearly to ``size``, as (N, height, width) classes."""
    rows = _interpolation(logits.shape[2], size[0])
    columns = _interpolation(logits.shape[3], size[1])
    classes: Bytes = (rows @ logits @ columns.T).argmax(axis=1).astype(np.uint8)
    return classes


def _interpolation(length: int, wanted: int) -> NDArray[np.float32]:
    """The matrix that stretches ``length`` samples to ``wanted``, half-pixel centres."""
    places = np.clip((np.arange(wanted) + 0.5) * length / wanted - 0.5, 0, length - 1)
    low = np.floor(places).astype(int)
    matrix = np.zeros((wanted, length), dtype=np.float32)
    matrix[np.arange(wanted), low] += 1 - (places - low)
    matrix[np.arange(wanted), np.minimum(low + 1, length - 1)] += places - low
    return matrix


def draw(examples: Sequence[Example], classes: Sequence[str], palette: Bytes, path: Path) -> None:
    """Writes the picture of ``examples``, with column titles and the classes' colours.

    Raises:
        OSError: when the file cannot be written.
    """
    height, width = examples[0].image.shape[:2]
    panel = (round(height * _PANEL / width), _PANEL)
    rows = [_row(example, palette, panel) for example in examples]
    shown = sorted({int(v) for e in examples for v in np.unique([e.truth, e.guess])})
    entries = [(_named(value, classes), _tint(value, palette)) for value in shown]
    body = np.concatenate([part for row in rows for part in (row, _space(row))])[:-_GAP]
    _canvas(body, entries).save(path)


def predictions(place: Workplace, trial: Trial) -> list[Example]:
    """A few meta-val images with the predictions of ``trial``'s network."""
    program = place.weights.program(trial)
    dataset, val = place.dataset, place.parts[1]
    chosen = list(dict.fromkeys(val[n * len(val) // SHOWN] for n in range(SHOWN)))
    images, truths = stack(dataset, chosen)
    logits = place.learner.infer(program, {IMAGE: normalise(images, place.normalisation)})
    guesses = classify(next(iter(logits.values())), place.settings.data.size)
    return [Example(*parts) for parts in zip(images, truths, guesses, strict=True)]


def _named(value: int, classes: Sequence[str]) -> str:
    return classes[value] if value < len(classes) else "not labelled"


def _tint(value: int, palette: Bytes) -> tuple[int, ...]:
    return tuple(int(x) for x in palette[value]) if value < len(palette) else UNLABELLED


def _row(example: Example, palette: Bytes, panel: tuple[int, int]) -> Bytes:
    """The three panels of an example side by side."""
    labels = [resize_indices(part, panel) for part in (example.truth, example.guess)]
    panels = [resize_rgb(example.image, panel), *(colour(part, palette) for part in labels)]
    gap = np.full((panel[0], _GAP, 3), 255, dtype=np.uint8)
    return np.concatenate([panels[0], gap, panels[1], gap, panels[2]], axis=1)


def _space(row: Bytes) -> Bytes:
    return np.full((_GAP, row.shape[1], 3), 255, dtype=np.uint8)


def _canvas(body: Bytes, entries: Sequence[tuple[str, tuple[int, ...]]]) -> Any:
    """The panels with titles above and the legend below."""
    font, columns = ImageFont.load_default(size=16), 5
    top = _MARGIN + _LINE
    bottom = top + body.shape[0] + _GAP
    size = (
        body.shape[1] + 2 * _MARGIN,
        bottom + ceil(len(entries) / columns) * _LINE + _MARGIN,
    )
    canvas = Image.new("RGB", size, (255, 255, 255))
    canvas.paste(Image.fromarray(body), (_MARGIN, top))
    pen = ImageDraw.Draw(canvas)
    for index, title in enumerate(TITLES):
        middle = _MARGIN + index * (_PANEL + _GAP) + _PANEL // 2
        pen.text((middle, _MARGIN + _LINE // 2 - 3), title, (0, 0, 0), font=font, anchor="mm")
    for index, (name, tint) in enumerate(entries):
        x = _MARGIN + index % columns * (body.shape[1] // columns)
        y = bottom + index // columns * _LINE
        pen.rectangle((x, y + 4, x + 18, y + 20), tint, (90, 90, 90))
        pen.text((x + 26, y + 12), name, (0, 0, 0), font=font, anchor="lm")
    return canvas
