"""Pictures of a network: what is computed from what, in lanes, from left to right.

The encoder's outputs, the decoder with each cell as one box, and the classifier come first;
below them the cell in full, once, as it is in the first side of a block that has it. A lane
holds the boxes of one of these.
Within a lane the boxes are laid out in columns, which all lanes share, so that everything
flows to the right. An edge that passes columns has a bend in each of them, which takes
room as a box does: no line runs behind a box.

``draw_network`` gives a ``compiler.drawing.scene.Scene``; ``auxnas.drawing.save`` writes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import networkx as nx

from auxnas.compiler.architecture import Architecture
from auxnas.compiler.drawing.layout import lowest_levels
from auxnas.compiler.drawing.network_diagram import ENCODER, Block, cells, diagram, overview
from auxnas.compiler.drawing.ordering import Edge, Layers, orderings
from auxnas.compiler.drawing.positions import positions
from auxnas.compiler.drawing.scene import Box, Path, Scene, Text, text_width
from auxnas.compiler.ir import Graph
from auxnas.compiler.primitives import Shape
from auxnas.compiler.shapes import Size, infer_shapes

_TITLE, _LINE, _SMALL, _HEADING = 9.0, 8.0, 7.0, 12.0
"""Font sizes: of a box's title, its nodes, its place and shape, and of a lane."""
_PITCH = 1.3
"""Height of a line in font sizes."""
_PADDING, _ROUND = 5.0, 16.0
_ARROW = 6.0
_GAP, _TRUNK = 26.0, 9.0
"""Width between two columns, and more for each block with a line into another lane there:
such lines fall along a trunk of their own."""
_BOW, _BEND = 0.4, 3.5
"""Position of a curve's control points, in parts of its width; the half width of a trunk."""
_FRAME, _BETWEEN, _MARGIN = 9.0, 12.0, 12.0
"""Around a lane's boxes, between lanes, around everything."""
_STARTS = 6


def draw_network(graph: Graph, size: Size, architecture: Architecture) -> Scene:
    """A network that the compiler made, optimised or not.

    Args:
        graph: the network.
        size: (height, width) of the image that shapes are given for.
        architecture: its genotype, or the hand-made decoder.
    """
    shapes = infer_shapes(graph, size)
    blocks = diagram(graph, architecture)
    parts = [overview(blocks), *cells(blocks)]
    scenes = [_picture(part, shapes) for part in parts]
    title = f"{architecture} for an image of {size[0]}x{size[1]}"
    return _stacked(scenes, title)


def _picture(blocks: Sequence[Block], shapes: Mapping[str, Shape]) -> Scene:
    labels = {block.name: _Label(block, "x".join(map(str, shapes[block.name]))) for block in blocks}
    return _Picture(labels, _Columns.of(blocks)).scene("")


def _stacked(scenes: Sequence[Scene], title: str) -> Scene:
    """Scenes one below the other; the boxes' names in all but the first are prefixed."""
    placed, y = [], 0.0
    for number, scene in enumerate(scenes):
        placed.append(scene.moved(0, y, f"cell{number}/" if number else ""))
        y += scene.height
    return Scene(
        max(scene.width for scene in scenes),
        y,
        tuple(box for scene in placed for box in scene.boxes),
        tuple(path for scene in placed for path in scene.paths),
        tuple(text for scene in placed for text in scene.texts),
        title,
    )


@dataclass(frozen=True)
class _Label:
    """Text of a block's box, and the room that it takes."""

    block: Block
    shape: str

    @property
    def rows(self) -> list[tuple[str, float, str]]:
        """(text, size, role) from the top."""
        rows = [(self.block.where, _SMALL, "index"), (self.block.title, _TITLE, "label")]
        rows += [(line, _LINE, "label") for line in self.block.lines]
        return [row for row in (*rows, (self.shape, _SMALL, "index")) if row[0]]

    @property
    def is_sum(self) -> bool:
        return self.block.kind == "sum"

    @property
    def width(self) -> float:
        """Of the box."""
        if self.is_sum:
            return _ROUND
        return max(text_width(text, size) for text, size, _ in self.rows) + 2 * _PADDING

    @property
    def height(self) -> float:
        """Of the box."""
        if self.is_sum:
            return _ROUND
        return sum(_PITCH * size for _, size, _ in self.rows) + 2 * _PADDING

    def texts(self, box: Box) -> Iterator[Text]:
        """The rows, in ``box``."""
        y = box.y - box.height / 2 + _PADDING
        for text, size, role in () if self.is_sum else self.rows:
            yield Text(text, box.x, y + _PITCH * size / 2, size, role)
            y += _PITCH * size


