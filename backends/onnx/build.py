"""ONNX models built straight from the graph: no framework, no tracing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from auxnas.backends.base import ExportOptions
from auxnas.backends.tensors import bfloat16_of
from auxnas.compiler import CompilerError, Node, Program, infer_shapes
from auxnas.compiler.places import SIZES
from auxnas.compiler.primitives.record import Shape
from auxnas.compiler.semantics import evaluate_node

IR_VERSION = 8
"""The oldest that holds opset 18, so that older runtimes read the file."""
OPSETS = (18, 22)
"""Up to 22 no operator used here changes."""
PARTIAL = ".partial"
"""Between a node's name and a number: part of what the node is emitted as."""

BATCH = "batch"
"""Name of the axis of any number of images; height and width are called so too."""
_ODD = (97, 131)
"""A size that no stride divides: a map of it follows the image."""
_VECTORS = {"float": np.float32, "int": np.int64}
"""Types of constant vectors by the first word of an entry of ``OnnxOp.inputs``."""
MOST_PRODUCTS, MOST_PRODUCTS_OPENVINO = 112, 160
"""Multiply-adds a pixel up to which an output grows by products. To 112 networks took no more time
with them. At 160, 512x512 from a stride of 4, one of 21 classes took 1.06 of it in onnxruntime, and
0.82 in OpenVINO in float32, whose Resize of many channels is slow; in its bfloat16 0.95, and with
labels 1.04 (``bench/deploy/growing.py``).
"""
REAL_TYPES = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
"""ONNX types of what is computed, by precision; float32 in any other."""
_TYPES = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8}


class OnnxExporter:
    """Writes a program as an ONNX file."""

    def export(
        self, program: Program, path: Path, options: ExportOptions, metadata: Mapping[str, str]
    ) -> None:
        """Writes the model.

        Raises:
            CompilerError: for an option out of range.
            OSError: when it cannot be written.
        """
        self.pack(build_for_cpu(program, options, metadata), path, options)

    def pack(self, model: onnx.ModelProto, path: Path, options: ExportOptions) -> None:
        """Writes a model that has its metadata."""
        path.write_bytes(model.SerializeToString())


def build(
    program: Program, options: ExportOptions, metadata: Mapping[str, str], most_products: float = 0
) -> onnx.ModelProto:
    """The model of ``program``.

    Parameters are initialisers under their own names; a node's result has the node's
    name, an output the output's.

    Args:
        program: the network.
        options: form of the model.
        metadata: text by its key.
        most_products: multiply-adds a pixel up to which an output grows by two products with
            matrices instead of by Resize; see ``_Writer._grows_by_products``.

    Raises:
        CompilerError: for an opset that is not supported.
    """
    if not OPSETS[0] <= options.opset <= OPSETS[1]:
        raise CompilerError("opset", str(options.opset), f"{OPSETS[0]} to {OPSETS[1]}")
    writer = _Writer(program, options, most_products)
    nodes = _live(list(writer.nodes()), [name for name, _ in program.graph.outputs])
    read = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "auxnas",
        [writer.value(node.name, node) for node in program.graph.inputs],
        [writer.value(name, program.graph[node]) for name, node in program.graph.outputs],
        [value for name, value in writer.initialisers.items() if name in read],
    )
    opsets = [helper.make_opsetid("", options.opset)]
    model = helper.make_model(graph, producer_name="auxnas", opset_imports=opsets)
    model.ir_version = IR_VERSION if options.opset == OPSETS[0] else 10
    helper.set_model_props(model, dict(metadata))
    return model


def build_for_cpu(
    program: Program, options: ExportOptions, metadata: Mapping[str, str]
) -> onnx.ModelProto:
    """The model of ``program`` for runtimes on processors: see ``MOST_PRODUCTS``."""
    return build(program, options, metadata, MOST_PRODUCTS)


def build_for_openvino(
    program: Program, options: ExportOptions, metadata: Mapping[str, str]
) -> onnx.ModelProto:
    """The model of ``program`` for OpenVINO: see ``MOST_PRODUCTS_OPENVINO``."""
    return build(program, options, metadata, MOST_PRODUCTS_OPENVINO)


