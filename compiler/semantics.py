"""Semantics of the primitives, in numpy: the definition that everything is held to.

Written to be read, not to be fast; the reference backend runs whole programs with it in
float64, and constant folding uses it on constants. A function takes the node, its operands
(N, C, H, W) and its parameters by suffix; the primitives' records name them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import erf
from typing import TYPE_CHECKING, Any

import numpy as np

from auxnas.compiler.errors import CompilerError

if TYPE_CHECKING:
    from auxnas.compiler.ir import Node

Array = np.ndarray[Any, Any]
Operands = list[Array]
Params = Mapping[str, Array]
Compute = Callable[["Node", Operands, Params], Array]
"""Definition of a primitive: the node, its operands and its parameters by suffix."""

BATCH_NORM_EPSILON = 1e-5
MOST_LABELS = 256
"""Largest number of classes that a label of one byte tells apart."""


def evaluate_node(node: Node, operands: Operands, params: Params) -> Array:
    """The result of ``node`` on (N, C, H, W) operands, in their precision.

    Args:
        node: any node but an input.
        operands: one array an input.
        params: parameters by full name.

    Raises:
        CompilerError: for labels of more channels than a byte tells apart.
    """
    record = node.record
    if record.compute is None:
        raise CompilerError(node.name, f"no value of its own for {node.op}")
    rule, channels = record.weights, [operand.shape[1] for operand in operands]
    suffixes = () if rule is None else rule(dict(node.attrs), channels)
    dtype = operands[0].dtype if operands else np.float64
    weights = {suffix: params[f"{node.param}.{suffix}"].astype(dtype) for suffix in suffixes}
    return record.compute(node, operands, weights)


def vector(node: Node, operands: Operands, weights: Params) -> Array:
    """The constant, (1, C, 1, 1)."""
    return weights["weight"]


def conv2d(node: Node, operands: Operands, weights: Params) -> Array:
    """Sum over the kernel's taps of a matrix product with the shifted input."""
    (x,), kernel = operands, weights["weight"]
    groups, stride, dilation = node["groups"], node["stride"], node["dilation"]
    n, channels, height, width = x.shape
    out_size = -(-height // stride), -(-width // stride)
    padded = _padded(x, dilation * (node["kernel"] - 1) // 2, 0.0)
    out = np.zeros((n, groups, node["out"] // groups, *out_size), x.dtype)
    for i in range(node["kernel"]):
        for j in range(node["kernel"]):
            rows = slice(i * dilation, i * dilation + (out_size[0] - 1) * stride + 1, stride)
            columns = slice(j * dilation, j * dilation + (out_size[1] - 1) * stride + 1, stride)
            tap = padded[:, :, rows, columns]
            tap = tap.reshape(n, groups, channels // groups, *out_size)
            out += _mixed(kernel[:, :, i, j].reshape(groups, -1, channels // groups), tap)
    result = out.reshape(n, node["out"], *out_size)
    return result + weights["bias"][:, None, None] if node["bias"] else result


def deconv2d(node: Node, operands: Operands, weights: Params) -> Array:
    """Each input pixel times the kernel, added up around pixel ``stride`` times as far."""
    (x,), kernel = operands, weights["weight"]
    stride, taps = node["stride"], node["kernel"]
    n, channels, height, width = x.shape
    margin = (taps - stride) // 2
    grown = (height * stride + 2 * margin, width * stride + 2 * margin)
    out = np.zeros((n, node["out"], *grown), x.dtype)
    flat = x.reshape(n, channels, height * width)
    for i in range(taps):
        for j in range(taps):
            rows = slice(i, i + (height - 1) * stride + 1, stride)
            columns = slice(j, j + (width - 1) * stride + 1, stride)
            part = kernel[:, :, i, j].T @ flat
            out[:, :, rows, columns] += part.reshape(n, -1, height, width)
    result = out[:, :, margin : grown[0] - margin, margin : grown[1] - margin]
    return result + weights["bias"][:, None, None] if node["bias"] else result


def _mixed(matrix: Array, maps: Array) -> Array:
    """Channels mixed within each group: (G, O, I) x (N, G, I, H, W) -> (N, G, O, H, W)."""
    n, groups, inner, height, width = maps.shape
    if matrix.shape[1:] == (1, 1):
        product: Array = maps * matrix[:, :, :, None]
        return product
    flat = matrix @ maps.reshape(n, groups, inner, height * width)
    return flat.reshape(n, groups, -1, height, width)


def _padded(x: Array, by: int, value: float) -> Array:
    return np.pad(x, ((0, 0), (0, 0), (by, by), (by, by)), constant_values=value)


def batch_norm(node: Node, operands: Operands, weights: Params) -> Array:
    """Scaled and shifted to weight and bias, from the running mean and variance."""
    scale = weights["weight"] / np.sqrt(weights["running_var"] + BATCH_NORM_EPSILON)
    shift = weights["bias"] - weights["running_mean"] * scale
    result: Array = operands[0] * scale[:, None, None] + shift[:, None, None]
    return result


def max_pool(node: Node, operands: Operands, weights: Params) -> Array:
    """The largest of each window; what lies outside never is."""
    result: Array = _windows(operands[0], node, -np.inf).max(axis=(4, 5))
    return result


def avg_pool(node: Node, operands: Operands, weights: Params) -> Array:
    """The mean of each window's pixels inside the map."""
    (x,) = operands
    count = _windows(np.ones_like(x[:1, :1]), node, 0).sum(axis=(4, 5))
    result: Array = _windows(x, node, 0).sum(axis=(4, 5)) / count
    return result


def _windows(x: Array, node: Node, outside: float) -> Array:
    """(N, C, H / stride, W / stride, kernel, kernel): around a pixel, or blocks of an even side."""
    kernel, stride = node["kernel"], node["stride"]
    before = (kernel - 1) // 2 * (kernel % 2)
    margins = ((0, 0), (0, 0), (before, kernel), (before, kernel))
    padded = np.pad(x, margins, constant_values=outside)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(2, 3))
    rows, columns = (-(-side // stride) for side in x.shape[2:])
    result: Array = windows[:, :, ::stride, ::stride][:, :, :rows, :columns]
    return result


def global_mean(node: Node, operands: Operands, weights: Params) -> Array:
    """(N, C, H, W) to (N, C, 1, 1)."""
    result: Array = operands[0].mean(axis=(2, 3), keepdims=True)
    return result


def spread(node: Node, operands: Operands, weights: Params) -> Array:
    """(N or 1, C, 1, 1) to the size and batch of the second operand."""
    x, like = operands
    return np.broadcast_to(x, (len(like), x.shape[1], *like.shape[2:]))


def resize(node: Node, operands: Operands, weights: Params) -> Array:
    """Bilinear, align_corners=False: output pixel i reads the input at (i + 0.5) r - 0.5."""
    x, like = operands
    for axis in (2, 3):
        size, have = like.shape[axis], x.shape[axis]
        position = (np.arange(size) + 0.5) * (have / size) - 0.5
        x = _interpolated(x, np.clip(position, 0, have - 1), axis)
    return x


def resize_corners(node: Node, operands: Operands, weights: Params) -> Array:
    """Bilinear, align_corners=True: the outermost pixels' centres lie on each other."""
    x, like = operands
    for axis in (2, 3):
        size, have = like.shape[axis], x.shape[axis]
        x = _interpolated(x, np.arange(size) * ((have - 1) / max(size - 1, 1)), axis)
    return x


def _interpolated(x: Array, position: Array, axis: int) -> Array:
    """``x`` read between its pixels along ``axis``."""
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, x.shape[axis] - 1)
    shape = [1] * x.ndim
    shape[axis] = len(position)
    weight = (position - low).reshape(shape).astype(x.dtype)
    result: Array = np.take(x, low, axis) * (1 - weight) + np.take(x, high, axis) * weight
    return result


def softmax(node: Node, operands: Operands, weights: Params) -> Array:
    """Over the channels."""
    powers = np.exp(operands[0] - operands[0].max(axis=1, keepdims=True))
    result: Array = powers / powers.sum(axis=1, keepdims=True)
    return result


def argmax(node: Node, operands: Operands, weights: Params) -> Array:
    """As bytes; of more channels than those tell apart none would be right."""
    channels = operands[0].shape[1]
    if channels > MOST_LABELS:
        raise CompilerError(node.name, f"labels of {channels} channels", f"at most {MOST_LABELS}")
    result: Array = operands[0].argmax(axis=1, keepdims=True).astype(np.uint8)
    return result


def keypoints(node: Node, operands: Operands, weights: Params) -> Array:
    """(N, K, 3): x, y and value of each map's largest number, the first of equals.

    A quarter of a cell is added towards the larger neighbour on each axis where those on both
    axes are inside the map and none of them on its first row or column; (0, 0) where nothing
    is above 0. The result is multiplied by ``stride``, without half pixels.
    """
    (maps,) = operands
    n, channels, height, width = maps.shape
    flat = maps.reshape(n, channels, -1)
    best = flat.argmax(-1)
    y, x = np.divmod(best, width)
    steps = (1, width)
    inner = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
    score = flat.max(-1)

    def beside(step: int) -> Array:
        places = np.clip(best + step, 0, flat.shape[-1] - 1)
        return np.take_along_axis(flat, places[..., None], -1)[..., 0]

    place = [
        (at + 0.25 * inner * np.sign(beside(step) - beside(-step))) * node["stride"]
        for at, step in zip((x, y), steps, strict=True)
    ]
    result: Array = np.stack([*(each * (score > 0) for each in place), score], -1)
    return result.astype(maps.dtype)


def add(node: Node, operands: Operands, weights: Params) -> Array:
    """The sum of one or more operands."""
    total = operands[0]
    for operand in operands[1:]:
        total = total + operand
    return total


def mul(node: Node, operands: Operands, weights: Params) -> Array:
    """The product of two operands, of which one may be a map of 1x1: a gate."""
    return operands[0] * operands[1]


def relu(node: Node, operands: Operands, weights: Params) -> Array:
    """``max(x, 0)``."""
    result: Array = np.maximum(operands[0], 0)
    return result


def clamp(node: Node, operands: Operands, weights: Params) -> Array:
    """The nearest value from ``low`` to ``high`` thousandths."""
    return np.clip(operands[0], node["low"] / 1000, node["high"] / 1000)


def relu6(node: Node, operands: Operands, weights: Params) -> Array:
    """``min(max(x, 0), 6)``."""
    result: Array = np.clip(operands[0], 0, 6)
    return result


def sigmoid(node: Node, operands: Operands, weights: Params) -> Array:
    """``1 / (1 + exp(-x))``."""
    result: Array = 0.5 * (1 + np.tanh(0.5 * operands[0]))
    return result


def hard_sigmoid(node: Node, operands: Operands, weights: Params) -> Array:
    """``min(max(x + 3, 0), 6) / 6``."""
    result: Array = np.clip(operands[0] / 6 + 0.5, 0, 1)
    return result


def silu(node: Node, operands: Operands, weights: Params) -> Array:
    """``x sigmoid(x)``, which is called swish, too."""
    return operands[0] * sigmoid(node, operands, weights)


def hard_swish(node: Node, operands: Operands, weights: Params) -> Array:
    """``x hard_sigmoid(x)``."""
    return operands[0] * hard_sigmoid(node, operands, weights)


def gelu(node: Node, operands: Operands, weights: Params) -> Array:
    """x times the normal distribution's share below x."""
    (x,) = operands
    result: Array = x * 0.5 * (1 + np.vectorize(erf, otypes=[x.dtype])(x * 0.5**0.5))
    return result


def concat(node: Node, operands: Operands, weights: Params) -> Array:
    """All channels of the operands, in order."""
    result: Array = np.concatenate(operands, axis=1)
    return result


def identity(node: Node, operands: Operands, weights: Params) -> Array:
    """The operand itself."""
    return operands[0]


def zero(node: Node, operands: Operands, weights: Params) -> Array:
    """0 everywhere."""
    result: Array = np.zeros_like(operands[0])
    return result
