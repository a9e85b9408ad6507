"""Renumbering items without changing what they describe, and the smallest renumbering.

The two parts of a genotype have one structure. A *wiring* is a sequence of items, each
with two sides; a side holds a reference (to a fixed input or to an output of an earlier
item) and a label. A branch of the cell is an item whose labels are operations and which
has three outputs: each side's own, and their sum. A block of the connections is an item
with equal labels and one output.

Two wirings are the same when one turns into the other by swapping the sides of items and
by moving items past one another, references following what they refer to. Over all
orders, earlier or not, these *moves* form the group of signed permutations, of
``2**n * n!`` elements; from a given wiring those are open that leave no reference to a
later item, ``2**n`` times the number of linear extensions of "refers to".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

Item = tuple[int, int, int, int]
"""Reference, reference, label, label."""

Move = tuple[tuple[int, bool], ...]
"""For each new position, the item which goes there and whether its sides are swapped."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Numbering of references.

    Attributes:
        inputs: references that stand before the first item's outputs.
        outputs: outputs of an item: 3 for side, side, sum; 1 for the sum alone.
    """

    inputs: int
    outputs: int

    def references(self, position: int) -> int:
        """The number of references that the item at ``position`` can choose from."""
        return self.inputs + self.outputs * position


CELL = Frame(inputs=2, outputs=3)


def connections_frame(encoder_outputs: int) -> Frame:
    """The frame of the connections' blocks."""
    return Frame(inputs=encoder_outputs, outputs=1)


@dataclass(frozen=True, slots=True)
class _Prefix:
    """A partial move: which items stand first, and the new name of each reference (or -1)."""

    move: Move
    names: tuple[int, ...]


def smallest(
    items: tuple[Item, ...], frame: Frame, reorder: bool
) -> tuple[tuple[Item, ...], list[Move]]:
    """The lexicographically smallest wiring that is the same, and all moves that give it.

    Positions are filled from the front. Kept are exactly the partial moves whose rows so
    far are smallest; any that is dropped is larger at the position just filled, whatever
    follows. So the result is the minimum over all moves, and since two moves give it if
    and only if they differ by an automorphism, their number is that of the wiring's
    automorphisms.

    Args:
        items: the wiring.
        frame: how its references are numbered.
        reorder: whether items may move (isomorphism) or only swap sides.
    """
    unnamed = (-1,) * (frame.outputs * len(items))
    prefixes = [_Prefix((), tuple(range(frame.inputs)) + unnamed)]
    rows: list[Item] = []
    for position in range(len(items)):
        row, found = _best_rows(items, prefixes, position, reorder)
        rows.append(row)
        prefixes = [_extended(prefix, frame, old, swapped) for prefix, old, swapped in found]
    return tuple(rows), [prefix.move for prefix in prefixes]


def _best_rows(
    items: tuple[Item, ...], prefixes: list[_Prefix], position: int, reorder: bool
) -> tuple[Item, list[tuple[_Prefix, int, bool]]]:
    """The smallest row that can stand at ``position``, and every way to get it there."""
    best: Item | None = None
    found: list[tuple[_Prefix, int, bool]] = []
    for prefix in prefixes:
        used = {old for old, _ in prefix.move}
        names = prefix.names
        for old in range(len(items)) if reorder else (position,):
            left, right, label, other = items[old]
            here, there = names[left], names[right]
            if old in used or here < 0 or there < 0:
                continue
            plain, swapped = (here, there, label, other), (there, here, other, label)
            row = min(plain, swapped)
            if best is None or row < best:
                best, found = row, []
            if row == best:
                found += [(prefix, old, way) for way in _ways(plain, swapped)]
    if best is None:
        raise ValueError("an item refers to itself or to a later one")
    return best, found


def _ways(plain: Item, swapped: Item) -> tuple[bool, ...]:
    if plain == swapped:
        return (False, True)
    return (swapped < plain,)


def _extended(prefix: _Prefix, frame: Frame, old: int, swapped: bool) -> _Prefix:
    names = list(prefix.names)
    start, new = frame.references(old), frame.references(len(prefix.move))
    names[start : start + frame.outputs] = range(new, new + frame.outputs)
    if swapped and frame.outputs > 1:
        names[start], names[start + 1] = new + 1, new
    return _Prefix((*prefix.move, (old, swapped)), tuple(names))


def orders(items: tuple[Item, ...], frame: Frame) -> int:
    """In how many orders the items can stand: linear extensions of "refers to"."""
    needs = [
        {(side - frame.inputs) // frame.outputs for side in item[:2] if side >= frame.inputs}
        for item in items
    ]

    @cache
    def count(placed: frozenset[int]) -> int:
        if len(placed) == len(items):
            return 1
        ready = (i for i, need in enumerate(needs) if i not in placed and need <= placed)
        return sum(count(placed | {i}) for i in ready)

    return count(frozenset())


def wiring_orbit_size(items: tuple[Item, ...], frame: Frame, reorder: bool) -> int:
    """The number of wirings the same as this one: open moves over automorphisms."""
    _, moves = smallest(items, frame, reorder)
    swaps = 1 << len(items)
    return swaps * (orders(items, frame) if reorder else 1) // len(moves)


def skeletons(frame: Frame, length: int, reorder: bool) -> Iterator[tuple[Item, ...]]:
    """The smallest wiring of every class with labels all 0, in lexicographic order.

    Built item by item: a prefix of a smallest wiring is itself smallest (a move that
    made the prefix smaller would make the whole smaller), so no branch of the search is
    cut that leads to one.
    """
    yield from _skeletons((), frame, length, reorder)


def _skeletons(
    prefix: tuple[Item, ...], frame: Frame, length: int, reorder: bool
) -> Iterator[tuple[Item, ...]]:
    if len(prefix) == length:
        yield prefix
        return
    references = frame.references(len(prefix))
    for left in range(references):
        for right in range(left, references):
            items = (*prefix, (left, right, 0, 0))
            if smallest(items, frame, reorder)[0] == items:
                yield from _skeletons(items, frame, length, reorder)


def automorphisms(skeleton: tuple[Item, ...], frame: Frame, reorder: bool) -> list[tuple[int, ...]]:
    """The skeleton's automorphisms as permutations of its ``2 * n`` sides.

    A permutation p means: side ``i`` may take the label of side ``p[i]``.
    """
    _, moves = smallest(skeleton, frame, reorder)
    return [
        tuple(2 * old + (side ^ swapped) for old, swapped in move for side in range(2))
        for move in moves
    ]
