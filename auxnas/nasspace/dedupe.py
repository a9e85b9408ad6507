"""``nasspace dedupe``: which genotypes of files are the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from auxnas.console import OneLineCommand, note, print_json, say
from auxnas.genotype.formats import read_many
from auxnas.genotype.genotype import Genotype
from auxnas.genotype.identity import Level
from auxnas.genotype.notation import Document
from auxnas.genotype.space import SearchSpace
from auxnas.genotype.texts import ENCODING
from auxnas.nasspace.collected import Collected, Group
from auxnas.nasspace.options import chosen_space, level_option, space_options
from auxnas.options import json_option

_MANY = 5000
"""Genotypes whose comparison takes long enough to show how far it is."""


@click.command(cls=OneLineCommand, short_help="Find which genotypes of files are the same.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@level_option("isomorphism")
@space_options
@json_option
def dedupe(files: tuple[str, ...], level: Level, as_json: bool, **sizes: Any) -> None:
    """Print the distinct genotypes of FILEs, how often each occurs, and where.

    A FILE holds our JSON documents, one genotype a line in any notation, or is a log
    like genotypes.out; or it is what sample --json prints. - is the standard input. A
    place is the file, a colon and the line. The sizes are for notations that name none.
    A FILE without a genotype is no error, but is named.
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
