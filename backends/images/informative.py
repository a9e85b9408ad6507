"""Informative photographs: neither of one colour nor identical to another."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auxnas.backends.images.errors import DataError
from auxnas.backends.images.reading import read_photograph

_DARK = range(1, 17)
"""Largest values, of 255, of 12-bit values that were stored in 16 bits unscaled."""
_LEAST_DEVIATION = 2.0
"""Standard deviation of a channel, of 255, below which a photograph is of one colour."""
_SAMPLES = 256
"""Rows and columns, about, that the deviation is taken over."""


@dataclass(frozen=True)
class JudgedPhotographs:
    """Photographs sorted by whether they are informative.

    Attributes:
        kept: the informative ones.
        plain: those of one colour.
        repeated: those that show the same as one before.
        brightest: the largest value in all of them.
    """

    kept: tuple[Path, ...]
    plain: tuple[Path, ...] = ()
    repeated: tuple[Path, ...] = ()
    brightest: int = 255

    @property
    def left_out(self) -> tuple[Path, ...]:
        """Plain and repeated ones together."""
        return self.plain + self.repeated

    def __str__(self) -> str:
        total = len(self.kept) + len(self.left_out)
        parts = [
            f"{len(paths)} {words} ({paths[0].name}{', ...' if len(paths) > 1 else ''})"
            for paths, words in ((self.plain, "blank"), (self.repeated, "seen before"))
            if paths
        ]
        return f"{total} image{'s' * (total > 1)}" + "".join(f", {part}" for part in parts)

    def at_least(self, count: int, place: str, purpose: str) -> tuple[Path, ...]:
        """The kept ones, where they are as many.

        Raises:
            DataError: saying what was found.
        """
        if len(self.kept) < count:
            raise DataError(place, str(self), f"{count} or more different ones {purpose}")
        return self.kept


def judge_photographs(paths: Sequence[Path]) -> JudgedPhotographs:
    """Sorts photographs into informative, plain and repeated ones; reads each file once.

    Raises:
        DataError: for one that cannot be read.
    """
    seen: set[bytes] = set()
    kept, plain, repeated = list[Path](), list[Path](), list[Path]()
    brightest = 0
    for path in paths:
        pixels = read_photograph(path)
        content = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()
        kind = plain if is_plain(pixels) else repeated if content in seen else kept
        kind.append(path)
        seen.add(content)
        brightest = max(brightest, int(pixels.max()))
    return JudgedPhotographs(tuple(kept), tuple(plain), tuple(repeated), brightest)


def dark_remark(place: str, brightest: int) -> str:
    """A line about pictures with no larger value than ``brightest``; "" where that is none to say.

    Whether a file of 16 bits holds 12 it does not say, and a picture may be dark.
    """
    if brightest not in _DARK:
        return ""
    return (
        f"note: {place}: no value above {brightest} of 255; files of 16 bits that hold 12 come out "
        "so dark: multiply their values by 16"
    )


def is_plain(pixels: NDArray[np.uint8]) -> bool:
    """Whether a photograph (height, width, 3) is of one colour, but for noise."""
    rows, columns = (max(1, side // _SAMPLES) for side in pixels.shape[:2])
    sample = pixels[::rows, ::columns].reshape(-1, 3)
    return bool(sample.std(axis=0).max() < _LEAST_DEVIATION)
