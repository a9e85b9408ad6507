"""``nassearch``: finds architectures."""

from __future__ import annotations

import click

from genotype.console import OneLineGroup
from search.commands.ablate import ablate
from search.commands.correlate import correlate
from search.commands.evaluate import evaluate
from search.commands.look import export, status, top
from search.commands.pretrain import pretrain
from search.commands.report import report
from search.commands.run import resume, run
from search.commands.train import train


@click.group(cls=OneLineGroup)
def main() -> None:
    """Find compact dense-prediction architectures for your images."""


_SEARCH = (run, resume, status, top, report, export)
for command in (*_SEARCH, pretrain, train, evaluate, correlate, ablate):
    main.add_command(command)
