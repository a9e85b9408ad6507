"""Pictures of an architecture in the manner of the paper's figures 10-12.

Left the decoder: encoder outputs in a row, above them each block's two cells and their
sum, and what no block sampled into the classifier. Right the cell: its operations by
their abbreviations and their sums. Everything flows upwards; the small numbers are the
indices of the genotype; what the result does not depend on is pale, its lines dashed.

``draw_genotype`` gives a ``Scene``; ``auxnas.drawing.save`` writes it as .svg or .png.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from auxnas.compiler.drawing.genotype_diagram import (
    Diagram,
    DiagramNode,
    cell_diagram,
    connections_diagram,
)
from auxnas.compiler.drawing.layout import LayeredGraph, Layout, lay_out
from auxnas.compiler.drawing.scene import Box, Path, Scene, Text, straight, text_width
from auxnas.genotype.genotype import Genotype

_SIZE, _SMALL, _TITLE = 11.0, 7.5, 12.0
"""Font sizes: labels, indices, titles."""
_LINE = 12.5
_BOX_HEIGHT, _ROUND = 34.0, 18.0
_LOW_HEIGHT = 24.0
"""Height of the boxes whose label is always one line."""
_LOW = ("io", "cell", "head", "encoder")
_LEAST = 60.0
"""Width of an operation's box at least."""
_ARROW = 6.0
"""Length of an arrowhead; all curves of a gap end this far below the next layer."""
_GAP, _STEEPNESS, _GAP_MOST = 30.0, 0.14, 76.0
"""Height between two layers: at least, more by the widest curve's width, at most."""
_BOW = 0.4
"""Position of a curve's control points, in parts of its height: the same for all curves of
a gap, so that two of them cross only where their ends stand in opposite orders."""
_MARGIN, _BETWEEN = 10.0, 44.0
_STRETCH = 1.7
"""Largest stretch of the flatter picture's gaps to match the other."""
_LONGEST = 24
"""Letters in a line of a label at most."""


def draw_genotype(
    genotype: Genotype, strides: Sequence[int] | None = None, every_sum: bool = False
) -> Scene:
    """The decoder's connections and the cell, side by side.

    Args:
        genotype: the architecture.
        strides: of the encoder outputs; by default the paper's (4, 8, 16, 32) where
            there are four of them, else they are numbered.
        every_sum: show the sums that nothing but the cell's output uses.

    Raises:
        GenotypeError: when the strides do not fit.
    """
    decoder = _Panel.of(connections_diagram(genotype, strides), "Decoder")
    cell = _Panel.of(cell_diagram(genotype, every_sum), "Cell")
    return _beside(decoder, cell, str(genotype))


def draw_connections(genotype: Genotype, strides: Sequence[int] | None = None) -> Scene:
    """The decoder's connections alone; see ``draw_genotype``."""
    scene = _Panel.of(connections_diagram(genotype, strides), "").scene()
    return _framed([scene], str(genotype))


def draw_cell(genotype: Genotype, every_sum: bool = False) -> Scene:
    """The cell alone; see ``draw_genotype``."""
    return _framed([_Panel.of(cell_diagram(genotype, every_sum), "").scene()], str(genotype))


def _beside(left: _Panel, right: _Panel, title: str) -> Scene:
    """Two panels, the flatter one stretched towards the height of the other."""
    most = max(left.scene().height, right.scene().height)
    return _framed([panel.scene(panel.stretch_to(most)) for panel in (left, right)], title)


def _framed(scenes: Sequence[Scene], title: str) -> Scene:
    """Scenes in a row, standing on the same ground, with a margin around."""
    height = max(scene.height for scene in scenes)
    at = _MARGIN
    placed = []
    for number, scene in enumerate(scenes):
        placed.append(scene.moved(at, _MARGIN + height - scene.height, f"{number}/"))
        at += scene.width + _BETWEEN
    return Scene(
        at - _BETWEEN + _MARGIN,
        height + 2 * _MARGIN,
        tuple(box for scene in placed for box in scene.boxes),
        tuple(path for scene in placed for path in scene.paths),
        tuple(text for scene in placed for text in scene.texts),
        title,
    )


