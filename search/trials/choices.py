"""A genotype as named choices, for tools that know categories and nothing of architectures."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from auxnas.genotype import Genotype, SearchSpace
from auxnas.genotype.space import Token


@lru_cache(maxsize=8)
def choices_of(space: SearchSpace) -> Mapping[str, tuple[str, ...]]:
    """Values to choose from at each place of a genotype, by the place's name, in a fixed order.

    Places are called as in our JSON. An operation has its name; what a block reads is
    ``output 0`` (of the encoder) or ``block 0``; what an operation reads in the cell is
    ``input``, ``first``, or ``left 0``, ``right 0`` and ``sum 0`` of the branch before.
    """
    return {token.place: _values(token, space) for token in space.layout}


def _values(token: Token, space: SearchSpace) -> tuple[str, ...]:
    if token.kind == "operation":
        return space.vocabulary.names
    if token.kind == "index":
        outputs = [f"output {number}" for number in range(space.encoder_outputs)]
        blocks = [f"block {number}" for number in range(space.blocks)]
        return tuple([*outputs, *blocks][: token.size])
    branches = [f"{part} {k}" for k in range(space.branches) for part in ("left", "right", "sum")]
    return tuple(["input", "first", *branches][: token.size])


def chosen(genotype: Genotype) -> dict[str, str]:
    """Values of a genotype by place."""
    places = choices_of(genotype.space).items()
    return {place: of[token] for (place, of), token in zip(places, genotype.tokens, strict=True)}


def genotype_of(space: SearchSpace, values: Mapping[str, str]) -> Genotype:
    """The genotype that has these values at its places.

    Raises:
        KeyError, ValueError: when a place or a value is missing.
    """
    return space.genotype([of.index(values[place]) for place, of in choices_of(space).items()])
