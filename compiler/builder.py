"""Writing graphs node by node."""

from __future__ import annotations

from collections.abc import Sequence

from auxnas.compiler.ir import Graph, Node, make_node


class Builder:
    """Collects nodes; every method returns the name of the node it added.

    Args:
        nodes: those to go on from.
    """

    def __init__(self, nodes: Sequence[Node] = ()) -> None:
        self._nodes = list(nodes)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes so far."""
        return tuple(self._nodes)

    def add(self, name: str, op: str, *inputs: str, **attrs: int) -> str:
        """Adds one primitive; one with weights takes its node's name for their prefix."""
        node = make_node(name, op, inputs, None, **attrs)
        if node.record.weights is not None:
            node = Node(name, op, node.inputs, node.attrs, param=name)
        self._nodes.append(node)
        return name

    def conv_bn(self, name: str, source: str, out: int, *, act: str = "", **attrs: int) -> str:
        """Convolution, batch norm, and the activation ``act`` where one is named."""
        last = self.add(f"{name}.conv", "conv2d", source, out=out, **{"kernel": 1} | attrs)
        last = self.add(f"{name}.bn", "batch_norm", last)
        return self.add(f"{name}.{act}", act, last) if act else last

    def sum(self, name: str, terms: list[str]) -> str:
        """The sum of ``terms``; a single term is itself."""
        return terms[0] if len(terms) == 1 else self.add(name, "add", *terms)

    def graph(self, outputs: dict[str, str]) -> Graph:
        """The graph so far with these outputs (name -> node)."""
        return Graph(tuple(self._nodes), tuple(outputs.items()))
