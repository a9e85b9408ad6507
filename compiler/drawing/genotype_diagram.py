"""Contents of a genotype's pictures: its connections and its cell as graphs of nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import networkx as nx

from auxnas.compiler.ir import with_ancestors
from auxnas.genotype.errors import GenotypeError
from auxnas.genotype.genotype import Genotype
from auxnas.genotype.vocabulary import Operation

PAPER_STRIDES = (4, 8, 16, 32)
"""Strides of the paper's encoder outputs."""


@dataclass(frozen=True, slots=True)
class DiagramNode:
    """A box of the picture.

    Attributes:
        label: text in it.
        kind: ``encoder``, ``cell``, ``head``, ``io``, ``sum`` or an operation's kind.
        index: the number that the genotype knows its output by, if any.
        live: whether the result depends on it.
    """

    label: str
    kind: str
    index: int | None = None
    live: bool = True


@dataclass(frozen=True)
class Diagram:
    """Nodes, each behind those it depends on, and edges in the order of the operands.

    Attributes:
        nodes: by name.
        edges: (from, to).
        row: the nodes of the lowest row in their order, where that is given.
    """

    nodes: Mapping[str, DiagramNode]
    edges: tuple[tuple[str, str], ...]
    row: tuple[str, ...] = ()


def operation_kind(operation: Operation) -> str:
    """``skip``, ``zero``, ``gap``, ``sep``, ``conv`` or ``other``, from the primitives."""
    if operation.is_identity:
        return "skip"
    if operation.is_zero:
        return "zero"
    ops = {step.op for step in operation.steps}
    if "global_mean" in ops:
        return "gap"
    if any(("depthwise", 1) in step.attrs for step in operation.steps):
        return "sep"
    return "conv" if "conv2d" in ops else "other"


def connections_diagram(genotype: Genotype, strides: Sequence[int] | None = None) -> Diagram:
    """Encoder outputs, cells, the blocks' sums, and the way to the classifier.

    Args:
        genotype: the architecture.
        strides: of the encoder outputs; by default the paper's where there are four of
            them, else they are numbered.

    Raises:
        GenotypeError: when there are not as many strides as encoder outputs.
    """
    encoder = _encoder_labels(genotype.space.encoder_outputs, strides)
    nodes = {str(i): DiagramNode(label, "encoder", i) for i, label in enumerate(encoder)}
    row = tuple(nodes)
    edges: list[tuple[str, str]] = []
    for block, pair in enumerate(genotype.connections):
        total = str(len(encoder) + block)
        for side, index in zip("ab", pair, strict=True):
            cell = f"cell {total}{side}"
            nodes[cell] = DiagramNode("cell", "cell")
            edges += [(str(index), cell), (cell, total)]
        nodes[total] = DiagramNode("", "sum", int(total))
    used = {index for pair in genotype.connections for index in pair}
    pool = range(len(encoder), len(encoder) + len(genotype.connections))
    loose = [str(i) for i in pool if i not in used]
    tail = ["concat"] * (len(loose) > 1) + ["conv1x1", "classifier"]
    nodes |= {name: DiagramNode(name, "head") for name in tail}
    edges += [(name, tail[0]) for name in loose]
    edges += list(pairwise(tail))
    return _with_life(Diagram(nodes, tuple(edges), row), "classifier")


def _encoder_labels(count: int, strides: Sequence[int] | None) -> list[str]:
    if strides is None and count == len(PAPER_STRIDES):
        strides = PAPER_STRIDES
    if strides is None:
        return [f"output {i}" for i in range(count)]
    if len(strides) != count:
        raise GenotypeError("strides", f"{len(strides)} of them", f"{count}, one an encoder output")
    return [f"stride {stride}" for stride in strides]


def cell_diagram(genotype: Genotype, every_sum: bool = False) -> Diagram:
    """The cell's input, operations, sums and output.

    Args:
        genotype: the architecture.
        every_sum: show each branch's own sum; otherwise one that no branch sampled is
            part of the output's sum, as in the paper's figures: the result is the same.
    """
    cell, rows = genotype.cell, genotype.space.vocabulary
    nodes = {"0": DiagramNode("input", "io", 0)}
    edges: list[tuple[str, str]] = []

    def add_operation(location: int, source: int, operation: int) -> None:
        row = rows[operation]
        nodes[str(location)] = DiagramNode(row.abbreviation, operation_kind(row), location)
        edges.append((str(source), str(location)))

    add_operation(1, 0, cell.first)
    loose = _loose(genotype)
    merged = set() if every_sum or len(loose) == 1 else set(loose)
    for branch, (left, right, op, other) in enumerate(cell.branches):
        base = 2 + 3 * branch
        add_operation(base, left, op)
        add_operation(base + 1, right, other)
        total = "sum" if base + 2 in merged else str(base + 2)
        edges += [(str(base), total), (str(base + 1), total)]
        if total != "sum":
            nodes[total] = DiagramNode("", "sum", base + 2)
    terms = [str(i) for i in loose if i == 1 or i not in merged]
    return _with_life(_with_output(nodes, edges, terms, len(loose) > 1), "output")


def _loose(genotype: Genotype) -> list[int]:
    """The first operation's output and the sums, where no branch sampled them."""
    sampled = {place for branch in genotype.cell.branches for place in branch[:2]}
    pool = [1, *(4 + 3 * k for k in range(len(genotype.cell.branches)))]
    return [place for place in pool if place not in sampled]


def _with_output(
    nodes: dict[str, DiagramNode], edges: list[tuple[str, str]], terms: list[str], many: bool
) -> Diagram:
    """The cell with its loose ends summed."""
    output = {"output": DiagramNode("output", "io")}
    if not many:
        return Diagram(nodes | output, (*edges, (terms[0], "output")))
    sums = [(term, "sum") for term in terms]
    return Diagram(
        nodes | {"sum": DiagramNode("", "sum")} | output, (*edges, *sums, ("sum", "output"))
    )


def _with_life(diagram: Diagram, end: str) -> Diagram:
    """Marks what ``end`` does not depend on.

    A node is lifeless when it is exactly 0 (zero, a skip or a sum of nothing else), or
    when everything that uses it is lifeless or zero.
    """
    nothing: set[str] = set()
    for name, node in diagram.nodes.items():
        operands = [low for low, high in diagram.edges if high == name]
        empty = node.kind in ("skip", "sum") and all(low in nothing for low in operands)
        if node.kind == "zero" or empty:
            nothing.add(name)
    read = nx.DiGraph(diagram.edges)
    read.remove_nodes_from(nothing - {end})
    alive = with_ancestors(read, [end])
    nodes = {name: replace(node, live=name in alive) for name, node in diagram.nodes.items()}
    return replace(diagram, nodes=nodes)
