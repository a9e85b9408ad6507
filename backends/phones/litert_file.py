"""Networks as ``.tflite`` files of LiteRT, written straight from the graph: no converter.

Our metadata is in ``NAME.tflite.json``.

Source: the schema of TensorFlow Lite, ``schema.fbs``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from auxnas.backends.base import ExportOptions
from auxnas.backends.phones.clipping import absorbed_clips
from auxnas.backends.phones.facts import facts_of, write_facts
from auxnas.backends.phones.litert_operators import (
    CLIPS,
    FUSED,
    TYPES,
    LiteOperation,
    LiteOptions,
    cast_options,
    operations_of,
)
from auxnas.backends.tensors import Tensor
from auxnas.compiler import CompilerError, Node, Program, infer_shapes
from auxnas.compiler.primitives import Shape
from auxnas.compiler.shapes import node_weights

Array = np.ndarray[Any, Any]

FACTS = ".tflite.json"
SIGNATURE = "serving_default"
_VERSIONS = {
    "RESIZE_BILINEAR": 3,  # half-pixel centres
    "TRANSPOSE_CONV": 3,  # a bias
    "DEPTHWISE_CONV_2D": 2,  # dilation
    "DEQUANTIZE": 3,  # of float16
    "BROADCAST_TO": 2,
}
"""Version of each operator whose first lacks what is used here."""
KERNEL_AXES = 4
OLD_CODES = 127
"""Largest number of an operator in the field that old readers look at."""
_IN, _OUT = "input ", "output "
"""Before the names of the ends, which maps may have too."""


class LitertExporter:
    """Writes a program as one ``.tflite`` file."""

    def export(
        self, program: Program, path: Path, options: ExportOptions, metadata: Mapping[str, str]
    ) -> None:
        """Writes ``path``, and our metadata beside it.

        Raises:
            CompilerError: for a primitive that LiteRT has no operator for, or an open size.
            OSError: when a file cannot be written.
        """
        writer = _Writer(options.precision == "fp16")
        for operation in litert_operations(program, options):
            writer.add(operation)
        facts = facts_of(program, options, metadata)
        path.write_bytes(writer.model(facts.inputs, facts.outputs))
        write_facts(path.with_suffix(FACTS), facts, (path,))


def check_litert(program: Program, options: ExportOptions, metadata: Mapping[str, str]) -> None:
    """Checks that LiteRT can take a program.

    Raises:
        CompilerError: for a primitive that LiteRT has no operator for, or an open size.
    """
    for _ in litert_operations(program, options):
        pass


def litert_operations(program: Program, options: ExportOptions) -> Iterator[LiteOperation]:
    """The operators of a program, in order.

    Inputs and outputs are (N, C, H, W), bytes (N, H, W, C). A convolution takes in what clips
    its result.

    Raises:
        CompilerError: for a primitive that LiteRT has no operator for, or an open size.
    """
    if options.size is None or options.batch is None:
        expected = "an --input-size and a --batch: a file of LiteRT is for one size"
        raise CompilerError("target litert", "any size or number of images", expected)
    graph, known = program.graph, infer_shapes(program.graph, options.size)
    shapes = {n: (options.batch, *s[1:], s[0]) for n, s in known.items() if len(s) == 3}
    clips = absorbed_clips(graph, CLIPS)
    for node in graph.nodes:
        if node.op == "input":
            yield from _fed(node.name, bool(node["bytes"]), shapes[node.name])
        elif node not in clips.values():
            names = node_weights(node, known)
            values = {n.removeprefix(f"{node.param}."): program.params[n] for n in names}
            *before, last = operations_of(node, values, shapes)
            yield from before
            yield last if node.name not in clips else _clipped(last, clips[node.name])
    for name, source in graph.outputs:
        yield _sent(name, source, shapes[source], graph[source].record.result)


def _fed(name: str, raw: bool, shape: Shape) -> Iterator[LiteOperation]:
    """An input, and the map that it becomes."""
    n, height, width, channels = shape
    fed = f"{_IN}{name}"
    if raw:
        yield LiteOperation("", (), fed, shape, "uint8")
        options = cast_options("uint8", "float32")
        yield LiteOperation("CAST", (fed,), name, shape, "float32", options)
        return
    yield LiteOperation("", (), fed, (n, channels, height, width))
    yield LiteOperation("TRANSPOSE", (fed, np.array([0, 2, 3, 1], np.int32)), name, shape)


def _sent(name: str, source: str, shape: Shape, dtype: str) -> LiteOperation:
    """An output (N, C, H, W) of a map."""
    n, height, width, channels = shape
    inputs = (source, np.array([0, 3, 1, 2], np.int32))
    shape = (n, channels, height, width)
    return LiteOperation("TRANSPOSE", inputs, f"{_OUT}{name}", shape, dtype)


def _clipped(operation: LiteOperation, clip: Node) -> LiteOperation:
    """A convolution with what clips its result."""
    table, fields = operation.options or ("", {})
    return replace(operation, output=clip.name, options=(table, {**fields, FUSED: CLIPS[clip.op]}))


class _Writer:
    """Collects the tensors, their buffers and the operators of one model.

    Args:
        half: whether kernels are stored in float16, to be made float32 again when it is loaded.
    """

    def __init__(self, half: bool) -> None:
        self.half = half
        self.buffers = [schema.BufferT()]  # the first is that of tensors without values
        self.tensors: list[Any] = []
        self.operators: list[Any] = []
        self.codes: dict[str, int] = {}
        self.named: dict[str, int] = {}

    def add(self, operation: LiteOperation) -> None:
        """Adds an operator, or an end of the model or a constant, with the tensor it gives."""
        name = operation.output
        inputs = [self._index(each, f"{name}.{at}") for at, each in enumerate(operation.inputs)]
        if not operation.kind and inputs:
            self.named[name] = inputs[0]
            return
        shown = name.removeprefix(_IN).removeprefix(_OUT)
        self.named[name] = self._tensor(shown, operation.shape, operation.dtype, 0)
        if operation.kind:
            self._operator(operation.kind, inputs, self.named[name], operation.options)

    def model(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> bytes:
        """The file of a model that has these ends."""
        graph = schema.SubGraphT()
        graph.name, graph.tensors, graph.operators = "main", self.tensors, self.operators
        ends = {_IN: inputs, _OUT: outputs}
        maps = {
            side: [self._named(side, each.name) for each in found] for side, found in ends.items()
        }
        graph.inputs, graph.outputs = (
            [each.tensorIndex for each in maps[side]] for side in (_IN, _OUT)
        )
        signature = schema.SignatureDefT()
        signature.inputs, signature.outputs = maps[_IN], maps[_OUT]
        signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
        model = schema.ModelT()
        model.version, model.description, model.subgraphs = 3, "auxnas", [graph]
        model.operatorCodes = [_code(kind) for kind in self.codes]
        model.buffers, model.signatureDefs = self.buffers, [signature]
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _named(self, side: str, name: str) -> Any:
        """The entry of a signature for an end of the model."""
        found = schema.TensorMapT()
        found.name, found.tensorIndex = name, self.named[f"{side}{name}"]
        return found

    def _index(self, given: str | Array, name: str) -> int:
        """The tensor of a name or, made for it, of a constant."""
        if isinstance(given, str):
            return self.named[given]
        if not (self.half and given.ndim == KERNEL_AXES and given.dtype == np.float32):
            return self._constant(given, name)
        stored = self._constant(given.astype(np.float16), f"{name}.half")
        full = self._tensor(name, given.shape, "float32", 0)
        self._operator("DEQUANTIZE", [stored], full, None)
        return full

    def _constant(self, value: Array, name: str) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
        self.buffers.append(buffer)
        return self._tensor(name, value.shape, value.dtype.name, len(self.buffers) - 1)

    def _tensor(self, name: str, shape: Sequence[int], dtype: str, buffer: int) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, list(shape), buffer
        tensor.type, tensor.hasRank = TYPES[dtype], True
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def _operator(
        self, kind: str, inputs: list[int], output: int, options: LiteOptions | None
    ) -> None:
        operator = schema.OperatorT()
        operator.opcodeIndex = self.codes.setdefault(kind, len(self.codes))
        operator.inputs, operator.outputs = inputs, [output]
        if options is not None:
            table, fields = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, table)
            operator.builtinOptions = getattr(schema, f"{table}T")()
            for name, value in fields.items():
                setattr(operator.builtinOptions, name, value)
        self.operators.append(operator)


def _code(kind: str) -> Any:
    """The entry of an operator in a model's table."""
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, kind)
    code.deprecatedBuiltinCode = min(code.builtinCode, OLD_CODES)
    code.version = _VERSIONS.get(kind, 1)
    return code
