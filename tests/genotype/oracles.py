"""Small spaces to list whole, and what the tests hold the library against.

Nothing here uses the library's canonical forms: moves rename token by token, graphs are
networkx's, and cells are computed with numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import networkx as nx
import numpy as np
from hypothesis import strategies as st

from auxnas.genotype import CVPR2019, Cell, Genotype, Operation, SearchSpace, Vocabulary
from auxnas.genotype.vocabulary import ZERO, conv

SKIP, NOTHING = CVPR2019.operations[9:]
OTHER_SKIP = Operation("same", "same", "another identity", ())
OTHER_ZERO = Operation("none", "none", "another zero", (ZERO,))
OWN = Operation("own", "own", "a row of the user's", (conv(9),))


def vocabulary(weighted: int, *rows: Operation) -> Vocabulary:
    """Some operations with weights, then ``rows``."""
    return Vocabulary(CVPR2019.operations[:weighted] + rows)


LISTED = {
    "1 branch, 3 operations": SearchSpace(1, 1, 1, vocabulary(3)),
    "1 branch, 1+skip+zero": SearchSpace(2, 1, 1, vocabulary(1, SKIP, NOTHING)),
    "1 branch, two skips, two zeros": SearchSpace(
        1, 2, 1, Vocabulary((SKIP, OWN, NOTHING, OTHER_SKIP, OTHER_ZERO))
    ),
    "2 branches, 2 operations": SearchSpace(1, 1, 2, vocabulary(2)),
    "2 branches, 1+skip": SearchSpace(2, 1, 2, vocabulary(1, SKIP)),
    "2 branches, 1+zero": SearchSpace(1, 2, 2, vocabulary(1, NOTHING)),
    "2 branches, 1+skip+zero": SearchSpace(1, 1, 2, vocabulary(1, SKIP, NOTHING)),
    "2 branches, skip+zero": SearchSpace(1, 1, 2, vocabulary(0, SKIP, NOTHING)),
    "3 branches, 1 operation": SearchSpace(1, 1, 3, vocabulary(1)),
    "3 branches, skip": SearchSpace(1, 1, 3, vocabulary(0, SKIP)),
    "connections 3, 3": SearchSpace(3, 3, 1, vocabulary(1)),
    "connections 1, 4": SearchSpace(1, 4, 1, vocabulary(1)),
}
"""Every one has fewer than 30000 sequences."""


def all_tokens(space: SearchSpace) -> np.ndarray:
    """Every sequence, in lexicographic order."""
    sizes = [token.size for token in space.layout]
    return np.indices(sizes).reshape(len(sizes), -1).T


def all_cells(operations: int, branches: int) -> Iterator[Cell]:
    """Every cell, straight from the definition."""
    rows = [
        tuple(itertools.product(*[range(2 + 3 * k)] * 2, *[range(operations)] * 2))
        for k in range(branches)
    ]
    for first in range(operations):
        yield from (Cell(first, each) for each in itertools.product(*rows))


def members(*spaces: SearchSpace) -> st.SearchStrategy[Genotype]:
    """Genotypes of spaces; small tokens often, so that symmetries and repeats occur."""

    def of(space: SearchSpace) -> st.SearchStrategy[Genotype]:
        choices = [
            st.integers(0, token.size - 1) | st.integers(0, min(1, token.size - 1))
            for token in space.layout
        ]
        return st.tuples(*choices).map(space.genotype)

    return st.sampled_from(spaces or tuple(LISTED.values())).flatmap(of)


def exchanged(genotype: Genotype, names: Callable[[int], int], rows: list) -> Genotype:
    """The genotype with ``rows`` for branches, then locations renamed."""
    branches = tuple((names(a), names(b), c, d) for a, b, c, d in rows)
    cell = Cell(genotype.cell.first, branches)
    return Genotype(genotype.connections, cell, genotype.space)


def swapped_branch(genotype: Genotype, k: int) -> Genotype:
    """Branch k's two pairs exchanged."""
    rows = list(genotype.cell.branches)
    left, right, one, other = rows[k]
    rows[k] = (right, left, other, one)
    names = {2 + 3 * k: 3 + 3 * k, 3 + 3 * k: 2 + 3 * k}
    return exchanged(genotype, lambda location: names.get(location, location), rows)


