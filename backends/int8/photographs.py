"""The photographs that int8 is calibrated and judged on, and their labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from auxnas.backends.base import IGNORE
from auxnas.backends.images import fed, find_images, read_image, read_label
from auxnas.compiler import CompilerError, Size
from auxnas.compiler.interface import Interface

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
    """

    calibration: tuple[Path, ...]
    held_out: tuple[Path, ...]
    labels: tuple[Path, ...] = ()


def find_photographs(images: str | Path | None, labels: str | Path | None = None) -> Photographs:
    """At most ``MOST`` photographs spread over a folder.

    Args:
        images: the folder.
        labels: a folder with a label image of the same stem for each, if there is one.

    Raises:
        CompilerError: where there is no folder, there are too few in it, or a label is
            missing.
    """
    if images is None:
        raise CompilerError("int8", "no photographs to calibrate on", "--images DIR")
    found = find_images(images, MOST)
    if len(found) < LEAST:
        count = f"{len(found)} image{'s' * (len(found) > 1)}"
        raise CompilerError(str(images), count, f"{LEAST} or more to calibrate on")
    held_out = tuple(found[HELD_OUT - 1 :: HELD_OUT])
    calibration = tuple(path for path in found if path not in held_out)
    known = {} if labels is None else {path.stem: path for path in find_images(labels)}
    for path in held_out if labels is not None else ():
        if path.stem not in known:
            raise CompilerError(str(labels), f"no label image {path.stem}.png", f"one for {path}")
    return Photographs(calibration, held_out, tuple(known[p.stem] for p in held_out if known))


def feeds(paths: Sequence[Path], size: Size, interface: Interface) -> Iterator[dict[str, Array]]:
    """The network's inputs, one photograph each, read when asked for.

    Raises:
        CompilerError: for an unreadable file.
    """
    for path in paths:
        yield fed(read_image(path), size, interface)


def read_labels(photographs: Photographs, classes: int) -> list[Array]:
    """(H, W) uint8 of each held-out photograph.

    Raises:
        CompilerError: for an unreadable file, a label that is no class, or a class whose
            label says that a pixel is not labelled.
    """
    if photographs.labels and classes > IGNORE:
        expected = f"at most {IGNORE}, as label {IGNORE} is no class"
        raise CompilerError("labels", f"{classes} classes", expected)
    found = []
    for path in photographs.labels:
        label = read_label(path)
        worst = int(np.where(label == IGNORE, 0, label).max())
        if worst >= classes:
            raise CompilerError(str(path), f"label {worst}", f"0 to {classes - 1}, or {IGNORE}")
        found.append(label)
    return found
