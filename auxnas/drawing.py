"""Writing a scene as .svg (standard library only) or .png (Pillow)."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path as File
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from auxnas.compiler.drawing.scene import Box, Path, Point, Scene, Text
from auxnas.compiler.files import atomic_write
from auxnas.options import DRAWINGS

if TYPE_CHECKING:
    from PIL import Image, ImageDraw


_FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif"
_INK, _PALE_INK, _GREY = "#22272e", "#a3a9b0", "#6b737c"
_EDGE, _PALE_EDGE = "#3c434b", "#c3c8ce"
_PALE_FILL = "#fafbfb"
_COLOURS = {
    "encoder": ("#dbe8f6", "#5a8abd"),
    "cell": ("#ebe5f6", "#8c79bd"),
    "conv": ("#fde5d2", "#d98a4b"),
    "sep": ("#dcefdc", "#62a062"),
    "gap": ("#fdf1c4", "#c79f2e"),
    "skip": ("#eef0f2", "#8a929a"),
    "zero": ("#ffffff", "#b9bfc6"),
    "other": ("#f8e1ec", "#b8668f"),
    "sum": ("#ffffff", _EDGE),
    "io": ("#e9ecef", "#69727b"),
    "head": ("#dff1f0", "#4c9a97"),
    "frame": ("#f7f8f9", "#e1e5e9"),
}
_STROKE, _EDGE_WIDTH = 1.1, 1.2
_CORNER = 4.0
_HEAD_LENGTH, _HEAD_WIDTH = 6.0, 5.4
_DASH = (3.0, 2.6)
_SUPERSAMPLING = 3
_MOST_PIXELS = 150_000_000


def _colours(box: Box) -> tuple[str, str]:
    fill, stroke = _COLOURS.get(box.kind, _COLOURS["other"])
    return (fill, stroke) if box.live else (_PALE_FILL, _PALE_EDGE)


def _ink(text: Text) -> str:
    if not text.live:
        return _PALE_INK
    return _GREY if text.role == "index" else _INK


def _arrowhead(path: Path) -> tuple[Point, Point, Point]:
    """The triangle at the end of a path, whose last piece is upright or level."""
    x, y = path.points[-1]
    half = _HEAD_WIDTH / 2
    before = path.points[-2] if path.points[-2] != (x, y) else path.points[0]
    if before[1] == y:
        return (x, y), (x - _HEAD_LENGTH, y - half), (x - _HEAD_LENGTH, y + half)
    return (x, y), (x - half, y + _HEAD_LENGTH), (x + half, y + _HEAD_LENGTH)


def _in_order(scene: Scene) -> list[Path]:
    """The paths with the pale ones first."""
    return sorted(scene.paths, key=lambda path: path.live)


def save(scene: Scene, path: str | File) -> None:
    """Writes ``scene`` to ``path``, as whole file or not at all; its suffix says how.

    Raises:
        ValueError: for a suffix other than .svg and .png.
        OSError: when the file cannot be written.
    """
    suffix = File(path).suffix.lower()
    if suffix not in DRAWINGS:
        raise ValueError(f"{path}: {suffix or 'no suffix'}, expected {' or '.join(DRAWINGS)}")
    if suffix == ".svg":
        text = svg(scene)
        with atomic_write(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    else:
        image = render_image(scene)
        with atomic_write(path) as temporary:
            image.save(temporary, format="PNG", dpi=(144, 144), optimize=True)


# SVG ---------------------------------------------------------------------------------


def svg(scene: Scene) -> str:
    """The scene as one ``<svg>`` element without identifiers: a file, or part of a page."""
    width, height = _n(scene.width), _n(scene.height)
    title = escape(_xml_text(scene.title))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" font-family="{_FONT}">',
        f"<title>{title}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *(_svg_box(box) for box in scene.boxes if box.is_frame),
        *(_svg_path(path) for path in _in_order(scene)),
        *(_svg_box(box) for box in scene.boxes if not box.is_frame),
        *(_svg_text(text) for text in scene.texts),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _n(value: float) -> str:
    """A number with two decimals at most."""
    return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")


def _pair(point: Point) -> str:
    return f"{_n(point[0])} {_n(point[1])}"


def _xml_text(text: str) -> str:
    """``text`` without the characters that XML cannot hold."""
    return "".join(c if c.isprintable() else "�" for c in text)


def _svg_path(path: Path) -> str:
    start, a, c1, c2, b, end = map(_pair, _shortened(path))
    dash = "" if path.live else f' stroke-dasharray="{_DASH[0]} {_DASH[1]}"'
    colour = _EDGE if path.live else _PALE_EDGE
    line = (
        f'<path d="M{start} L{a} C{c1} {c2} {b} L{end}" fill="none" stroke="{colour}" '
        f'stroke-width="{_EDGE_WIDTH}" stroke-linejoin="round"{dash}/>'
    )
    if not path.has_arrow:
        return line
    corners = " ".join(_pair(point) for point in _arrowhead(path))
    return f'{line}\n<polygon points="{corners}" fill="{colour}"/>'


def _shortened(path: Path) -> tuple[Point, ...]:
    """The points of a path that stops inside its arrowhead, whose tip stays sharp."""
    if not path.has_arrow:
        return path.points
    tip, left, right = _arrowhead(path)
    base = ((left[0] + right[0]) / 2, (left[1] + right[1]) / 2)
    return (*path.points[:-1], ((tip[0] + base[0]) / 2, (tip[1] + base[1]) / 2))


def _svg_box(box: Box) -> str:
    fill, stroke = _colours(box)
    style = f'fill="{fill}" stroke="{stroke}" stroke-width="{_STROKE}"'
    if box.is_circle:
        circle = f'<circle cx="{_n(box.x)}" cy="{_n(box.y)}" r="{_n(box.width / 2)}" {style}/>'
        lines = " ".join(f"M{_pair(a)} L{_pair(b)}" for a, b in _plus(box))
        return f'{circle}\n<path d="{lines}" stroke="{stroke}" stroke-width="{_STROKE}"/>'
    left, top = _n(box.x - box.width / 2), _n(box.y - box.height / 2)
    dash = ' stroke-dasharray="3 2.6"' if box.kind == "zero" else ""
    return (
        f'<rect x="{left}" y="{top}" width="{_n(box.width)}" height="{_n(box.height)}" '
        f'rx="{_n(_radius(box))}" {style}{dash}/>'
    )


def _radius(box: Box) -> float:
    """Inputs and outputs are rounder."""
    return 2 * _CORNER if box.kind == "io" else _CORNER


def _plus(box: Box) -> tuple[tuple[Point, Point], tuple[Point, Point]]:
    """The two lines inside a sum's circle."""
    r = box.width / 2
    return ((box.x - r, box.y), (box.x + r, box.y)), ((box.x, box.y - r), (box.x, box.y + r))


