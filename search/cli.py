"""``nassearch``: finds architectures."""

from __future__ import annotations

import click

from auxnas.genotype.console import OneLineGroup
from auxnas.search.commands.ablate import ablate
from auxnas.search.commands.correlate import correlate
from auxnas.search.commands.evaluate import evaluate
from auxnas.search.commands.look import export, status, top
from auxnas.search.commands.pretrain import pretrain
from auxnas.search.commands.report import report
from auxnas.search.commands.run import resume, run
from auxnas.search.commands.settings import settings
from auxnas.search.commands.train import train


@click.group(cls=OneLineGroup)
def main() -> None:
    """Find compact dense-prediction architectures for your images."""


_SEARCH = (run, resume, status, top, report, export)
for command in (*_SEARCH, pretrain, train, evaluate, correlate, ablate, settings):
    main.add_command(command)
