"""Programs as ``torch.export`` archives, which load without this project.

Source: https://docs.pytorch.org/docs/stable/export.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import fx

from auxnas.backends.artefacts.archives import open_archive
from auxnas.backends.artefacts.memory import bytes_of, check_memory, peak_bytes
from auxnas.backends.base import ExportOptions
from auxnas.backends.tensors import Tensor
from auxnas.backends.torch.devices import Array, to_tensor
from auxnas.backends.torch.functions import resize
from auxnas.backends.torch.module import build_module
from auxnas.compiler import CompilerError, Node, Program

METADATA = "metadata.json"
"""Name of the extra file with what the artefact says of itself."""
LEAST = 33
"""Smallest dynamic height and width: at 32 the deepest map is one pixel, a case apart."""


class Pt2Exporter:
    """Writes a program with ``torch.export.save``."""

    def export(
        self, program: Program, path: Path, options: ExportOptions, metadata: Mapping[str, str]
    ) -> None:
        """Writes the program, traced once for the given size or for any.

        Raises:
            CompilerError: for a precision other than fp32.
            OSError: when it cannot be written.
        """
        if options.precision != "fp32":
            raise CompilerError("precision", options.precision, "fp32, for the target torch")
        module = _without_size_checks(build_module(program).eval())
        names = {"inputs": json.dumps([node.name for node in program.graph.inputs])}
        examples = [example_tensor(node, options) for node in program.graph.inputs]
        inputs, shapes = (tuple(each) for each in zip(*examples, strict=True))
        with torch.no_grad():
            exported = torch.export.export(module, inputs, dynamic_shapes=shapes)
        document = json.dumps(dict(metadata) | names)
        archive = BytesIO()  # torch ends the process where it cannot write to a file
        torch.export.save(exported, archive, extra_files={METADATA: document})
        path.write_bytes(archive.getbuffer())


def example_tensor(node: Node, options: ExportOptions) -> tuple[torch.Tensor, dict[int, Any]]:
    """A tensor of the shape an input has, and its dynamic dimensions."""
    dynamic = options.size is None
    height, width = (-(-side // node["stride"]) for side in options.size or (96, 128))
    batch, channels = options.batch or 2, node["channels"]
    shapes: dict[int, Any] = {} if options.batch else {0: torch.export.Dim("batch")}
    first = 1 if node["bytes"] else 2
    if dynamic:
        shapes |= {
            first + axis: torch.export.Dim(f"{node.name}_{side}", min=LEAST)
            for axis, side in enumerate(("height", "width"))
        }
    if node["bytes"]:
        return torch.zeros(batch, height, width, channels, dtype=torch.uint8), shapes
    return torch.zeros(batch, channels, height, width), shapes


def _without_size_checks(module: fx.GraphModule) -> fx.GraphModule:
    """Resizes whatever the sizes, since a test of them would be fixed by the example's."""
    for node in module.graph.nodes:
        if node.target is resize:
            node.target = resize_always
    module.recompile()
    return module


def resize_always(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Bilinear, half-pixel centres, to the size of ``like``: the same values at its own."""
    size = (like.shape[2], like.shape[3])
    return torch.nn.functional.interpolate(x, size, mode="bilinear", align_corners=False)


class Pt2Runner:
    """A ``.pt2`` file, run on the CPU.

    Args:
        path: the file.
        threads: of the whole process from here on; None leaves them as they are.

    Attributes:
        metadata: of the artefact, by key.
        inputs: names, types and shapes of the inputs.
        outputs: names, types and shapes of the outputs.
        devices: those that it computes on.

    Raises:
        ValueError: when torch cannot load it, or nascompile did not write it.
    """

    devices = ("cpu",)

    def __init__(self, path: str | Path, threads: int | None = None) -> None:
        extra = {METADATA: ""}
        _check_archive(Path(path))
        try:
            with Path(path).open("rb") as file:
                program = torch.export.load(file, extra_files=extra)
            check_memory(str(path), _needed(program.graph), "values")
            self._module = program.module()
            self.metadata: dict[str, str] = json.loads(extra[METADATA])
            self.inputs, self.outputs = _ends(program, json.loads(self.metadata["inputs"]))
        except CompilerError:
            raise
        except Exception as error:
            # What torch raises for a damaged archive has no base class but Exception.
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise CompilerError(str(path), f"torch: {first}") from error
        if threads is not None:
            torch.set_num_threads(threads)

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name.

        Raises:
            ValueError: when torch fails on them.
        """
        arrays = [inputs[each.name] for each in self.inputs]
        try:
            with torch.inference_mode():
                found: dict[str, Any] = self._module(*(to_tensor(x, x.dtype) for x in arrays))
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"torch: {str(error).splitlines()[0]}") from error
        return {name: tensor.numpy() for name, tensor in found.items()}


def _check_archive(path: Path) -> None:
    """Checks the archive before torch, which prints pages of log about a damaged one.

    Raises:
        CompilerError: when it is none, is damaged, or is not nascompile's.
    """
    expected = "a .pt2 file that nascompile wrote"
    with path.open("rb") as file, open_archive(file, str(path), expected) as archive:
        names, damaged = archive.namelist(), archive.testzip()
    if damaged is not None:
        raise CompilerError(str(path), f"{damaged} in it is damaged", expected)
    if not any(name.endswith(f"/extra/{METADATA}") for name in names):
        raise CompilerError(str(path), f"a truncated archive, or one without {METADATA}", expected)


def _needed(graph: fx.Graph) -> int:
    """Bytes of the values that are alive at once; open sides take none."""
    sizes = {node.name: _bytes(node.meta.get("val")) for node in graph.nodes}
    steps = (([each.name for each in n.all_input_nodes], [n.name]) for n in graph.nodes)
    return peak_bytes(steps, sizes)


def _bytes(value: Any) -> int:
    if isinstance(value, torch.Tensor):
        sides = (side if type(side) is int else "" for side in value.shape)
        return bytes_of(sides, value.element_size())
    return 0


def _ends(program: Any, names: list[str]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Inputs and outputs of an exported program whose inputs have ``names``."""
    nodes, signature = {n.name: n for n in program.graph.nodes}, program.graph_signature
    outputs: list[str] = program.call_spec.out_spec.context
    return (
        _tensors(names, [nodes[name] for name in signature.user_inputs]),
        _tensors(outputs, [nodes[name] for name in signature.user_outputs]),
    )


def _tensors(names: list[str], nodes: list[fx.Node]) -> tuple[Tensor, ...]:
    """Names, types and shapes of traced nodes; a dynamic axis is given by its expression."""
    values = [node.meta["val"] for node in nodes]
    return tuple(
        Tensor(
            name,
            str(value.dtype).removeprefix("torch."),
            tuple(side if isinstance(side, int) else str(side) for side in value.shape),
        )
        for name, value in zip(names, values, strict=True)
    )
