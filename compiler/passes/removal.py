"""Passes that take away what does not change the result."""

from __future__ import annotations

from dataclasses import dataclass, replace

from compiler.ir import Program
from compiler.rewriting import Seen, Sizes


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
    """identity(x) = x; add(x) = concat(x) = x; a resize to the size that it has.

    A constant spread to one pixel stays: it is there once for each image of a batch.
    """

    name: str = "remove-identity"

    def __call__(self, program: Program) -> Program:
        """Users of such a node read its operand."""
        graph, sizes, seen = program.graph, Sizes(program.graph), Seen(program.graph)
        for node in graph.nodes:
            seen.add(node)
        new = {
            node.name: node.inputs[0]
            for node in graph.nodes
            if node.op == "identity"
            or (node.op in ("add", "concat") and len(node.inputs) == 1)
            or (
                node.record.size_from == 1
                and sizes.same(*node.inputs)
                and not (node.op == "spread" and node.inputs[0] in seen.constants)
            )
        }
        return replace(program, graph=graph.substitute(new).live()) if new else program