@dataclass(frozen=True)
class _Columns:
    """The blocks of a network in columns, by lane.

    Attributes:
        level: the column of every block and bend.
        lane: the lane of every block and bend.
        segments: edges between neighbouring columns, with the block whose output they carry.
    """

    level: dict[str, int] = field(default_factory=dict)
    lane: dict[str, str] = field(default_factory=dict)
    segments: dict[Edge, str] = field(default_factory=dict)

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> _Columns:
        """The columns, with bends where an edge passes one.

        The edges from one block into one lane share their bends, which lie in that lane.
        """
        made = cls(_levels(blocks), {block.name: block.lane for block in blocks})
        for block in blocks:
            for source in dict.fromkeys(block.sources):
                made._join(source, block)
        return made

    def _join(self, source: str, block: Block) -> None:
        chain = [source]
        for level in range(self.level[source] + 1, self.level[block.name]):
            chain.append(f"{source} to {block.lane} at {level}")
            self.level[chain[-1]], self.lane[chain[-1]] = level, block.lane
        self.segments.update(dict.fromkeys(pairwise([*chain, block.name]), source))

    def layers(self, lane: str) -> Layers:
        """Contents of a lane, column by column, those without anything left out."""
        names = [name for name, of in self.lane.items() if of == lane]
        found: dict[int, list[str]] = {}
        for name in names:
            found.setdefault(self.level[name], []).append(name)
        return tuple(tuple(found[level]) for level in sorted(found))

    def trunks(self, column: int) -> list[str]:
        """Nodes with lines from a column into other lanes."""
        lines = [edge for edge in self.segments if self.level[edge[0]] == column]
        return list(dict.fromkeys(a for a, b in lines if self.lane[a] != self.lane[b]))

    def within(self, lane: str) -> list[Edge]:
        """The segments with both ends in a lane."""
        return [edge for edge in self.segments if all(self.lane[end] == lane for end in edge)]


def _levels(blocks: Sequence[Block]) -> dict[str, int]:
    """Each block as far left as may be; one that shares its source, as far right.

    The line from a shared source is there anyway, so that waiting costs nothing.
    """
    dag = nx.DiGraph()
    dag.add_nodes_from(block.name for block in blocks)
    dag.add_edges_from((source, block.name) for block in blocks for source in block.sources)
    found = lowest_levels(dag)
    for block in reversed(blocks):
        shares = len(block.sources) == 1 and len(dag[block.sources[0]]) > 1
        if shares and dag[block.name] and block.lane != ENCODER:
            found[block.name] = min(found[user] for user in dag[block.name]) - 1
    return found


