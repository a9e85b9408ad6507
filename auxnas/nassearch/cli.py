"""``nassearch``: finds architectures."""

from __future__ import annotations

import click

from auxnas.console import OneLineGroup
from auxnas.nassearch.ablate import ablate
from auxnas.nassearch.cluster import cluster
from auxnas.nassearch.correlate import correlate
from auxnas.nassearch.evaluation.evaluate import evaluate
from auxnas.nassearch.look import export, status, top
from auxnas.nassearch.pareto import pareto
from auxnas.nassearch.pretrain import pretrain
from auxnas.nassearch.report import report
from auxnas.nassearch.run import resume, run
from auxnas.nassearch.settings import settings
from auxnas.nassearch.survey import survey
from auxnas.nassearch.train import train


@click.group(cls=OneLineGroup)
def main() -> None:
    """Find compact dense-prediction architectures for your images."""


_SEARCH = (run, resume, status, top, report, export, pareto)
for command in (*_SEARCH, survey, pretrain, train, evaluate, correlate, ablate, cluster, settings):
    main.add_command(command)
