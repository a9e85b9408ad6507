"""Primitives in torch: each a module where it has weights, a function otherwise.

A function takes the operands in order and the node's attributes by name. Maps are
(N, C, H, W).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from auxnas.compiler import CompilerError, Node
from auxnas.compiler.semantics import BATCH_NORM_EPSILON
from auxnas.genotype.plugins import PluginError, find_plugin


def max_pool(x: Tensor, kernel: int, stride: int) -> Tensor:
    """The largest of each ``kernel`` x ``kernel`` window; what lies outside never is."""
    odd = kernel % 2 == 1
    return F.max_pool2d(x, kernel, stride, (kernel - 1) // 2 * odd, ceil_mode=not odd)


def avg_pool(x: Tensor, kernel: int, stride: int) -> Tensor:
    """The mean of each window's pixels inside the map; see ``semantics``."""
    odd = kernel % 2 == 1
    padding = (kernel - 1) // 2 * odd
    return F.avg_pool2d(x, kernel, stride, padding, not odd, count_include_pad=False)


def global_mean(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C, 1, 1).

    Not ``mean``, whose gradient is written out in full, and in another memory layout
    than channels last, which slows all that reads it.
    """
    return x.sum((2, 3), keepdim=True) / (x.shape[2] * x.shape[3])


def spread(x: Tensor, like: Tensor) -> Tensor:
    """(N or 1, C, 1, 1) to the batch, height and width of ``like``, without a copy."""
    return x.expand(like.shape[0], -1, like.shape[2], like.shape[3])


def resize(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear, half-pixel centres, to the height and width of ``like``."""
    return grow(x, (like.shape[2], like.shape[3]))


def grow(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear, half-pixel centres (align_corners=False), to (height, width)."""
    if x.shape[2:] == size:
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=False)


def resize_corners(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear, corner pixels on corner pixels, to the height and width of ``like``."""
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=True)


def add(*terms: Tensor) -> Tensor:
    """The sum of one or more maps."""
    return reduce(torch.add, terms)


def concat(*maps: Tensor) -> Tensor:
    """All channels of one or more maps, in order."""
    return torch.cat(maps, 1)


def softmax(x: Tensor) -> Tensor:
    """Over the channels."""
    return x.softmax(1)


def argmax(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, 1, H, W) uint8: the channel of the largest value, the first of equals."""
    return x.max(1, keepdim=True).indices.to(torch.uint8)  # argmax is 8 times slower on a CPU


def keypoints(x: Tensor, stride: int) -> Tensor:
    """(N, K, H, W) to (N, K, 3): x, y and value of each map's peak; see ``semantics``."""
    height, width = x.shape[2:]
    flat = x.flatten(2)
    score, best = flat.max(-1)
    column, row = best % width, best // width
    inner = (column > 1) & (column < width - 1) & (row > 1) & (row < height - 1)
    found = []
    for at, step in ((column, 1), (row, width)):
        after, before = (best + step).clamp(max=flat.shape[-1] - 1), (best - step).clamp(min=0)
        slope = flat.gather(2, after[..., None]) - flat.gather(2, before[..., None])
        found.append((at + 0.25 * inner * slope[..., 0].sign()) * (score > 0) * stride)
    return torch.stack([*found, score], -1)


def clamp(x: Tensor, low: int, high: int) -> Tensor:
    """The nearest value from ``low`` to ``high`` thousandths."""
    return x.clamp(low / 1000, high / 1000)


def identity(x: Tensor) -> Tensor:
    """The map itself."""
    return x


def from_bytes(x: Tensor) -> Tensor:
    """(N, H, W, C) uint8 to (N, C, H, W) float32, 0..255, channels last as it came."""
    return x.permute(0, 3, 1, 2).float()


FUNCTIONS: Mapping[str, Callable[..., Tensor]] = MappingProxyType(
    {
        "relu": F.relu,
        "relu6": F.relu6,
        "clamp": clamp,
        "sigmoid": torch.sigmoid,
        "hard_sigmoid": F.hardsigmoid,
        "silu": F.silu,
        "hard_swish": F.hardswish,
        "gelu": F.gelu,
        "max_pool": max_pool,
        "avg_pool": avg_pool,
        "global_mean": global_mean,
        "spread": spread,
        "resize": resize,
        "resize_corners": resize_corners,
        "add": add,
        "mul": torch.mul,
        "concat": concat,
        "softmax": softmax,
        "argmax": argmax,
        "keypoints": keypoints,
        "identity": identity,
        "zero": torch.zeros_like,
    }
)
"""The primitives without weights."""


def conv2d(node: Node, channels: Sequence[int]) -> nn.Module:
    """A convolution with "same" padding."""
    return nn.Conv2d(
        channels[0],
        node["out"],
        node["kernel"],
        stride=node["stride"],
        padding=node["dilation"] * (node["kernel"] - 1) // 2,
        dilation=node["dilation"],
        groups=node["groups"],
        bias=bool(node["bias"]),
        device="meta",
    )


def deconv2d(node: Node, channels: Sequence[int]) -> nn.Module:
    """A transposed convolution whose output is ``stride`` times as large."""
    return nn.ConvTranspose2d(
        channels[0],
        node["out"],
        node["kernel"],
        stride=node["stride"],
        padding=(node["kernel"] - node["stride"]) // 2,
        bias=bool(node["bias"]),
        device="meta",
    )


def batch_norm(node: Node, channels: Sequence[int]) -> nn.Module:
    """A batch norm."""
    return nn.BatchNorm2d(channels[0], eps=BATCH_NORM_EPSILON, device="meta")


class ConstantVector(nn.Module):
    """A constant that is itself the output, (1, C, 1, 1)."""

    weight: Tensor

    def __init__(self, node: Node, channels: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("weight", torch.empty(1, node["channels"], 1, 1, device="meta"))

    def forward(self) -> Tensor:
        """The vector."""
        return self.weight


MODULES: Mapping[str, Callable[[Node, Sequence[int]], nn.Module]] = MappingProxyType(
    {
        "conv2d": conv2d,
        "deconv2d": deconv2d,
        "batch_norm": batch_norm,
        "vector": ConstantVector,
    }
)
"""The primitives with weights: a module for maps of the operands' channels, without storage."""


def form_of(node: Node) -> Callable[..., Any]:
    """Form of a node in torch: a function, or a factory of a module where it has weights.

    Raises:
        CompilerError: for a primitive without a form in torch, or with one that cannot be found.
    """
    own = node.record.torch
    if isinstance(own, str):
        try:
            own = find_plugin("torch", own, {})
        except PluginError as error:
            raise CompilerError(node.name, str(error)) from None
    found = own or FUNCTIONS.get(node.op) or MODULES.get(node.op)
    if found is None:
        raise CompilerError(node.name, f"primitive {node.op!r} has no form in torch")
    return found
