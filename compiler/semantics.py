"""Semantics of the primitives, in numpy: the definition that everything is held to.

Written to be read, not to be fast; the reference backend runs whole programs with it in
float64, and constant folding uses it on constants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from auxnas.compiler.errors import CompilerError
from auxnas.compiler.ir import Node
from auxnas.compiler.primitives import BATCH_NORM_EPSILON, MOST_LABELS

Array = np.ndarray[Any, Any]
Operands = list[Array]
Params = Mapping[str, Array]

SUFFIXES = ("weight", "bias", "running_mean", "running_var")


def evaluate(node: Node, operands: Operands, params: Params) -> Array:
    """The result of ``node`` on (N, C, H, W) operands, in their precision.

    Args:
        node: any node but an input.
        operands: one array an input.
        params: parameters by full name.

    Raises:
        CompilerError: for labels of more channels than a byte tells apart.
    """
    names = {suffix: f"{node.param}.{suffix}" for suffix in SUFFIXES} if node.param else {}
    dtype = operands[0].dtype if operands else np.float64
    weights = {s: params[n].astype(dtype) for s, n in names.items() if n in params}
    return FUNCTIONS[node.op](node, operands, weights)


def _conv2d(node: Node, operands: Operands, weights: Mapping[str, Array]) -> Array:
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


def _batch_norm(node: Node, operands: Operands, weights: Mapping[str, Array]) -> Array:
    scale = weights["weight"] / np.sqrt(weights["running_var"] + BATCH_NORM_EPSILON)
    shift = weights["bias"] - weights["running_mean"] * scale
    result: Array = operands[0] * scale[:, None, None] + shift[:, None, None]
    return result


def _max_pool(node: Node, operands: Operands, weights: Mapping[str, Array]) -> Array:
    kernel, stride = node["kernel"], node["stride"]
    padded = _padded(operands[0], (kernel - 1) // 2, -np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(2, 3))
    result: Array = windows[:, :, ::stride, ::stride].max(axis=(4, 5))
    return result


def _global_mean(node: Node, operands: Operands, weights: Mapping[str, Array]) -> Array:
    result: Array = operands[0].mean(axis=(2, 3), keepdims=True)
    return result


def _spread(node: Node, operands: Operands, weights: Mapping[str, Array]) -> Array:
    x, like = operands
    return np.broadcast_to(x, (len(like), x.shape[1], *like.shape[2:]))


def _resize(node: Node, operands: Operands, weights: Mapping[str, Array]) -> Array:
    """Bilinear, align_corners=False: output pixel i reads the input at (i + 0.5) r - 0.5."""
    x, like = operands
    for axis in (2, 3):
        size, have = like.shape[axis], x.shape[axis]
        position = (np.arange(size) + 0.5) * (have / size) - 0.5
        x = _interpolated(x, np.clip(position, 0, have - 1), axis)
    return x


def _resize_corners(node: Node, operands: Operands, weights: Mapping[str, Array]) -> Array:
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


def _softmax(node: Node, operands: Operands, weights: Mapping[str, Array]) -> Array:
    powers = np.exp(operands[0] - operands[0].max(axis=1, keepdims=True))
    result: Array = powers / powers.sum(axis=1, keepdims=True)
    return result


def _argmax(node: Node, operands: Operands, weights: Mapping[str, Array]) -> Array:
    """As bytes; of more channels than those tell apart none would be right."""
    channels = operands[0].shape[1]
    if channels > MOST_LABELS:
        raise CompilerError(node.name, f"labels of {channels} channels", f"at most {MOST_LABELS}")
    result: Array = operands[0].argmax(axis=1, keepdims=True).astype(np.uint8)
    return result


def _add(node: Node, operands: Operands, weights: Mapping[str, Array]) -> Array:
    total = operands[0]
    for operand in operands[1:]:
        total = total + operand
    return total


FUNCTIONS: Mapping[str, Callable[[Node, Operands, Mapping[str, Array]], Array]] = {
    "vector": lambda node, operands, weights: weights["weight"],
    "conv2d": _conv2d,
    "batch_norm": _batch_norm,
    "relu": lambda node, operands, weights: np.maximum(operands[0], 0),
    "relu6": lambda node, operands, weights: np.clip(operands[0], 0, 6),
    "max_pool": _max_pool,
    "global_mean": _global_mean,
    "spread": _spread,
    "resize": _resize,
    "resize_corners": _resize_corners,
    "add": _add,
    "concat": lambda node, operands, weights: np.concatenate(operands, axis=1),
    "softmax": _softmax,
    "argmax": _argmax,
    "identity": lambda node, operands, weights: operands[0],
    "zero": lambda node, operands, weights: np.zeros_like(operands[0]),
}
"""One function a primitive, except for ``input``."""
