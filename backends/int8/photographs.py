"""The photographs that int8 is calibrated and judged on, and their labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from auxnas.backends.images import (
    JudgedPhotographs,
    check_distinct_stems,
    check_sizes,
    find_images,
    find_label_images,
    judge_photographs,
    label_suffixes,
    network_input,
    read_numbers,
    read_photograph,
)
from auxnas.backends.images.depth import middles_of, unit_error
from auxnas.backends.images.labels import missing_reason
from auxnas.compiler import CompilerError, Size
from auxnas.compiler.interface import Interface
from auxnas.compiler.tasks import IGNORE, Segmentation, TargetFormat, Task

Array = np.ndarray[Any, Any]

LEAST, MOST = 8, 32
"""Photographs: fewer say too little of the values that occur, more take time."""
HELD_OUT = 4
"""One photograph in so many is kept apart to judge by."""


@dataclass(frozen=True)
class Photographs:
    """Some to find ranges on, others to judge by.

    Attributes:
        calibration: files that the ranges of activations are found on.
        held_out: files that the result is judged on.
        labels: label image of each held-out photograph; empty where none are given.
        judged: all that were looked at, with those that say nothing.
        units: a metre, of labels that are depth; None for what is usual.
        table: the class that each number from 0 to 255 in a label image becomes; none: itself.
        decode: reads a label image of classes, such as one in colours; None for one of numbers.
    """

    calibration: tuple[Path, ...]
    held_out: tuple[Path, ...]
    labels: tuple[Path, ...] = ()
    judged: JudgedPhotographs | None = None
    units: float | None = None
    table: tuple[int, ...] = ()
    decode: Callable[[Path, str], Array] | None = None


def find_photographs(
    images: str | Path | None,
    labels: str | Path | None = None,
    numbers: TargetFormat = Segmentation.target,
) -> Photographs:
    """At most ``MOST`` photographs spread over a folder, without those that say nothing.

    Args:
        images: the folder.
        labels: a folder with a label file for each at the same place, if there is one.
        numbers: in the label files.

    Raises:
        CompilerError: where there is no folder.
        DataError: where one cannot be read, too few say something, or it is not clear which
            label image is whose.
    """
    if images is None:
        raise CompilerError("int8", "no photographs to calibrate on", "--images DIR")
    judged = judge_photographs(find_images(images, MOST))
    found = judged.at_least(LEAST, str(images), "to calibrate on")
    held_out = found[HELD_OUT - 1 :: HELD_OUT]
    calibration = tuple(path for path in found if path not in held_out)
    if labels is None:
        return Photographs(calibration, held_out, judged=judged)
    check_distinct_stems(found)  # of all, since one photograph more holds others out
    paired = find_label_images(held_out, images, labels, label_suffixes(numbers))
    return Photographs(calibration, held_out, paired, judged, numbers.units)


def read_inputs(
    paths: Sequence[Path], size: Size, interface: Interface
) -> Iterator[dict[str, Array]]:
    """The network's inputs, one photograph each, read when asked for.

    Raises:
        DataError: for an unreadable file.
    """
    for path in paths:
        yield network_input(read_photograph(path), size, interface)


def read_labels(photographs: Photographs, task: Task) -> list[tuple[Size, Array]]:
    """The (height, width) and the target of each held-out photograph.

    Raises:
        CompilerError: for a label that is no class, or a class whose label says that a pixel
            is not labelled.
        DataError: for an unreadable file, or one of another size than its photograph.
    """
    classes = len(task.classes)
    if photographs.labels and classes > IGNORE:
        expected = f"at most {IGNORE}, as label {IGNORE} is no class"
        raise CompilerError("labels", f"{classes} classes", expected)
    found, sizes, numbers = [], [], replace(task.labels, units=photographs.units)
    for photograph, path in zip(photographs.held_out, photographs.labels, strict=False):
        pixels, decode = read_photograph(photograph), photographs.decode
        label = decode(path, str(path)) if decode else read_numbers(path, numbers)
        if numbers.is_map:
            check_sizes((photograph, pixels), (path, label), str(path))
        sizes.append((pixels.shape[0], pixels.shape[1]))
        fault = task.labels.fault(label, sizes[-1])
        if fault is not None:
            raise CompilerError(str(path), fault)
        if task.labels.classes:
            label = _mapped(path, label, photographs.table, classes)
        found.append(label)
    if task.labels.classes:
        _check_label_variety(photographs, found, classes)
    if numbers.metric and photographs.labels:
        error = unit_error(middles_of(found), photographs.labels[0], numbers)
        if error is not None:
            raise error
    if found and not any(task.labels.known(label).any() for label in found):
        folder = str(photographs.labels[0].parent)
        raise CompilerError(folder, "nothing labelled in any label", "something")
    images = (partial(read_photograph, path) for path in photographs.held_out)
    return list(zip(sizes, map(task.target_of, found, images), strict=True))


def _mapped(path: Path, label: Array, table: Sequence[int], classes: int) -> Array:
    """The classes in a label image.

    Raises:
        CompilerError: for a value that is, or that ``table`` makes, no class.
    """
    found = np.array(table, label.dtype)[label] if table else label
    worst = int(np.where(found == IGNORE, 0, found).max())
    if worst < classes:
        return found
    value = int(label[found == worst][0])
    made = f", which --map makes of {value}" if value != worst else ""
    known = f"0 to {classes - 1}, or {IGNORE}"
    expected = f"{known}: another --map" if made else f"{known}, or --map {value}=CLASS"
    raise CompilerError(str(path), f"label {worst}{made}", expected)


def _check_label_variety(photographs: Photographs, labels: Sequence[Array], classes: int) -> None:
    """Finds labels that a constant answer gets right, where that is likely a mistake."""
    counts = sum(np.bincount(label.ravel(), minlength=IGNORE + 1) for label in labels)
    if not labels:
        return
    pixels, unlabelled = np.asarray(counts)[:classes].tolist(), int(np.asarray(counts)[IGNORE])
    reason, present = missing_reason(pixels, unlabelled), np.flatnonzero(pixels)
    if reason and len(present) == 1:
        of = f"{len(labels)} label images have pixels of class {present[0]} alone"
        raise CompilerError(str(photographs.labels[0].parent), of, f"two classes or more; {reason}")
