"""Many genotypes of one space at once, as an integer array of tokens (numpy).

Agrees with the scalar forms: ``canonical_tokens`` with ``Genotype.canonical``,
``dedupe_tokens`` with ``genotype.dedupe``. Import this module by name; ``genotype``
itself does without numpy.

Canonical forms are found as in ``genotype.symmetry``, with the roles of the loops
exchanged: for every order of the items, all rows at once that allow it. Given the order,
sides are sorted item by item from the front. Only where the two sides are the same does
either way have to be tried, and only such rows are gone over again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auxnas.genotype.errors import GenotypeError
from auxnas.genotype.identity import Level, check_level
from auxnas.genotype.space import SearchSpace
from auxnas.genotype.symmetry import CELL, Frame, connections_frame

Array = NDArray[np.int64]

BLOCK = 1 << 15
"""Rows worked on at a time: their temporaries stay in the processor's cache."""


WORD = 1 << 63
"""Several tokens are compared as one number below this."""


@dataclass(frozen=True)
class BatchDeduped:
    """The distinct rows of an array of tokens.

    Attributes:
        kept: positions of the first occurrences, ascending.
        same_as: for each row, the position of the first that is the same.
    """

    kept: Array
    same_as: Array


def dedupe_tokens(
    tokens: NDArray[np.integer], space: SearchSpace, level: Level = "isomorphism"
) -> BatchDeduped:
    """Finds the first of those rows that are the same at ``level``.

    At ``functional`` each class at ``isomorphism`` costs a normal form in Python.

    Args:
        tokens: integers of shape ``(genotypes, len(space.layout))``.
        space: what the tokens mean.
        level: see ``genotype.identity``.

    Raises:
        GenotypeError: when the array's shape or type is wrong, a token is out of its
            range, or there is no such level.
    """
    check_level(level)
    checked = _checked(tokens, space)
    radices = [token.size for token in space.layout]
    words = np.empty((len(_runs(radices)), len(checked)), np.int64)
    for block in _blocks(len(checked)):
        words[:, block] = _pack(_canonical(_columns(checked[block]), space, level), radices)
    same_as = _first_equal(words)
    if level == "functional":
        same_as = _first_functional(same_as, checked, space)
    return BatchDeduped(np.flatnonzero(same_as == np.arange(len(same_as))), same_as)


def canonical_tokens(
    tokens: NDArray[np.integer], space: SearchSpace, level: Level = "isomorphism"
) -> Array:
    """The representatives' tokens, a row each; arguments and errors as ``dedupe_tokens``."""
    check_level(level)
    checked = _checked(tokens, space)
    if level == "functional":
        rows = [space.genotype(row).canonical(level).tokens for row in checked.tolist()]
        return np.array(rows, np.int64).reshape(checked.shape)
    found = np.empty(checked.shape, np.int64)
    for block in _blocks(len(checked)):
        found[block] = _canonical(_columns(checked[block]), space, level).T
    return found


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, rows, BLOCK))


def _columns(tokens: NDArray[np.integer]) -> Array:
    """Shape ``(tokens, genotypes)``, so that a token of all genotypes lies together."""
    return np.ascontiguousarray(tokens.T, np.int64)


def _checked(tokens: NDArray[np.integer], space: SearchSpace) -> NDArray[np.integer]:
    """The tokens themselves, every one in its range."""
    width = len(space.layout)
    if not isinstance(tokens, np.ndarray) or tokens.dtype.kind not in "iu":
        found = getattr(tokens, "dtype", type(tokens).__name__)
        raise GenotypeError("tokens", str(found), "an array of integers")
    if tokens.ndim != 2 or tokens.shape[1] != width:
        raise GenotypeError("tokens", f"shape {tokens.shape}", f"shape (any, {width})")
    sizes = np.array([token.size for token in space.layout])
    for block in _blocks(len(tokens)):
        wrong = np.argwhere((tokens[block] < 0) | (tokens[block] >= sizes))
        if len(wrong):
            row, token = block.start + int(wrong[0, 0]), space.layout[wrong[0, 1]]
            found = f"{tokens[row, wrong[0, 1]]} is not in 0..{token.size - 1}"
            raise GenotypeError(f"tokens[{row}]: {token.place}", found)
    return tokens


def _canonical(tokens: Array, space: SearchSpace, level: Level) -> Array:
    """Representatives at a level below ``functional``; at that, those of ``isomorphism``.

    Takes and gives shape ``(tokens, genotypes)``.
    """
    if level == "raw":
        return tokens
    split, reorder = 2 * space.blocks, level != "swap"
    blocks = tokens[:split].reshape(space.blocks, 2, -1)
    blocks = np.concatenate([blocks, np.zeros_like(blocks)], axis=1)
    branches = tokens[split + 1 :].reshape(space.branches, 4, -1)
    frame = connections_frame(space.encoder_outputs)
    pairs = _Renumbering(frame, 1, blocks).smallest(reorder)[:, :2]
    cells = _Renumbering(CELL, len(space.vocabulary), branches).smallest(reorder)
    parts = [pairs.reshape(split, -1), tokens[split : split + 1]]
    return np.concatenate([*parts, cells.reshape(4 * space.branches, -1)])


