"""Contents of a network's drawing: boxes of a few nodes each, in lanes, joined by edges.

A box holds a chain of nodes of one place (an operation of the cell, an adapter), a line a
node. The encoder shows by its outputs alone. Of an operand of which only the size is used,
no edge is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auxnas.compiler.ir import Graph, Node
from auxnas.compiler.places import Place, Places
from auxnas.genotype import Genotype

ENCODER, HEAD = "encoder", "classifier"
_LANES = {"adapters": ENCODER, "output": HEAD}
"""Groups of places that have no lane of their own."""
_ACTIVATIONS = ("relu", "relu6")
_ALONE = ("add", "concat")
_OTHER = Place("other", "")


@dataclass
class Block:
    """A box to be.

    Attributes:
        lane: which band of the drawing it stands in.
        where: the place of the cell that it is, ``branch1.op0``; empty elsewhere.
        title: what it is in the network; empty where its nodes say it.
        nodes: what it holds, in order; the last one's output leaves it.
        sources: names of the boxes it reads, with repetition.
    """

    lane: str
    where: str
    title: str
    nodes: list[Node]
    sources: list[str]

    @property
    def name(self) -> str:
        """Of the last node."""
        return self.nodes[-1].name

    @property
    def kind(self) -> str:
        """Kind of block, which chooses the colours, as in ``genotype.scene``."""
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
        return "conv" if "conv2d" in ops else "skip"

    @property
    def lines(self) -> list[str]:
        """The nodes in words, an activation behind what it follows."""
        found: list[str] = []
        for node in self.nodes:
            if node.op in _ACTIVATIONS and found:
                found[-1] += f", {node.op}"
            elif not node.name.startswith(ENCODER) and node.op != "add":
                found.append(describe(node))
        return found


def describe(node: Node) -> str:
    """A node in a few words: ``depthwise 5x5, rate 6``."""
    if node.op != "conv2d":
        return node.op.replace("_", " ")
    kind = "depthwise" if node["groups"] > 1 else "conv"
    text = f"{kind} {node['kernel']}x{node['kernel']}"
    text += f", stride {node['stride']}" * (node["stride"] > 1)
    return text + f", rate {node['dilation']}" * (node["dilation"] > 1)


def operands(node: Node) -> tuple[str, ...]:
    """The inputs whose values a node reads."""
    return node.inputs[: node.record.size_from]


def diagram(graph: Graph, genotype: Genotype) -> list[Block]:
    """The boxes of a network that ``compiler.lowering`` made, each behind those it reads."""
    return _Collector(graph, genotype).blocks()


class _Collector:
    def __init__(self, graph: Graph, genotype: Genotype) -> None:
        self.graph, places = graph, Places(genotype)
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
