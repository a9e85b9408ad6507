"""From photographs of any size to label maps of the same size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from auxnas.backends.artefacts.artefact import Artefact
from auxnas.backends.artefacts.bench import image_axis
from auxnas.backends.base import Runner
from auxnas.backends.colours import distinct_colours
from auxnas.backends.images import network_input
from auxnas.compiler import MAIN, CompilerError, Size
from auxnas.compiler.semantics import MOST_LABELS

Array = np.ndarray[Any, Any]

_STRIP = 1 << 23
"""Numbers in a strip of full-size scores: bounds the memory that large images take."""


@dataclass(frozen=True)
class ClassLegend:
    """Meaning of labels.

    Attributes:
        names: by label.
        palette: (256, 3) uint8 colours.
    """

    names: tuple[str, ...]
    palette: Array


class Predictor:
    """Labels images with an artefact.

    Args:
        artefact: the one to run.
        runner: runs it.

    Raises:
        CompilerError: naming what the artefact does not say, or is not made for.
    """

    def __init__(self, artefact: Artefact, runner: Runner) -> None:
        self.interface = artefact.interface()
        self.runner = runner
        self.classes = class_legend(artefact)
        first, *others = artefact.inputs
        if others or first.name != "image" or len(first.shape) != 4:
            found = ", ".join(map(str, artefact.inputs))
            raise CompilerError(f"{artefact.path}: inputs", found, "one: image, of 4 axes")
        _check_head(artefact, self.interface.head)
        axis = image_axis(artefact, first)
        height, width = first.shape[axis : axis + 2]
        self.fixed = (height, width) if isinstance(height, int) and isinstance(width, int) else None
        self.batch = first.shape[0] if isinstance(first.shape[0], int) else 1

    def labels(self, images: Sequence[Array]) -> list[Array]:
        """(H, W) uint8 for each (H, W, 3) uint8 image, at most ``batch`` of them.

        Where the artefact takes more at once than there are, the last one fills it up.
        Where it takes any size, images of different ones go through it one by one.

        Raises:
            ValueError: when the runtime fails on them.
        """
        if self.fixed is None and len({_size(image) for image in images}) > 1:
            return [labels for image in images for labels in self.labels([image])]
        filled = [*images, *[images[-1]] * (self.batch - len(images))]
        fed_images = [
            network_input(each, self.fixed or _size(each), self.interface) for each in filled
        ]
        inputs = {"image": np.concatenate([each["image"] for each in fed_images])}
        pairs = zip(self._run(inputs), images, strict=False)
        return [self._grown(scores, _size(image)) for scores, image in pairs]

    def _run(self, inputs: Mapping[str, Array]) -> Array:
        found = self.runner(inputs)
        if MAIN not in found:
            raise CompilerError("outputs", ", ".join(found), f"one named {MAIN}")
        if not np.isfinite(found[MAIN]).all():
            raise CompilerError("outputs", "NaN or infinity", "finite scores")
        return found[MAIN]

    def _grown(self, scores: Array, size: Size) -> Array:
        """One image's output, as labels of ``size``."""
        return (
            resize_nearest(scores[0], size)
            if self.interface.head == "labels"
            else classify(scores, size)
        )


def _check_head(artefact: Artefact, head: str) -> None:
    """Refuses an output that is not what the metadata say comes out.

    Raises:
        CompilerError: naming it.
    """
    labels = head == "labels"
    expected = "1 map of bytes" if labels else "maps of floats, one a class"
    for each in artefact.outputs[:1]:
        fits = (each.dtype == "uint8") if labels else each.dtype.startswith("float")
        if not fits or len(each.shape) != 4 or (labels and each.shape[1] != 1):
            place = f"{artefact.path}: output"
            raise CompilerError(place, str(each), f"{expected}, since the head is {head}")


def class_legend(artefact: Artefact) -> ClassLegend:
    """Names and colours from the metadata, made up where that says nothing.

    Raises:
        CompilerError: for more classes than a label map can hold, or metadata that does
            not fit.
    """
    names, count = _names(artefact), _count(artefact)
    count = count or len(names)
    if not 0 < count <= MOST_LABELS:
        found = f"{count} classes" if count else "no number of classes"
        raise CompilerError(str(artefact.path), found, f"1 to {MOST_LABELS}")
    known = names[:count]
    known += tuple(f"class {index}" for index in range(len(known), count))
    return ClassLegend(known, _palette(artefact, count))


def _names(artefact: Artefact) -> tuple[str, ...]:
    names = artefact.metadata.get("classes", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CompilerError(f"{artefact.path}: classes", repr(names)[:60], "a list of names")
    return tuple(names)


def _count(artefact: Artefact) -> int:
    """Number of classes: of the output's channels or, where labels come out, by the metadata."""
    shape = artefact.outputs[0].shape
    if artefact.metadata.get("head") != "labels" and len(shape) == 4:
        return shape[1] if isinstance(shape[1], int) else 0
    model = artefact.metadata.get("model")
    count = model.get("classes", 0) if isinstance(model, dict) else 0
    return count if isinstance(count, int) else 0


def _palette(artefact: Artefact, count: int) -> Array:
    """(256, 3) uint8: the metadata's colours, then made-up ones."""
    palette = distinct_colours(MOST_LABELS)
    own = artefact.metadata.get("palette")
    if own is None:
        return palette
    try:
        colours = np.array(own, np.uint8).reshape(-1, 3)[:count]
    except (ValueError, TypeError, OverflowError):
        place = f"{artefact.path}: palette"
        raise CompilerError(place, repr(own)[:60], "rows of 3 numbers from 0 to 255") from None
    palette[: len(colours)] = colours
    return palette


def classify(scores: Array, size: Size) -> Array:
    """The largest channel at every pixel, scores grown bilinearly to ``size`` before.

    Sampled as the network itself does (half-pixel centres, ``align_corners=False``), in
    strips of rows.

    Args:
        scores: (classes, h, w).
        size: (height, width) of the image.

    Returns:
        (height, width) uint8.
    """
    height, width = size
    low, high, part = _samples(scores.shape[2], width)
    step = max(1, _STRIP // (scores.shape[0] * width))
    top, bottom, weight = _samples(scores.shape[1], height)
    labels = np.empty(size, np.uint8)
    for start in range(0, height, step):
        rows = slice(start, start + step)
        weights = weight[rows, None]
        mixed = scores[:, top[rows]] * (1 - weights) + scores[:, bottom[rows]] * weights
        labels[rows] = (mixed[:, :, low] * (1 - part) + mixed[:, :, high] * part).argmax(0)
    return labels


def _samples(length: int, wanted: int) -> tuple[Array, Array, Array]:
    """Of each of ``wanted`` samples: the two neighbours among ``length``, the second's part."""
    places = np.clip((np.arange(wanted) + 0.5) * length / wanted - 0.5, 0, length - 1)
    low = np.floor(places).astype(np.intp)
    return low, np.minimum(low + 1, length - 1), (places - low).astype(np.float32)


def resize_nearest(labels: Array, size: Size) -> Array:
    """(h, w) labels at ``size``: those of the nearest pixel."""
    rows, columns = (
        ((np.arange(wanted) + 0.5) * length / wanted).astype(np.intp)
        for length, wanted in zip(labels.shape, size, strict=True)
    )
    found: Array = labels[rows[:, None], columns]
    return found


def _size(image: Array) -> Size:
    return image.shape[0], image.shape[1]
