"""Operators of LiteRT (TensorFlow Lite) that our primitives become.

A map is (N, H, W, C) there, of known size. Padding is ours, the same on both sides: at a stride
of 1 that is LiteRT's SAME, at others the map is padded first.

Source: the schema of TensorFlow Lite, ``schema.fbs``, and the documentation of its operators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from auxnas.compiler import CompilerError, Node
from auxnas.compiler.primitives import Shape
from auxnas.compiler.semantics import BATCH_NORM_EPSILON

Array = np.ndarray[Any, Any]
LiteOptions = tuple[str, Mapping[str, Any]]
"""Name of a table of options, and the fields that are set."""

CLIPS: Mapping[str, int] = MappingProxyType({"relu": 1, "relu6": 3})
"""Primitives that a convolution computes on its result, and their numbers there."""
FUSED = "fusedActivationFunction"
_SAME, _VALID = 0, 1
TYPES: Mapping[str, int] = MappingProxyType({"float32": 0, "float16": 1, "int32": 2, "uint8": 3})
"""Numbers of the types."""
_MAPS = (1, 2)
"""Axes of height and width."""


@dataclass(frozen=True)
class LiteOperation:
    """One operator and its result.

    Attributes:
        kind: its name in the schema; empty for a constant, the only input, or an end of the model.
        inputs: names of maps, and constants.
        output: name of the result.
        shape: of the result.
        dtype: of the result.
        options: name of its table of options, and the fields that are set.
    """

    kind: str
    inputs: tuple[str | Array, ...]
    output: str
    shape: Shape
    dtype: str = "float32"
    options: LiteOptions | None = None


@dataclass(frozen=True)
class _Site:
    """A node where it stands: its parameters by suffix, and shapes (N, H, W, C) by name."""

    node: Node
    weights: Mapping[str, Array] = field(repr=False)
    shapes: Mapping[str, Shape] = field(repr=False)

    @property
    def shape(self) -> Shape:
        """Of the result."""
        return self.shapes[self.node.name]

    def one(
        self, kind: str, *inputs: str | Array, options: LiteOptions | None = None
    ) -> LiteOperation:
        """An operator that gives the node's result."""
        return LiteOperation(kind, inputs, self.node.name, self.shape, options=options)


_Form = Callable[[_Site], Iterator[LiteOperation]]


def operations_of(
    node: Node, weights: Mapping[str, Array], shapes: Mapping[str, Shape]
) -> Iterator[LiteOperation]:
    """The operators of a node, of which the last gives its result.

    Args:
        node: any node but an input.
        weights: its parameters by suffix.
        shapes: (N, H, W, C) of its inputs and of its result.

    Raises:
        CompilerError: for a primitive that LiteRT has no operator for.
    """
    form = _FORMS.get(node.op)
    if form is None:
        expected = "another target, or what comes before it (--head logits)"
        raise CompilerError(node.name, f"{node.op}, which LiteRT has no operator for", expected)
    yield from form(_Site(node, weights, shapes))


def _simple(kind: str, table: str, fields: Mapping[str, Any]) -> _Form:
    """A primitive that is one operator with these options."""

    def form(site: _Site) -> Iterator[LiteOperation]:
        yield site.one(kind, *site.node.inputs, options=(table, fields))

    return form


def _vector(site: _Site) -> Iterator[LiteOperation]:
    value = site.weights["weight"].reshape(1, 1, 1, -1)
    yield site.one("", np.broadcast_to(value, site.shape))


def _padded(site: _Site, margin: int, value: float) -> LiteOperation:
    """The input with a margin."""
    (name,) = site.node.inputs
    n, height, width, channels = site.shapes[name]
    shape = (n, height + 2 * margin, width + 2 * margin, channels)
    edges = np.array([[0, 0], [margin, margin], [margin, margin], [0, 0]], np.int32)
    inputs = (name, edges, np.array([value], np.float32))
    return LiteOperation("PADV2", inputs, f"{site.node.name}.padded", shape)


def _window(site: _Site, margin: int, value: float) -> tuple[list[LiteOperation], str, int]:
    """What goes before a window that slides: operators, name of their result, padding."""
    if margin == 0 or site.node["stride"] == 1:
        return [], site.node.inputs[0], _SAME if margin else _VALID
    before = _padded(site, margin, value)
    return [before], before.output, _VALID


