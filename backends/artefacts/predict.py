"""From photographs of any size to the answers of a network at that size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from auxnas.backends.artefacts.artefact import Artefact
from auxnas.backends.artefacts.bench import image_axis
from auxnas.backends.base import Runner
from auxnas.backends.colours import distinct_colours
from auxnas.backends.images import network_input
from auxnas.backends.target import main_output
from auxnas.compiler import CompilerError, Size
from auxnas.compiler.interface import Interface
from auxnas.compiler.semantics import MOST_LABELS

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ClassLegend:
    """Meaning of labels.

    Attributes:
        names: by label.
        palette: (256, 3) uint8 colours.
    """

    names: tuple[str, ...]
    palette: Array


UNNAMED = ClassLegend((), np.zeros((MOST_LABELS, 3), np.uint8))
"""Of a task without classes."""


class Predictor:
    """Answers of an artefact to images, as its task has them.

    Args:
        artefact: the one to run.
        runner: runs it.
        task: what the output means; None for what the artefact says.

    Raises:
        CompilerError: naming what the artefact does not say, or is not made for.
    """

    def __init__(self, artefact: Artefact, runner: Runner, task: str | None = None) -> None:
        self.interface = artefact.interface(task)
        self.runner = runner
        meaning = self.interface.task
        self.classes = class_legend(artefact, self.interface)
        self.task = replace(meaning, classes=self.classes.names)
        first, *others = artefact.inputs
        if others or first.name != "image" or len(first.shape) != 4:
            found = ", ".join(map(str, artefact.inputs))
            raise CompilerError(f"{artefact.path}: inputs", found, "one: image, of 4 axes")
        _check_head(artefact, self.interface)
        axis = image_axis(artefact, first)
        height, width = first.shape[axis : axis + 2]
        self.fixed = (height, width) if isinstance(height, int) and isinstance(width, int) else None
        self.batch = first.shape[0] if isinstance(first.shape[0], int) else 1

    def answers(self, images: Sequence[Array]) -> list[Array]:
        """The task's answer for each (H, W, 3) uint8 image, at most ``batch`` of them.

        Where the artefact takes more at once than there are, the last one fills it up.
        Where it takes any size, images of different ones go through it one by one.

        Raises:
            ValueError: when the runtime fails on them.
        """
        if self.fixed is None and len({_size(image) for image in images}) > 1:
            return [answer for image in images for answer in self.answers([image])]
        filled = [*images, *[images[-1]] * (self.batch - len(images))]
        fed_images = [
            network_input(each, self.fixed or _size(each), self.interface) for each in filled
        ]
        inputs = {"image": np.concatenate([each["image"] for each in fed_images])}
        task, pairs = self.task, zip(self._run(inputs), images, strict=False)
        head, fed = self.interface.head, self.fixed
        sized = (task.sized(each, head, _size(image), fed) for each, image in pairs)
        return [task.answer(output)[0] for output in sized]

    def _run(self, inputs: Mapping[str, Array]) -> Array:
        found = main_output(self.runner(inputs))
        if not np.isfinite(found).all():
            raise CompilerError("outputs", "NaN or infinity", "finite scores")
        return found


def _check_head(artefact: Artefact, ends: Interface) -> None:
    """Refuses an output that is not what the metadata say comes out.

    Raises:
        CompilerError: naming it.
    """
    labels, axes = ends.end.bytes, 1 + len(ends.end.shape((1, 1, 1)))
    maps = "maps of floats, one a channel" if axes == 4 else f"floats of {axes} axes"
    expected = "1 map of bytes" if labels else maps
    for each in artefact.outputs[:1]:
        fits = (each.dtype == "uint8") if labels else each.dtype.startswith("float")
        if not fits or len(each.shape) != axes or (labels and each.shape[1] != 1):
            place = f"{artefact.path}: output"
            raise CompilerError(place, str(each), f"{expected}, since the head is {ends.head}")


def class_legend(artefact: Artefact, ends: Interface) -> ClassLegend:
    """Names and colours from the metadata, made up where that says nothing.

    Raises:
        CompilerError: for more classes than a label map can hold, or metadata that does
            not fit.
    """
    if not ends.task.target.classes:
        return UNNAMED
    names, count = _names(artefact), _count(artefact, ends)
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


def _count(artefact: Artefact, ends: Interface) -> int:
    """Number of classes: of the output's channels or, where labels come out, by the metadata."""
    shape = artefact.outputs[0].shape
    if not ends.end.bytes and len(shape) == 4:
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


def _size(image: Array) -> Size:
    return image.shape[0], image.shape[1]
