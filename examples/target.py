"""A target of your own: the graph's text and its weights in one .npz, run by the numpy oracle.

    nascompile arch0 --target target:Text --output arch0.npz

from this folder, or with it on PYTHONPATH.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from auxnas.backends import Runner, backend
from auxnas.backends.base import ExportOptions
from auxnas.backends.target import Target
from auxnas.compiler import Program, graph_weights, parse_graph


class Text(Target):
    """One archive of arrays; ``graph`` is the program's text form."""

    runtime = "numpy"
    suffix = ".npz"

    def export(
        self, program: Program, path: Path, options: ExportOptions, metadata: Mapping[str, str]
    ) -> None:
        """Writes the archive."""
        weights = {name: program.params[name] for name in graph_weights(program.graph)}
        with path.open("wb") as file:
            np.savez(file, graph=str(program.graph), **metadata, **weights)

    def open(self, path: Path) -> Runner:
        """The archive, to be run in float64."""
        with np.load(path) as file:
            values = {name: file[name] for name in file}
        runner: Runner = backend("runner", "reference")(
            Program(parse_graph(str(values.pop("graph"))), values)
        )
        return runner
