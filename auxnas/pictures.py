"""Pictures of predictions: image, truth and guess side by side, with a legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from auxnas.backends.images import normalise, resize_indices, resize_rgb
from auxnas.compiler.tasks import Task
from auxnas.compiler.tasks.segmentation import UNLABELLED
from auxnas.search.data.survey import Sample
from auxnas.search.examples.images import IMAGE, LABEL
from auxnas.search.loop.context import RunContext
from auxnas.search.trials.records import Trial

Bytes = NDArray[np.uint8]

SHOWN = 4
"""Examples in a picture of predictions."""
TITLES = ("image", "truth", "prediction")
_PANEL, _GAP, _LINE, _MARGIN = 320, 8, 26, 12
"""Width of a panel, between panels, height of a line of text, around it all; in pixels."""
_CELL, _COLUMNS = (240, 320), 4
"""(height, width) of an example in a grid, and examples in a row."""


@dataclass(frozen=True)
class Example:
    """One row of the picture.

    Attributes:
        image: uint8 (height, width, 3).
        truth: a target of it, (height, width, ...).
        guess: the answer of a network, likewise.
    """

    image: Bytes
    truth: NDArray[Any]
    guess: NDArray[Any]


def draw_predictions(examples: Sequence[Example], task: Task, palette: Bytes, path: Path) -> None:
    """Writes the picture of ``examples``, with column titles and the classes' colours, if any.

    Raises:
        OSError: when the file cannot be written.
    """
    height, width = examples[0].image.shape[:2]
    panel = (round(height * _PANEL / width), _PANEL)
    rows = [_row(example, task, palette, panel) for example in examples]
    entries = _legend(examples, task, palette)
    body = np.concatenate([part for row in rows for part in (row, _space(row))])[:-_GAP]
    _canvas(body, entries, TITLES).save(path)


def draw_samples(samples: Sequence[Sample], task: Task, palette: Bytes, path: Path) -> None:
    """Writes a picture of images with their labels over them, and the classes' colours, if any.

    Raises:
        OSError: when the file cannot be written.
    """
    targets = [task.target_of(each.label, partial(np.asarray, each.image)) for each in samples]
    cells = [
        _labelled(each.image, target, task, palette)
        for each, target in zip(samples, targets, strict=True)
    ]
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % _COLUMNS)
    rows = [
        np.concatenate([part for cell in cells[n : n + _COLUMNS] for part in (cell, _gap(cell))], 1)
        for n in range(0, len(cells), _COLUMNS)
    ]
    body = np.concatenate([part for row in rows for part in (row, _space(row))])
    examples = [Example(s.image, t, t) for s, t in zip(samples, targets, strict=True)]
    _canvas(body, _legend(examples, task, palette), ()).save(path)


def _labelled(image: Bytes, target: NDArray[Any], task: Task, palette: Bytes) -> Bytes:
    """An image with its label over it, in the middle of a cell."""
    shown = task.panel(image, target, palette)
    scale = min(_CELL[0] / image.shape[0], _CELL[1] / image.shape[1])
    size = max(1, round(scale * image.shape[0])), max(1, round(scale * image.shape[1]))
    inner = _nearest(shown, size)
    if task.target.classes:
        inner = ((resize_rgb(image, size).astype(np.uint16) + inner) // 2).astype(np.uint8)
    cell = np.full((*_CELL, 3), 255, np.uint8)
    top, left = ((whole - part) // 2 for whole, part in zip(_CELL, size, strict=True))
    cell[top : top + size[0], left : left + size[1]] = inner
    return cell


def prediction_examples(context: RunContext, trial: Trial) -> list[Example]:
    """A few meta-val images with the predictions of ``trial``'s network."""
    program = context.weights.program(trial)
    data, val = context.data, context.data.search_split.val.indices
    chosen = list(dict.fromkeys(val[n * len(val) // SHOWN] for n in range(SHOWN)))
    images, truths = (data.training.pixels.read(name, chosen) for name in (IMAGE, LABEL))
    inputs, size = {IMAGE: normalise(images, data.normalisation)}, context.settings.data.size
    outputs = next(iter(context.model.learner.infer(program, inputs).values()))
    sized = (data.task.sized(each, "logits", size) for each in outputs)
    guesses = [data.task.answer(each)[0] for each in sized]
    targets = [
        data.task.target_of(label, partial(np.asarray, image))
        for label, image in zip(truths, images, strict=True)
    ]
    return [Example(*parts) for parts in zip(images, targets, guesses, strict=True)]


def _legend(
    examples: Sequence[Example], task: Task, palette: Bytes
) -> list[tuple[str, tuple[int, ...]]]:
    """Texts and colours: of the classes that are seen, or of the marks of the task's scale."""
    scale = task.scale
    if scale is not None:
        last = len(scale.colours) - 1
        marks = [(text, scale.colours[round(last * place)].tolist()) for place, text in scale.marks]
        return [*((text, tuple(colour)) for text, colour in marks), ("missing", UNLABELLED)]
    labels = [each for e in examples for each in (e.truth, e.guess)] if task.target.classes else []
    shown = sorted({int(value) for values in labels for value in np.unique(values)})
    return [(_named(value, task.classes), _tint(value, palette)) for value in shown]


def _named(value: int, classes: Sequence[str]) -> str:
    return classes[value] if value < len(classes) else "not labelled"


def _tint(value: int, palette: Bytes) -> tuple[int, ...]:
    return tuple(int(x) for x in palette[value]) if value < len(palette) else UNLABELLED


def _row(example: Example, task: Task, palette: Bytes, panel: tuple[int, int]) -> Bytes:
    """The three panels of an example side by side."""
    parts = (example.truth, example.guess)
    pictures = [task.panel(example.image, part, palette) for part in parts]
    panels = [resize_rgb(example.image, panel), *(_nearest(part, panel) for part in pictures)]
    gap = np.full((panel[0], _GAP, 3), 255, dtype=np.uint8)
    return np.concatenate([panels[0], gap, panels[1], gap, panels[2]], axis=1)


def _nearest(picture: Bytes, size: tuple[int, int]) -> Bytes:
    return np.stack([resize_indices(picture[..., n], size) for n in range(3)], axis=-1)


def _space(row: Bytes) -> Bytes:
    return np.full((_GAP, row.shape[1], 3), 255, dtype=np.uint8)


def _gap(cell: Bytes) -> Bytes:
    return np.full((cell.shape[0], _GAP, 3), 255, dtype=np.uint8)


def _canvas(
    body: Bytes, entries: Sequence[tuple[str, tuple[int, ...]]], titles: Sequence[str]
) -> Any:
    """The panels with titles above and the legend below."""
    font, columns = ImageFont.load_default(size=16), 5
    top = _MARGIN + _LINE * bool(titles)
    bottom = top + body.shape[0] + _GAP
    size = (
        body.shape[1] + 2 * _MARGIN,
        bottom + ceil(len(entries) / columns) * _LINE + _MARGIN,
    )
    canvas = Image.new("RGB", size, (255, 255, 255))
    canvas.paste(Image.fromarray(body), (_MARGIN, top))
    pen = ImageDraw.Draw(canvas)
    for index, title in enumerate(titles):
        middle = _MARGIN + index * (_PANEL + _GAP) + _PANEL // 2
        pen.text((middle, _MARGIN + _LINE // 2 - 3), title, (0, 0, 0), font=font, anchor="mm")
    for index, (name, tint) in enumerate(entries):
        x = _MARGIN + index % columns * (body.shape[1] // columns)
        y = bottom + index // columns * _LINE
        pen.rectangle((x, y + 4, x + 18, y + 20), tint, (90, 90, 90))
        pen.text((x + 26, y + 12), name, (0, 0, 0), font=font, anchor="lm")
    return canvas
