"""The intermediate representation: an immutable graph of primitives, and its text form.

One line a node, inputs in order (an operand may stand twice), then the outputs::

    image = input(; channels=3, stride=1)
    stem = conv2d(image; bias=0, dilation=1, groups=1, kernel=3, out=32, stride=2) @encoder.stem
    return main=stem
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import networkx as nx

from auxnas.compiler.errors import CompilerError, check_type
from auxnas.compiler.primitives import Primitive, primitive
from auxnas.genotype.errors import short_repr
from auxnas.genotype.plugins import rebuild_with_home

if TYPE_CHECKING:
    import numpy as np


_NAME = re.compile(r"[\w.]+")
_NAMES = "letters, digits, dots and underscores"


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_attribute(value: object) -> bool:
    return type(value) is tuple and len(value) == 2 and _is_name(value[0]) and type(value[1]) is int


@dataclass(frozen=True, slots=True)
class Node:
    """One primitive applied to earlier nodes.

    Attributes:
        name: unique in its graph; dotted, telling where in the network it stands.
        op: the primitive's name.
        inputs: names of the operands, in order, with repetition.
        attrs: all attributes as sorted (name, value) pairs.
        param: prefix of its parameters' names: ``<param>.weight`` is the key in a state
            dict, in a safetensors file and among the ONNX initialisers.

    Raises:
        CompilerError: when a field is not of its type, a name could not be read again, or
            there is no such primitive; ``verify_graph`` checks the rest.
    """

    name: str
    op: str
    inputs: tuple[str, ...] = ()
    attrs: tuple[tuple[str, int], ...] = ()
    param: str | None = None

    def __post_init__(self) -> None:
        if not _is_name(self.name):
            raise CompilerError("node.name", short_repr(self.name), _NAMES)
        primitive(self.op, self.name)
        for place, value, fits in (
            ("inputs", self.inputs, _is_name),
            ("attrs", self.attrs, _is_attribute),
        ):
            if type(value) is not tuple or not all(map(fits, value)):
                expected = "a tuple of names" if place == "inputs" else "(name, integer) pairs"
                raise CompilerError(f"{self.name}.{place}", short_repr(value), expected)
        if self.param is not None and not _is_name(self.param):
            raise CompilerError(f"{self.name}.param", short_repr(self.param), _NAMES)

    def __reduce__(self) -> tuple[Any, ...]:
        """Itself, made anew where it is unpickled, once its primitive is known there."""
        values = (self.name, self.op, self.inputs, self.attrs, self.param)
        return rebuild_with_home, (self.record.home, Node, *values)

    @property
    def record(self) -> Primitive:
        """The primitive's record."""
        return primitive(self.op, self.name)

    @property
    def operands(self) -> tuple[str, ...]:
        """The inputs whose values the result depends on, rather than on their sizes alone."""
        return () if self.record.constant else self.inputs[: self.record.size_from]

    def __getitem__(self, attribute: str) -> int:
        return dict(self.attrs)[attribute]

    def __str__(self) -> str:
        attrs = ", ".join(f"{name}={value}" for name, value in self.attrs)
        operands = ", ".join(self.inputs) + (f"; {attrs}" if attrs else "")
        return f"{self.name} = {self.op}({operands})" + (f" @{self.param}" if self.param else "")


def _is_output(value: object) -> bool:
    return type(value) is tuple and len(value) == 2 and all(map(_is_name, value))


