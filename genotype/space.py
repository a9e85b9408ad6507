"""The search space: sizes, vocabulary, and what is a member of it."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from auxnas.genotype import counting, enumeration, functional, identity, sampling
from auxnas.genotype.bags import BagGraph
from auxnas.genotype.counting import Counts
from auxnas.genotype.enumeration import CellClasses
from auxnas.genotype.errors import GenotypeError, short_repr
from auxnas.genotype.genotype import Branch, Cell, Connections, Genotype, unchecked
from auxnas.genotype.identity import Level
from auxnas.genotype.shapes import shapes
from auxnas.genotype.symmetry import CELL, connections_frame
from auxnas.genotype.vocabulary import CVPR2019, Vocabulary

LARGEST = 1000
"""Of a size of a space: beyond, a number is a mistake, or made to exhaust memory."""
_LISTED = 50_000
"""Connections or skeletons of cells at most that are listed in order to draw one."""


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
        GenotypeError: when a size is out of range, or the vocabulary is none.
    """

    encoder_outputs: int = 4
    blocks: int = 3
    branches: int = 3
    vocabulary: Vocabulary = CVPR2019

    def __post_init__(self) -> None:
        for name in ("encoder_outputs", "blocks", "branches"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= LARGEST:
                expected = f"a positive integer, at most {LARGEST}"
                raise GenotypeError(f"space.{name}", short_repr(value), expected)
        if not isinstance(self.vocabulary, Vocabulary):
            raise GenotypeError("space.vocabulary", short_repr(self.vocabulary), "a Vocabulary")

    @classmethod
    def cvpr2019(cls) -> SearchSpace:
        """The paper's space: 4 encoder outputs, 3 blocks, 3 branches, 11 operations."""
        return _PAPER

    @cached_property
    def layout(self) -> tuple[Token, ...]:
        """The choices in the order a controller makes them (paper, section 6.3)."""
        return tuple(self._layout())

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The number of values of each choice, in the order of ``layout``."""
        return tuple(token.size for token in self.layout)

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
        if not isinstance(tokens, Sequence):
            raise GenotypeError("tokens", short_repr(tokens), f"{len(self.layout)} integers")
        if len(tokens) != len(self.layout):
            raise GenotypeError("tokens", f"{len(tokens)} of them", f"{len(self.layout)}")
        connections, first, branches = self._split(tokens)
        return Genotype(connections, Cell(first, branches), self)

    def _proved(self, tokens: Sequence[int]) -> Genotype:
        """The genotype of tokens that are drawn or counted within their sizes."""
        connections, first, branches = self._split(tokens)
        return unchecked(Genotype, connections, unchecked(Cell, first, branches), self)

    def _split(self, tokens: Sequence[int]) -> tuple[Connections, int, tuple[Branch, ...]]:
        split = 2 * self.blocks
        pairs = tuple((tokens[i], tokens[i + 1]) for i in range(0, split, 2))
        starts = range(split + 1, len(tokens), 4)
        branches = tuple((tokens[i], tokens[i + 1], tokens[i + 2], tokens[i + 3]) for i in starts)
        return pairs, tokens[split], branches

    def violation(self, genotype: Genotype) -> str | None:
        """The reason that ``genotype`` is not a member of this space; None when it is one."""
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

    def _error(self, genotype: object) -> GenotypeError | None:
        if not isinstance(genotype, Genotype):
            return GenotypeError("genotype", short_repr(genotype), "a Genotype")
        if genotype.space is not self and not self._is(genotype.space):
            return GenotypeError("space", "another space than this one")
        return None

    def _is(self, other: object) -> bool:
        """Whether ``other`` gives all numbers the same meaning, whatever its descriptions."""
        return self == other or (isinstance(other, SearchSpace) and self.digest == other.digest)

    @cached_property
    def digest(self) -> str:
        """Twelve hexadecimal digits of what gives the numbers their meaning.

        That is: the sizes, and each operation's name and steps. Descriptions and
        abbreviations, which are for people, do not count.
        """
        rows = [
            [row.name, [[step.op, step.attrs] for step in row.steps], row.repeated]
            for row in self.vocabulary
        ]
        text = json.dumps([self.encoder_outputs, self.blocks, self.branches, rows])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def rank(self, genotype: Genotype) -> int:
        """The position of ``genotype`` among all token sequences in lexicographic order.

        Raises:
            GenotypeError: when ``genotype`` is not a member of this space.
        """
        rank = 0
        for token, value in zip(self.layout, self.check(genotype).tokens, strict=True):
            rank = rank * token.size + value
        return rank

    def unrank(self, position: int, level: Level = "raw") -> Genotype:
        """The genotype at ``position`` of ``enumerate(level)``; at ``raw`` undoes ``rank``.

        Raises:
            GenotypeError: when there is no such position or level.
        """
        found = next(self.enumerate(level, position), None)
        if found is None:
            expected = f"0..{self.count(level).total - 1}"
            raise GenotypeError("position", short_repr(position), expected)
        return found

    def enumerate(self, level: Level, start: int = 0) -> Iterator[Genotype]:
        """One genotype of each class of ``level``, lazily: its representative.

        The order is documented in ``genotype.enumeration``, with the cost of starting
        far in: none at ``raw``; below, a table of the space's skeletons or shapes when
        first used, then milliseconds.

        Args:
            level: see ``genotype.identity``.
            start: position of the first genotype.

        Raises:
            GenotypeError: when there is no such level, or ``start`` is not a number from 0.
        """
        identity.check_level(level)
        if type(start) is not int or start < 0:
            raise GenotypeError("start", short_repr(start), "an integer, 0 or more")
        if level == "raw":
            return map(self._at, range(start, self.count("raw").total))
        pairs = self._classes(level).starting(start)
        return (unchecked(Genotype, connections, cell, self) for connections, cell in pairs)

    def _at(self, rank: int) -> Genotype:
        tokens = []
        for token in reversed(self.layout):
            rank, value = divmod(rank, token.size)
            tokens.append(value)
        return self._proved(tokens[::-1])

    def orbit_size(self, genotype: Genotype, level: Level = "isomorphism") -> int:
        """The number of token sequences the same as ``genotype`` at ``level``, itself included.

        At ``functional`` the space's table of shapes is made when first used.

        Raises:
            GenotypeError: when ``genotype`` is not a member of this space, or there is
                no such level.
        """
        identity.check_level(level)
        self.check(genotype)
        connections, cells = identity.wiring_orbit(genotype, self.encoder_outputs, level)
        if level == "functional":
            cells = functional.cell_orbit_size(genotype.cell, self.vocabulary, self._shapes)
        return connections * cells

    def count(self, level: Level) -> Counts:
        """The number of different genotypes at ``level``; see ``genotype.counting``.

        At ``raw`` and ``swap`` at once for any size; at ``isomorphism`` within a second up
        to twelve blocks and branches, some seconds at fourteen, minutes from eighteen; at
        ``functional`` some seconds at three branches (see ``genotype.shapes``) and hours
        at four.

        Raises:
            GenotypeError: when there is no such level.
        """
        identity.check_level(level)
        frame = connections_frame(self.encoder_outputs)
        connections = counting.count_classes(frame, self.blocks, 1, level)
        if level == "functional":
            return Counts(connections, self._classes(level).cells)
        operations = len(self.vocabulary)
        cells = counting.count_classes(CELL, self.branches, operations, level)
        return Counts(connections, operations * cells)

    @cached_property
    def _shapes(self) -> dict[BagGraph, int]:
        return shapes(self.branches, functional.count_kinds(self.vocabulary))

    @cached_property
    def _tables(self) -> dict[Level, CellClasses]:
        return {}

    def _classes(self, level: Level) -> CellClasses:
        if level not in self._tables:
            self._tables[level] = (
                enumeration.functional_classes(self, self._shapes)
                if level == "functional"
                else enumeration.wiring_classes(self, level)
            )
        return self._tables[level]

    def __reduce__(self) -> tuple[type[SearchSpace], tuple[int, int, int, Vocabulary]]:
        """A copy is made of the sizes alone, without tables."""
        return SearchSpace, (self.encoder_outputs, self.blocks, self.branches, self.vocabulary)

    def sample(self, rng: random.Random, level: Level = "raw") -> Genotype:
        """A genotype drawn uniformly over the classes of ``level``: its representative.

        Below ``raw`` that is ``unrank`` of a uniform position, so a class with many
        sequences comes up no more often than one with few. Where connections or skeletons
        of cells are too many to list (more than 50,000), sequences are drawn and kept with
        a probability of one over their orbit instead; see ``genotype.sampling``. At
        ``functional`` the shapes of cells have to be listed: some seconds at three
        branches, hours at four.

        Raises:
            GenotypeError: when there is no such level, or ``rng`` draws nothing.
        """
        _check_rng(rng)
        if level == "raw":
            return self._proved([rng.randrange(token.size) for token in self.layout])
        identity.check_level(level)
        if self._is_listed(level):
            return self.unrank(rng.randrange(self._classes(level).total), level)
        frame, reorder = connections_frame(self.encoder_outputs), level != "swap"
        blocks = sampling.draw_wiring(frame, self.blocks, 1, reorder, rng)
        connections = tuple((left, right) for left, right, _, _ in blocks)
        return unchecked(Genotype, connections, self._sampled_cell(rng, level), self)

    def _sampled_cell(self, rng: random.Random, level: Level) -> Cell:
        if level == "functional":
            classes = self._classes(level)
            return classes.cell(rng.randrange(classes.cells))
        operations = len(self.vocabulary)
        branches = sampling.draw_wiring(CELL, self.branches, operations, level != "swap", rng)
        return unchecked(Cell, rng.randrange(operations), branches)

    @cached_property
    def _listed(self) -> dict[Level, bool]:
        return {}

    def _is_listed(self, level: Level) -> bool:
        """Whether connections and skeletons are few enough to be listed for a sample."""
        if level not in self._listed:
            self._listed[level] = self._count_is_small(level)
        return self._listed[level]

    def _count_is_small(self, level: Level) -> bool:
        frame = connections_frame(self.encoder_outputs)
        skeletons = (
            0 if level == "functional" else counting.count_classes(CELL, self.branches, 1, level)
        )
        return max(counting.count_classes(frame, self.blocks, 1, level), skeletons) <= _LISTED

    def neighbours(self, genotype: Genotype) -> Iterator[Genotype]:
        """All genotypes that differ from ``genotype`` in one token, in order of the token.

        Raises:
            GenotypeError: when ``genotype`` is not a member of this space.
        """
        tokens = self.check(genotype).tokens
        for place, token in enumerate(self.layout):
            for value in range(token.size):
                if value != tokens[place]:
                    yield self.genotype((*tokens[:place], value, *tokens[place + 1 :]))

    def mutate(self, genotype: Genotype, rng: random.Random) -> Genotype:
        """One of ``neighbours(genotype)``, each with the same probability.

        Raises:
            GenotypeError: when ``genotype`` is not a member of this space, or ``rng`` draws
                nothing.
        """
        _check_rng(rng)
        tokens = list(self.check(genotype).tokens)
        choice = rng.randrange(sum(token.size - 1 for token in self.layout))
        for place, token in enumerate(self.layout):
            if choice < token.size - 1:
                tokens[place] = choice + (choice >= tokens[place])
                break
            choice -= token.size - 1
        return self.genotype(tokens)


def _check_rng(rng: object) -> None:
    if not isinstance(rng, random.Random):
        raise GenotypeError("rng", short_repr(rng), "a random.Random, such as random.Random(0)")


_PAPER = SearchSpace()
