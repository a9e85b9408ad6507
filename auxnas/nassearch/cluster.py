"""``nassearch cluster``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import click
from rich.table import Table

from auxnas.console import DONE, FAILED, OneLineCommand, OneLineGroup, print_json
from auxnas.genotype.plugins import import_place
from auxnas.nassearch import options
from auxnas.search.settings.search import Settings
from auxnas.terminal import Terminal

OPTIONS = {"address": "cluster.address", "threads": "threads", "learner": "learner"}
"""The settings that have an option of their own."""


@click.group(cls=OneLineGroup)
def cluster() -> None:
    """Look at the machines that --cluster evaluates trials on."""


@cluster.command(cls=OneLineCommand)
@click.argument("address", metavar="auto|HOST:PORT", default="auto")
@click.option(
    "--threads",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    help="Processor threads within an operation, in each trial.  [default: 1]",
)
@click.option("--learner", type=click.Choice(["torch", "null"]), default="torch", hidden=True)
@options.as_json
def check(as_json: bool, **named: Any) -> int:
    """Say what every node has, and what keeps it from taking part in a run.

    Each node makes a tiny training in float32: those whose results agree to
    the last bit have one fingerprint. The status is 1 where a node cannot take part.
    """
    settings = options.settings_of(Settings, [], OPTIONS, named, ())
    nodes = import_place("auxnas.search.executors.ray_crew:look_at_nodes")(settings)
    if as_json:
        print_json([asdict(node) for node in nodes])
    else:
        table = Table(title=f"{len(nodes)} nodes with processors", title_justify="left")
        for head in ("host", "CPUs", "GPUs", "processor", "cache", "fingerprint", "takes part"):
            table.add_column(head)
        for node in nodes:
            counts = (f"{node.cpus:g}", f"{node.gpus:g}", node.processor)
            room = "" if node.room is None else f"{node.room / 1e9:.0f} GB free"
            table.add_row(node.host, *counts, room, node.fingerprint, node.fault or "yes")
        Terminal(file=sys.stdout).print_table(table, ("processor", "cache", "GPUs"))
    return FAILED if any(node.fault for node in nodes) or not nodes else DONE
