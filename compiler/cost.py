"""Parameters, multiply-adds and memory, per node and in total.

Two countings of multiply-adds, both for one image: ``multiply_adds`` of convolutions
only, which is what most tools print, and ``multiply_adds_with_norm``, which adds 2 for
every batch-norm element. The second is what the paper's Table 1 seems to count: at
512x512 it gives 2.943e9 and 3.459e9 for arch1 and arch2 (2.95 and 3.47 printed); for
arch0 it gives 4.312e9 where the table prints 4.47.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from auxnas.compiler.ir import Graph, Node
from auxnas.compiler.primitives import Shape
from auxnas.compiler.shapes import Size, infer_shapes, node_weights

BYTES = 4
"""Of a float32 number."""


@dataclass(frozen=True, slots=True)
class NodeCost:
    """Cost of one node for one image.

    Attributes:
        parameters: learnt numbers (batch-norm statistics are not learnt).
        multiply_adds: of its convolution, if it is one.
        multiply_adds_with_norm: the same and 2 per batch-norm element.
        bytes_read: of its operands' maps, float32; an operand of which only the size
            counts is not read.
        bytes_written: of its result.
    """

    parameters: int
    multiply_adds: int
    multiply_adds_with_norm: int
    bytes_read: int
    bytes_written: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of a graph for one image.

    Attributes:
        nodes: per node, by name.
        parameters: learnt numbers, each counted once.
        multiply_adds: convolutions only.
        multiply_adds_with_norm: convolutions, and 2 per batch-norm element.
        bytes_moved: maps read and written by all nodes.
        peak_bytes: largest sum of maps alive at once in the order of the nodes.
        output_size: (height, width) of the first output; of keypoints the numbers of each.
    """

    nodes: dict[str, NodeCost]
    parameters: int
    multiply_adds: int
    multiply_adds_with_norm: int
    bytes_moved: int
    peak_bytes: int
    output_size: tuple[int, ...]


def cost(graph: Graph, size: Size) -> Cost:
    """The cost of ``graph`` on one image of ``size`` (height, width)."""
    shapes = infer_shapes(graph, size)
    nodes, counted = {}, set[str]()
    for node in graph.nodes:
        nodes[node.name] = count_node(node, shapes, counted)
    return Cost(
        nodes,
        sum(each.parameters for each in nodes.values()),
        sum(each.multiply_adds for each in nodes.values()),
        sum(each.multiply_adds_with_norm for each in nodes.values()),
        sum(each.bytes_read + each.bytes_written for each in nodes.values()),
        _peak(graph, shapes),
        shapes[graph.outputs[0][1]][1:],
    )


def count_node(
    node: Node, shapes: Mapping[str, Shape], counted: set[str] | None = None
) -> NodeCost:
    """One node's cost; parameters in ``counted`` are not counted again, and added to it."""
    weights, counted = node_weights(node, shapes), set() if counted is None else counted
    fresh = [w for name, w in weights.items() if name not in counted and w.learnt]
    counted.update(weights)
    record, out = node.record, shapes[node.name]
    ins = [shapes[name] for name in node.inputs]
    multiply_adds = record.multiply_adds(dict(node.attrs), ins, out)
    return NodeCost(
        parameters=sum(prod(weight.shape) for weight in fresh),
        multiply_adds=multiply_adds,
        multiply_adds_with_norm=multiply_adds + record.elementwise * prod(out),
        bytes_read=BYTES * sum(prod(shape) for shape in ins[: record.size_from]),
        bytes_written=0 if node.op == "input" else BYTES * prod(out),
    )


def _peak(graph: Graph, shapes: dict[str, Shape]) -> int:
    """Every map lives from the node that makes it to the last that reads it."""
    kept = {node for _, node in graph.outputs}
    last = {name: node.name for node in graph.nodes for name in node.inputs}
    alive = peak = 0
    for node in graph.nodes:
        alive += BYTES * prod(shapes[node.name])
        peak = max(peak, alive)
        for name in set(node.inputs) | {node.name}:
            if last.get(name, name) == node.name and name not in kept:
                alive -= BYTES * prod(shapes[name])
    return peak
