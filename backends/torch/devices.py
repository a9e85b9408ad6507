"""Devices of tensors, and the way there and back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from auxnas.backends.base import PLACE
from auxnas.compiler import Graph, Node

Array = np.ndarray[Any, Any]

_TENSOR_CORES, _BFLOAT16 = (7, 0), (8, 0)
"""Compute capabilities that GPUs have tensor cores from, and bf16 in them."""


def choose_device(name: str | torch.device | None) -> torch.device:
    """The named device; without a name, CUDA where there is one, else the CPU.

    Of several GPUs, if none is named by its number, a process has that of its ``PLACE``.
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    found = torch.device(name)
    if str(found) == "cuda" and (count := torch.cuda.device_count()) > 1:
        return torch.device("cuda", int(os.environ.get(PLACE, 0)) % count)
    return found


def choose_precision(wanted: str, device: torch.device) -> str:
    """``fp32``, ``bf16`` or ``fp16``: the one wanted, for ``auto`` the one that gains on a device.

    That is bf16 on GPUs that have it, fp16 on older ones with tensor cores, and fp32 elsewhere.
    """
    if wanted != "auto":
        return wanted
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < _TENSOR_CORES:
        return "fp32"
    return "bf16" if torch.cuda.get_device_capability(device) >= _BFLOAT16 else "fp16"


def keep_depthwise_full(module: nn.Module) -> None:
    """Takes depthwise convolutions out of autocast, which they gain nothing from on a processor.

    Gradients of dilated ones' weights would be made of memory that nobody wrote (torch 2.13 in
    bfloat16): others each time, and some not finite.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d) and layer.groups > 1:
            layer.forward = partial(_in_full, layer)  # type: ignore[method-assign]


def _in_full(layer: nn.Conv2d, maps: Tensor) -> Tensor:
    with torch.autocast(maps.device.type, enabled=False):
        return nn.Conv2d.forward(layer, maps.float())


def to_tensor(array: Array, dtype: type[np.generic] | np.dtype[Any] = np.float32) -> Tensor:
    """A CPU tensor of ``array``, which is copied only where torch could not share it."""
    return torch.from_numpy(np.require(array, dtype, ["C", "W"]))


def place_module(module: fx.GraphModule, device: torch.device) -> fx.GraphModule:
    """The module on ``device``, weights channels last: a third less time a step on a CPU."""
    module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


def input_tensors(graph: Graph, inputs: Mapping[str, Array], device: torch.device) -> list[Tensor]:
    """Tensors on ``device`` in the order of the graph's inputs, maps channels last.

    Raises:
        ValueError: naming the first input that is missing or has the wrong shape.
    """
    tensors = [_input_tensor(node, inputs).to(device) for node in graph.inputs]
    layout = torch.channels_last
    return [t.contiguous(memory_format=layout) if t.is_floating_point() else t for t in tensors]


def _input_tensor(node: Node, inputs: Mapping[str, Array]) -> Tensor:
    """(N, C, H, W) float32, or (N, H, W, C) uint8 for an input with ``bytes``."""
    if node.name not in inputs:
        found = ", ".join(inputs) or "none"
        raise ValueError(f"input {node.name!r}: missing, found {found}")
    array, channels, has_bytes = inputs[node.name], node["channels"], node["bytes"]
    if array.ndim != 4 or array.shape[3 if has_bytes else 1] != channels:
        expected = f"(N, H, W, {channels})" if has_bytes else f"(N, {channels}, H, W)"
        raise ValueError(f"input {node.name!r}: shape {array.shape}, expected {expected}")
    return to_tensor(array, np.uint8 if has_bytes else np.float32)
