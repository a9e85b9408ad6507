"""Passes about sums, concatenations and what is linear around them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
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

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class FlattenSum:
    """(a + b) + c = a + b + c, where nothing else reads a + b."""

    name: str = "flatten-sum"

    def __call__(self, program: Program) -> Program:
        """Nested sums become one with all terms."""
        graph, sizes = program.graph, Sizes(program.graph)

        def rule(node: Node, seen: RewriteContext) -> Replacement | None:
            inner = [
                name
                for name in node.inputs
                if seen[name].op == "add"
                and single_user(graph, name)
                and sizes.same(name, node.name)
            ]
            if node.op != "add" or not inner:
                return None
            terms = [t for n in node.inputs for t in (seen[n].inputs if n in inner else (n,))]
            return Replacement((replace(node, inputs=tuple(terms)),), node.name)

        return replace(program, graph=rewrite(graph, rule))


@dataclass(frozen=True)
class RemoveRelu:
    """relu(x) = x where x is never negative.

    A ReLU's output is >= 0; a sum, a concatenation, a bilinear resize, a mean, a maximum
    or a spread of maps >= 0 is >= 0 (their weights are >= 0). The ReLU before the last
    1x1 convolution reads a concatenation of such sums.
    """

    name: str = "remove-relu"

    def __call__(self, program: Program) -> Program:
        """Users of such a ReLU read its operand."""
        nonnegative: set[str] = set()
        new: dict[str, str] = {}
        for node in program.graph.nodes:
            maps = node.inputs[: node.record.size_from]
            kept = node.record.keeps_nonnegative and bool(maps) and nonnegative.issuperset(maps)
            if node.op == "relu" and nonnegative.issuperset(node.inputs):
                new[node.name] = node.inputs[0]
            positive_vector = (
                node.op == "vector" and (program.params[f"{node.param}.weight"] >= 0).all()
            )
            if kept or node.record.makes_nonnegative or positive_vector:
                nonnegative.add(node.name)
        return replace(program, graph=program.graph.substitute(new).live()) if new else program


@dataclass(frozen=True)
class SplitConv:
    """A 1x1 convolution over a concatenation is a sum of 1x1 convolutions.

    With W = [W_1 ... W_n] by input channels: W concat(x_1, ..., x_n) + c =
    (W_1 x_1 + c) + W_2 x_2 + ... + W_n x_n. Alone this saves nothing but the
    concatenation; it lets each part move below its own resize, so it is done where one
    of the parts is a resize that the convolution would make smaller.
    """

    name: str = "split-conv"

    def __call__(self, program: Program) -> Program:
        """Such a convolution becomes one a part, and their sum."""
        graph, params = program.graph, dict(program.params)
        sizes = Sizes(graph)

        def rule(node: Node, seen: RewriteContext) -> Replacement | None:
            if not _is_mixing(node):
                return None
            source = seen[node.inputs[0]]
            if source.op != "concat" or not single_user(graph, source.name):
                return None
            widths = [sizes.shape(name)[0] for name in source.inputs]
            resized = [
                w for w, n in zip(widths, source.inputs, strict=True) if seen[n].op == "resize"
            ]
            if not resized or node["out"] > max(resized):
                return None
            return self._split(node, source, widths, params, seen)

        rewritten = rewrite(graph, rule)
        return program if rewritten is graph else replace(program, graph=rewritten, params=params)

    def _split(
        self,
        node: Node,
        source: Node,
        widths: list[int],
        params: dict[str, Array],
        seen: RewriteContext,
    ) -> Replacement:
        weight = params[f"{node.param}.weight"]
        parts, start = [], 0
        for index, (name, width) in enumerate(zip(source.inputs, widths, strict=True)):
            param = fresh_param(f"{node.param}.part{index}", params)
            params[f"{param}.weight"] = weight[:, start : start + width].copy()
            bias = node["bias"] if index == len(widths) - 1 else 0
            if bias:
                params[f"{param}.bias"] = params[f"{node.param}.bias"]
            attrs = dict(node.attrs) | {"bias": bias}
            part = seen.fresh(f"{node.name}.part{index}")
            parts.append(make_node(part, "conv2d", [name], param, **attrs))
            start += width
        total = make_node(node.name, "add", [part.name for part in parts])
        return Replacement((*parts, total), total.name)


@dataclass(frozen=True)
class LowerConv:
    """A 1x1 convolution of a resized map is the resized convolution.

    Bilinear weights sum to 1 and act on every channel alike, so both linear maps commute
    and a bias passes through: W R(x) + c = R(W x + c). Done where the map grows and the
    convolution does not add channels: then both it and the resize cost less.
    """

    name: str = "lower-conv"

    def __call__(self, program: Program) -> Program:
        """Such convolutions run at the lower resolution."""
        graph, sizes = program.graph, Sizes(program.graph)

        def rule(node: Node, seen: RewriteContext) -> Replacement | None:
            if not _is_mixing(node):
                return None
            source = seen[node.inputs[0]]
            if source.op != "resize" or not single_user(graph, source.name):
                return None
            small, large = (prod(sizes.shape(n)[1:]) for n in source.inputs)
            if small >= large or node["out"] > sizes.shape(source.name)[0]:
                return None
            conv = replace(node, name=seen.fresh(f"{node.name}.low"), inputs=source.inputs[:1])
            grown = make_node(node.name, "resize", (conv.name, source.inputs[1]))
            return Replacement((conv, grown), grown.name)

        return replace(program, graph=rewrite(graph, rule))


@dataclass(frozen=True)
class MergeResize:
    """R(a) + R(b) = R(a + b) for maps a and b of one size, grown to one size."""

    name: str = "merge-resize"

    def __call__(self, program: Program) -> Program:
        """Such summands are added before they grow."""
        graph, sizes = program.graph, Sizes(program.graph)

        def rule(node: Node, seen: RewriteContext) -> Replacement | None:
            if node.op != "add":
                return None
            grown = [n for n in node.inputs if seen[n].op == "resize" and single_user(graph, n)]
            for first in grown:
                like = [n for n in grown if sizes.same(seen[n].inputs[0], seen[first].inputs[0])]
                if len(like) > 1:
                    return self._merge(node, like, seen)
            return None

        return replace(program, graph=rewrite(graph, rule))

    def _merge(self, node: Node, like: list[str], seen: RewriteContext) -> Replacement:
        small = make_node(
            seen.fresh(f"{like[0]}.sum"), "add", [seen[name].inputs[0] for name in like]
        )
        grown = make_node(
            seen.fresh(f"{like[0]}.of_sum"), "resize", (small.name, seen[like[0]].inputs[1])
        )
        rest = [name for name in node.inputs if name not in like]
        total = replace(node, inputs=(*rest, grown.name))
        return Replacement((small, grown, total), total.name)


def _is_mixing(node: Node) -> bool:
    """A 1x1 convolution over all channels."""
    return node.op == "conv2d" and node["kernel"] == node["stride"] == node["groups"] == 1
