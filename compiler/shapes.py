"""Shapes of every node, and the shapes of a graph's parameters."""

from __future__ import annotations

from collections.abc import Mapping

from auxnas.compiler.errors import CompilerError
from auxnas.compiler.ir import Graph, Node
from auxnas.compiler.primitives import Shape, Weight

Size = tuple[int, int]

LARGEST_SIDE = 99_999
"""Pixels of a side of an image."""


def infer_shapes(graph: Graph, size: Size) -> dict[str, Shape]:
    """(channels, height, width) of every node for an image of ``size`` (height, width).

    An input of stride s is a map of ceil(height / s) x ceil(width / s).

    Raises:
        CompilerError: naming the node whose operands do not go together.
    """
    shapes: dict[str, Shape] = {}
    for node in graph.nodes:
        shapes[node.name] = infer_shape(node, shapes, size)
    return shapes


def infer_shape(node: Node, shapes: Mapping[str, Shape], size: Size) -> Shape:
    """Shape of one node, given those of its operands; see ``infer_shapes``."""
    if node.op == "input":
        stride = node["stride"]
        return node["channels"], -(-size[0] // stride), -(-size[1] // stride)
    try:
        return node.record.shape(dict(node.attrs), [shapes[name] for name in node.inputs])
    except CompilerError as error:
        raise CompilerError(f"{node.name}.{error.place}", error.found, error.expected) from None


def node_weights(node: Node, shapes: Mapping[str, Shape]) -> dict[str, Weight]:
    """A node's parameter arrays by full name.

    Raises:
        CompilerError: naming the node whose attributes do not fit its input.
    """
    rule = node.record.weights
    if rule is None:
        return {}
    try:
        weights = rule(dict(node.attrs), [shapes[name][0] for name in node.inputs])
    except CompilerError as error:
        raise CompilerError(f"{node.name}.{error.place}", error.found, error.expected) from None
    return {f"{node.param}.{suffix}": weight for suffix, weight in weights.items()}


def graph_weights(graph: Graph) -> dict[str, Weight]:
    """All parameter arrays of a graph by full name, in order of first use."""
    shapes = infer_shapes(graph, (64, 64))
    found: dict[str, Weight] = {}
    for node in graph.nodes:
        found.update(node_weights(node, shapes))
    return found
