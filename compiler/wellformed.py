"""Well-formedness of graphs, checked between passes."""

from __future__ import annotations

from collections.abc import Iterator

from auxnas.compiler.errors import CompilerError
from auxnas.compiler.ir import Graph, Node, Program
from auxnas.compiler.shapes import infer_shapes, node_weights

_SIZES = ((64, 96), (37, 53), (1, 1))


def verify(program: Program) -> None:
    """Checks a program's graph and that its parameters are there in the right shapes.

    Raises:
        CompilerError: naming the first node, output or parameter that is wrong.
    """
    verify_graph(program.graph)
    shapes = infer_shapes(program.graph, _SIZES[0])
    for node in program.graph.nodes:
        for name, weight in node_weights(node, shapes).items():
            if name not in program.params:
                raise CompilerError(name, "missing", f"an array of {weight.shape}")
            if program.params[name].shape != weight.shape:
                raise CompilerError(name, f"shape {program.params[name].shape}", str(weight.shape))


def verify_graph(graph: Graph) -> None:
    """Checks a graph: names, order, arity, attributes, parameters' identity, shapes.

    Shapes are checked at three image sizes, so that a graph that fits only by the
    accident of one size is found.

    Raises:
        CompilerError: naming the first node or output that is wrong.
    """
    seen: set[str] = set()
    for node in graph.nodes:
        for fault in _faults(node, seen):
            raise CompilerError(node.name, fault)
        seen.add(node.name)
    for name, node_name in graph.outputs:
        if node_name not in seen:
            raise CompilerError(f"output {name}", f"no node {node_name!r}")
    if not graph.outputs or len({name for name, _ in graph.outputs}) < len(graph.outputs):
        raise CompilerError("outputs", str(graph.outputs), "one or more, with distinct names")
    for size in _SIZES:
        shapes = infer_shapes(graph, size)
    weights: dict[str, tuple[int, ...]] = {}
    for node in graph.nodes:
        for name, weight in node_weights(node, shapes).items():
            if weights.setdefault(name, weight.shape) != weight.shape:
                raise CompilerError(name, f"shapes {weights[name]} and {weight.shape}", "one shape")


def _faults(node: Node, seen: set[str]) -> Iterator[str]:
    record = node.record
    if node.name in seen:
        yield "a second node of this name"
    late = [name for name in node.inputs if name not in seen]
    if late:
        yield f"reads {late[0]!r}, which does not come before it"
    least, most = record.arity
    if not least <= len(node.inputs) <= most:
        yield f"{len(node.inputs)} inputs for {node.op}, which takes {least} to {most}"
    if dict(node.attrs) != record.complete(dict(node.attrs), node.name):
        yield f"incomplete attributes {dict(node.attrs)}"
    has_weights = record.weights is not None
    if has_weights != (node.param is not None):
        yield f"{'no' if has_weights else 'a'} parameter name for {node.op}"
