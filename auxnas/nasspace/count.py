"""``nasspace count``: how many architectures a space has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from auxnas.console import OneLineCommand, note, print_json
from auxnas.genotype.counting import Counts
from auxnas.genotype.identity import LEVELS, Level
from auxnas.genotype.space import SearchSpace
from auxnas.nasspace.options import busy, chosen_space, level_option, space_options
from auxnas.options import json_option

if TYPE_CHECKING:
    from rich.table import Table

METHODS = {
    "raw": "the choices multiplied",
    "swap": "Burnside's lemma over the swaps of each pair's two sides",
    "isomorphism": "Burnside's lemma over swaps and renumberings (signed permutations)",
    "functional": "normal forms: Burnside's lemma over the symmetries of each shape",
}
"""Derivation of each level's number; ``genotype.counting`` has the proofs."""
_MOST_ITEMS, _MOST_BRANCHES = 14, 3
"""Sizes that are counted soon: blocks or branches at isomorphism, branches at functional."""
PAPER = {"connections": 120, "cells": "about 1e10", "total": "about 1e12"}
"""The paper's own estimate for its space (footnote 1)."""


@click.command(cls=OneLineCommand, short_help="Count the different architectures, exactly.")
@level_option(None)
@space_options
@json_option
def count(level: Level | None, as_json: bool, **sizes: Any) -> None:
    """Count the different connections, cells and whole architectures.

    Exact at every level; computed, not listed. For the paper's space the paper's own
    estimate stands beside. Without --level, levels that would take long are left out and
    named: functional at more than 3 branches (hours), isomorphism at more than 14 blocks
    or branches (minutes at 18).
    """
    space = chosen_space(**sizes)
    slow = slow_levels(space)
    levels = [name for name in LEVELS if name not in slow] if level is None else [level]
    if level in slow:
        note(f"{level}: {slow[level]}; Ctrl-C gives up")
    with busy("counting ...", level):
        counts = {name: space.count(name) for name in levels}
    left_out = slow if level is None else {}
    if as_json:
        print_json(_count_json(space, counts) | ({"left_out": left_out} if left_out else {}))
    else:
        _print_counts(space, counts)
    for name, why in left_out.items():
        note(f"{name}: left out, {why}; --level {name} counts it")


def slow_levels(space: SearchSpace) -> dict[Level, str]:
    """The levels at which counting takes long, and why."""
    found: dict[Level, str] = {}
    longest = max(space.blocks, space.branches)
    if longest > _MOST_ITEMS:
        found["isomorphism"] = f"it takes minutes to days for {longest} blocks or branches"
        found["functional"] = found["isomorphism"]
    if space.branches > _MOST_BRANCHES:
        found["functional"] = f"it takes hours to list the shapes of {space.branches} branches"
    return found


def _is_papers(space: SearchSpace) -> bool:
    return space == SearchSpace.cvpr2019()


def _space_json(space: SearchSpace) -> dict[str, Any]:
    return {
        "encoder_outputs": space.encoder_outputs,
        "blocks": space.blocks,
        "branches": space.branches,
        "operations": list(space.vocabulary.names),
    }


def _count_json(space: SearchSpace, counts: dict[Level, Counts]) -> dict[str, Any]:
    levels = {
        name: {
            "connections": found.connections,
            "cells": found.cells,
            "total": found.total,
            "method": METHODS[name],
        }
        for name, found in counts.items()
    }
    paper = {"paper_estimate": PAPER} if _is_papers(space) else {}
    return {"space": _space_json(space), "levels": levels} | paper


def _print_counts(space: SearchSpace, counts: dict[Level, Counts]) -> None:
    from auxnas.terminal import Terminal

    terminal = Terminal()
    terminal.print_table(_count_table(space, counts))
    for name in counts:
        terminal.print(f"{name}: {METHODS[name]}", soft_wrap=True)


def _count_table(space: SearchSpace, counts: dict[Level, Counts]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("level")
    for name in ("connections", "cells", "architectures"):
        table.add_column(name, justify="right", no_wrap=True)
    for level, found in counts.items():
        numbers = (found.connections, found.cells, found.total)
        table.add_row(level, *(f"{number:,}" for number in numbers))
    if _is_papers(space):
        table.add_row("paper's estimate", *map(str, PAPER.values()))
    return table
