"""A target of your own: the graph's text and its weights in one .npz, run by the numpy oracle.

    nascompile arch0 --target target:Text --output arch0.npz
    nasrun predict arch0.npz photograph.jpg --target target:Text --output predicted

from this folder, or with it on PYTHONPATH.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from auxnas.backends import Runner, backend
from auxnas.backends.base import ExportOptions
from auxnas.backends.target import OpenedArtefact, Target
from auxnas.backends.tensors import Tensor
from auxnas.compiler import Program, graph_weights, infer_shapes, parse_graph


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

    def open(self, path: Path) -> OpenedArtefact:
        """The archive, to be run in float64."""
        with np.load(path) as file:
            values = {name: file[name] for name in file}
        program = Program(parse_graph(str(values.pop("graph"))), values)
        runner: Runner = backend("runner", "reference")(program)
        texts = {name: str(value) for name, value in values.items() if value.dtype.kind == "U"}
        (given,) = program.graph.inputs
        channels = infer_shapes(program.graph, (64, 64))[program.graph.outputs[0][1]][0]
        inputs = (Tensor(given.name, "float32", ("N", 3, "H", "W")),)
        outputs = (Tensor("main", "float32", ("N", channels, "h", "w")),)
        return OpenedArtefact(runner, texts, inputs, outputs)
