"""Hypothesis strategies that several folders share."""

from __future__ import annotations

from hypothesis import strategies as st

from compiler import Graph, ModelSpec, Program, lower
from compiler.weights import randomised
from genotype import CVPR2019, Genotype, Operation, SearchSpace, Vocabulary
from genotype.vocabulary import BN, RELU, conv, depthwise

PAPER = SearchSpace.cvpr2019()
SMALL = SearchSpace(4, 2, 2, Vocabulary(CVPR2019.operations[1:3] + CVPR2019.operations[8:]))
FIVE = SearchSpace(encoder_outputs=5)
MIXED = Operation(
    "mixed",
    "mixed 7x7",
    "depthwise 7x7 between 1x1",
    (conv(1), depthwise(7), BN, RELU, conv(1), BN),
)
CUSTOM = SearchSpace(vocabulary=CVPR2019.extended(MIXED))
SPACES = (PAPER, SMALL, FIVE, CUSTOM)

TINY = ModelSpec(classes=3, agg_size=4, sep_repeats=2, auxiliary="cell", width=0.1)


def genotypes(*spaces: SearchSpace) -> st.SearchStrategy[Genotype]:
    """Genotypes of the given spaces (all of ours by default)."""

    def of(space: SearchSpace) -> st.SearchStrategy[Genotype]:
        choices = [st.integers(0, token.size - 1) for token in space.layout]
        return st.tuples(*choices).map(space.genotype)

    return st.sampled_from(spaces or SPACES).flatmap(of)


def program(genotype: Genotype, spec: ModelSpec = TINY, seed: int = 0) -> Program:
    """The network of ``genotype`` with every weight and statistic random."""
    graph: Graph = lower(genotype, spec)
    return Program(graph, randomised(graph, seed), str(genotype))
