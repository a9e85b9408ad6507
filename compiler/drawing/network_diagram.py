"""Contents of a network's drawing: boxes of a few nodes each, in lanes, joined by edges.

A box holds a chain of nodes of one place (an operation of the cell, an adapter), a line a
node. The encoder shows by its outputs alone. Of an operand of which only the size is used,
no edge is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from auxnas.compiler.architecture import Architecture
from auxnas.compiler.ir import Graph, Node
from auxnas.compiler.places import Place, Places
from auxnas.compiler.primitives.activations import ACTIVATIONS

ENCODER, DECODER, HEAD = "encoder", "decoder", "classifier"
_LANES = {"adapters": ENCODER, "output": HEAD}
"""Groups of places that have no lane of their own."""
_ACTIVATIONS = frozenset(record.name for record in ACTIVATIONS)
_ALONE = ("add", "concat")
_OTHER = Place("other", "")


@dataclass
class Block:
    """Box of the drawing, before it is placed.

    Attributes:
        lane: band of the drawing that it stands in.
        where: the place of the cell that it is, ``branch1.op0``; empty elsewhere.
        title: role in the network; empty where its nodes tell it.
        nodes: its nodes, in order; the last one's output leaves it.
        sources: names of the boxes it reads, with repetition.
        whole: its kind where it stands for more than it says: ``cell``, or ``io``.
    """

    lane: str
    where: str
    title: str
    nodes: list[Node]
    sources: list[str]
    whole: str = ""

    @property
    def name(self) -> str:
        """Of the last node."""
        return self.nodes[-1].name

    @property
    def kind(self) -> str:
        """Kind of block, which chooses the colours, as in ``compiler.drawing.scene``."""
        if self.whole:
            return self.whole
        if self.lane == ENCODER:
            return "encoder"
        if self.nodes[-1].op == "add":
            return "sum"
        if self.lane == HEAD:
            return "head"
        ops = {node.op for node in self.nodes}
        if any(node.op == "conv2d" and node["groups"] > 1 for node in self.nodes):
            return "sep"
        if ops & {"global_mean", "spread", "vector"}:
            return "gap"
        return "conv" if ops & {"conv2d", "deconv2d"} else "skip"

    @property
    def lines(self) -> list[str]:
        """The nodes in words, an activation behind what it follows."""
        found: list[str] = []
        for node in () if self.whole else self.nodes:
            if node.op in _ACTIVATIONS and found:
                found[-1] += f", {node.op}"
            elif not node.name.startswith(ENCODER) and node.op != "add":
                found.append(node_text(node))
        return found


def node_text(node: Node) -> str:
    """A node in a few words: ``depthwise 5x5, rate 6``."""
    if node.op == "deconv2d":
        return f"deconv {node['kernel']}x{node['kernel']}, stride {node['stride']}"
    if node.op != "conv2d":
        return node.op.replace("_", " ")
    kind = "depthwise" if node["groups"] > 1 else "conv"
    text = f"{kind} {node['kernel']}x{node['kernel']}"
    text += f", stride {node['stride']}" * (node["stride"] > 1)
    return text + f", rate {node['dilation']}" * (node["dilation"] > 1)


def operands(node: Node) -> tuple[str, ...]:
    """The inputs whose values a node reads."""
    return node.inputs[: node.record.size_from]


def diagram(graph: Graph, architecture: Architecture) -> list[Block]:
    """The boxes of a network that the compiler made, each behind those it reads."""
    return _Collector(graph, architecture).blocks()


def is_cell(block: Block) -> bool:
    """Whether a box is part of a cell: one side of a decoder block."""
    return block.lane.endswith((" left", " right"))


def overview(blocks: Sequence[Block]) -> list[Block]:
    """The boxes with each cell as one, in three lanes: encoder, decoder, classifier."""
    cells = {block.lane: _cell(blocks, block.lane) for block in blocks if is_cell(block)}
    of = {b.name: cells[b.lane].name if is_cell(b) else b.name for b in blocks}
    last = {cell.name: cell for cell in cells.values()}
    found = [last.get(b.name, b) for b in blocks if not is_cell(b) or b.name in last]
    return [
        replace(
            block,
            lane=block.lane if block.lane in (ENCODER, HEAD) else DECODER,
            sources=[of[name] for name in block.sources],
        )
        for block in found
    ]


def _cell(blocks: Sequence[Block], lane: str) -> Block:
    """A cell as one box, which reads what its boxes read of others."""
    own = [block for block in blocks if block.lane == lane]
    inside = {block.name for block in own}
    sources = [name for block in own for name in block.sources if name not in inside]
    nodes = [node for block in own for node in block.nodes]
    return Block(lane, "", f"cell, {lane}", nodes, list(dict.fromkeys(sources)), "cell")


def cells(blocks: Sequence[Block]) -> list[list[Block]]:
    """The boxes of the cells that differ from one another, each behind a box for its input.

    Cells that say the same differ in the sizes of their maps alone, and are there once.
    """
    found: dict[tuple[object, ...], list[Block]] = {}
    nodes = {block.name: block.nodes[-1] for block in blocks}
    for lane in dict.fromkeys(block.lane for block in blocks if is_cell(block)):
        own = [block for block in blocks if block.lane == lane]
        inside = {block.name for block in own}
        read = dict.fromkeys(n for block in own for n in block.sources if n not in inside)
        inputs = [Block(lane, "", "input", [nodes[name]], [], "io") for name in read]
        key = tuple((block.where, block.title, *block.lines) for block in own)
        shown = [replace(block, lane=f"cell, as in {lane}") for block in (*inputs, *own)]
        found.setdefault(key, shown)
    return list(found.values())


class _Collector:
    def __init__(self, graph: Graph, architecture: Architecture) -> None:
        self.graph, places = graph, Places(architecture)
        self.place = {node.name: places.of(node.name) or _OTHER for node in graph.nodes}
        self.outputs = {node for _, node in graph.outputs}
        self.readers: dict[str, set[str]] = {node.name: set() for node in graph.nodes}
        for node in graph.nodes:
            for name in operands(node):
                self.readers[name].add(node.name)

    def blocks(self) -> list[Block]:
        """See ``diagram``."""
        found: list[Block] = []
        of: dict[str, Block] = {}
        for node in self.graph.nodes:
            if self._is_hidden(node.name):
                continue
            block = self._continued(node, of)
            if block is None:
                block = self._new(node, of)
                found.append(block)
            else:
                block.nodes.append(node)
            of[node.name] = block
        return found

    def _in_encoder(self, name: str) -> bool:
        return self.place[name].group in (ENCODER, "input")

    def _is_hidden(self, name: str) -> bool:
        """Whether a node is in the encoder, and only nodes there read it."""
        return self._in_encoder(name) and all(map(self._in_encoder, self.readers[name]))

    def _continued(self, node: Node, of: Mapping[str, Block]) -> Block | None:
        """The box that ``node`` goes on with, if any: its operand's, in the same place."""
        read = operands(node)
        if len(read) != 1 or read[0] not in of or node.op in _ALONE:
            return None
        (name,) = read
        same = self.place[name] == self.place[node.name] and self.graph[name].op not in _ALONE
        alone = self.readers[name] == {node.name} and name not in self.outputs
        return of[name] if same and alone and not self._in_encoder(name) else None

    def _new(self, node: Node, of: Mapping[str, Block]) -> Block:
        sources = [of[name].name for name in operands(node) if name in of]
        place = self.place[node.name]
        what, _, side = place.label.rpartition(", ")
        where, title = "", place.label.removeprefix(f"{HEAD} ")
        lane = _LANES.get(place.group, place.group)
        if place.group.startswith("decoder block"):
            lane, title = (what, "") if side.startswith("joining") else (side, what)
        if place.operation is not None:
            where, _, title = place.operation.removeprefix("cell.").partition(" ")
        return Block(lane, where, title, [node], sources)
