"""``nasspace``: counts a search space, draws from it, finds duplicates, shows a genotype."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from auxnas.console import OneLineGroup, note, print_json, say
from auxnas.genotype.counting import Counts
from auxnas.genotype.formats import read_many
from auxnas.genotype.genotype import Genotype
from auxnas.genotype.identity import LEVELS, Level
from auxnas.genotype.notation import Document, to_json
from auxnas.genotype.space import SearchSpace
from auxnas.genotype.texts import ENCODING
from auxnas.nasspace.collected import Collected, Group
from auxnas.nasspace.options import PositiveInteger, chosen_space, space_options
from auxnas.options import DRAWINGS, FileType, json_option

if TYPE_CHECKING:
    from rich.table import Table

F = TypeVar("F", bound=Callable[..., Any])

METHODS = {
    "raw": "the choices multiplied",
    "swap": "Burnside's lemma over the swaps of each pair's two sides",
    "isomorphism": "Burnside's lemma over swaps and renumberings (signed permutations)",
    "functional": "normal forms: Burnside's lemma over the symmetries of each shape",
}
"""Derivation of each level's number; ``genotype.counting`` has the proofs."""
_MANY = 5000
"""Genotypes whose comparison takes long enough to show how far it is."""
_MOST_ITEMS, _MOST_BRANCHES = 14, 3
"""Sizes that are counted soon: blocks or branches at isomorphism, branches at functional."""
PAPER = {"connections": 120, "cells": "about 1e10", "total": "about 1e12"}
"""The paper's own estimate for its space (footnote 1)."""


@click.group(cls=OneLineGroup)
def main() -> None:
    """The search space of decoders: how many there are, which are the same, what one is.

    Levels of "the same", each coarser than the one before: raw (the numbers as written),
    swap (the two sides of a pair exchanged), isomorphism (blocks or branches renumbered
    too), functional (skip, zero, nested sums and what leads nowhere simplified away).
    """


def level_option(default: str | None) -> Callable[[F], F]:
    """``--level``."""
    text = f"What counts as the same.  [default: {default or 'all that are quick'}]"
    return click.option("--level", type=click.Choice(LEVELS), default=default, help=text)


def _busy(message: str, level: str | None) -> AbstractContextManager[object]:
    """Shows ``message`` on a terminal while the slow level is worked on."""
    if level not in (None, "functional") or not sys.stderr.isatty():
        return nullcontext()
    from auxnas.terminal import Terminal

    return Terminal(stderr=True).status(message)


# count -------------------------------------------------------------------------------


@main.command(short_help="Count the different architectures, exactly.")
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
    slow = _slow(space)
    levels = [name for name in LEVELS if name not in slow] if level is None else [level]
    if level in slow:
        note(f"{level}: {slow[level]}; Ctrl-C gives up")
    with _busy("counting ...", level):
        counts = {name: space.count(name) for name in levels}
    left_out = slow if level is None else {}
    if as_json:
        print_json(_count_json(space, counts) | ({"left_out": left_out} if left_out else {}))
    else:
        _print_counts(space, counts)
    for name, why in left_out.items():
        note(f"{name}: left out, {why}; --level {name} counts it")


def _slow(space: SearchSpace) -> dict[Level, str]:
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


# sample ------------------------------------------------------------------------------


@main.command(short_help="Draw architectures uniformly, whatever the ways to write them.")
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
    if level == "functional" and level in _slow(space):
        note(f"{level}: {_slow(space)[level]}; Ctrl-C gives up")
    with _busy("preparing ...", level):
        first = space.sample(rng, level)
    found = _then(first, (space.sample(rng, level) for _ in range(number - 1)))
    if as_json:
        documents = [_document(genotype, key=genotype.key(level)) for genotype in found]
        print_json({"level": level, "seed": seed, "genotypes": documents})
        return
    for genotype in found:
        say(genotype)


def _then(first: Genotype, others: Iterator[Genotype]) -> Iterator[Genotype]:
    yield first
    yield from others