def _svg_text(text: Text) -> str:
    baseline = text.y + 0.35 * text.size
    anchor = "" if text.anchor == "start" else f" text-anchor={quoteattr(text.anchor)}"
    return (
        f'<text x="{_n(text.x)}" y="{_n(baseline)}" font-size="{_n(text.size)}"{anchor} '
        f'fill="{_ink(text)}">{escape(_xml_text(text.text))}</text>'
    )


# PNG ---------------------------------------------------------------------------------


def render_image(scene: Scene, scale: float = 2.0) -> Image.Image:
    """The scene as a Pillow image, ``scale`` pixels a point."""
    from PIL import Image, ImageDraw  # here, since starting a command should not wait for it

    pixels = scene.width * scene.height * (scale * _SUPERSAMPLING) ** 2
    if pixels > _MOST_PIXELS:
        scale *= (_MOST_PIXELS / pixels) ** 0.5
    size = round(scene.width * scale), round(scene.height * scale)
    large = Image.new("RGB", (size[0] * _SUPERSAMPLING, size[1] * _SUPERSAMPLING), "#ffffff")
    _Brush(ImageDraw.Draw(large), scale * _SUPERSAMPLING).scene(scene)
    return large.reduce(_SUPERSAMPLING)


class _Brush:
    """Draws on an enlarged image; everything is given in points."""

    def __init__(self, canvas: ImageDraw.ImageDraw, scale: float) -> None:
        self.canvas, self.scale = canvas, scale

    def scene(self, scene: Scene) -> None:
        """Everything, from the back to the front."""
        for box in (box for box in scene.boxes if box.is_frame):
            self.box(box)
        for path in _in_order(scene):
            self.path(path)
        for box in (box for box in scene.boxes if not box.is_frame):
            self.box(box)
        for text in scene.texts:
            self.text(text)

    def _at(self, *points: Point) -> list[Point]:
        return [(x * self.scale, y * self.scale) for x, y in points]

    def _line(self, points: list[Point], colour: str, width: float) -> None:
        self.canvas.line(
            self._at(*points), fill=colour, width=round(width * self.scale), joint="curve"
        )

    def path(self, path: Path) -> None:
        """A line with its arrowhead; dashed when pale."""
        colour = _EDGE if path.live else _PALE_EDGE
        points = Path(_six(_shortened(path)), path.source).polyline(48)
        for piece in [points] if path.live else dashes(points, *_DASH):
            self._line(piece, colour, _EDGE_WIDTH)
        if path.has_arrow:
            self.canvas.polygon(self._at(*_arrowhead(path)), fill=colour)

    def box(self, box: Box) -> None:
        """A rectangle with round corners, or a circle with a plus."""
        fill, stroke = _colours(box)
        half = box.width / 2, box.height / 2
        corners = self._at((box.x - half[0], box.y - half[1]), (box.x + half[0], box.y + half[1]))
        width = round(_STROKE * self.scale)
        if box.is_circle:
            self.canvas.ellipse(corners, fill=fill, outline=stroke, width=width)
            for line in _plus(box):
                self._line(list(line), stroke, _STROKE)
        else:
            radius = _radius(box) * self.scale
            self.canvas.rounded_rectangle(corners, radius, fill, stroke, width)

    def text(self, text: Text) -> None:
        """One line, its middle at the text's height."""
        from PIL import ImageFont

        font = ImageFont.load_default(size=text.size * self.scale)
        anchor = {"middle": "m", "start": "l", "end": "r"}[text.anchor] + "s"
        (at,) = self._at((text.x, text.y + 0.35 * text.size))
        self.canvas.text(at, text.text, fill=_ink(text), font=font, anchor=anchor)


def _six(points: tuple[Point, ...]) -> tuple[Point, Point, Point, Point, Point, Point]:
    start, a, c1, c2, b, end = points
    return start, a, c1, c2, b, end


def dashes(points: list[Point], on: float, off: float) -> list[list[Point]]:
    """Cuts a polyline into pieces ``on`` long with gaps ``off`` long between them."""
    found: list[list[Point]] = [[points[0]]]
    left, drawing = on, True
    for (x, y), (end_x, end_y) in pairwise(points):
        length = ((end_x - x) ** 2 + (end_y - y) ** 2) ** 0.5
        done = 0.0
        while length - done > left:
            done += left
            point = x + (end_x - x) * done / length, y + (end_y - y) * done / length
            if drawing:
                found[-1].append(point)
            else:
                found.append([point])
            drawing = not drawing
            left = on if drawing else off
        left -= length - done
        if drawing:
            found[-1].append((end_x, end_y))
    return [piece for piece in found if len(piece) > 1]