def _live(nodes: Sequence[onnx.NodeProto], outputs: Sequence[str]) -> list[onnx.NodeProto]:
    """Those that an output needs: where sizes are known, a map may be needed for its alone."""
    needed, found = set(outputs), []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            needed.update(node.input)
            found.append(node)
    return found[::-1]


def products_a_pixel(small: Shape, large: Shape) -> tuple[float, float]:
    """Multiply-adds of growing by products, an output's pixel and channel: rows or columns first.

    R (H x h) times the map (h x w), then times C (w x W): (H h w + H w W) / (H W).
    """
    (_, h, w), (_, height, width) = small, large
    return w * (h / width + 1), h * (w / height + 1)


class _Writer:
    """Emits the nodes of one model, collecting the initialisers they need."""

    def __init__(self, program: Program, options: ExportOptions, most_products: float) -> None:
        self.program, self.options, self.most_products = program, options, most_products
        self.shapes = infer_shapes(program.graph, options.size or (512, 512))
        self.odd = infer_shapes(program.graph, _ODD)
        self.initialisers: dict[str, TensorProto] = {}
        self.sizes: set[str] = set()
        self.kind = REAL_TYPES.get(options.precision, TensorProto.FLOAT)

    def value(self, name: str, node: Node) -> onnx.ValueInfoProto:
        """An input or output of the model."""
        channels, *_ = self.shapes[node.name]
        size = self._size(name, node)
        batch = BATCH if self.options.batch is None else self.options.batch
        if node.op == "input" and node["bytes"]:
            return helper.make_tensor_value_info(name, TensorProto.UINT8, [batch, *size, channels])
        kind = _TYPES[node.record.result]
        return helper.make_tensor_value_info(name, kind, [batch, channels, *size])

    def _size(self, name: str, node: Node) -> list[int | str]:
        """Height and width, by name where they are dynamic."""
        own, odd = self.shapes[node.name][1:], self.odd[node.name][1:]
        if self.options.size is not None or own == odd:
            return list(own)
        if node.op == "input":
            prefix = "" if node["stride"] == 1 else f"{node.name}_"
        else:
            prefix = "" if self._is_of_image_size(node) else f"{name}_"
        return [f"{prefix}height", f"{prefix}width"]

    def _is_of_image_size(self, node: Node) -> bool:
        """Whether a map has the image's size whatever that is: it was brought to it."""
        return self.odd[node.name][1:] == _ODD

    def nodes(self) -> Iterator[onnx.NodeProto]:
        """All nodes in order; an output is the identity of the node it names."""
        alias: dict[str, str] = {}
        for node in self.program.graph.nodes:
            if node.op == "input":
                yield from self._input(node, alias)
                continue
            yield from self._node(node, alias)
        for name, source in self.program.graph.outputs:
            kind = _TYPES[self.program.graph[source].record.result]
            yield helper.make_node("Cast", [source], [name], f"{name}.output", to=kind)

    def _node(self, node: Node, alias: Mapping[str, str]) -> Iterator[onnx.NodeProto]:
        """The ONNX nodes of one of ours; the last has its name."""
        if self._grows_by_products(node):
            yield from self._products(node, alias)
            return
        form = node.record.onnx(dict(node.attrs))
        ops = form if isinstance(form, tuple) else (form,)
        for number, op in enumerate(ops, 1):
            name = node.name if number == len(ops) else f"{node.name}{PARTIAL}{number - 1}"
            if node.record.home:
                self._check_known(node, op.op_type)
            inputs: list[str] = []
            for key in op.inputs:
                yield from self._dynamic_size(node, key)
                inputs += self._inputs(node, key)
            inputs = [alias.get(each, each) for each in inputs]
            if op.op_type == "Add" and len(ops) == 1:
                yield from self._additions(node, inputs)
            else:
                yield helper.make_node(op.op_type, inputs, [name], name, **op.attrs)

    def _check_known(self, node: Node, op_type: str) -> None:
        """Refuses an operator of a user's own primitive that is none of this opset.

        Raises:
            CompilerError: naming the node.
        """
        if not onnx.defs.has(op_type):
            raise CompilerError(node.name, f"{node.op} is written as {op_type!r}, which ONNX lacks")
        since = min(
            s.since_version
            for s in onnx.defs.get_all_schemas_with_history()
            if s.name == op_type and s.domain == ""
        )
        if since > self.options.opset:
            found = f"{node.op} is written as {op_type}, which is not in opset {self.options.opset}"
            raise CompilerError(node.name, found, f"opset {since} or more")

    def _input(self, node: Node, alias: dict[str, str]) -> Iterator[onnx.NodeProto]:
        """Bytes become (N, C, H, W) numbers; everything becomes the model's precision."""
        source = node.name
        if node["bytes"] or self.kind != TensorProto.FLOAT:
            alias[node.name] = cast = f"{node.name}.cast"
            yield helper.make_node("Cast", [source], [cast], cast, to=self.kind)
            source = alias[node.name]
        if node["bytes"]:
            alias[node.name] = f"{node.name}.nchw"
            attrs = {"perm": [0, 3, 1, 2]}
            yield helper.make_node(
                "Transpose", [source], [alias[node.name]], f"{source}.t", **attrs
            )

    def _additions(self, node: Node, terms: Sequence[str]) -> Iterator[onnx.NodeProto]:
        """a + b + c = (a + b) + c; the 1x1 maps, which are broadcast, first meet each other.

        onnxruntime runs ``Add`` on all threads and in the convolutions' own layout, a
        ``Sum`` of more than two terms on one thread.
        """
        full = [self.shapes[name][1:] != (1, 1) for name in node.inputs]
        ordered = sorted(zip(full, terms, strict=True), key=itemgetter(0))
        first, *rest = (term for _, term in ordered)
        if not rest:
            yield helper.make_node("Identity", [first], [node.name], node.name)
        for number, term in enumerate(rest, 1):
            name = node.name if number == len(rest) else f"{node.name}{PARTIAL}{number}"
            yield helper.make_node("Add", [first, term], [name], name)
            first = name

    def _grows_by_products(self, node: Node) -> bool:
        """Whether ``node`` makes a map of float32 and known size larger, at no more than the most.

        No layer may read it: convolutions keep maps in blocks of channels, products take and
        leave (N, C, H, W), as outputs are, so that inside the network maps would be reordered.
        """
        known = self.options.size is not None and self.kind == TensorProto.FLOAT
        if not node.record.separable or not known or node.name not in self._behind_layers:
            return False
        small, large = self.shapes[node.inputs[0]], self.shapes[node.name]
        grows = small[1] < large[1] and small[2] < large[2]
        return grows and min(products_a_pixel(small, large)) <= self.most_products

    def _products(self, node: Node, alias: Mapping[str, str]) -> Iterator[onnx.NodeProto]:
        """Rows by a matrix from the left, columns by one from the right; the cheaper first."""
        source = alias.get(node.inputs[0], node.inputs[0])
        small, large = self.shapes[node.inputs[0]], self.shapes[node.name]
        rows = self._growth(node, small[1], large[1])
        columns = self._growth(node, small[2], large[2], transposed=True)
        half = f"{node.name}{PARTIAL}1"
        rows_first, columns_first = products_a_pixel(small, large)
        factors = [(rows, source), (half, columns)]
        if columns_first < rows_first:
            factors = [(source, columns), (rows, half)]
        for pair, name in zip(factors, (half, node.name), strict=True):
            yield helper.make_node("MatMul", pair, [name], name)

    @cached_property
    def _behind_layers(self) -> set[str]:
        """Nodes that no node with parameters comes after."""
        graph, found = self.program.graph, set[str]()
        for node in reversed(graph.nodes):
            if all(user.param is None and user.name in found for user in graph.users[node.name]):
                found.add(node.name)
        return found

    def _growth(self, node: Node, have: int, size: int, transposed: bool = False) -> str:
        """The matrix by which ``node`` grows columns of ``have`` numbers to ``size``.

        Column i is what comes of zeros with a one at i.
        """
        ones, like = np.eye(have, dtype=np.float32), np.empty((1, 1, size, 1), np.float32)
        grown = evaluate_node(node, [ones[:, None, :, None], like], {})[:, 0, :, 0]
        name = f"{node.op} {have} {size}"
        if transposed:
            return self._constant(f"{name} transposed", grown)
        return self._constant(name, grown.T.copy())

    def _dynamic_size(self, node: Node, key: str) -> Iterator[onnx.NodeProto]:
        """Nodes for a size (N, C, H, W) that is known at run time only."""
        if key not in ("size", "spread") or self._known_size(node, key):
            return
        like = self.program.graph[node.inputs[node.record.size_from or 0]]
        # Not of the bytes themselves: TensorRT takes those as an input to cast, no more.
        source = f"{like.name}.nchw" if like.op == "input" and like["bytes"] else like.name
        whole, channels = self._size_name(node, key), self._channels(node, key)
        batch, plane = f"{source}{SIZES}batch", f"{source}{SIZES}plane"
        for name, start, end in ((batch, 0, 1), (plane, 2, 4)):
            if name not in self.sizes:
                yield helper.make_node("Shape", [source], [name], name, start=start, end=end)
        if whole not in self.sizes:
            fixed = self._constant(f"channels{channels}", np.array([channels], np.int64))
            yield helper.make_node("Concat", [batch, fixed, plane], [whole], whole, axis=0)
        self.sizes |= {batch, plane, whole}

    def _channels(self, node: Node, key: str) -> int:
        """Channels of the size that ``node`` is told: a spread lets each map keep its own."""
        return 1 if key == "spread" else self.shapes[node.name][0]

    def _size_name(self, node: Node, key: str) -> str:
        """The value that holds the size at run time."""
        like = node.inputs[node.record.size_from or 0]
        return f"{like}{SIZES}{self._channels(node, key)}"

    def _known_size(self, node: Node, key: str) -> list[str]:
        """Inputs of ``node`` for a size that is static: constants' names; none where it is dynamic.

        A resize to a multiple is told the factors, which onnxruntime resizes by without
        leaving the convolutions' layout.
        """
        if self.options.size is None:
            return []
        size = self.shapes[node.name][1:]
        factors = [to / of for to, of in zip(size, self.shapes[node.inputs[0]][1:], strict=True)]
        if key == "size" and all(factor.is_integer() for factor in factors):
            name = "scale{:g}x{:g}".format(*factors)
            return [self._constant(name, np.array([1, 1, *factors], np.float32))]
        if self.options.batch is None:
            return []
        value = np.array([self.options.batch, self._channels(node, key), *size], np.int64)
        name = self._constant("size{}x{}x{}x{}".format(*value), value)
        return ["", name] if key == "size" else [name]

    def _inputs(self, node: Node, key: str) -> list[str]:
        """The names that one entry of ``OnnxOp.inputs`` stands for."""
        if key == "":
            return [""]
        if key == "*":
            return list(node.inputs)
        if key.isdecimal():
            return [node.inputs[int(key)]]
        if key in ("size", "spread"):
            skipped = [""] if key == "size" else []
            return self._known_size(node, key) or [*skipped, self._size_name(node, key)]
        if key.startswith("@"):
            return [f"{node.name}{PARTIAL}{key[1:]}"]
        kind, *values = key.split(" ")
        if kind in _VECTORS:
            return [self._constant(key, np.array(values, _VECTORS[kind]))]
        if key.startswith("="):
            return [self._real(f"constant{key}", np.float32(key[1:]))]
        name = f"{node.param}.{key}"
        return [self._real(name, self.program.params[name])]

    def _real(self, name: str, value: Any) -> str:
        """A constant in the model's precision."""
        if self.kind == TensorProto.FLOAT16:
            return self._constant(name, np.asarray(value, np.float16))
        if self.kind == TensorProto.BFLOAT16 and name not in self.initialisers:
            bits = (bfloat16_of(value).view(np.uint32) >> 16).astype("<u2")
            shape = np.shape(value)
            self.initialisers[name] = helper.make_tensor(
                name, TensorProto.BFLOAT16, shape, bits.tobytes(), raw=True
            )
        return self._constant(name, value)

    def _constant(self, name: str, value: Any) -> str:
        if name not in self.initialisers:
            self.initialisers[name] = numpy_helper.from_array(np.asarray(value), name)
        return name
