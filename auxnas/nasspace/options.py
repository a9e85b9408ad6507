"""Options of several commands: a search space by its sizes, and what counts as the same."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import click

from auxnas.genotype.errors import GenotypeError
from auxnas.genotype.identity import LEVELS
from auxnas.genotype.space import SearchSpace
from auxnas.genotype.vocabulary import CVPR2019, find_vocabulary
from auxnas.options import part_option

F = TypeVar("F", bound=Callable[..., Any])

_SIZE = 100
"""Encoder outputs, blocks and branches at most, whose counts have some hundred digits."""


class PositiveInteger(click.IntRange):
    """An integer from 1 on, refused in words."""

    name = "positive integer"

    def __init__(self, most: int | None = None) -> None:
        super().__init__(min=1, max=most)


def level_option(default: str | None) -> Callable[[F], F]:
    """``--level``."""
    text = f"What counts as the same.  [default: {default or 'all that are quick'}]"
    return click.option("--level", type=click.Choice(LEVELS), default=default, help=text)


def busy(message: str, level: str | None) -> AbstractContextManager[object]:
    """Shows ``message`` on a terminal while the slow level is worked on."""
    if level not in (None, "functional") or not sys.stderr.isatty():
        return nullcontext()
    from auxnas.terminal import Terminal

    return Terminal(stderr=True).status(message)


def space_options(command: F) -> F:
    """The options that choose a search space; ``chosen_space`` takes them."""
    positive = PositiveInteger(_SIZE)
    options = (
        click.option(
            "--blocks", type=positive, metavar="N", help="Blocks of the decoder.  [default: 3]"
        ),
        click.option(
            "--branches", type=positive, metavar="N", help="Branches of a cell.  [default: 3]"
        ),
        click.option(
            "--encoder-outputs",
            type=positive,
            metavar="N",
            help="Encoder outputs to choose from.  [default: 4]",
        ),
        click.option(
            "--operations",
            metavar="NAME,...",
            help="Candidate operations, by their names in the vocabulary.  [default: all of it]",
        ),
        part_option("vocabulary", "the paper's"),
    )
    for option in reversed(options):
        command = option(command)
    return command


def chosen_space(
    blocks: int | None = None,
    branches: int | None = None,
    encoder_outputs: int | None = None,
    operations: str | None = None,
    vocabulary: str | None = None,
) -> SearchSpace:
    """The space that the options describe; an absent one is the paper's.

    Raises:
        click.UsageError: naming an operation that the vocabulary has not.
    """
    paper = SearchSpace.cvpr2019()
    rows = find_vocabulary(vocabulary) if vocabulary else CVPR2019
    if operations is not None:
        try:
            rows = rows.chosen(operations.split(","))
        except GenotypeError as error:
            found = f"--operations: {error.found}, expected {error.expected}"
            raise click.UsageError(found) from None
    space = SearchSpace(
        encoder_outputs or paper.encoder_outputs,
        blocks or paper.blocks,
        branches or paper.branches,
        rows,
    )
    return paper if space == paper else space
