"""The options of a command that choose a search space by its sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from auxnas.genotype.space import SearchSpace
from auxnas.genotype.vocabulary import CVPR2019, Operation, Vocabulary, find_vocabulary
from auxnas.options import part_option

F = TypeVar("F", bound=Callable[..., Any])

_SIZE = 100
"""Encoder outputs, blocks and branches at most, whose counts have some hundred digits."""
_OPERATIONS = 1000
"""Rows of a vocabulary that --operations makes at most."""


class PositiveInteger(click.IntRange):
    """An integer from 1 on, refused in words."""

    name = "positive integer"

    def __init__(self, most: int | None = None) -> None:
        super().__init__(min=1, max=most)


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
            type=PositiveInteger(_OPERATIONS),
            metavar="N",
            help="Candidate operations in all: skip and zero are two of the N, unless left "
            "out; the others have weights.  [default: 11, less what is left out]",
        ),
        part_option("vocabulary", "the paper's"),
        click.option("--no-skip", is_flag=True, help="Skip is not one of the operations."),
        click.option("--no-zero", is_flag=True, help="Zero is not one of the operations."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def chosen_space(
    blocks: int | None = None,
    branches: int | None = None,
    encoder_outputs: int | None = None,
    operations: int | None = None,
    vocabulary: str | None = None,
    no_skip: bool = False,
    no_zero: bool = False,
) -> SearchSpace:
    """The space that the options describe; an absent one is the paper's.

    Raises:
        click.UsageError: for a vocabulary and options that make another one, or when skip and
            zero alone are more operations than there should be.
    """
    paper = SearchSpace.cvpr2019()
    if vocabulary is not None and (operations or no_skip or no_zero):
        found = "--vocabulary: given with --operations, --no-skip or --no-zero"
        raise click.UsageError(f"{found}, expected one or the other")
    rows = find_vocabulary(vocabulary) if vocabulary else _made(operations, no_skip, no_zero)
    space = SearchSpace(
        encoder_outputs or paper.encoder_outputs,
        blocks or paper.blocks,
        branches or paper.branches,
        rows,
    )
    return paper if space == paper else space


def _made(operations: int | None, no_skip: bool, no_zero: bool) -> Vocabulary:
    """The paper's first rows with weights, invented ones where those run out, skip and zero.

    Raises:
        click.UsageError: when skip and zero alone are more than there should be.
    """
    weighted = [row for row in CVPR2019 if not (row.is_identity or row.is_zero)]
    plain = [
        row
        for row in CVPR2019
        if (row.is_identity and not no_skip) or (row.is_zero and not no_zero)
    ]
    count = len(weighted) if operations is None else operations - len(plain)
    if count < 0:
        raise click.UsageError(
            f"--operations {operations}: skip and zero alone are {len(plain)}, "
            "expected more, or --no-skip or --no-zero"
        )
    extra = [
        Operation(f"op{i}", f"op{i}", "another operation with weights", weighted[0].steps)
        for i in range(len(weighted), count)
    ]
    return Vocabulary((*weighted[:count], *extra, *plain))
