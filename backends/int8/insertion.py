"""Q/DQ nodes of an ONNX model of ours, from ranges of its maps.

Weights have a scale a channel and no zero point, biases the product of both scales.
onnxruntime's own tool, which rounds weights to the nearest, else gives the same network and takes
ten times as long, which counts where a choice of layers is tried; the tests hold this to the tool.

Source: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from auxnas.backends.int8.layers import ACTIVATIONS, OPERATORS, Layer
from auxnas.backends.int8.ranges import Ranges
from auxnas.backends.int8.rounding import mean_shift, rounded_weights

Array = np.ndarray[Any, Any]

SAME = ("Resize", "MaxPool")
"""Operators that leave the scale of a map as it is."""
_Q, _DQ = "QuantizeLinear", "DequantizeLinear"
_BIASES = 2.0**31 - 1
_ROOM = 1.0001
"""By how much a bias' scale is above the smallest that holds it."""


@dataclass(frozen=True)
class QuantisationForm:
    """Number format that a runtime computes int8 in.

    Attributes:
        operators: ONNX operators that are quantised.
        signed: whether activations are int8 around zero; else uint8 with a zero point.
        whole: whether weights and biases are integers; else weights are float before a Q/DQ pair
            and biases float.
        ends: whether maps that a layer writes are quantised, too.
        dedicated: whether each reader of a map has a Q/DQ pair of its own.
        largest: steps that the largest weight of a channel has.
    """

    operators: tuple[str, ...]
    signed: bool = False
    whole: bool = True
    ends: bool = True
    dedicated: bool = False
    largest: int = 127


ONNXRUNTIME = QuantisationForm(OPERATORS)
"""uint8 activations: on x86, onnxruntime's kernels for int8 ones ran slower than float.
Processors without VNNI add pairs of products in 16 bits, which can saturate: what was
measured holds for processors like the one that measured."""
SMALL_WEIGHTS = replace(ONNXRUNTIME, largest=64)
"""Weights of 7 bits: 255 * 64 twice is below 2 ** 15, so that no pair of products saturates."""
TENSORRT = QuantisationForm(("Conv",), signed=True, whole=False, ends=False, dedicated=True)
"""Signed and symmetric, as TensorRT asks, and only maps that a convolution reads: TensorRT
fuses what comes after one into it, and by its table a resize, a sum or a mean has no int8
form. Weights are float with a Q/DQ pair behind them, which all versions read, and each
convolution has a pair of its own, as in onnxruntime's TensorRT examples. Biases are float.

Source: https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/quantized-types-explicit-quantization.html
"""


def insert_quantisation(
    model: onnx.ModelProto,
    ranges: Ranges,
    layers: Sequence[Layer],
    form: QuantisationForm = ONNXRUNTIME,
    means: Mapping[str, Array] | None = None,
) -> onnx.ModelProto:
    """A model with Q/DQ nodes around some layers.

    Where means are known, integer weights are rounded so that they keep the mean of what is
    computed, and biases make up for what is left.

    Args:
        model: ours.
        ranges: of its maps.
        layers: those to quantise; none leaves the model as it is.
        form: of the numbers.
        means: of each channel of the maps that convolutions read.
    """
    names = {node for layer in layers for node in layer.nodes}
    return _Insertion(model, ranges, names, form, means or {}).result()


