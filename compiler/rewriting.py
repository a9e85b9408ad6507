"""The mechanism of most passes: one rule, asked at every node in order."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, replace

from auxnas.compiler.errors import CompilerError
from auxnas.compiler.ir import Graph, Node
from auxnas.compiler.primitives import Shape
from auxnas.compiler.shapes import infer_shapes


@dataclass(frozen=True, slots=True)
class Replacement:
    """Replacement of a node: new nodes in order, and the name whose value replaces it."""

    nodes: tuple[Node, ...]
    result: str


def unused_name(name: str, taken: Container[str]) -> str:
    """``name``, or with the first number behind it that makes it one not yet taken."""
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def fresh_param(name: str, params: Iterable[str]) -> str:
    """A prefix for a new parameter: ``name``, or one like it that no parameter has."""
    return unused_name(name, {key.rpartition(".")[0] for key in params})


class RewriteContext(dict[str, Node]):
    """The rewritten nodes so far, by name, with facts that rules ask for.

    Args:
        graph: what is rewritten: none of its names is given to a new node.

    Attributes:
        constants: nodes that are the same for all images: their batch is 1.
        points: nodes whose map is 1x1 at every image size.
    """

    def __init__(self, graph: Graph) -> None:
        self._taken = {node.name for node in graph.nodes}
        self.constants: set[str] = set()
        self.points: set[str] = set()

    def add(self, node: Node) -> None:
        """Adds the next node, whose inputs were added before."""
        self[node.name] = node
        values = node.inputs[:1] if node.op in ("resize", "resize_corners") else node.inputs
        if node.op == "vector" or (values and self.constants.issuperset(values)):
            self.constants.add(node.name)
        size_from = node.record.size_from
        sized_by = node.inputs if size_from is None else node.inputs[size_from : size_from + 1]
        point = sized_by and not node.record.grows and self.points.issuperset(sized_by)
        if node.op in ("vector", "global_mean") or point:
            self.points.add(node.name)

    def fresh(self, name: str) -> str:
        """A name for a new node: ``name``, or one like it."""
        found = unused_name(name, self._taken)
        self._taken.add(found)
        return found


Rule = Callable[[Node, RewriteContext], Replacement | None]


def rewrite(graph: Graph, rule: Rule) -> Graph:
    """The graph with every node that ``rule`` answers for replaced, dead nodes dropped.

    ``rule`` gets a node whose inputs already are the replaced ones, and the nodes so far
    by name; None leaves the node as it is. Of the new nodes one may take the node's own
    name, the others get theirs from ``Seen.fresh``. The very same graph comes back where no
    rule applied.

    Raises:
        CompilerError: when a new node has the name of another.
    """
    seen = RewriteContext(graph)
    renamed: dict[str, str] = {}
    applied = False
    for node in graph.nodes:
        if renamed:
            node = replace(node, inputs=tuple(renamed.get(i, i) for i in node.inputs))
        found = rule(node, seen)
        if found is None:
            seen.add(node)
            continue
        applied = True
        for new in found.nodes:
            if new.name in seen or (new.name in graph.by_name and new.name != node.name):
                raise CompilerError(new.name, "a second node of this name")
            seen.add(new)
        if found.result != node.name:
            renamed[node.name] = found.result
    if not applied:
        return graph
    outputs = tuple((name, renamed.get(node, node)) for name, node in graph.outputs)
    return Graph(tuple(seen.values()), outputs).live()


def single_user(graph: Graph, name: str) -> bool:
    """Whether exactly one node reads ``name``, once, and it is no output."""
    users = graph.users.get(name, ())
    return len(users) == 1 and all(node != name for _, node in graph.outputs)


_PROBES = ((1021, 643), (512, 768), (96, 352))


class Sizes:
    """The nodes whose maps have one size, whatever the image's size.

    Shapes are compared at three image sizes that no rounding makes agree by accident:
    two maps whose strides differ differ at one of them.
    """

    def __init__(self, graph: Graph) -> None:
        self._shapes = [infer_shapes(graph, size) for size in _PROBES]

    def same(self, left: str, right: str) -> bool:
        """Whether both maps have one height and one width."""
        return all(shapes[left][1:] == shapes[right][1:] for shapes in self._shapes)

    def shape(self, name: str) -> Shape:
        """(channels, height, width) at a large size, for comparing costs."""
        return self._shapes[0][name]
