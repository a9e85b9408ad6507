"""The search space: sizes, vocabulary, and what is a member of it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from genotype.errors import GenotypeError
from genotype.genotype import Cell, Genotype
from genotype.vocabulary import CVPR2019, Vocabulary


@dataclass(frozen=True, slots=True)
class Token:
    """One choice of a controller: where it stands and how many values it can take."""

    place: str
    kind: str
    size: int


@dataclass(frozen=True)
class SearchSpace:
    """All genotypes of given sizes (paper, section 3.1.1).

    Attributes:
        encoder_outputs: how many encoder outputs the decoder can use (paper: 4).
        blocks: how many pairs of layers are connected (paper: 3).
        branches: how many pairs of operations the cell has (paper: 3).
        vocabulary: the candidate operations (paper: the 11 of Table 4).

    Raises:
        GenotypeError: when a size is not a positive integer.
    """

    encoder_outputs: int = 4
    blocks: int = 3
    branches: int = 3
    vocabulary: Vocabulary = CVPR2019

    def __post_init__(self) -> None:
        for name in ("encoder_outputs", "blocks", "branches"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise GenotypeError(f"space.{name}", repr(value), "a positive integer")

    @classmethod
    def cvpr2019(cls) -> SearchSpace:
        """The paper's space: 4 encoder outputs, 3 blocks, 3 branches, 11 operations."""
        return _PAPER

    @cached_property
    def layout(self) -> tuple[Token, ...]:
        """The choices in the order a controller makes them (paper, section 6.3)."""
        return tuple(self._layout())

    def _layout(self) -> Iterator[Token]:
        operations = len(self.vocabulary)
        for block in range(self.blocks):
            for side in range(2):
                yield Token(f"connections[{block}][{side}]", "index", self.encoder_outputs + block)
        yield Token("cell.first", "operation", operations)
        for branch in range(self.branches):
            for side in range(2):
                place = f"cell.branches[{branch}].locations[{side}]"
                yield Token(place, "location", 2 + 3 * branch)
            for side in range(2):
                yield Token(f"cell.branches[{branch}].operations[{side}]", "operation", operations)

    def genotype(self, tokens: Sequence[int]) -> Genotype:
        """The genotype of a token sequence, connections first.

        Raises:
            GenotypeError: when the number of tokens or one of them does not fit.
        """
        if len(tokens) != len(self.layout):
            raise GenotypeError("tokens", f"{len(tokens)} of them", f"{len(self.layout)}")
        split = 2 * self.blocks
        pairs = tuple((tokens[i], tokens[i + 1]) for i in range(0, split, 2))
        starts = range(split + 1, len(tokens), 4)
        branches = tuple((tokens[i], tokens[i + 1], tokens[i + 2], tokens[i + 3]) for i in starts)
        return self.check(Genotype(pairs, Cell(tokens[split], branches), self))

    def violation(self, genotype: Genotype) -> str | None:
        """Why ``genotype`` is not a member of this space; None when it is one."""
        error = self._error(genotype)
        return None if error is None else str(error)

    def check(self, genotype: Genotype) -> Genotype:
        """``genotype`` itself, when it is a member of this space.

        Raises:
            GenotypeError: naming the place, what was found and what was expected.
        """
        error = self._error(genotype)
        if error is not None:
            raise error
        return genotype

    def _error(self, genotype: Genotype) -> GenotypeError | None:
        shape = _shape_error(genotype, self)
        if shape is not None:
            return shape
        for token, value in zip(self.layout, genotype.tokens, strict=True):
            if type(value) is not int:
                return GenotypeError(token.place, f"{value!r} is not an integer")
            if not 0 <= value < token.size:
                return GenotypeError(token.place, f"{value} is not in 0..{token.size - 1}")
        return None

    def sample(self, rng: random.Random) -> Genotype:
        """A genotype drawn uniformly over the token sequences."""
        return self.genotype([rng.randrange(token.size) for token in self.layout])


def _shape_error(genotype: Genotype, space: SearchSpace) -> GenotypeError | None:
    """The first part that is not a tuple of the right length, if any."""

    def wrong(place: str, value: object, length: int) -> GenotypeError | None:
        if isinstance(value, tuple) and len(value) == length:
            return None
        found = f"{len(value)} items" if isinstance(value, tuple) else repr(value)[:80]
        return GenotypeError(place, found, f"{length} items")

    cell = genotype.cell
    if not isinstance(cell, Cell):
        return GenotypeError("cell", repr(cell)[:80], "a Cell")
    error = wrong("connections", genotype.connections, space.blocks)
    error = error or wrong("cell.branches", cell.branches, space.branches)
    if error is not None:
        return error
    rows = [(f"connections[{i}]", pair, 2) for i, pair in enumerate(genotype.connections)]
    rows += [(f"cell.branches[{i}]", branch, 4) for i, branch in enumerate(cell.branches)]
    return next((e for e in (wrong(*row) for row in rows) if e is not None), None)


_PAPER = SearchSpace()
