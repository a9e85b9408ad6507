"""Colours of label images that are no class's, counted so that a palette can be written of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from auxnas.backends.images.colours import MOST, NOT_LABELLED, Colour, ColourError
from auxnas.search.data.errors import DataError

SHOWN = 24
"""Colours that are listed in a terminal."""


@dataclass(frozen=True)
class StrangeColour:
    """A colour that is no class's.

    Attributes:
        colour: red, green and blue.
        pixels: that have it, in label images with such colours.
        share: of the pixels of all label images that could be read, these among them.
        images: label images that have some.
        place: the first of these.
    """

    colour: Colour
    pixels: int
    share: float
    images: int
    place: str

    @property
    def text(self) -> str:
        """``128,64,128``, as a palette has it."""
        return ",".join(map(str, self.colour))

    @property
    def hexadecimal(self) -> str:
        """``#804080``."""
        return "#" + bytes(self.colour).hex()

    def document(self) -> dict[str, Any]:
        """Itself as plain data."""
        return {**vars(self), "colour": self.text, "hex": self.hexadecimal}


def strange_colours(faults: Iterable[DataError], others: int) -> tuple[StrangeColour, ...]:
    """Colours that faults tell of, the most frequent first.

    Args:
        faults: of label images, those among them that are of colours.
        others: pixels of the label images without fault.
    """
    told = [fault for fault in faults if isinstance(fault, ColourError)]
    pixels, images, places = Counter[Colour](), Counter[Colour](), dict[Colour, str]()
    for fault in told:
        pixels.update(fault.colours)
        images.update(fault.colours.keys())
        for colour in fault.colours:
            places.setdefault(colour, fault.place)
    total = others + sum(fault.pixels for fault in told)
    return tuple(
        StrangeColour(colour, count, count / total, images[colour], places[colour])
        for colour, count in pixels.most_common(MOST)
    )


def colour_lines(found: Sequence[StrangeColour], most: int = SHOWN) -> list[str]:
    """Lines about the most frequent colours; none where there is none."""
    if not found:
        return []
    lines = [
        "colours that are no class's, the most frequent first (for palette.txt, a line for each "
        f"name in classes.txt; {NOT_LABELLED}):",
        *(
            f"  {each.text:<11}  {each.hexadecimal}  {each.share:7.2%} of the pixels, in "
            f"{each.images} label images, first {each.place}"
            for each in found[:most]
        ),
    ]
    rest = found[most:]
    if rest:
        many = ": were the edges smoothed, or was it scaled or saved lossily?"
        why = many if len(found) == MOST else " (--json, --html)"
        share = sum(each.share for each in rest)
        lines.append(f"  and {len(rest)} more with {share:.2%} of the pixels{why}")
    return lines