@dataclass(frozen=True)
class _Picture:
    """Labels with their columns, to be placed."""

    labels: Mapping[str, _Label]
    columns: _Columns

    def scene(self, title: str) -> Scene:
        """The picture."""
        y, lanes = self._rows()
        x, widths = self._centres()
        boxes = {
            name: Box(name, label.block.kind, x[level], y[name], label.width, label.height)
            for name, label in self.labels.items()
            for level in (self.columns.level[name],)
        }
        frames = [self._frame(lane, band, x, widths) for lane, band in lanes.items()]
        texts = [text for name, box in boxes.items() for text in self.labels[name].texts(box)]
        everything = [*frames, *boxes.values()]
        width = max(box.x + box.width / 2 for box in everything) + _MARGIN
        height = max(box.y + box.height / 2 for box in everything) + _MARGIN
        headings = [_heading(frame) for frame in frames]
        paths = tuple(self._paths(boxes, y, x, widths))
        return Scene(width, height, tuple(everything), paths, (*texts, *headings), title)

    def _rows(self) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
        """The height of every block and bend, and the upper and lower end of every lane."""
        y: dict[str, float] = {}
        lanes: dict[str, tuple[float, float]] = {}
        top = _MARGIN
        for lane in dict.fromkeys(self.columns.lane.values()):
            own = self._within(lane)
            halves = {name: self._height(name) / 2 for name in own}
            upper = min(own[name] - halves[name] for name in own)
            start = top + _FRAME + _PITCH * _HEADING
            y |= {name: at - upper + start for name, at in own.items()}
            bottom = max(y[name] + halves[name] for name in own) + _FRAME
            lanes[lane] = top, bottom
            top = bottom + _BETWEEN
        return y, lanes

    def _within(self, lane: str) -> dict[str, float]:
        """Heights within a lane, from anywhere."""
        layers, segments = self.columns.layers(lane), self.columns.within(lane)
        heights = {name: self._height(name) for layer in layers for name in layer}
        boxes = {name: height for name, height in heights.items() if name in self.labels}
        if not segments:
            return {name: 40.0 * i for layer in layers for i, name in enumerate(layer)}
        order = orderings(layers, segments, frozenset(), _STARTS)[0]
        return positions(boxes, order, segments, frozenset())[0]

    def _height(self, name: str) -> float:
        return self.labels[name].height if name in self.labels else 0.0

    def _centres(self) -> tuple[list[float], list[float]]:
        """Position and width of each column: as its boxes, and the lanes' names."""
        level = self.columns.level
        widths = [0.0] * (max(level.values()) + 1)
        for name, label in self.labels.items():
            widths[level[name]] = max(widths[level[name]], label.width)
        for lane in dict.fromkeys(self.columns.lane.values()):
            first, _ = self._span(lane)
            widths[first] = max(widths[first], text_width(lane, _HEADING))
        found, at = [], _MARGIN + _FRAME
        for column, width in enumerate(widths):
            found.append(at + width / 2)
            at += width + _GAP + _TRUNK * len(self.columns.trunks(column))
        return found, widths

    def _span(self, lane: str) -> tuple[int, int]:
        """The first and last column with a box of a lane."""
        own = [self.columns.level[n] for n in self.labels if self.columns.lane[n] == lane]
        return min(own), max(own)

    def _frame(
        self, lane: str, band: tuple[float, float], x: Sequence[float], widths: Sequence[float]
    ) -> Box:
        """The ground of a lane, as wide as the columns that it has boxes in."""
        first, last = self._span(lane)
        left, right = x[first] - widths[first] / 2, x[last] + widths[last] / 2
        middle, width = (left + right) / 2, right - left + 2 * _FRAME
        return Box(lane, "frame", middle, (band[0] + band[1]) / 2, width, band[1] - band[0])

    def _paths(
        self,
        boxes: Mapping[str, Box],
        y: Mapping[str, float],
        x: Sequence[float],
        widths: Sequence[float],
    ) -> Iterator[Path]:
        """The segments: level at both ends, curved between the columns."""
        level, lane = self.columns.level, self.columns.lane
        for (low, high), source in self.columns.segments.items():
            column = level[low]
            start = x[column] + widths[column] / 2
            end = x[column + 1] - widths[column + 1] / 2 - _ARROW
            curve = (start, start + _BOW * (end - start), end - _BOW * (end - start), end)
            if lane[low] != lane[high]:
                trunk = start + _TRUNK * (1 + self.columns.trunks(column).index(low))
                curve = (trunk - _BEND, trunk, trunk, trunk + _BEND)
            begins = boxes[low].x + boxes[low].width / 2 if low in boxes else x[column]
            stops = boxes[high].x - boxes[high].width / 2 if high in boxes else x[column + 1]
            a, c1, c2, b = zip(curve, (y[low], y[low], y[high], y[high]), strict=True)
            points = ((begins, y[low]), a, c1, c2, b, (stops, y[high]))
            yield Path(points, source, high if high in boxes else None, low in boxes)


def _heading(frame: Box) -> Text:
    left, top = frame.x - frame.width / 2, frame.y - frame.height / 2
    return Text(frame.name, left + _FRAME, top + _HEADING, _HEADING, "title", "start")
