"""Layers of ncnn that our primitives become.

A map is (C, H, W): ncnn computes one image at a time. A resize is told the map whose size it
takes, so that a file serves images of any size.

Source: the developer guide of ncnn, ``operators.md`` and ``operation-param-weight-table.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from auxnas.compiler import CompilerError, Node
from auxnas.compiler.semantics import BATCH_NORM_EPSILON

Array = np.ndarray[Any, Any]
NcnnValue = int | float | Sequence[float]

CLIPS = ("relu", "relu6", "clamp")
"""Primitives that a convolution computes on its result."""
ACTIVATION, BOUNDS, CLIPPED, RECTIFIED = 9, 10, 3, 1
"""Parameters of a convolution for what follows it, and two of the first one's values."""


@dataclass(frozen=True)
class NcnnLayer:
    """One layer.

    Attributes:
        kind: its type.
        inputs: names of the blobs that it reads.
        outputs: names of the blobs that it writes, of which the first is its own.
        params: by number.
        weights: in order, each with whether its type is told before it, and may be half.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: Mapping[int, NcnnValue]
    weights: tuple[tuple[Array, bool], ...] = ()


_Form = Callable[[Node, Mapping[str, Array]], tuple[NcnnLayer, ...]]
"""Layers of a node, of which the last writes its result, from its parameters by suffix."""


def layers_of(node: Node, weights: Mapping[str, Array]) -> tuple[NcnnLayer, ...]:
    """The layers of a node.

    Args:
        node: any node but an input.
        weights: its parameters by suffix.

    Raises:
        CompilerError: for a primitive that ncnn has no layer for.
    """
    form = _FORMS.get(node.op)
    if form is None:
        raise CompilerError(node.name, f"{node.op}, which ncnn has no layer for", _OTHER)
    return form(node, weights)


_OTHER = "another target, or what comes before it (--head logits)"


def activation(node: Node) -> dict[int, NcnnValue]:
    """Parameters of a convolution that computes ``node``, one of ``CLIPS``, on its result."""
    if node.op == "relu":
        return {ACTIVATION: RECTIFIED}
    return {ACTIVATION: CLIPPED, BOUNDS: _bounds(node)}


def _bounds(node: Node) -> tuple[float, float]:
    return (0.0, 6.0) if node.op == "relu6" else (node["low"] / 1000, node["high"] / 1000)


def _simple(kind: str, params: Mapping[int, NcnnValue]) -> _Form:
    """A primitive that is one layer with ``params``."""
    return lambda node, weights: (NcnnLayer(kind, node.inputs, (node.name,), params),)


def _vector(node: Node, weights: Mapping[str, Array]) -> tuple[NcnnLayer, ...]:
    params = {0: 1, 1: 1, 2: node["channels"]}
    return (NcnnLayer("MemoryData", (), (node.name,), params, ((weights["weight"], False),)),)


def _convolution(node: Node, weights: Mapping[str, Array]) -> tuple[NcnnLayer, ...]:
    groups, padding = node["groups"], node["dilation"] * (node["kernel"] - 1) // 2
    params = {2: node["dilation"], 3: node["stride"], 4: padding}
    if groups == 1:
        return (_weighted("Convolution", node, weights["weight"], weights, params),)
    params[7] = groups
    return (_weighted("ConvolutionDepthWise", node, weights["weight"], weights, params),)


def _deconvolution(node: Node, weights: Mapping[str, Array]) -> tuple[NcnnLayer, ...]:
    params = {3: node["stride"], 4: (node["kernel"] - node["stride"]) // 2}
    kernel = weights["weight"].transpose(1, 0, 2, 3)
    return (_weighted("Deconvolution", node, kernel, weights, params),)


def _weighted(
    kind: str,
    node: Node,
    kernel: Array,
    weights: Mapping[str, Array],
    params: Mapping[int, NcnnValue],
) -> NcnnLayer:
    """A layer with a kernel, output channels first, and perhaps a bias."""
    bias = ((weights["bias"], False),) if node["bias"] else ()
    own = {0: node["out"], 1: node["kernel"], 5: node["bias"], 6: kernel.size}
    return NcnnLayer(kind, node.inputs, (node.name,), {**own, **params}, ((kernel, True), *bias))


def _batch_norm(node: Node, weights: Mapping[str, Array]) -> tuple[NcnnLayer, ...]:
    order = ("weight", "running_mean", "running_var", "bias")
    values = tuple((weights[suffix], False) for suffix in order)
    params = {0: weights["weight"].size, 1: BATCH_NORM_EPSILON}
    return (NcnnLayer("BatchNorm", node.inputs, (node.name,), params, values),)


def _clip(node: Node, weights: Mapping[str, Array]) -> tuple[NcnnLayer, ...]:
    return (NcnnLayer("Clip", node.inputs, (node.name,), dict(enumerate(_bounds(node)))),)


def _max_pool(node: Node, weights: Mapping[str, Array]) -> tuple[NcnnLayer, ...]:
    kernel = node["kernel"]
    params = {0: 0, 1: kernel, 2: node["stride"], 3: (kernel - 1) // 2, 5: 1}
    return (NcnnLayer("Pooling", node.inputs, (node.name,), params),)


def _global_mean(node: Node, weights: Mapping[str, Array]) -> tuple[NcnnLayer, ...]:
    """The mean, a vector of ncnn's, is made a map of 1x1."""
    vector = f"{node.name}.vector"
    pooling = NcnnLayer("Pooling", node.inputs, (vector,), {0: 1, 4: 1})
    return pooling, NcnnLayer("Reshape", (vector,), (node.name,), {0: 1, 1: 1, 2: -1})


def _spread(node: Node, weights: Mapping[str, Array]) -> tuple[NcnnLayer, ...]:
    """A vector of ncnn's is what its resize fills a map with."""
    vector, (x, like) = f"{node.name}.vector", node.inputs
    return (
        NcnnLayer("Reshape", (x,), (vector,), {0: -1}),
        NcnnLayer("Interp", (vector, like), (node.name,), {0: 1, 5: 1}),
    )


def _sum(node: Node, weights: Mapping[str, Array]) -> tuple[NcnnLayer, ...]:
    """(a + b) + c: maps of 1x1 stand for every pixel."""
    first, *rest = node.inputs
    layers = []
    for number, term in enumerate(rest, 1):
        name = node.name if number == len(rest) else f"{node.name}.partial{number}"
        layers.append(NcnnLayer("BinaryOp", (first, term), (name,), {0: 0}))
        first = name
    return tuple(layers) or (NcnnLayer("Noop", node.inputs, (node.name,), {}),)


_FORMS: Mapping[str, _Form] = MappingProxyType(
    {
        "vector": _vector,
        "conv2d": _convolution,
        "deconv2d": _deconvolution,
        "batch_norm": _batch_norm,
        "relu": _simple("ReLU", {}),
        "relu6": _clip,
        "clamp": _clip,
        "max_pool": _max_pool,
        "global_mean": _global_mean,
        "spread": _spread,
        "resize": _simple("Interp", {0: 2, 5: 1}),
        "resize_corners": _simple("Interp", {0: 2, 5: 1, 6: 1}),
        "add": _sum,
        "concat": _simple("Concat", {0: 0}),
        "identity": _simple("Noop", {}),
        "softmax": _simple("Softmax", {0: 0, 1: 1}),
        "zero": _simple("BinaryOp", {0: 2, 1: 1, 2: 0.0}),
    }
)
"""Form of each primitive; ncnn's ``ArgMax`` is over all of a map, not over its channels."""
