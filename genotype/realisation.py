"""From a normal form back to a cell that has it.

The search fills the cell from the front and takes the first cell found, so the result
depends on the form alone. A side of a branch may place a node of the form on a location
that holds exactly the node's bag, pass a location's bag on (identity) or give nothing
(zero). Operations that the output does not need never have to be placed: with a zero row
in the vocabulary zero can stand in their place, and without one every operation reaches
the output.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from auxnas.genotype.bags import BagGraph, term
from auxnas.genotype.functional import Kind, of_kind
from auxnas.genotype.vocabulary import Vocabulary

if TYPE_CHECKING:
    from auxnas.genotype.genotype import Branch

INPUT = 0


class _Filling(NamedTuple):
    """An operation on a location, the bag it gives, and the node it places (or -1)."""

    location: int
    operation: int
    bag: int
    node: int


@dataclass(frozen=True, slots=True)
class _State:
    """A cell filled up to some branch."""

    values: tuple[int, ...]
    loose: frozenset[int]
    open: frozenset[int]

    @property
    def essence(self) -> tuple[object, ...]:
        """All that what can follow depends on."""
        loose = tuple(sorted(self.values[location] for location in self.loose))
        return len(self.values), frozenset(self.values), loose, self.open


def realise(
    form: BagGraph, branches: int, vocabulary: Vocabulary
) -> tuple[int, tuple[Branch, ...]]:
    """The first operation and branches of the first cell found whose normal form is ``form``.

    Raises:
        ValueError: when no cell with so many branches has this form.
    """
    return _Search(form, branches, vocabulary).run()


@dataclass
class _Search:
    form: BagGraph
    branches: int
    vocabulary: Vocabulary
    _failed: set[tuple[object, ...]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._output = self.form.tagged[0][1]
        self._identity = of_kind(self.vocabulary, Kind.IDENTITY)[:1]
        self._zero = of_kind(self.vocabulary, Kind.ZERO)[:1]

    def run(self) -> tuple[int, tuple[Branch, ...]]:
        value = term(0, self.form.width)
        start = _State((value,), frozenset(), frozenset(range(len(self.form.nodes))))
        for side in self._sides(start):
            state = _State((value, side.bag), frozenset({1}), start.open - {side.node})
            found = self._fill(state, self.branches)
            if found is not None:
                return side.operation, found
        raise ValueError(f"no cell of {self.branches} branches has this form")

    def _sides(self, state: _State) -> Iterator[_Filling]:
        """Choices for a side; of several to the same effect, the first."""
        seen: set[int] = set()
        for location, value in enumerate(state.values):
            if location not in state.loose:
                if value in seen:
                    continue
                seen.add(value)
            yield from self._placed(state, location)
            for operation in self._identity:
                yield _Filling(location, operation, value, -1)
            if location in state.loose or location == INPUT:
                for operation in self._zero:
                    yield _Filling(location, operation, 0, -1)

    def _placed(self, state: _State, location: int) -> Iterator[_Filling]:
        for node in sorted(state.open):
            label, bag = self.form.nodes[node]
            if bag == state.values[location]:
                yield _Filling(location, label, term(node + 1, self.form.width), node)

    def _fill(self, state: _State, left: int) -> tuple[Branch, ...] | None:
        """The branches that complete a cell, ``left`` in number, if any do."""
        if left == 0:
            total = sum(state.values[location] for location in state.loose)
            return () if total == self._output and not state.open else None
        if len(state.open) > 2 * left or state.essence in self._failed:
            return None
        sides = list(self._sides(state))
        for place, one in enumerate(sides):
            for other in sides[place:]:
                after = self._after(state, one, other, left)
                rest = None if after is None else self._fill(after, left - 1)
                if rest is not None:
                    return (_branch(one, other), *rest)
        self._failed.add(state.essence)
        return None

    def _after(self, state: _State, one: _Filling, other: _Filling, left: int) -> _State | None:
        """The state behind a branch; None when too many nodes are still to be placed."""
        still_open = state.open - {one.node, other.node}
        if one.node == other.node >= 0 or len(still_open) > 2 * (left - 1):
            return None
        total = one.bag + other.bag
        loose = state.loose - {one.location, other.location} | {len(state.values) + 2}
        return _State((*state.values, one.bag, other.bag, total), loose, still_open)


def _branch(one: _Filling, other: _Filling) -> Branch:
    return one.location, other.location, one.operation, other.operation