def make_node(
    name: str,
    op: str,
    inputs: Iterable[str] = (),
    param: str | None = None,
    **attrs: int,
) -> Node:
    """A node with its attributes validated and completed.

    Raises:
        CompilerError: for an unknown primitive or attribute, or a value out of range.
    """
    full = primitive(op, name).complete(attrs, name)
    return Node(name, op, tuple(inputs), tuple(sorted(full.items())), param)


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order, and which of them are outputs under which name.

    The order of ``nodes`` is the order of execution.

    Raises:
        CompilerError: when a field is not of its type; ``verify_graph`` checks the rest.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        if type(self.nodes) is not tuple or not all(type(node) is Node for node in self.nodes):
            raise CompilerError("graph.nodes", short_repr(self.nodes), "a tuple of Nodes")
        if type(self.outputs) is not tuple or not all(map(_is_output, self.outputs)):
            raise CompilerError(
                "graph.outputs", short_repr(self.outputs), "(name, node's name) pairs"
            )

    def __reduce__(self) -> tuple[type[Graph], tuple[Any, ...]]:
        """Itself, without what was looked up in it."""
        return Graph, (self.nodes, self.outputs)

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """The nodes by name."""
        return MappingProxyType({node.name: node for node in self.nodes})

    def __getitem__(self, name: str) -> Node:
        return self.by_name[name]

    def __len__(self) -> int:
        return len(self.nodes)

    @cached_property
    def inputs(self) -> tuple[Node, ...]:
        """The graph's inputs."""
        return tuple(node for node in self.nodes if node.op == "input")

    @cached_property
    def users(self) -> Mapping[str, tuple[Node, ...]]:
        """For every node, the nodes that read it (one that reads twice stands twice)."""
        found: dict[str, list[Node]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for name in node.inputs:
                found[name].append(node)
        return MappingProxyType({name: tuple(users) for name, users in found.items()})

    @cached_property
    def dag(self) -> nx.DiGraph:
        """The graph as a frozen ``networkx.DiGraph``, for any of that library's algorithms.

        Each node carries its ``Node`` as ``node``. Operand order and multiplicity live in
        ``Node.inputs``: an edge says only that one node reads the other.
        """
        return self._library_graph(lambda node: node.inputs)

    @cached_property
    def values(self) -> nx.DiGraph:
        """Part of ``dag`` with the edges alone along which values go, and not sizes alone."""
        return self._library_graph(lambda node: node.operands)

    def _library_graph(self, read: Callable[[Node], tuple[str, ...]]) -> nx.DiGraph:
        found = nx.DiGraph()
        found.add_nodes_from((node.name, {"node": node}) for node in self.nodes)
        found.add_edges_from((source, node.name) for node in self.nodes for source in read(node))
        return nx.freeze(found)

    def depends_on_input(self) -> bool:
        """Whether the first output depends on the values of any input.

        It does not in a network whose cell is made of zeros alone, say: such a network
        learns one answer for all images.
        """
        needed = nx.ancestors(self.values, self.outputs[0][1])
        return any(node.name in needed for node in self.inputs)

    def __str__(self) -> str:
        outputs = ", ".join(f"{name}={node}" for name, node in self.outputs)
        return "\n".join([*map(str, self.nodes), f"return {outputs}"])

    def select(self, outputs: Iterable[str]) -> Graph:
        """The graph with only the named outputs and what they need."""
        wanted = set(outputs)
        kept = tuple(pair for pair in self.outputs if pair[0] in wanted)
        return Graph(self.nodes, kept).live()

    def live(self) -> Graph:
        """The graph without nodes that no output needs. Inputs stay."""
        needed = with_ancestors(self.dag, (name for _, name in self.outputs))
        needed |= {node.name for node in self.inputs}
        if len(needed) == len(self.nodes):
            return self
        return Graph(tuple(n for n in self.nodes if n.name in needed), self.outputs)

    def substitute(self, new: Mapping[str, str], nodes: Iterable[Node] | None = None) -> Graph:
        """The graph in which every use of a key of ``new`` reads its value instead.

        Values are followed through: where a -> b and b -> c, a's uses read c.
        """

        def final(name: str) -> str:
            while name in new:
                name = new[name]
            return name

        kept = self.nodes if nodes is None else tuple(nodes)
        rewired = tuple(
            node if not any(i in new for i in node.inputs)
            else replace(node, inputs=tuple(final(i) for i in node.inputs))
            for node in kept
        )  # fmt: skip
        return Graph(rewired, tuple((name, final(node)) for name, node in self.outputs))


def with_ancestors(dag: nx.DiGraph, names: Iterable[str]) -> set[str]:
    """``names``, and every node of ``dag`` from which a path leads to one of them."""
    found: set[str] = set()
    for name in names:
        if name not in found:
            found |= {name, *nx.ancestors(dag, name)}
    return found


_NODE = re.compile(r"([\w.]+) = (\w+)\(([^;)]*)(?:; ([^)]*))?\)(?: @([\w.]+))?")


def parse_graph(text: str) -> Graph:
    """The graph of a text form.

    Raises:
        CompilerError: naming the line that does not parse.
    """
    nodes: list[Node] = []
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    for number, line in enumerate(lines, 1):
        if line.startswith("return "):
            pairs = _pairs(line.removeprefix("return "), f"line {number}")
            return Graph(tuple(nodes), tuple(pairs))
        match = _NODE.fullmatch(line)
        if match is None:
            raise CompilerError(f"line {number}", repr(line), "name = op(inputs; attrs) @param")
        name, op, inputs, attrs, param = match.groups()
        operands = [operand.strip() for operand in inputs.split(",") if operand.strip()]
        pairs = _pairs(attrs or "", f"line {number}")
        if not all(re.fullmatch(r"-?\d{1,18}", value) for _, value in pairs):
            raise CompilerError(f"line {number}", short_repr(attrs), "attribute=integer, ...")
        values = {key: int(value) for key, value in pairs}
        nodes.append(make_node(name, op, operands, param, **values))
    raise CompilerError("graph", "no return line", "return name=node, ...")


def _pairs(text: str, place: str) -> list[tuple[str, str]]:
    """The pairs of ``a=b, c=d``.

    Raises:
        CompilerError: naming ``place``, for another form.
    """
    found = [tuple(part.strip().split("=")) for part in text.split(",") if part.strip()]
    pairs = [(pair[0], pair[1]) for pair in found if len(pair) == 2]
    if len(pairs) < len(found):
        raise CompilerError(place, short_repr(text), "name=value, ...")
    return pairs


@dataclass(frozen=True)
class Program:
    """A graph with the values of its parameters, float32 arrays by full name.

    Attributes:
        graph: the graph.
        params: parameter arrays, keyed ``<param>.<suffix>``; more than the graph needs
            is allowed (another graph of the same network may need them).
        name: of the network, for messages and null backends.

    Raises:
        CompilerError: when a field is not of its type; ``verify`` checks the rest.
    """

    graph: Graph
    params: Mapping[str, np.ndarray[Any, Any]] = field(repr=False)
    name: str = ""

    def __post_init__(self) -> None:
        check_type("program.graph", self.graph, Graph)
        check_type("program.params", self.params, Mapping)
        check_type("program.name", self.name, str)
