"""Passes that take away what does not change the result."""

from __future__ import annotations

from dataclasses import dataclass, replace

from auxnas.compiler.ir import Node, Program, with_ancestors
from auxnas.compiler.rewriting import Replacement, RewriteContext, Sizes, rewrite


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
        graph, sizes, seen = program.graph, Sizes(program.graph), RewriteContext(program.graph)
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


@dataclass(frozen=True)
class BorrowSize:
    """resize(x, y) = resize(x, z) where y and z have one size: y's values do not matter.

    Only where y's values have no other use, so that what computes them goes; z is a map whose
    values have one, or else the first map of that size. A constant y or z is there once for all
    images, so that none takes part.
    """

    name: str = "borrow-size"

    def __call__(self, program: Program) -> Program:
        """Without what is computed for its size alone."""
        graph = program.graph
        # Nodes that an output needs for more than their size.
        used = with_ancestors(graph.values, (name for _, name in graph.outputs))
        spare = {node.inputs[1] for node in graph.nodes if node.record.size_from == 1}.difference(
            used
        )
        if not spare:
            return program
        sizes = Sizes(graph)

        def rule(node: Node, seen: RewriteContext) -> Replacement | None:
            if node.record.size_from != 1 or node.inputs[1] not in spare - seen.constants:
                return None
            x, like = node.inputs
            known = [*(name for name in reversed(seen) if name in used), *seen]
            lenders = (n for n in known if _may_lend(seen[n], seen) and sizes.same(n, like))
            return Replacement((replace(node, inputs=(x, next(lenders, like))),), node.name)

        return replace(program, graph=rewrite(graph, rule))


def _may_lend(node: Node, seen: RewriteContext) -> bool:
    """Not what runtimes fuse with the ReLU behind it: only while nobody else reads it."""
    fused = node.record.out_axis is not None or node.op == "batch_norm"
    return not fused and node.name not in seen.constants
