"""Label images in colours that stand for no class, and how often each colour occurs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxnas.backends.images.errors import DataError

Colour = tuple[int, int, int]
NamedColour = tuple[str, tuple[int, ...]]
MOST = 256
"""Colours of an image that are told of at most; no more can be classes."""
NOT_LABELLED = "of what is not labelled the name is void"
"""Advice on the colour of pixels without a class, in a table of classes."""


class ColourError(DataError):
    """A label image has colours that stand for no class.

    Attributes:
        colours: pixels of each, the most frequent first.
        pixels: of the whole image.
        unused: names and colours of the table of classes that it has not.
    """

    def __init__(
        self,
        place: str,
        found: str,
        expected: str,
        colours: dict[Colour, int],
        pixels: int,
        unused: tuple[NamedColour, ...] = (),
    ) -> None:
        super().__init__(place, found, expected)
        self.colours, self.pixels, self.unused = colours, pixels, unused

    def __reduce__(self) -> tuple[type[ColourError], tuple[Any, ...]]:
        """Its parts, for a copy in another process."""
        said = (self.place, self.found, self.expected)
        return type(self), (*said, self.colours, self.pixels, self.unused)


def colour_counts(pixels: NDArray[np.uint8]) -> dict[Colour, int]:
    """Pixels of each colour among (n, 3) or (height, width, 3), the most frequent colours first."""
    codes = pixels.reshape(-1, 3).astype(np.int32) @ np.array([65536, 256, 1], np.int32)
    found, counts = np.unique(codes, return_counts=True)
    return {
        (code >> 16, code >> 8 & 255, code & 255): int(counts[place])
        for place in np.argsort(-counts, kind="stable")[:MOST]
        for code in [int(found[place])]
    }
