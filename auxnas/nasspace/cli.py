"""``nasspace``: counts a search space, draws from it, finds duplicates, shows a genotype."""

from __future__ import annotations

import click

from auxnas.console import OneLineGroup
from auxnas.nasspace.count import count
from auxnas.nasspace.dedupe import dedupe
from auxnas.nasspace.sample import sample
from auxnas.nasspace.show import show


@click.group(cls=OneLineGroup)
def main() -> None:
    """The search space of decoders: how many there are, which are the same, what one is.

    Levels of "the same", each coarser than the one before: raw (the numbers as written),
    swap (the two sides of a pair exchanged), isomorphism (blocks or branches renumbered
    too), functional (skip, zero, nested sums and what leads nowhere simplified away).
    """


for command in (count, sample, dedupe, show):
    main.add_command(command)
