"""Similarity of architectures: a Weisfeiler-Lehman kernel on their graphs, and trends of traits.

After Ru, Wan, Dong, Osborne (ICLR 2021), who search with a Gaussian process on it. A node is known
by its operation, then by what it is fed, then by what that is fed; an architecture by how often
each occurs. Isomorphic architectures are therefore the same one to it. That says what is near to
something known; what goes on beyond it, as "the more of this operation the better", is left to a
quadratic kernel on a few figures of the whole.
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
from auxnas.genotype.genotype import Connections

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


class Traits:
    """Architectures as a few figures, each of mean 0 and deviation 1 among those that some have.

    Args:
        genotypes: the architectures whose mean and deviation those are.
    """

    def __init__(self, genotypes: Sequence[Genotype]) -> None:
        figures = np.array([traits(each) for each in genotypes])
        deviation = figures.std(0)
        self._mean, self._scale = figures.mean(0), np.where(deviation > 0, deviation, 1.0)

    def rows(self, genotypes: Sequence[Genotype]) -> Array:
        """(architectures, figures), divided by the root of how many there are."""
        figures = np.array([traits(each) for each in genotypes])
        found: Array = (figures - self._mean) / self._scale / sqrt(figures.shape[1])
        return found


def trends(rows: Array, others: Array) -> Array:
    """(rows, others): quadratic kernel on traits: what follows a trend of them, or of pairs."""
    found: Array = (0.5 + 0.5 * rows @ others.T) ** 2
    return found


@lru_cache(maxsize=4096)
def traits(genotype: Genotype) -> tuple[float, ...]:
    """Figures of an architecture, the same for isomorphic ones.

    How often the cell has each operation; which encoder outputs are read, and how often; lengths
    of the longest paths of the cell and of the connections; loose ends of both.
    """
    space, cell = genotype.space, genotype.cell
    operations = [cell.first, *chain.from_iterable(branch[2:] for branch in cell.branches)]
    counts = [operations.count(row) for row in range(len(space.vocabulary))]
    depths = [0, 1]
    for left, right, _, _ in cell.branches:
        pair = depths[left] + 1, depths[right] + 1
        depths += [*pair, max(pair)]
    read = list(chain.from_iterable(genotype.connections))
    reads = [read.count(index) for index in range(space.encoder_outputs)]
    levels = [0] * space.encoder_outputs
    for left, right in genotype.connections:
        levels.append(1 + max(levels[left], levels[right]))
    blocks = range(space.encoder_outputs, len(levels))
    return (
        *counts, *reads, *map(bool, reads), max(depths), max(levels),
        len(loose_ends(cell.branches)), sum(block not in read for block in blocks),
    )  # fmt: skip


@lru_cache(maxsize=4096)
def _counts(genotype: Genotype) -> tuple[Occurrences, Occurrences]:
    outputs = genotype.space.encoder_outputs
    return cell_counts(genotype.cell), connection_counts(genotype.connections, outputs)


@lru_cache(maxsize=4096)
def cell_counts(cell: Cell) -> Occurrences:
    """Occurrences of the surroundings of nodes in a cell, as it is written."""
    labels, inputs = [_INPUT, cell.first], [(), (0,)]
    for left, right, operation, other in cell.branches:
        first = len(labels)
        labels += [operation, other, _SUM]
        inputs += [(left,), (right,), (first, first + 1)]
    ends = tuple(loose_ends(cell.branches))
    return _surroundings([*labels, _OUTPUT], [*inputs, ends], _CELL_DEPTH)


@lru_cache(maxsize=4096)
def connection_counts(pairs: Connections, outputs: int) -> Occurrences:
    """Occurrences of the surroundings of blocks, whose encoder outputs are told apart."""
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