def _document(genotype: Genotype, **extra: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(to_json(genotype, **extra))
    return found


# dedupe ------------------------------------------------------------------------------


@main.command("dedupe", short_help="Find which genotypes of files are the same.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@level_option("isomorphism")
@space_options
@json_option
def dedupe_command(files: tuple[str, ...], level: Level, as_json: bool, **sizes: Any) -> None:
    """Print the distinct genotypes of FILEs, how often each occurs, and where.

    A FILE holds our JSON documents, one genotype a line in any notation, or is a log
    like genotypes.out; or it is what sample --json prints. - is the standard input. A
    place is FILE:N, the line. The sizes are for notations that name none. A FILE without
    a genotype is no error, but is named.
    """
    space = chosen_space(**sizes) if any(sizes.values()) else None
    collected = Collected()
    for document in _read_all(files, space):
        collected.add(document)
    found = collected.groups(level, _followed)
    if as_json:
        distinct = [_group_json(group, level) for group in found]
        print_json({"level": level, "read": len(collected), "distinct": distinct})
        return
    for group in found:
        say(f"{len(group.places)}\t{group.genotype}\t{' = '.join(group.places)}")
    note(f"{len(collected)} genotypes, {len(found)} distinct at level {level}")


def _group_json(group: Group, level: Level) -> dict[str, Any]:
    genotype, where = group.genotype, group.places
    key = genotype.key(level)
    return {"genotype": str(genotype), "key": key, "count": len(where), "places": where}


def _read_all(files: tuple[str, ...], space: SearchSpace | None) -> Iterator[Document]:
    for file in files:
        source = click.open_file(file, encoding=ENCODING) if file == "-" else file
        document = None
        for document in read_many(source, space):
            yield document
        if document is None:
            note(f"{file}: no genotype in it")


def _followed(genotypes: Iterator[Genotype], total: int) -> Iterator[Genotype]:
    """The genotypes, with progress on stderr where they are many."""
    if total < _MANY:
        yield from genotypes
        return
    from auxnas.progress import display_on_stderr

    with display_on_stderr().task("comparing", total) as advance:
        for number, genotype in enumerate(genotypes, 1):
            yield genotype
            advance(number)


# show --------------------------------------------------------------------------------


@main.command(short_help="Explain or draw one genotype.")
@click.argument("genotype")
@click.option("--picture", type=FileType(*DRAWINGS), help="Draw it too: an .svg or a .png.")
@click.option("--every-sum", is_flag=True, help="Draw the sums that only the output uses.")
@click.option(
    "--all-orbits", is_flag=True, help="The functional orbit too; this takes some seconds."
)
@json_option
def show(
    genotype: str, picture: Path | None, every_sum: bool, all_orbits: bool, as_json: bool
) -> None:
    """Explain GENOTYPE: a file, a published name (arch0, arch1, arch2), or the text itself.

    A hand-made network (lwrf, deeplabv3, ...) is shown with its costs.
    Numbers name encoder outputs and blocks in the decoder, locations in the cell. A key
    is equal for architectures that are the same at its level; the orbit is how many
    sequences of numbers are.
    """
    from auxnas.compiler.architecture import blueprint_of, find_architecture

    document = find_architecture(genotype)
    found = blueprint_of(document.architecture).genotype
    if found is None:
        from auxnas.nasspace.hand_made import show_hand_made

        show_hand_made(document.architecture, picture, as_json)
        return
    if picture is not None:
        _draw(found, picture, every_sum)
    with _busy("counting the orbits ...", None if all_orbits else "raw"):
        rows = _identity(found, all_orbits)
    if as_json:
        also = {"read_as": document.format, "extra": dict(document.extra), "levels": rows}
        print_json(_document(found) | also)
        return
    from auxnas import listing

    say("\n".join(listing.sections(found)))
    say("\nKeys")
    for level, row in rows.items():
        size = f"  orbit {row['orbit']:,}" if "orbit" in row else ""
        say(f"{level:<12} {row['key']}{size}")


def _identity(genotype: Genotype, all_orbits: bool) -> dict[str, dict[str, Any]]:
    """The key at each level, and the size of the orbit where that is quick or wanted."""
    rows: dict[str, dict[str, Any]] = {}
    for level in LEVELS:
        rows[level] = {"key": genotype.key(level)}
        if all_orbits or level != "functional":
            rows[level]["orbit"] = genotype.space.orbit_size(genotype, level)
    return rows


def _draw(genotype: Genotype, picture: Path, every_sum: bool) -> None:
    from auxnas.compiler.drawing.genotype_drawing import draw_genotype
    from auxnas.drawing import save

    save(draw_genotype(genotype, every_sum=every_sum), picture)
    note(f"wrote {picture}")
