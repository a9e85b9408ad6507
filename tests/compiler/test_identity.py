"""Equal ``functional`` keys go with equal outputs of the lowered networks, weights tied.

The weights of one network's operations are dealt out to the other's in every way that
keeps their kinds; two genotypes are the same function exactly when some way makes the
float64 outputs equal. Nothing of genotype/ but the keys takes part.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import numpy as np
import pytest

from auxnas.backends.runtimes.reference import ReferenceRunner
from auxnas.compiler import Graph, ModelSpec, Program, lower
from auxnas.compiler.weights import random_params
from auxnas.genotype import CVPR2019, Genotype, SearchSpace, Vocabulary

OPERATIONS = Vocabulary((CVPR2019[0], CVPR2019[1], *CVPR2019.operations[9:]))
SPACE = SearchSpace(1, 1, 2, OPERATIONS)
SPEC = ModelSpec(classes=2, agg_size=8, sep_repeats=1, auxiliary="none", width=0.1)
SIDE = "decoder.block0.left."
IMAGE = {"image": np.random.default_rng(0).normal(size=(1, 3, 96, 128))}


def instances(genotype: Genotype) -> list[tuple[str, int]]:
    """(place, operation) of every operation with weights."""
    cell = genotype.cell
    rows = [("first", cell.first)]
    for number, branch in enumerate(cell.branches):
        rows += [(f"branch{number}.op{side}", branch[2 + side]) for side in range(2)]
    return [(place, op) for place, op in rows if OPERATIONS[op].steps and op < 2]


def output(graph: Graph, params: dict[str, np.ndarray]) -> np.ndarray:
    return ReferenceRunner(Program(graph, params))(IMAGE)["main"]


def deals(left: Genotype, right: Genotype) -> Iterator[dict[str, str]]:
    """Every way to give each operation of ``right`` the weights of one of ``left``."""
    mine, theirs = instances(left), instances(right)
    if not theirs:
        yield {}
        return
    spare = [(f"spare{number}", op) for number, (_, op) in enumerate(theirs)]
    for order in itertools.permutations(mine + spare, len(theirs)):
        if all(op == other for (_, op), (_, other) in zip(order, theirs, strict=True)):
            yield {place: source for (place, _), (source, _) in zip(theirs, order, strict=True)}


def same_function(left: Genotype, right: Genotype) -> bool:
    graphs = lower(left, SPEC), lower(right, SPEC)
    params = random_params(graphs[0], 0)
    expected = output(graphs[0], params)
    own = random_params(graphs[1], 99)
    shared = {name: value for name, value in params.items() if ".first." not in name}
    shared = {name: value for name, value in shared.items() if ".branch" not in name}
    for deal in deals(left, right):
        tied = own | shared
        for place, source in deal.items():
            for side in (SIDE, SIDE.replace("left", "right")):
                for name in own:
                    if name.startswith(f"{side}{place}."):
                        old = name.replace(f".{place}.", f".{source}.")
                        tied[name] = params.get(old, own[name])
        if np.allclose(output(graphs[1], tied), expected, rtol=1e-9, atol=1e-9):
            return True
    return False


def pairs(count: int) -> list[tuple[Genotype, Genotype]]:
    """Half with equal keys and different tokens, half neighbours with different keys."""
    rng, found = random.Random(5), []
    while len(found) < count:
        left = SPACE.sample(rng)
        right = left.canonical("functional")
        if len(found) % 2:
            right = SPACE.mutate(left, rng)
        equal = left.key("functional") == right.key("functional")
        if left != right and len(instances(left)) <= 4 and equal == (len(found) % 2 == 0):
            found.append((left, right))
    return found


@pytest.mark.parametrize(("left", "right"), pairs(24), ids=str)
def test_keys_tell_functions_apart_and_nothing_else(left, right):
    assert same_function(left, right) == (left.key("functional") == right.key("functional"))


def test_sharing_matters_not_the_multiset_of_operations():
    """f(x) + g(x) + g(f(x)), against two applications of f with their own weights."""
    shared = SPACE.genotype([0, 0, 1, 1, 1, 2, 3, 0, 1, 1, 2])
    apart = SPACE.genotype([0, 0, 1, 0, 1, 2, 3, 0, 1, 1, 2])
    assert shared.key("functional") != apart.key("functional")
    assert not same_function(shared, apart)