def moved_branch(genotype: Genotype, k: int) -> Genotype:
    """Branches k and k + 1 exchanged; the genotype itself where one needs the other."""
    rows = list(genotype.cell.branches)
    if any(location >= 2 + 3 * k for location in rows[k + 1][:2]):
        return genotype
    rows[k], rows[k + 1] = rows[k + 1], rows[k]
    names = {2 + 3 * k + i: 2 + 3 * k + (i + 3) % 6 for i in range(6)}
    return exchanged(genotype, lambda location: names.get(location, location), rows)


def swapped_block(genotype: Genotype, b: int) -> Genotype:
    """Block b's two indices exchanged."""
    rows = list(genotype.connections)
    rows[b] = rows[b][::-1]
    return Genotype(tuple(rows), genotype.cell, genotype.space)


def moved_block(genotype: Genotype, b: int) -> Genotype:
    """Blocks b and b + 1 exchanged; the genotype itself where one needs the other."""
    here = genotype.space.encoder_outputs + b
    rows = list(genotype.connections)
    if here in rows[b + 1]:
        return genotype
    rows[b], rows[b + 1] = rows[b + 1], rows[b]
    names = {here: here + 1, here + 1: here}
    renamed = tuple((names.get(i, i), names.get(j, j)) for i, j in rows)
    return Genotype(renamed, genotype.cell, genotype.space)


def generated(genotype: Genotype, level: str) -> list[Genotype]:
    """What one generator of the level's symmetries makes of a genotype."""
    space = genotype.space
    found = [swapped_branch(genotype, k) for k in range(space.branches)]
    found += [swapped_block(genotype, b) for b in range(space.blocks)]
    if level != "swap":
        found += [moved_branch(genotype, k) for k in range(space.branches - 1)]
        found += [moved_block(genotype, b) for b in range(space.blocks - 1)]
    return found


def orbit(genotype: Genotype, level: str) -> set[Genotype]:
    """Everything the generators lead to."""
    seen, waiting = {genotype}, [genotype]
    while waiting:
        for found in generated(waiting.pop(), level):
            if found not in seen:
                seen.add(found)
                waiting.append(found)
    return seen


def graph(genotype: Genotype) -> nx.DiGraph:
    """The architecture as a labelled graph; each use of an item is a node of its own."""
    result = nx.DiGraph()
    space, cell = genotype.space, genotype.cell

    def node(name: str, label: str, *inputs: str) -> str:
        result.add_node(name, label=label)
        result.add_edges_from((source, name) for source in inputs)
        return name

    pool = [node(f"e{i}", f"encoder {i}") for i in range(space.encoder_outputs)]
    for b, pair in enumerate(genotype.connections):
        uses = [node(f"u{b}.{s}", "use", pool[i]) for s, i in enumerate(pair)]
        pool.append(node(f"b{b}", "block", *uses))
    values = [node("x", "input")]
    values.append(node("first", f"operation {cell.first}", "x"))
    for k, (left, right, one, other) in enumerate(cell.branches):
        sides = [
            node(f"o{k}.{s}", f"operation {operation}", values[location])
            for s, (location, operation) in enumerate(((left, one), (right, other)))
        ]
        values += [*sides, node(f"s{k}", "sum", *sides)]
    return result


def isomorphic(one: Genotype, other: Genotype) -> bool:
    """Whether the two graphs are, by networkx's search."""
    return nx.is_isomorphic(
        graph(one), graph(other), node_match=lambda a, b: a["label"] == b["label"]
    )
