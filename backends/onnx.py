"""ONNX models built straight from the graph: no framework, no tracing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from compiler import Node, Program, Size, infer_shapes

import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
IR_VERSION = 8
"""The oldest that holds opset 18, so that older runtimes read the file."""


class OnnxExporter:
    """Writes a program as an ONNX file for one image size, batch 1."""

    def unsupported(self, node: Node) -> str | None:
        """None: every primitive has an ONNX form in its record."""
        return None

    def export(self, program: Program, path: Path, size: Size, metadata: Mapping[str, str]) -> None:
        """Writes the model.

        Raises:
            OSError: when it cannot be written.
        """
        path.write_bytes(build(program, size, metadata).SerializeToString())


def build(program: Program, size: Size, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """The model of ``program`` for (1, 3, *size) images.

    Parameters are initialisers under their own names; a node's result has the node's
    name, an output the output's.
    """
    writer = _Writer(program, size)
    graph = helper.make_graph(
        list(writer.nodes()),
        "auxnas",
        [writer.value(node.name, node.name) for node in program.graph.inputs],
        [writer.value(name, node) for name, node in program.graph.outputs],
        list(writer.initialisers.values()),
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, producer_name="auxnas", opset_imports=opsets)
    model.ir_version = IR_VERSION
    helper.set_model_props(model, dict(metadata))
    return model


class _Writer:
    """Emits the nodes of one model, collecting the initialisers they need."""

    def __init__(self, program: Program, size: Size) -> None:
        self.program = program
        self.shapes = infer_shapes(program.graph, size)
        self.initialisers: dict[str, TensorProto] = {}

    def value(self, name: str, node: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, *self.shapes[node]])

    def nodes(self) -> Iterator[onnx.NodeProto]:
        for node in self.program.graph.nodes:
            if node.op != "input":
                op = node.record.onnx(dict(node.attrs))
                inputs = [name for key in op.inputs for name in self._inputs(node, key)]
                yield helper.make_node(op.op_type, inputs, [node.name], node.name, **op.attrs)
        for name, source in self.program.graph.outputs:
            yield helper.make_node("Identity", [source], [name], f"{name}.output")

    def _inputs(self, node: Node, key: str) -> list[str]:
        """The names that one entry of ``OnnxOp.inputs`` stands for."""
        _, *size = self.shapes[node.name]
        if key == "":
            return [""]
        if key == "*":
            return list(node.inputs)
        if key.isdecimal():
            return [node.inputs[int(key)]]
        if key == "size":
            return [self._constant("size{}x{}".format(*size), np.array(size, np.int64))]
        if key == "spread":
            spread = np.array([1, 1, *size], np.int64)
            return [self._constant("spread{}x{}".format(*size), spread)]
        if key.startswith("="):
            return [self._constant(f"constant{key}", np.float32(key[1:]))]
        return [self._constant(f"{node.param}.{key}", self.program.params[f"{node.param}.{key}"])]

    def _constant(self, name: str, value: Any) -> str:
        if name not in self.initialisers:
            self.initialisers[name] = numpy_helper.from_array(np.asarray(value), name)
        return name