class _Renumbering:
    """The renumberings of many wirings of one frame.

    Args:
        frame: how references are numbered.
        labels: how many labels there are.
        items: shape ``(items, 4, wirings)``: reference, reference, label, label.
    """

    def __init__(self, frame: Frame, labels: int, items: Array) -> None:
        self._frame, self._labels, self._items = frame, labels, items
        self._length = len(items)
        self._radices = [
            radix
            for position in range(self._length)
            for radix in (*[frame.references(position)] * 2, *[labels] * 2)
        ]

    def smallest(self, reorder: bool) -> Array:
        """The lexicographically smallest renumbering of each wiring; shape as ``items``."""
        plain = tuple(range(self._length))
        best = np.full((len(_runs(self._radices)), self._items.shape[2]), _LARGEST)
        needs = self._needs()
        for order in itertools.permutations(plain) if reorder else (plain,):
            names = self._names(order)
            tied = self._offer(best, self._allowing(order, needs), order, names, 0)
            if self._frame.outputs > 1:
                for choice in range(1, 1 << self._length):
                    self._offer(best, tied, order, names, choice)
        return _unpack(best, self._radices).reshape(self._items.shape)

    def _needs(self) -> Array:
        """For each item the set of items that it refers to, as bits."""
        bits = [0] * self._frame.inputs
        bits += [1 << k for k in range(self._length) for _ in range(self._frame.outputs)]
        sets = np.array(bits, np.int64)[self._items[:, :2]]
        return np.asarray(sets[:, 0] | sets[:, 1])

    def _allowing(self, order: tuple[int, ...], needs: Array) -> Array:
        """The wirings in which no item refers to a later one of ``order``."""
        allowed = np.ones(needs.shape[1], bool)
        placed = 0
        for old in order:
            allowed &= (needs[old] & ~placed) == 0
            placed |= 1 << old
        return np.flatnonzero(allowed)

    def _offer(
        self, best: Array, rows: Array, order: tuple[int, ...], names: Array, choice: int
    ) -> Array:
        """Lowers ``best`` where renumbering does; gives the wirings with equal sides.

        Bit k of ``choice`` says whether equal sides at position k are swapped.
        """
        swaps = np.zeros(len(rows), np.int64)
        tied = np.zeros(len(rows), bool)
        found = []
        for position, old in enumerate(order):
            here, there, label, other = np.take(self._items[old], rows, axis=1)
            left, right = names[swaps + here], names[swaps + there]
            one, two = left * self._labels + label, right * self._labels + other
            same, swapped = one == two, one > two
            tied |= same
            found += [np.minimum(left, right), np.maximum(left, right)]
            found += [np.where(swapped, other, label), np.where(swapped, label, other)]
            if choice >> position & 1:
                swapped |= same
            swaps += swapped * (self._stride << position)
        _lower(best, rows, _pack(found, self._radices))
        return rows[tied]

    @property
    def _stride(self) -> int:
        return self._frame.references(self._length)

    def _names(self, order: tuple[int, ...]) -> Array:
        """New references, by the set of swapped positions times the stride, plus the old."""
        frame, sets = self._frame, np.arange(1 << self._length)
        names = np.zeros((len(sets), self._stride), np.int64)
        names[:, : frame.inputs] = np.arange(frame.inputs)
        for position, old in enumerate(order):
            swapped = sets >> position & 1
            start, new = frame.references(old), frame.references(position)
            for output in range(frame.outputs):
                side = frame.outputs > 1 and output < 2
                names[:, start + output] = new + (output ^ swapped if side else output)
        return names.reshape(-1)


_LARGEST = np.iinfo(np.int64).max


def _lower(best: Array, rows: Array, found: Array) -> None:
    """Replaces ``best[:, rows]`` by ``found`` where that is lexicographically smaller."""
    present = best[:, rows]
    less = np.zeros(len(rows), bool)
    equal = np.ones(len(rows), bool)
    for old, new in zip(present, found, strict=True):
        less |= equal & (new < old)
        equal &= new == old
    best[:, rows[less]] = found[:, less]


def _runs(radices: list[int]) -> list[list[int]]:
    """The radices in runs whose products fit into a word."""
    runs: list[list[int]] = [[]]
    for radix in radices:
        if runs[-1] and math.prod(runs[-1]) * radix > WORD:
            runs.append([])
        runs[-1].append(radix)
    return runs


def _pack(digits: Iterable[Array], radices: list[int]) -> Array:
    """Columns of digits as few columns of words, in the same lexicographic order."""
    words, columns = [], iter(digits)
    for run in _runs(radices):
        word = np.array(next(columns))
        for radix in run[1:]:
            word *= radix
            word += next(columns)
        words.append(word)
    return np.stack(words)


def _unpack(words: Array, radices: list[int]) -> Array:
    """Undoes ``_pack``."""
    digits: list[Array] = []
    for word, run in zip(words[::-1], reversed(_runs(radices)), strict=True):
        for radix in reversed(run):
            word, digit = np.divmod(word, radix)
            digits.append(digit)
    return np.stack(digits[::-1])


def _first_equal(words: Array) -> Array:
    """For each column the position of the first equal one."""
    ids = words[0]
    for word in words[1:]:
        ids = _numbered(ids) * len(ids) + _numbered(word)
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    return np.asarray(first[inverse.reshape(-1)], np.int64)


def _numbered(values: Array) -> Array:
    return np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _first_functional(same_as: Array, tokens: NDArray[np.integer], space: SearchSpace) -> Array:
    """Joins classes of ``isomorphism`` with one normal form."""
    first: dict[str, int] = {}
    joined = np.arange(len(tokens))
    for row in np.flatnonzero(same_as == joined).tolist():
        key = space.genotype(tokens[row].tolist()).key("functional")
        joined[row] = first.setdefault(key, row)
    return np.asarray(joined[same_as], np.int64)