# One panel ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Panel:
    """A diagram with its layout; ``title`` stands below it."""

    diagram: Diagram
    layout: Layout
    title: str

    @classmethod
    def of(cls, diagram: Diagram, title: str) -> _Panel:
        """Lays out ``diagram``."""
        widths = {name: _room(node) for name, node in diagram.nodes.items()}
        return cls(diagram, lay_out(LayeredGraph(widths, diagram.edges, diagram.row)), title)

    def stretch_to(self, height: float) -> float:
        """By how much to stretch the gaps to come near ``height``."""
        own = self.scene().height
        gaps = sum(self._gaps())
        return min(_STRETCH, 1 + (height - own) / gaps) if gaps else 1.0

    def _gaps(self) -> list[float]:
        """The height between each two layers."""
        x, spans = self.layout.x, [0.0] * len(self.layout.layers)
        level = {name: i for i, layer in enumerate(self.layout.layers) for name in layer}
        for low, high in self.layout.segments:
            spans[level[low]] = max(spans[level[low]], abs(x[high] - x[low]))
        return [min(_GAP_MOST, _GAP + _STEEPNESS * span) for span in spans[:-1]]

    def scene(self, stretch: float = 1.0) -> Scene:
        """The picture, its upper left corner at the origin."""
        bands = self._bands(stretch)
        edges = [
            (self.layout.x[n] + side * _room(node) / 2, node)
            for n, node in self.diagram.nodes.items()
            for side in (-1, 1)
        ]
        left, right = min(x for x, _ in edges), max(x for x, _ in edges)
        left = min(left, *self.layout.x.values())
        right = max(right, *self.layout.x.values())
        boxes = self._boxes(bands)
        titles = self._titles((left + right) / 2, bands[0].bottom)
        scene = Scene(
            right - left,
            (titles[0].extent[3] if titles else bands[0].bottom) - bands[-1].top,
            tuple(boxes.values()),
            tuple(self._paths(boxes, bands)),
            tuple(t for n, box in boxes.items() for t in _texts(self.diagram.nodes[n], box))
            + titles,
        )
        return scene.moved(-left, -bands[-1].top, "")

    def _titles(self, x: float, bottom: float) -> tuple[Text, ...]:
        if not self.title:
            return ()
        return (Text(self.title, x, bottom + 10 + _TITLE / 2, _TITLE, "title"),)

    def _bands(self, stretch: float) -> list[_Band]:
        """Position of each layer, from the bottom, the lowest ending at 0."""
        found: list[_Band] = []
        bottom = 0.0
        for layer, gap in zip(self.layout.layers, [*self._gaps(), 0.0], strict=True):
            nodes = [self.diagram.nodes[name] for name in layer if name in self.diagram.nodes]
            height = max(map(_height, nodes), default=0.0)
            found.append(_Band(bottom - height, bottom))
            bottom -= height + gap * stretch
        return found

    def _boxes(self, bands: Sequence[_Band]) -> dict[str, Box]:
        return {
            name: _box(name, self.diagram.nodes[name], self.layout.x[name], band.middle)
            for layer, band in zip(self.layout.layers, bands, strict=True)
            for name in layer
            if name in self.diagram.nodes
        }

    def _paths(self, boxes: Mapping[str, Box], bands: Sequence[_Band]) -> list[Path]:
        """Segments between layers, and the encoder's own way along the row."""
        level = {name: i for i, layer in enumerate(self.layout.layers) for name in layer}
        live = self._live_segments()
        found = [
            self._path(segment, boxes, bands[level[segment[0]]], bands[level[segment[1]]])
            for segment in self.layout.segments
        ]
        found = [
            replace(path, live=segment in live)
            for path, segment in zip(found, self.layout.segments, strict=True)
        ]
        row = [boxes[name] for name in self.diagram.row]
        return found + [_along(left, right) for left, right in pairwise(row)]

    def _path(
        self, segment: tuple[str, str], boxes: Mapping[str, Box], lower: _Band, upper: _Band
    ) -> Path:
        """From box or bend to box or bend, curved only in the gap between the layers."""
        low, high = segment
        x, end_x = self.layout.x[low], self.layout.x[high]
        start, end = lower.top, upper.bottom + _ARROW
        bow = _BOW * (end - start)
        begins = _top(boxes[low]) if low in boxes else lower.middle
        ends = _bottom(boxes[high]) if high in boxes else upper.middle
        points = (
            (x, begins),
            (x, start),
            (x, start + bow),
            (end_x, end - bow),
            (end_x, end),
            (end_x, ends),
        )
        source = self.layout.sources.get(low, low)
        return Path(points, source, high if high in boxes else None, low in boxes)

    def _live_segments(self) -> set[tuple[str, str]]:
        """Segments that carry something to a live node."""
        nodes = self.diagram.nodes
        above: dict[str, list[str]] = {}
        for low, high in self.layout.segments:
            above.setdefault(low, []).append(high)
        found: set[tuple[str, str]] = set()
        for low, high in reversed(self._upwards()):
            source = nodes[self.layout.sources.get(low, low)]
            goes_on = high in nodes or any((high, end) in found for end in above.get(high, ()))
            if source.live and goes_on and (high not in nodes or nodes[high].live):
                found.add((low, high))
        return found

    def _upwards(self) -> list[tuple[str, str]]:
        level = {name: i for i, layer in enumerate(self.layout.layers) for name in layer}
        return sorted(self.layout.segments, key=lambda segment: level[segment[0]])


