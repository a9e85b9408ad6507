"""The mechanism of most passes: one rule, asked at every node in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from compiler.ir import Graph, Node
from compiler.primitives import Shape
from compiler.shapes import infer_shapes


@dataclass(frozen=True, slots=True)
class Replacement:
    """What stands in for a node: new nodes in order, and the name whose value replaces it."""

    nodes: tuple[Node, ...]
    result: str


Seen = Mapping[str, Node]
Rule = Callable[[Node, Seen], Replacement | None]


def rewrite(graph: Graph, rule: Rule) -> Graph:
    """The graph with every node that ``rule`` answers for replaced, dead nodes dropped.

    ``rule`` gets a node whose inputs already are the replaced ones, and the nodes so far
    by name; None leaves the node as it is. The very same graph comes back where no rule
    applied.
    """
    seen: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    applied = False
    for node in graph.nodes:
        if renamed:
            node = replace(node, inputs=tuple(renamed.get(i, i) for i in node.inputs))
        found = rule(node, seen)
        if found is None:
            seen[node.name] = node
            continue
        applied = True
        seen.update((new.name, new) for new in found.nodes)
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
    """Which nodes have maps of one size, whatever the image's size.

    Shapes are compared at three image sizes that no rounding makes agree by accident:
    two maps whose strides differ differ at one of them.
    """

    def __init__(self, graph: Graph) -> None:
        self._shapes = [infer_shapes(graph, size) for size in _PROBES]

    def same(self, left: str, right: str) -> bool:
        """Whether both maps have one height and one width."""
        return all(shapes[left][1:] == shapes[right][1:] for shapes in self._shapes)

    def is_point(self, name: str) -> bool:
        """Whether the map is 1x1 at every image size."""
        return all(shapes[name][1:] == (1, 1) for shapes in self._shapes)

    def shape(self, name: str) -> Shape:
        """(channels, height, width) at a large size, for comparing costs."""
        return self._shapes[0][name]