class _Insertion:
    """One quantisation: first which maps, then the nodes in order."""

    def __init__(
        self,
        model: onnx.ModelProto,
        ranges: Ranges,
        names: set[str],
        form: QuantisationForm,
        means: Mapping[str, Array],
    ) -> None:
        self.model, self.ranges, self.form, self.means = model, ranges, form, means
        self.constants = {each.name: each for each in model.graph.initializer}
        self.outputs = {each.name for each in model.graph.output}
        self.ends = self.outputs | {each.name for each in model.graph.input}
        self.readers: dict[str, list[str]] = {}
        for node in model.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node.name)
        self.layers = {n.name: n for n in model.graph.node if n.name in names}
        self.scale_of: dict[str, str] = {}  # of each quantised map, the one whose scale it has
        self.renamed: dict[str, str] = {}  # what an activation that is left out would read
        self.removed: set[str] = set()
        self.made: dict[str, onnx.TensorProto] = {}
        self.weights: dict[str, Array] = {}  # scales by name
        self.errors: dict[str, Array] = {}  # of weights that are integers
        for node in self.layers.values():
            self._mark(node)
        for node in self.layers.values():
            if node.op_type == "Conv":
                self._scale_weight(node)

    def result(self) -> onnx.ModelProto:
        """The model."""
        nodes = list(self._nodes())
        read = {name for node in nodes for name in node.input}
        graph = self.model.graph
        kept = [x for x in (*graph.initializer, *self.made.values()) if x.name in read]
        result = onnx.ModelProto()
        result.CopyFrom(self.model)
        del result.graph.node[:], result.graph.initializer[:], result.graph.value_info[:]
        result.graph.node.extend(nodes)
        result.graph.initializer.extend(kept)
        return result

    def _mark(self, node: onnx.NodeProto) -> None:
        """Notes the maps that a layer's node quantises; what it reads has been seen before."""
        source, result = node.input[0], node.output[0]
        if node.op_type in SAME:
            if source in self.scale_of:
                self.scale_of[result] = self.scale_of[source]
            return
        if node.op_type in ACTIVATIONS:
            if source not in self.scale_of:
                return
            if not self.form.signed and len(self.readers[source]) == 1 and source not in self.ends:
                del self.scale_of[source]  # rounding to a range from zero up cuts off as it does
                self.renamed[source] = result
                self.removed.add(node.name)
        sources = [source] if node.op_type == "Conv" else node.input
        maps = [name for name in sources if name in self.ranges and name not in self.renamed]
        for name in (*maps, *([result] if self.form.ends else [])):
            self.scale_of.setdefault(name, name)

    def _scale_weight(self, node: onnx.NodeProto) -> None:
        """Scales of a convolution's weights; large enough for its biases to be held."""
        name = node.input[1]
        if name not in self.weights:
            values = _array(self.constants[name])
            largest = np.abs(values).reshape(len(values), -1).max(1, initial=0)
            self.weights[name] = _scale(2.0 * largest, 2 * self.form.largest)
        if len(node.input) > 2 and self.form.whole:
            biases = np.abs(_array(self.constants[node.input[2]])).astype(np.float64)
            least, scales = _ROOM * biases / _BIASES, self.weights[name].astype(np.float64)
            steps = scales * self._step(node.input[0])[0].astype(np.float64)
            grown = np.divide(scales * least, steps, out=scales.copy(), where=steps < least)
            self.weights[name] = grown.astype(np.float32)

    def _step(self, name: str) -> tuple[Array, Array]:
        """Scale and zero point of a quantised map."""
        ends = np.array(self.ranges[self.scale_of[name]], np.float32).astype(np.float64)
        low, high = min(ends[0], 0.0), max(ends[1], 0.0)
        if self.form.signed:
            return _scale(2 * max(-low, high), 2 * 127), np.array(0, np.int8)
        step = (high - low) / 255
        usable = step >= np.finfo(np.float32).tiny
        return _scale(high - low, 255), np.array(np.round(-low / step) if usable else 0, np.uint8)

    def _nodes(self) -> Iterator[onnx.NodeProto]:
        """All nodes in order; a map's pair follows what writes it."""
        for value in self.model.graph.input:
            yield from self._pairs(value.name)
        shown = set[str]()
        for node in self.model.graph.node:
            if node.name in self.removed:
                continue
            result = onnx.NodeProto()
            result.CopyFrom(node)
            if node.name in self.layers and node.op_type == "Conv":
                yield from self._weights(result, shown)
            for place, name in enumerate(node.input):
                if name in self.scale_of:
                    result.input[place] = self._read(name, node.name)
            result.output[:] = [self._written(name) for name in node.output]
            yield result
            for name in node.output:
                yield from self._pairs(self.renamed.get(name, name))

    def _own(self, name: str) -> list[str]:
        """Layers that each have a pair of their own on a map; none where they share one."""
        readers = [n for n in self.readers.get(name, ()) if n in self.layers]
        return readers if self.form.dedicated and len(readers) > 1 else []

    def _read(self, name: str, node: str) -> str:
        """The name that a node reads a quantised map under."""
        own = self._own(name)
        if own:
            return f"{name}_{_DQ}_Output_{own.index(node) + 1}" if node in own else name
        return name if name in self.outputs else f"{name}_{_DQ}_Output"

    def _written(self, name: str) -> str:
        """The name that a node writes a map under."""
        name = self.renamed.get(name, name)
        shared = name in self.scale_of and not self._own(name)
        return f"{name}_{_Q}_Input" if shared and name in self.outputs else name

    def _pairs(self, name: str) -> Iterator[onnx.NodeProto]:
        """The Q/DQ pairs of a map, if it is quantised."""
        if name not in self.scale_of:
            return
        of = self.scale_of[name]
        scale, zero = self._step(name)
        steps = [self._constant(f"{of}_scale", scale), self._constant(f"{of}_zero_point", zero)]
        own = self._own(name)
        for end in [f"_{n + 1}" for n in range(len(own))] or [""]:
            middle = f"{name}_{_Q}_Output{end}"
            source = name if own else self._written(name)
            result = f"{name}_{_DQ}_Output{end}" if own else self._read(name, "")
            yield helper.make_node(_Q, [source, *steps], [middle], f"{name}_{_Q}{end}")
            yield helper.make_node(_DQ, [middle, *steps], [result], f"{name}_{_DQ}{end}")

    def _weights(self, node: onnx.NodeProto, shown: set[str]) -> Iterator[onnx.NodeProto]:
        """Dequantised weights and biases of a convolution, which it is made to read."""
        source, name = node.input[:2]
        scales = self.weights[name]
        if name not in shown:
            shown.add(name)
            yield from self._weight(name, scales, self.means.get(source))
        node.input[1] = f"{name}_{_DQ}_Output"
        if len(node.input) < 3 or not self.form.whole:
            return
        bias = node.input[2]
        own = bias if len(self.readers[bias]) == 1 else f"{bias}.{node.name}"
        values, steps = _array(self.constants[bias]), scales * self._step(source)[0]
        if source in self.means:
            values = values - mean_shift(self.errors[name], self.means[source])
        whole = np.round(np.divide(values, steps, dtype=np.float64))
        whole = np.clip(whole, np.iinfo(np.int32).min, np.iinfo(np.int32).max).astype(np.int32)
        names = [
            self._constant(f"{own}_quantized", whole),
            self._constant(f"{own}_quantized_scale", steps),
            self._constant(f"{own}_quantized_zero_point", np.zeros(len(steps), np.int32)),
        ]
        node.input[2] = f"{own}_{_DQ}_Output"
        yield helper.make_node(_DQ, names, [node.input[2]], f"{own}_{_DQ}", axis=0)

    def _weight(self, name: str, scales: Array, means: Array | None) -> Iterator[onnx.NodeProto]:
        """Weights as integers, or in float before a pair; then dequantised."""
        values = _array(self.constants[name])
        steps = [
            self._constant(f"{name}_scale", scales),
            self._constant(f"{name}_zero_point", np.zeros(len(scales), np.int8)),
        ]
        if self.form.whole:
            rows = scales.reshape(-1, *(1 for _ in values.shape[1:]))
            whole = rounded_weights(values / rows, self.form.largest, means)
            self.errors[name] = whole * rows - values
            source = self._constant(f"{name}_quantized", whole)
        else:
            source = f"{name}_{_Q}_Output"
            yield helper.make_node(_Q, [name, *steps], [source], f"{name}_{_Q}", axis=0)
        result = [f"{name}_{_DQ}_Output"]
        yield helper.make_node(_DQ, [source, *steps], result, f"{name}_{_DQ}", axis=0)

    def _constant(self, name: str, value: Any) -> str:
        if name not in self.made:
            self.made[name] = numpy_helper.from_array(np.asarray(value), name)
        return name


def _array(constant: onnx.TensorProto) -> Array:
    values: Array = numpy_helper.to_array(constant)
    return values


def _scale(spans: Any, steps: int) -> Array:
    """Width of a step where ``steps`` of them cover a span; 1 where that is next to nothing."""
    exact = np.asarray(spans, np.float64) / steps
    return np.where(exact < np.finfo(np.float32).tiny, 1.0, exact).astype(np.float32)
