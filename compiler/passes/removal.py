"""Passes that take away what does not change the result."""

from __future__ import annotations

from dataclasses import dataclass, replace

from compiler.ir import Graph, Node, Program


@dataclass(frozen=True)
class StripAuxiliary:
    """Keeps the first output and what it needs.

    Auxiliary heads only give gradients in training (paper, section 3.2.3): no path leads
    from one to the main output, so the main output does not change.
    """

    name: str = "strip-auxiliary"

    def __call__(self, program: Program) -> Program:
        """Without every node from which no path leads to the main output."""
        return replace(program, graph=program.graph.select([program.graph.outputs[0][0]]))


@dataclass(frozen=True)
class RemoveIdentity:
    """identity(x) = x; add(x) = concat(x) = x; a resize to the size that it has."""

    name: str = "remove-identity"

    def __call__(self, program: Program) -> Program:
        """Users of such a node read its operand."""
        graph = program.graph
        new = {
            node.name: node.inputs[0]
            for node in graph.nodes
            if node.op == "identity" or (node.op in ("add", "concat") and len(node.inputs) == 1)
        }
        return replace(program, graph=graph.substitute(new).live()) if new else program


@dataclass(frozen=True)
class RemoveZero:
    """x + 0 = x, and a function that is linear and pointwise or a resize maps 0 to 0.

    A sum of which every term is 0 is 0. A convolution without batch norm and bias would
    map 0 to 0 too, but in these networks a batch norm follows, which does not: there the
    zero stays.
    """

    name: str = "remove-zero"

    def __call__(self, program: Program) -> Program:
        """Drops zero terms from sums."""
        graph = program.graph
        zeros = {node.name for node in graph.nodes if node.op == "zero"}
        nodes = tuple(self._without(node, zeros) for node in graph.nodes)
        if nodes == graph.nodes:
            return program
        return replace(program, graph=Graph(nodes, graph.outputs).live())

    def _without(self, node: Node, zeros: set[str]) -> Node:
        if node.op != "add" or not zeros.intersection(node.inputs):
            return node
        kept = tuple(name for name in node.inputs if name not in zeros)
        return replace(node, inputs=kept or node.inputs[:1])
