"""Drawing a class of wirings uniformly where the classes are too many to list.

Sequences are drawn uniformly, and one is kept with probability one over the size of its
orbit. A class is the orbit of its sequences, so each class is kept with the same
probability. A draw in ``2**n * n!`` is kept at least, for n items.
"""

from __future__ import annotations

import random

from auxnas.genotype import symmetry
from auxnas.genotype.symmetry import Frame, Item


def draw_wiring(
    frame: Frame, length: int, labels: int, reorder: bool, rng: random.Random
) -> tuple[Item, ...]:
    """The smallest wiring of a class drawn uniformly.

    Args:
        frame: how references are numbered.
        length: number of items.
        labels: number of labels a side can have.
        reorder: whether items may move (isomorphism) or only swap sides.
        rng: where the draws come from.
    """
    while True:
        items = _sequence(frame, length, labels, rng)
        if rng.randrange(symmetry.wiring_orbit_size(items, frame, reorder)) == 0:
            return symmetry.smallest(items, frame, reorder)[0]


def _sequence(frame: Frame, length: int, labels: int, rng: random.Random) -> tuple[Item, ...]:
    sides = [(frame.references(k), labels) for k in range(length)]
    return tuple(
        (rng.randrange(n), rng.randrange(n), rng.randrange(m), rng.randrange(m)) for n, m in sides
    )
