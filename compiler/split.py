"""Cutting a program in two, so that its encoder runs once and its decoder trains alone."""

from __future__ import annotations

from collections.abc import Sequence

from auxnas.compiler.ir import Graph, make_node
from auxnas.compiler.shapes import infer_shapes


def split_graph(graph: Graph, at: Sequence[str]) -> tuple[Graph, Graph]:
    """The graph up to the nodes ``at``, and the rest with those nodes as inputs.

    Node and parameter names stay, so values of one graph's parameters fit both halves.
    The first half's outputs and the second half's inputs are named after the nodes.
    """
    head = Graph(graph.nodes, tuple((name, name) for name in at)).live()
    small, large = (infer_shapes(graph, (size, size)) for size in (2048, 4096))
    cut = {
        name: make_node(name, "input", channels=large[name][0], stride=4096 // large[name][1])
        for name in at
        if large[name][1] == 2 * small[name][1]
    }
    missing = [name for name in at if name not in cut]
    if missing:
        raise ValueError(f"{missing[0]} does not grow with the image and cannot be an input")
    rest = [node for node in graph.nodes if node.name not in cut and node.op != "input"]
    tail = Graph((*cut.values(), *rest), graph.outputs).live()
    return head, tail
