"""Hypothesis strategies that several folders share."""

from __future__ import annotations

from hypothesis import strategies as st

from auxnas.compiler import Graph, ModelSpec, Program, lower
from auxnas.compiler.weights import random_params
from auxnas.genotype import CVPR2019, Genotype, Operation, SearchSpace, Step, Vocabulary
from auxnas.genotype.space import Token
from auxnas.genotype.vocabulary import BN, GLOBAL_MEAN, RELU, conv, depthwise

PAPER = SearchSpace.cvpr2019()
SMALL = SearchSpace(4, 2, 2, Vocabulary(CVPR2019.operations[1:3] + CVPR2019.operations[8:]))
FIVE = SearchSpace(encoder_outputs=5)
MIXED = Operation(
    "mixed",
    "mixed 7x7",
    "depthwise 7x7 between 1x1",
    (conv(1), depthwise(7), BN, RELU, conv(1), BN),
)
SMOOTH = Operation(
    "smooth",
    "smooth",
    "gates and activations that are negative somewhere",
    (conv(1), BN, Step("silu"), Step("avg_pool", (("kernel", 3),)), Step("hard_swish")),
)
CUSTOM = SearchSpace(vocabulary=CVPR2019.extended(MIXED, SMOOTH))
SPACES = (PAPER, SMALL, FIVE, CUSTOM)
POINTS = SearchSpace(
    vocabulary=CVPR2019.extended(Operation("mean", "mean", "1x1 map", (GLOBAL_MEAN,)))
)
"""Its maps may be 1x1 where others are not."""

PLAIN = "[[[0, 0], [1, 2], [3, 5]], [1, [0, 1, 9, 9], [1, 3, 9, 10], [3, 5, 9, 9]]]"
"""A genotype that compiles in half the time of a published one, where any will do."""

TINY = ModelSpec(classes=3, agg_size=4, sep_repeats=2, auxiliary="cell", width=0.1)


def genotypes(*spaces: SearchSpace) -> st.SearchStrategy[Genotype]:
    """Genotypes of the given spaces (all of ours by default).

    What most passes are about, zero, skip and gap, is drawn more often than the rest.
    """

    def of(space: SearchSpace) -> st.SearchStrategy[Genotype]:
        choices = [values(token, space.vocabulary) for token in space.layout]
        return st.tuples(*choices).map(space.genotype)

    return st.sampled_from(spaces or SPACES).flatmap(of)


def values(token: Token, vocabulary: Vocabulary) -> st.SearchStrategy[int]:
    """Values of a choice."""
    every = st.integers(0, token.size - 1)
    special = [i for i, name in enumerate(vocabulary.names) if name in ("zero", "skip", "gap")]
    if token.kind != "operation" or not special:
        return every
    return st.one_of(every, st.sampled_from(special))


def program(
    genotype: Genotype, spec: ModelSpec = TINY, seed: int = 0, dead: bool = False
) -> Program:
    """The network of ``genotype`` with every weight and statistic random.

    Where ``dead``, about half of the biases are so low that the ReLUs behind give 0.
    """
    graph: Graph = lower(genotype, spec)
    params = random_params(graph, seed)
    if dead:
        biases = [name for name in params if name.endswith("bias")]
        params = {**params, **{name: params[name] - 9 for name in biases[::2]}}
    return Program(graph, params, str(genotype))
