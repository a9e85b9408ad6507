"""``nasrun explain``: the metadata of an artefact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from auxnas.console import OneLineCommand, note, print_json, say
from auxnas.genotype.errors import inline
from auxnas.nasrun import options
from auxnas.options import json_option

if TYPE_CHECKING:
    from auxnas.backends.artefacts.artefact import Artefact


@click.command(cls=OneLineCommand)
@click.argument("artefact")
@options.target
@options.vocabulary
@json_option
def explain(artefact: str, target: str | None, vocabulary: str | None, as_json: bool) -> None:
    """Print the metadata of ARTEFACT: architecture, ends, weights, checks."""
    from auxnas.backends.artefacts.artefact import describe_artefact
    from auxnas.nasrun.text import explanation

    opened = describe_artefact(artefact, target)
    if as_json:
        print_json(_explained(opened))
        return
    say("\n".join(explanation(opened)))
    if opened.unopened is not None:
        unseen = "its inputs, outputs and whether it runs were not looked at"
        note(f"note: {inline(opened.unopened)}; this is from the file beside it, {unseen}")
    if not opened.ours:
        note("note: this file is not from nascompile, so it has no metadata of ours to show")


def _explained(artefact: Artefact) -> dict[str, Any]:
    from auxnas.nasrun.text import listing

    return {
        "artefact": str(artefact.path),
        "bytes": artefact.size,
        "ours": artefact.ours,
        "unopened": artefact.unopened,
        "producer": artefact.producer,
        "opset": artefact.opset,
        "inputs": [each.to_dict() for each in artefact.inputs],
        "outputs": [each.to_dict() for each in artefact.outputs],
        "parameters": artefact.parameters,
        "nodes": len(artefact.operators),
        "operators": artefact.counts,
        "metadata": dict(artefact.metadata),
        "listing": listing(artefact),
    }
