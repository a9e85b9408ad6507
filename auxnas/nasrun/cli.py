"""``nasrun``: uses an artefact, without the framework that its weights were trained in."""

from __future__ import annotations

import click

from auxnas.console import OneLineGroup
from auxnas.nasrun.bench import bench, profile
from auxnas.nasrun.explain import explain
from auxnas.nasrun.predict import predict


@click.group(cls=OneLineGroup, context_settings={"show_default": True})
def main() -> None:
    """Use an artefact that nascompile made: ONNX, or one of another runtime by its suffix."""


for command in (explain, bench, profile, predict):
    main.add_command(command)
