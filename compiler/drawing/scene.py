"""A picture as plain data: boxes, paths and texts with positions, in points, y downwards."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from functools import cached_property

Point = tuple[float, float]

_WIDE, _NARROW, _USUAL = 0.92, 0.34, 0.6
"""Width of a letter in units of the font size: no less than in the usual sans-serif fonts."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, or the circle with a plus that stands for a sum.

    Attributes:
        name: unique in its scene.
        kind: chooses the colours (``encoder``, ``cell``, ``conv``, ``sep``, ``sum``,
            ``frame`` ...).
        x: horizontal centre.
        y: vertical centre.
        width: full width; a circle's diameter.
        height: full height.
        live: whether it has a part in the result; drawn pale otherwise.
    """

    name: str
    kind: str
    x: float
    y: float
    width: float
    height: float
    live: bool = True

    @property
    def is_circle(self) -> bool:
        """Whether this is a sum."""
        return self.kind == "sum"

    @property
    def is_frame(self) -> bool:
        """Whether this is the ground that others stand on, lines too."""
        return self.kind == "frame"


@dataclass(frozen=True, slots=True)
class Path:
    """A line from box to box, or a piece of one between the points where lines fork.

    Attributes:
        points: start, end of the straight beginning, two control points and the end of a
            cubic curve, and the end of the straight ending: six points.
        source: the box whose output it carries.
        target: the box it ends at; None where it ends at a fork.
        starts_at_source: whether its start lies on the source's border.
        live: whether it has a part in the result.
    """

    points: tuple[Point, Point, Point, Point, Point, Point]
    source: str
    target: str | None = None
    starts_at_source: bool = True
    live: bool = True

    @property
    def has_arrow(self) -> bool:
        """Whether it ends in an arrowhead."""
        return self.target is not None

    def polyline(self, pieces: int = 24) -> list[Point]:
        """Points along the path, the curve cut into ``pieces`` straight pieces."""
        start, a, c1, c2, b, end = self.points
        curve = [_cubic(a, c1, c2, b, i / pieces) for i in range(pieces + 1)]
        if a == c1 or c2 == b:
            curve = [a, b]
        return [start, *curve, end]


def _cubic(a: Point, c1: Point, c2: Point, b: Point, t: float) -> Point:
    s = 1 - t
    weights = (s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t)
    points = (a, c1, c2, b)
    return (
        sum(w * p[0] for w, p in zip(weights, points, strict=True)),
        sum(w * p[1] for w, p in zip(weights, points, strict=True)),
    )


def straight(start: Point, end: Point, source: str, target: str, live: bool = True) -> Path:
    """A path without a curve."""
    return Path((start, start, start, end, end, end), source, target, True, live)


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text.

    Attributes:
        text: the line.
        x: horizontal position of the anchor.
        y: vertical middle.
        size: font size.
        role: ``label``, ``index`` or ``title``: chooses colour and weight.
        anchor: ``middle``, ``start`` or ``end``.
        live: whether it belongs to something live.
    """

    text: str
    x: float
    y: float
    size: float
    role: str = "label"
    anchor: str = "middle"
    live: bool = True

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the room it takes at most."""
        width = text_width(self.text, self.size)
        left = self.x - {"middle": width / 2, "start": 0.0, "end": width}[self.anchor]
        return left, self.y - self.size / 2, left + width, self.y + self.size / 2


def text_width(text: str, size: float) -> float:
    """An upper estimate of how wide ``text`` is, in any usual sans-serif font."""
    return size * sum(map(_letter, text))


def _letter(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.05
    if letter in "mwMW@%":
        return _WIDE
    return _NARROW if letter in "iljtfrI1 .,:;'|!()[]/" and letter != "1" else _USUAL


@dataclass(frozen=True)
class Scene:
    """Picture as data, which ``auxnas.drawing`` writes to a file.

    Attributes:
        width: full width.
        height: full height.
        boxes: drawn over the paths, frames below them.
        paths: drawn first; pale ones below the others.
        texts: drawn last.
        title: description for screen readers.
    """

    width: float
    height: float
    boxes: tuple[Box, ...]
    paths: tuple[Path, ...]
    texts: tuple[Text, ...]
    title: str = ""

    @cached_property
    def box(self) -> dict[str, Box]:
        """The boxes by name."""
        return {box.name: box for box in self.boxes}

    def moved(self, dx: float, dy: float, prefix: str) -> Scene:
        """The same picture elsewhere on the sheet, its boxes' names behind ``prefix``."""
        boxes = (replace(b, name=prefix + b.name, x=b.x + dx, y=b.y + dy) for b in self.boxes)
        paths = (_moved_path(path, dx, dy, prefix) for path in self.paths)
        texts = (replace(text, x=text.x + dx, y=text.y + dy) for text in self.texts)
        return replace(self, boxes=tuple(boxes), paths=tuple(paths), texts=tuple(texts))


def _moved_path(path: Path, dx: float, dy: float, prefix: str) -> Path:
    start, a, c1, c2, b, end = ((x + dx, y + dy) for x, y in path.points)
    target = None if path.target is None else prefix + path.target
    return replace(
        path, points=(start, a, c1, c2, b, end), source=prefix + path.source, target=target
    )
