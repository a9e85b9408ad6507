"""Passes that compute with weights ahead of time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from auxnas.compiler.ir import Node, Program, make_node
from auxnas.compiler.rewriting import fresh_param
from auxnas.compiler.semantics import BATCH_NORM_EPSILON

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class FoldBatchNorm:
    """A batch norm in inference is an affine map per channel, so it goes into the convolution.

    With s = gamma / sqrt(var + eps):
    s (W * x + c - mean) + beta = (s W) * x + (s (c - mean) + beta).
    Each output channel's filter is scaled by its own s, so this holds for grouped, depthwise
    and transposed convolutions too, and at zero-padded borders, because the padding is before
    the convolution. Only where nothing else reads the convolution.
    """

    name: str = "fold-batch-norm"

    def __call__(self, program: Program) -> Program:
        """Every convolution with a batch norm as its only user becomes one with bias."""
        graph, params = program.graph, dict(program.params)
        outputs = {node for _, node in graph.outputs}
        folded: dict[str, Node] = {}
        renamed: dict[str, str] = {}
        for norm in graph.nodes:
            if norm.op != "batch_norm":
                continue
            conv = graph[norm.inputs[0]]
            if (
                conv.record.out_axis is not None
                and graph.users[conv.name] == (norm,)
                and conv.name not in outputs
            ):
                node = self._fold(conv, norm, params)
                folded[conv.name] = node
                renamed[norm.name] = conv.name
        if not folded:
            return program
        nodes = [folded.get(node.name, node) for node in graph.nodes if node.name not in renamed]
        return replace(program, graph=graph.substitute(renamed, nodes), params=params)

    def _fold(self, conv: Node, norm: Node, params: dict[str, Array]) -> Node:
        weight = params[f"{conv.param}.weight"]
        bias = params[f"{conv.param}.bias"].astype(np.float64) if conv["bias"] else 0.0
        gamma, beta, mean, var = (
            params[f"{norm.param}.{suffix}"].astype(np.float64)
            for suffix in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(var + BATCH_NORM_EPSILON)
        along = [-1 if axis == conv.record.out_axis else 1 for axis in range(weight.ndim)]
        name = fresh_param(f"{conv.param}.folded", params)
        params[f"{name}.weight"] = (weight * scale.reshape(along)).astype(weight.dtype)
        params[f"{name}.bias"] = ((bias - mean) * scale + beta).astype(weight.dtype)
        return make_node(conv.name, conv.op, conv.inputs, name, **dict(conv.attrs) | {"bias": 1})
