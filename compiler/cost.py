"""Parameters and multiply-adds, per node and in total."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from compiler.ir import Graph
from compiler.shapes import Size, infer_shapes, node_weights


@dataclass(frozen=True, slots=True)
class NodeCost:
    """What one node costs for one image.

    Attributes:
        parameters: learnt numbers (batch-norm statistics are not learnt).
        multiply_adds: of its convolution, if it is one.
        elements: numbers it puts out.
    """

    parameters: int
    multiply_adds: int
    elements: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What a graph costs for one image.

    Attributes:
        nodes: per node, by name.
        parameters: learnt numbers, each counted once.
        multiply_adds: convolutions only, as a rule quoted.
        output_size: (height, width) of the first output.
    """

    nodes: dict[str, NodeCost]
    parameters: int
    multiply_adds: int
    output_size: Size


def cost(graph: Graph, size: Size) -> Cost:
    """The cost of ``graph`` on one image of ``size`` (height, width)."""
    shapes = infer_shapes(graph, size)
    nodes, counted = {}, set[str]()
    for node in graph.nodes:
        weights = node_weights(node, shapes)
        fresh = [w for name, w in weights.items() if name not in counted and w.learnt]
        counted.update(weights)
        ins, out = [shapes[name] for name in node.inputs], shapes[node.name]
        nodes[node.name] = NodeCost(
            parameters=sum(prod(weight.shape) for weight in fresh),
            multiply_adds=node.record.multiply_adds(dict(node.attrs), ins, out),
            elements=prod(out),
        )
    return Cost(
        nodes,
        sum(each.parameters for each in nodes.values()),
        sum(each.multiply_adds for each in nodes.values()),
        shapes[graph.outputs[0][1]][1:],
    )
