"""Informative photographs: neither of one colour nor identical to another."""

from __future__ import annotations

import hashlib
import re
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
"""Rows and columns, about, that the deviation is taken over, and colours are counted in."""
_FEW, _ENOUGH = 32, 1024
"""Colours that a label image has at most, and pixels in which a photograph has more."""
_LABELS = re.compile(r"(gt|label|mask|annotation|segmentation)s?", re.IGNORECASE)
"""Names of folders of label images."""


@dataclass(frozen=True)
class JudgedPhotographs:
    """Photographs sorted by whether they are informative.

    Attributes:
        kept: the informative ones.
        plain: those of one colour.
        repeated: those that show the same as one before.
        brightest: the largest value in all of them.
        drawn: those of so few colours that they are likely label images.
    """

    kept: tuple[Path, ...]
    plain: tuple[Path, ...] = ()
    repeated: tuple[Path, ...] = ()
    brightest: int = 255
    drawn: tuple[Path, ...] = ()

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
    drawn, brightest = list[Path](), 0
    for path in paths:
        pixels = read_photograph(path)
        content = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()
        kind = plain if is_plain(pixels) else repeated if content in seen else kept
        kind.append(path)
        seen.add(content)
        brightest = max(brightest, int(pixels.max()))
        if _is_drawn(pixels):
            drawn.append(path)
    return JudgedPhotographs(tuple(kept), tuple(plain), tuple(repeated), brightest, tuple(drawn))


def labels_remark(folder: str, judged: JudgedPhotographs) -> str:
    """A line about label images among the photographs of a folder; "" where there are none.

    They are told by their few colours, or by the name of a folder that they are in.
    """
    paths = (*judged.kept, *judged.left_out)
    named = {path for path in paths if _in_labels(path, Path(folder))}
    found = sorted(named | set(judged.drawn))
    if not found:
        return ""
    return (
        f"warning: {folder}: {len(found)} of {len(paths)} look like label images, such as"
        f" {found[0]}; expected a folder of photographs alone"
    )


def _in_labels(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parent.parts if path.is_relative_to(folder) else ()
    return any(_LABELS.fullmatch(part) for part in parts)


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
    return bool(_sample(pixels).std(axis=0).max() < _LEAST_DEVIATION)


def _is_drawn(pixels: NDArray[np.uint8]) -> bool:
    """Whether a picture (height, width, 3) has two colours or more, and few."""
    sample = _sample(pixels)
    colours = len(np.unique(sample.astype(np.int32) @ (1 << 16, 1 << 8, 1)))
    return len(sample) >= _ENOUGH and 1 < colours <= _FEW


def _sample(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Some of the pixels: (number, 3)."""
    rows, columns = (max(1, side // _SAMPLES) for side in pixels.shape[:2])
    return pixels[::rows, ::columns].reshape(-1, 3)
