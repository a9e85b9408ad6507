"""Similarity of architectures: a Weisfeiler-Lehman kernel on their graphs.

After Ru, Wan, Dong, Osborne (ICLR 2021), who search with a Gaussian process on it. A node is known
by its operation, then by what it is fed, then by what that is fed; an architecture by how often
each occurs. Isomorphic architectures are therefore the same one to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from math import sqrt
from typing import Any

import numpy as np

from auxnas.genotype import Cell, Genotype
from auxnas.genotype.functional import loose_ends

Array = np.ndarray[Any, Any]
Occurrences = Mapping[Any, int]

_CELL_DEPTH, _CONNECTIONS_DEPTH, _POWER = 2, 3, 3
"""Steps back that nodes are known by, and the power of similarities: of those that were tried on
the tabular benchmark, the ones with which a search found the best architecture most often."""
_INPUT, _SUM, _OUTPUT = -1, -2, -3
"""Labels beside the operations' numbers."""


class Embedding:
    """Architectures as counts of their nodes' surroundings, those that some of them have.

    Args:
        genotypes: the architectures whose surroundings the columns are.
    """

    def __init__(self, genotypes: Sequence[Genotype]) -> None:
        met = chain.from_iterable(chain.from_iterable(map(_counts, genotypes)))
        self._columns: dict[Any, int] = {}
        for key in met:
            self._columns.setdefault(key, len(self._columns))

    def rows(self, genotypes: Sequence[Genotype]) -> Array:
        """(architectures, 2, columns): cells and connections, each over its whole length.

        An architecture with surroundings that are no column is shorter than 1 there.
        """
        found = np.zeros((len(genotypes), 2, len(self._columns)))
        for row, genotype in enumerate(genotypes):
            for half, counts in enumerate(_counts(genotype)):
                length = sqrt(sum(count**2 for count in counts.values()))
                for key, count in counts.items():
                    if (column := self._columns.get(key)) is not None:
                        found[row, half, column] = count / length
        return found


def similarities(rows: Array, others: Array) -> Array:
    """(rows, others): the product of the cells' cosine and the connections', cubed; 0 to 1.

    One of the two has to be of the architectures whose surroundings the columns are.
    """
    cells, connections = (rows[:, half] @ others[:, half].T for half in range(2))
    found: Array = (cells * connections) ** _POWER
    return found


@lru_cache(maxsize=4096)
def _counts(genotype: Genotype) -> tuple[Occurrences, Occurrences]:
    return cell_counts(genotype.cell), connection_counts(genotype)


def cell_counts(cell: Cell) -> Occurrences:
    """Occurrences of the surroundings of nodes in a cell, as it is written."""
    labels, inputs = [_INPUT, cell.first], [(), (0,)]
    for left, right, operation, other in cell.branches:
        first = len(labels)
        labels += [operation, other, _SUM]
        inputs += [(left,), (right,), (first, first + 1)]
    ends = tuple(loose_ends(cell.branches))
    return _surroundings([*labels, _OUTPUT], [*inputs, ends], _CELL_DEPTH)


def connection_counts(genotype: Genotype) -> Occurrences:
    """Occurrences of the surroundings of blocks, whose encoder outputs are told apart."""
    outputs = genotype.space.encoder_outputs
    pairs = genotype.connections
    used = {index for pair in pairs for index in pair}
    blocks = range(outputs, outputs + len(pairs))
    labels = [*range(outputs), *(_SUM for _ in blocks), _OUTPUT]
    ends = tuple(block for block in blocks if block not in used)
    inputs = [*(() for _ in range(outputs)), *pairs, ends]
    return _surroundings(labels, inputs, _CONNECTIONS_DEPTH)


def _surroundings(
    labels: Sequence[int], inputs: Sequence[tuple[int, ...]], depth: int
) -> Counter[Any]:
    """Occurrences of the labels with 0 to ``depth`` steps back, of nodes in topological order."""
    now: list[Any] = [(label,) for label in labels]
    found = Counter(now)
    for _ in range(depth):
        now = [
            (labels[node], *sorted(now[source] for source in sources)) if sources else now[node]
            for node, sources in enumerate(inputs)
        ]
        found.update(now[node] for node, sources in enumerate(inputs) if sources)
    return found