def _convolution(site: _Site) -> Iterator[LiteOperation]:
    node, kernel = site.node, site.weights["weight"]
    channels = site.shapes[node.inputs[0]][3]
    before, name, padding = _window(site, node["dilation"] * (node["kernel"] - 1) // 2, 0.0)
    yield from before
    fields = {
        "padding": padding,
        "strideW": node["stride"],
        "strideH": node["stride"],
        "dilationWFactor": node["dilation"],
        "dilationHFactor": node["dilation"],
    }
    bias = site.weights.get("bias", np.zeros(node["out"], np.float32))
    if node["groups"] == channels > 1:
        fields["depthMultiplier"] = node["out"] // channels
        inputs = (name, kernel.transpose(1, 2, 3, 0), bias)
        yield site.one("DEPTHWISE_CONV_2D", *inputs, options=("DepthwiseConv2DOptions", fields))
        return
    inputs = (name, kernel.transpose(0, 2, 3, 1), bias)
    yield site.one("CONV_2D", *inputs, options=("Conv2DOptions", fields))


def _deconvolution(site: _Site) -> Iterator[LiteOperation]:
    node, stride = site.node, site.node["stride"]
    kernel = site.weights["weight"].transpose(1, 2, 3, 0)
    bias = site.weights.get("bias", np.zeros(node["out"], np.float32))
    fields = {"padding": _SAME, "strideW": stride, "strideH": stride}
    inputs = (np.array(site.shape, np.int32), kernel, node.inputs[0], bias)
    yield site.one("TRANSPOSE_CONV", *inputs, options=("TransposeConvOptions", fields))


_ADD: LiteOptions = ("AddOptions", {})
_MUL: LiteOptions = ("MulOptions", {})


def _batch_norm(site: _Site) -> Iterator[LiteOperation]:
    (x,), weights, part = site.node.inputs, site.weights, f"{site.node.name}.scaled"
    scale = weights["weight"] / np.sqrt(weights["running_var"] + BATCH_NORM_EPSILON)
    shift = (weights["bias"] - weights["running_mean"] * scale).astype(np.float32)
    scale = scale.astype(np.float32)
    yield LiteOperation("MUL", (x, scale), part, site.shape, "float32", _MUL)
    yield site.one("ADD", part, shift, options=_ADD)


def _clamp(site: _Site) -> Iterator[LiteOperation]:
    (x,), part = site.node.inputs, f"{site.node.name}.low"
    low, high = (np.array([site.node[each] / 1000], np.float32) for each in ("low", "high"))
    yield LiteOperation("MAXIMUM", (x, low), part, site.shape)
    yield site.one("MINIMUM", part, high)


def _max_pool(site: _Site) -> Iterator[LiteOperation]:
    kernel, stride = site.node["kernel"], site.node["stride"]
    lowest = float(np.finfo(np.float32).min)
    before, name, padding = _window(site, (kernel - 1) // 2, lowest)
    yield from before
    fields = {
        "padding": padding,
        "strideW": stride,
        "strideH": stride,
        "filterWidth": kernel,
        "filterHeight": kernel,
    }
    yield site.one("MAX_POOL_2D", name, options=("Pool2DOptions", fields))


def _global_mean(site: _Site) -> Iterator[LiteOperation]:
    options = ("ReducerOptions", {"keepDims": True})
    yield site.one("MEAN", site.node.inputs[0], np.array(_MAPS, np.int32), options=options)


def _spread(site: _Site) -> Iterator[LiteOperation]:
    size = np.array(site.shape, np.int32)
    yield site.one("BROADCAST_TO", site.node.inputs[0], size)


def _resize(fields: Mapping[str, Any]) -> _Form:
    def form(site: _Site) -> Iterator[LiteOperation]:
        size = np.array(site.shape[1:3], np.int32)
        options = ("ResizeBilinearOptions", fields)
        yield site.one("RESIZE_BILINEAR", site.node.inputs[0], size, options=options)

    return form


def _sum(site: _Site) -> Iterator[LiteOperation]:
    """(a + b) + c: maps of 1x1, which stand for every pixel, meet each other first."""
    node = site.node
    small = [name for name in node.inputs if site.shapes[name][1:3] == (1, 1)]
    first, *rest = [*small, *(name for name in node.inputs if name not in small)]
    if not rest:
        yield site.one("ADD", first, np.zeros(1, np.float32), options=_ADD)
    shape = site.shapes[first]
    for number, term in enumerate(rest, 1):
        last = number == len(rest)
        shape = max(shape, site.shapes[term])
        name = node.name if last else f"{node.name}.partial{number}"
        yield LiteOperation("ADD", (first, term), name, shape, "float32", _ADD)
        first = name


def _zero(site: _Site) -> Iterator[LiteOperation]:
    (x,), nothing = site.node.inputs, np.zeros(1, np.float32)
    yield site.one("MUL", x, nothing, options=_MUL)


def _identity(site: _Site) -> Iterator[LiteOperation]:
    options = ("ReshapeOptions", {"newShape": list(site.shape)})
    size = np.array(site.shape, np.int32)
    yield site.one("RESHAPE", site.node.inputs[0], size, options=options)


def _argmax(site: _Site) -> Iterator[LiteOperation]:
    """(N, H, W) int32, then bytes of (N, H, W, 1)."""
    name, shape = site.node.name, site.shape
    plane, options = f"{name}.plane", ("ArgMaxOptions", {"outputType": TYPES["int32"]})
    axis = np.array(3, np.int32)
    yield LiteOperation("ARG_MAX", (site.node.inputs[0], axis), plane, shape[:3], "int32", options)
    yield LiteOperation(
        "CAST", (plane,), f"{name}.bytes", shape[:3], "uint8", cast_options("int32", "uint8")
    )
    size, again = np.array(shape, np.int32), ("ReshapeOptions", {"newShape": list(shape)})
    yield LiteOperation("RESHAPE", (f"{name}.bytes", size), name, shape, "uint8", again)


def cast_options(source: str, result: str) -> LiteOptions:
    """Options of a ``CAST`` between these types."""
    return "CastOptions", {"inDataType": TYPES[source], "outDataType": TYPES[result]}


_FORMS: Mapping[str, _Form] = MappingProxyType(
    {
        "vector": _vector,
        "conv2d": _convolution,
        "deconv2d": _deconvolution,
        "batch_norm": _batch_norm,
        "relu": lambda site: iter([site.one("RELU", site.node.inputs[0])]),
        "relu6": lambda site: iter([site.one("RELU6", site.node.inputs[0])]),
        "clamp": _clamp,
        "max_pool": _max_pool,
        "global_mean": _global_mean,
        "spread": _spread,
        "resize": _resize({"halfPixelCenters": True}),
        "resize_corners": _resize({"alignCorners": True}),
        "add": _sum,
        "concat": _simple("CONCATENATION", "ConcatenationOptions", {"axis": 3}),
        "identity": _identity,
        "softmax": _simple("SOFTMAX", "SoftmaxOptions", {"beta": 1.0}),
        "argmax": _argmax,
        "zero": _zero,
    }
)
"""Form of each primitive; keypoints are for the app, of the heatmaps."""
