"""Clipping that runtimes of phones compute along with the convolution before it."""

from __future__ import annotations

from collections.abc import Collection

from auxnas.compiler import Graph, Node

_CONVOLUTIONS = ("conv2d", "deconv2d")


def absorbed_clips(graph: Graph, kinds: Collection[str]) -> dict[str, Node]:
    """Nodes of these kinds that alone read a convolution's result, by the convolution's name."""
    shipped = {name for _, name in graph.outputs}

    def alone(name: str) -> bool:
        return len(graph.users[name]) == 1 and name not in shipped

    clips = (node for node in graph.nodes if node.op in kinds)
    return {
        node.inputs[0]: node
        for node in clips
        if graph[node.inputs[0]].op in _CONVOLUTIONS and alone(node.inputs[0])
    }
