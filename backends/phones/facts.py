"""Facts of an artefact in a JSON file beside it, for formats that hold no texts of their own.

They are those of any artefact (its metadata, inputs and outputs), and the
hashes of its files: their runtimes end the process over some damaged ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from auxnas.backends.base import ExportOptions
from auxnas.backends.tensors import Tensor
from auxnas.compiler import CompilerError, Program, infer_shapes

Array = np.ndarray[Any, Any]

_SIDES = ("height", "width")


@dataclass(frozen=True)
class ArtefactFacts:
    """Inputs and outputs of an artefact, and its metadata.

    Attributes:
        metadata: texts by key.
        inputs: names, types and shapes of the inputs.
        outputs: likewise of the outputs.
    """

    metadata: Mapping[str, str]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    def fed(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The inputs, in the order of their names and contiguous.

        Raises:
            ValueError: for one that is missing, or not of the declared type and shape.
        """
        found = {}
        for each in self.inputs:
            if each.name not in inputs:
                raise CompilerError("inputs", ", ".join(inputs) or "none", f"one named {each.name}")
            x = found[each.name] = np.ascontiguousarray(inputs[each.name])
            sides = zip(x.shape, each.shape, strict=False)
            fits = x.ndim == len(each.shape) and all(
                s in (h, "") or isinstance(s, str) for h, s in sides
            )
            if x.dtype != each.dtype or not fits:
                raise CompilerError("inputs", f"{each.name} {x.shape} {x.dtype}", str(each))
        return found


def facts_of(
    program: Program, options: ExportOptions, metadata: Mapping[str, str]
) -> ArtefactFacts:
    """Facts of a program that is written with ``options``."""
    graph, batch = program.graph, "batch" if options.batch is None else options.batch
    shapes = infer_shapes(graph, options.size or (512, 512))

    def tensor(name: str, node: str) -> Tensor:
        channels, *sides = shapes[node]
        plane: tuple[int | str, ...] = _SIDES if options.size is None else tuple(sides)
        if graph[node].op == "input" and graph[node]["bytes"]:
            return Tensor(name, "uint8", (batch, *plane, channels))
        return Tensor(name, graph[node].record.result, (batch, channels, *plane))

    inputs = tuple(tensor(node.name, node.name) for node in graph.inputs)
    return ArtefactFacts(metadata, inputs, tuple(tensor(*each) for each in graph.outputs))


def write_facts(path: Path, facts: ArtefactFacts, files: Sequence[Path]) -> None:
    """Writes the JSON file.

    Args:
        path: the file.
        facts: what it says.
        files: all others of the artefact, which are there.
    """
    document = {
        "metadata": dict(facts.metadata),
        "inputs": [each.to_dict() for each in facts.inputs],
        "outputs": [each.to_dict() for each in facts.outputs],
        "sha256": {each.suffix: _hash(each) for each in files},
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def read_facts(path: Path, files: Sequence[Path]) -> ArtefactFacts:
    """The facts in a JSON file, if the artefact's other files are those it was written with.

    Raises:
        CompilerError: naming the file that is missing, damaged or another artefact's.
    """
    expected = f"the file that nascompile wrote beside {files[0].name}"
    try:
        document = json.loads(path.read_bytes())
        hashes = dict(document["sha256"])
        inputs, outputs = (
            tuple(Tensor(t["name"], t["dtype"], tuple(t["shape"])) for t in document[key])
            for key in ("inputs", "outputs")
        )
        facts = ArtefactFacts(dict(document["metadata"]), inputs, outputs)
    except FileNotFoundError:
        raise CompilerError(str(path), "no such file", expected) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CompilerError(str(path), "damaged, or not of an artefact", expected) from None
    for each in files:
        if not each.is_file():
            raise CompilerError(str(each), "no such file", f"the one that {path.name} is of")
        if hashes.get(each.suffix) != _hash(each):
            raise CompilerError(
                str(each), "damaged, or of another artefact", f"that of {path.name}"
            )
    return facts


class FactsRunner:
    """Base of runners of files with our metadata beside them.

    Args:
        path: the file.
        beside: suffix of the JSON file.
        others: further files of the artefact.

    Attributes:
        metadata: of the artefact, by key.
        inputs: names, types and shapes of the inputs.
        outputs: names, types and shapes of the outputs.
        devices: those that it computes on.

    Raises:
        CompilerError: when its files do not belong together.
    """

    devices = ("CPU",)

    def __init__(self, path: Path, beside: str, others: Sequence[Path] = ()) -> None:
        self._facts = read_facts(path.with_suffix(beside), (path, *others))
        self.metadata = self._facts.metadata
        self.inputs, self.outputs = self._facts.inputs, self._facts.outputs


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
