"""``nasspace sample``: architectures drawn uniformly."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import click

from auxnas.console import OneLineCommand, note, print_json, say
from auxnas.genotype.genotype import Genotype
from auxnas.genotype.identity import Level
from auxnas.genotype.notation import to_json
from auxnas.nasspace.count import slow_levels
from auxnas.nasspace.options import (
    PositiveInteger,
    busy,
    chosen_space,
    level_option,
    space_options,
)
from auxnas.options import json_option


@click.command(
    cls=OneLineCommand, short_help="Draw architectures uniformly, whatever the ways to write them."
)
@click.option(
    "--count",
    "--n",
    "number",
    type=PositiveInteger(),
    metavar="N",
    default=10,
    show_default=True,
    help="Genotypes drawn.",
)
@click.option(
    "--seed", type=int, metavar="N", default=0, show_default=True, help="Seed of the draws."
)
@level_option("isomorphism")
@space_options
@json_option
def sample(number: int, seed: int, level: Level, as_json: bool, **sizes: Any) -> None:
    """Draw genotypes uniformly over the different ones, not over the ways to write them.

    One a line, in the paper's notation (connections first). Draws are independent, so a
    genotype can come up again; dedupe leaves out what does. At level functional the shapes
    of cells are listed first: seconds at 3 branches, hours at 4.
    """
    space = chosen_space(**sizes)
    rng = random.Random(seed)
    if level == "functional" and level in slow_levels(space):
        note(f"{level}: {slow_levels(space)[level]}; Ctrl-C gives up")
    with busy("preparing ...", level):
        first = space.sample(rng, level)
    found = _then(first, (space.sample(rng, level) for _ in range(number - 1)))
    if as_json:
        documents = [genotype_json(genotype, key=genotype.key(level)) for genotype in found]
        print_json({"level": level, "seed": seed, "genotypes": documents})
        return
    for genotype in found:
        say(genotype)


def _then(first: Genotype, others: Iterator[Genotype]) -> Iterator[Genotype]:
    yield first
    yield from others


def genotype_json(genotype: Genotype, **extra: Any) -> dict[str, Any]:
    """The document of a genotype, with further keys."""
    found: dict[str, Any] = json.loads(to_json(genotype, **extra))
    return found
