"""Passes about branches side by side, which training needs and inference does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from auxnas.compiler.ir import Node, Program, make_node
from auxnas.compiler.rewriting import (
    Replacement,
    RewriteContext,
    Sizes,
    fresh_param,
    rewrite,
    single_user,
)
from auxnas.compiler.semantics import BATCH_NORM_EPSILON

Array = np.ndarray[Any, Any]
_SHARED = ("out", "stride", "groups")
"""Attributes that convolutions of one sum have in common."""


@dataclass(frozen=True)
class MergeBranches:
    """W x + V x = (W + V) x: convolutions of one map whose results are added are one.

    A smaller kernel stands in the middle of the largest, among zeros: both read the map at the same
    pixels, and zeros around it, since padding is "same". A batch norm of the map itself,
    s x + (beta - s mean) with s = gamma / sqrt(var + eps), is a 1x1 convolution whose kernel is s
    on the diagonal (Ding et al., 2021, section 3.3). Only where nothing else reads a branch, and
    where the largest kernel is one of them already, so that no work is added.
    """

    name: str = "merge-branches"

    def __call__(self, program: Program) -> Program:
        """Sums have one convolution of each map, of one stride, groups and dilation."""
        graph, params, sizes = program.graph, dict(program.params), Sizes(program.graph)

        def rule(node: Node, seen: RewriteContext) -> Replacement | None:
            if node.op != "add":
                return None
            alone = [seen[name] for name in node.inputs if single_user(graph, name)]
            merged: list[Node] = []
            for into in sorted((n for n in alone if n.op == "conv2d"), key=lambda n: -n["kernel"]):
                channels = sizes.shape(into.inputs[0])[0]
                like = [each for each in alone if _goes_into(each, into, channels)]
                if into in alone and len(like) > 1:
                    merged.append(_merged(into, like, channels, params, seen))
                    alone = [each for each in alone if each not in like]
            kept = {each.name for each in alone}
            rest = [n for n in node.inputs if n in kept or not single_user(graph, n)]
            total = replace(node, inputs=(*(each.name for each in merged), *rest))
            return Replacement((*merged, total), node.name) if merged else None

        rewritten = rewrite(graph, rule)
        return program if rewritten is graph else replace(program, graph=rewritten, params=params)


def _goes_into(node: Node, into: Node, channels: int) -> bool:
    """Whether a branch, of a map of so many channels, can be part of the convolution ``into``."""
    if node.inputs != into.inputs:
        return False
    if node.op == "batch_norm":
        return into["stride"] == 1 and into["out"] == channels
    if node.op != "conv2d" or any(node[name] != into[name] for name in _SHARED):
        return False
    return node["kernel"] <= into["kernel"] and (
        node["kernel"] == 1 or node["dilation"] == into["dilation"]
    )


def _merged(
    into: Node, branches: list[Node], channels: int, params: dict[str, Array], seen: RewriteContext
) -> Node:
    """The convolution that stands for all of ``branches``; its arrays join ``params``."""
    size = into["kernel"]
    weight = params[f"{into.param}.weight"]
    kernel, bias = np.zeros(weight.shape), np.zeros(into["out"])
    for branch in branches:
        part, shift = _as_kernel(branch, weight.shape[1], channels, params)
        margin = (size - part.shape[-1]) // 2
        kernel[:, :, margin : size - margin, margin : size - margin] += part
        bias += shift
    param = fresh_param(f"{into.param}.merged", params)
    params[f"{param}.weight"] = kernel.astype(weight.dtype)
    params[f"{param}.bias"] = bias.astype(weight.dtype)
    name = seen.fresh(f"{into.name}.merged")
    return make_node(name, "conv2d", into.inputs, param, **dict(into.attrs) | {"bias": 1})


def _as_kernel(
    branch: Node, depth: int, channels: int, params: dict[str, Array]
) -> tuple[Array, Array]:
    """Kernel, (out, channels of a group, k, k), and bias of a branch, in float64."""
    if branch.op == "conv2d":
        bias = params[f"{branch.param}.bias"] if branch["bias"] else np.zeros(branch["out"])
        return params[f"{branch.param}.weight"].astype(np.float64), bias.astype(np.float64)
    gamma, beta, mean, var = (
        params[f"{branch.param}.{suffix}"].astype(np.float64)
        for suffix in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(var + BATCH_NORM_EPSILON)
    kernel = np.zeros((channels, depth, 1, 1))
    kernel[np.arange(channels), np.arange(channels) % depth] = scale[:, None, None]
    return kernel, beta - scale * mean
