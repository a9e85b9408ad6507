"""Colours of label images that are no class's, counted so that a palette can be written of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from auxnas.backends.images.colours import MOST, NOT_LABELLED, Colour, ColourError, NamedColour
from auxnas.backends.images.labels import some_names
from auxnas.search.data.errors import DataError
from auxnas.search.data.statistics import Statistics

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
        return colour_text(self.colour)

    @property
    def hexadecimal(self) -> str:
        """``#804080``."""
        return "#" + bytes(self.colour).hex()

    def document(self) -> dict[str, Any]:
        """Itself as plain data."""
        return {**vars(self), "colour": self.text, "hex": self.hexadecimal}


def colour_text(colour: Iterable[int]) -> str:
    """``128,64,128``, as a palette has it."""
    return ",".join(map(str, colour))


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


def unused_colours(faults: Iterable[DataError], found: Statistics) -> tuple[NamedColour, ...]:
    """Rows of the table of classes whose colour no label image has, where faults are of colours.

    Args:
        faults: of label images, those among them that are of colours.
        found: of the label images without fault.
    """
    first, *others = [f.unused for f in faults if isinstance(f, ColourError)] or [()]
    present = {name for name in found.classes if name not in found.missing}
    void = not found.unlabelled
    return tuple(
        row
        for row in first
        if all(row in other for other in others)
        and row[0] not in present
        and (row[0] in found.classes or void)
    )


def unused_line(found: Sequence[NamedColour]) -> Iterator[str]:
    """A line about colours of the table that no label image has."""
    if found:
        named = some_names(f"{name} ({colour_text(colour)})" for name, colour in found)
        yield f"the colour of {named} was found in no label image: is it another one?"


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
        lines.append(f"  and {len(rest)} more colours with {share:.2%} of the pixels{why}")
    return lines
