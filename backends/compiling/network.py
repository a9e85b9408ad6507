"""The requested network: lowered, given its ends, optimised, with the cost of each step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from auxnas.backends.compiling.request import Request
from auxnas.compiler import Cost, Graph, Program, Size, cost
from auxnas.compiler.architecture import lower_architecture
from auxnas.compiler.interface import with_interface
from auxnas.compiler.passes import INFERENCE, Change, Pass, run_passes


@dataclass(frozen=True)
class CompiledNetwork:
    """Graphs of a network from its genotype to the one that is written.

    Attributes:
        described: as the genotype describes it, up to logits.
        whole: the same with the ends that were asked for, and weights.
        optimised: the program that is written.
        changes: effects of the passes, in order.
        graphs: the graph after each change.
    """

    described: Graph
    whole: Program
    optimised: Program
    changes: tuple[Change, ...]
    graphs: tuple[Graph, ...]

    def effects(self, size: Size) -> list[Effect]:
        """Costs before and after each change, for an image of ``size`` (height, width)."""
        costs = [cost(graph, size) for graph in (self.whole.graph, *self.graphs)]
        pairs = zip(self.changes, pairwise(costs), strict=True)
        return [Effect(each.name, before, after) for each, (before, after) in pairs]


@dataclass(frozen=True)
class Effect:
    """Cost of the network before and after a change.

    Attributes:
        name: the pass.
        before: the cost before.
        after: the cost after.
    """

    name: str
    before: Cost
    after: Cost

    def numbers(self) -> Iterator[tuple[str, int, int]]:
        """Each cost that is counted, before and after."""
        yield "nodes", len(self.before.nodes), len(self.after.nodes)
        for name in ("parameters", "multiply_adds", "bytes_moved", "peak_bytes"):
            yield name, getattr(self.before, name), getattr(self.after, name)


@dataclass(frozen=True)
class _Recorded:
    """A pass that keeps the graphs it makes."""

    made_by: Pass
    graphs: list[Graph]

    @property
    def name(self) -> str:
        return self.made_by.name

    def __call__(self, program: Program) -> Program:
        result = self.made_by(program)
        if result.graph != program.graph:
            self.graphs.append(result.graph)
        return result


def network_of(request: Request) -> CompiledNetwork:
    """Lowers and optimises.

    Raises:
        GenotypeError: for a genotype that is not a member of its space.
        CompilerError: for weights that do not fit.
    """
    graph = lower_architecture(request.genotype, request.spec)
    described = Program(graph, request.params(graph), str(request.genotype))
    whole = with_interface(described, request.interface)
    graphs: list[Graph] = []
    passes = [_Recorded(each, graphs) for each in INFERENCE]
    optimised, changes = run_passes(passes, whole, request.disabled)
    return CompiledNetwork(graph, whole, optimised, changes, tuple(graphs))
