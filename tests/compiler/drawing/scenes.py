"""A checker of pictures, which knows nothing but the scene."""

import functools
import itertools
from collections.abc import Iterator

import numpy as np

from auxnas.compiler.drawing.scene import Box, Path, Point, Scene

Rectangle = tuple[float, float, float, float]


def faults(scene: Scene) -> list[str]:
    """Everything that should not be in a picture."""
    return [
        *outside(scene),
        *overlapping_boxes(scene),
        *overlapping_texts(scene),
        *texts_over_borders(scene),
        *paths_over_boxes(scene),
        *paths_over_texts(scene),
    ]


def rectangle(box: Box) -> Rectangle:
    half, tall = box.width / 2, box.height / 2
    return box.x - half, box.y - tall, box.x + half, box.y + tall


def overlap(a: Rectangle, b: Rectangle, by: float = 0.01) -> bool:
    return min(a[2], b[2]) - max(a[0], b[0]) > by and min(a[3], b[3]) - max(a[1], b[1]) > by


def inside(a: Rectangle, b: Rectangle) -> bool:
    return a[0] >= b[0] and a[1] >= b[1] and a[2] <= b[2] and a[3] <= b[3]


def outside(scene: Scene) -> Iterator[str]:
    sheet = (0.0, 0.0, scene.width, scene.height)
    for box in scene.boxes:
        if not inside(rectangle(box), sheet):
            yield f"box {box.name} leaves the sheet"
    for text in scene.texts:
        if not inside(text.extent, sheet):
            yield f"text {text.text} leaves the sheet"
    for path in scene.paths:
        if not all(inside((x, y, x, y), sheet) for x, y in path.polyline()):
            yield f"the path from {path.source} leaves the sheet"


def overlapping_boxes(scene: Scene) -> Iterator[str]:
    for a, b in itertools.combinations(scene.boxes, 2):
        if overlap(rectangle(a), rectangle(b)):
            yield f"boxes {a.name} and {b.name} overlap"


def overlapping_texts(scene: Scene) -> Iterator[str]:
    for a, b in itertools.combinations(scene.texts, 2):
        if overlap(a.extent, b.extent):
            yield f"texts {a.text} and {b.text} overlap"


def texts_over_borders(scene: Scene) -> Iterator[str]:
    """A text lies within one box or outside all of them."""
    for text, box in itertools.product(scene.texts, scene.boxes):
        within = inside(text.extent, rectangle(box)) and not box.is_circle
        if overlap(text.extent, rectangle(box)) and not within:
            yield f"text {text.text} crosses the border of {box.name}"


def shrunk(a: Rectangle, by: float) -> Rectangle:
    return a[0] + by, a[1] + by, a[2] - by, a[3] - by


def enters(path: Path, area: Rectangle) -> bool:
    """Whether the path passes through a rectangle, its border excepted."""
    line = polyline(path)
    low, high = np.min(line, axis=0), np.max(line, axis=0)
    if low[0] >= area[2] or high[0] <= area[0] or low[1] >= area[3] or high[1] <= area[1]:
        return False
    corners = [(area[i], area[j]) for i, j in ((0, 1), (2, 1), (2, 3), (0, 3))]
    sides = list(zip(corners, corners[1:] + corners[:1], strict=True))
    return any(area[0] < x < area[2] and area[1] < y < area[3] for x, y in line) or any(
        cut(a, b, *side) for a, b in itertools.pairwise(line) for side in sides
    )


@functools.lru_cache(maxsize=512)
def polyline(path: Path) -> list[Point]:
    return path.polyline(37)


def cut(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether two straight pieces cross in a point inside both."""

    def side(p: Point, q: Point, r: Point) -> float:
        area = (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])
        return 0.0 if abs(area) < 1e-7 else area

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


def paths_over_boxes(scene: Scene) -> Iterator[str]:
    """No path enters a box: its own it only touches, all others it keeps away from."""
    for path, box in itertools.product(scene.paths, scene.boxes):
        own = box.name == path.target or (path.starts_at_source and box.name == path.source)
        if enters(path, shrunk(rectangle(box), 0.01 if own else -2.0)):
            yield f"the path from {path.source} to {path.target} runs into {box.name}"


def paths_over_texts(scene: Scene) -> Iterator[str]:
    for path, text in itertools.product(scene.paths, scene.texts):
        if enters(path, text.extent):
            yield f"the path from {path.source} to {path.target} runs over {text.text}"


def crossed(scene: Scene) -> int:
    """How many pairs of paths cross; meeting in a common end is no crossing."""
    lines = [polyline(path) for path in scene.paths]
    spans = [(min(p[0] for p in line), max(p[0] for p in line)) for line in lines]
    count = 0
    for (line, span), (other, other_span) in itertools.combinations(
        zip(lines, spans, strict=True), 2
    ):
        if span[0] <= other_span[1] and other_span[0] <= span[1]:
            count += meet(line, other)
    return count


def meet(line: list[Point], other: list[Point]) -> bool:
    return any(
        cut(a, b, c, d)
        for a, b in itertools.pairwise(line)
        for c, d in itertools.pairwise(other)
        if min(a[1], b[1]) <= max(c[1], d[1]) and min(c[1], d[1]) <= max(a[1], b[1])
    )