@dataclass(frozen=True, slots=True)
class _Band:
    """The heights between which the boxes of one layer stand."""

    top: float
    bottom: float

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


def _top(box: Box) -> float:
    return box.y - box.height / 2


def _bottom(box: Box) -> float:
    return box.y + box.height / 2


def _along(left: Box, right: Box) -> Path:
    """From one encoder output to the next: the encoder itself goes on there."""
    start, end = left.x + left.width / 2, right.x - right.width / 2
    return straight((start, left.y), (end, right.y), left.name, right.name)


# One node ----------------------------------------------------------------------------


def _lines(label: str) -> list[str]:
    """A label in one line, or in two where it is long and has a space."""
    head, space, tail = label.partition(" ")
    lines = [head, tail] if space and len(label) > 9 else [label]
    return [line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…" for line in lines]


def _height(node: DiagramNode) -> float:
    if node.kind == "sum":
        return _ROUND
    return _LOW_HEIGHT if node.kind in _LOW else _BOX_HEIGHT


def _width(node: DiagramNode) -> float:
    if node.kind == "sum":
        return _ROUND
    text = max(text_width(line, _SIZE) for line in _lines(node.label))
    width = text + 2 * (_index_width(node) + 5)
    return width if node.kind in _LOW else max(width, _LEAST)


def _index_width(node: DiagramNode) -> float:
    return 0.0 if node.index is None else text_width(str(node.index), _SMALL) + 2


def _room(node: DiagramNode) -> float:
    """The width that a node takes, the index beside a sum included."""
    return _width(node) + (2 * _index_width(node) if node.kind == "sum" else 0.0)


def _box(name: str, node: DiagramNode, x: float, y: float) -> Box:
    return Box(name, node.kind, x, y, _width(node), _height(node), node.live)


def _texts(node: DiagramNode, box: Box) -> list[Text]:
    """The label's lines in the middle, the index in the upper left corner."""
    lines = [] if box.is_circle else _lines(node.label)
    first = box.y - _LINE * (len(lines) - 1) / 2
    texts = [
        Text(line, box.x, first + i * _LINE, _SIZE, live=node.live) for i, line in enumerate(lines)
    ]
    if node.index is None:
        return texts
    left = box.x - box.width / 2
    return [*texts, _index(node, left - 1.5 if box.is_circle else left + 3, box)]


def _index(node: DiagramNode, x: float, box: Box) -> Text:
    anchor, y = ("end", box.y - 4) if box.is_circle else ("start", _top(box) + 2.5 + _SMALL / 2)
    return Text(str(node.index), x, y, _SMALL, "index", anchor, node.live)
