"""What subcommands share: kinds of options, and what they do around their work."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from genotype.console import note

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


class AssignmentType(click.ParamType[tuple[str, Any]]):
    """``NAME=VALUE``, the value as JSON or as text."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Any]:
        """(name, value)."""
        name, equals, text = str(value).partition("=")
        if not name or not equals:
            self.fail(f"{value!r}: expected NAME=VALUE, for example stage1.epochs=3", param, ctx)
        try:
            return name, json.loads(text)
        except ValueError:
            return name, text


DATA_HELP = "synthetic[:COUNT], list:DIR_OR_FILE or voc:DEVKIT."
PICTURE_HELP = "The confusion matrix.  [default: confusion.png beside the weights]"

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
sets = click.option(
    "--set", "sets", type=AssignmentType(), multiple=True, help="Any other setting."
)
cache = click.option(
    "--cache", type=click.Path(path_type=Path), help="Where shared results are kept."
)


def resumable(work: Callable[[], int], remark: str) -> int:
    """The exit status of ``work``; after Ctrl-C ``remark`` says what becomes of it."""
    try:
        return work()
    except KeyboardInterrupt:
        note(f"interrupted: {remark}")
        return INTERRUPTED
