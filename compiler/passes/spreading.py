"""Passes about maps that are the same at every pixel: gap's, and what zero leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from auxnas.compiler.ir import Node, Program, make_node
from auxnas.compiler.rewriting import Replacement, RewriteContext, fresh_param, rewrite
from auxnas.compiler.semantics import evaluate_node

Array = np.ndarray[Any, Any]


def _is_same_at_every_pixel(node: Node) -> bool:
    """Whether one pixel of the output needs the same pixel of the one input alone.

    What gives another type than numbers, labels for one, can only be an output.
    """
    if node.op == "conv2d":
        return node["kernel"] == 1 and node["stride"] == 1
    return _gives_numbers(node) and node.record.pointwise and len(node.inputs) == 1


def _gives_numbers(node: Node) -> bool:
    return node.record.result == "float32"


@dataclass(frozen=True)
class SinkSpread:
    """Work on a spread map is done once, before it is spread.

    With S(v) the 1x1 map v at every pixel: f(S(v)) = S(f(v)) for f that maps pixels one
    by one (batch norm, ReLU, a 1x1 convolution); mean(S(v)) = v; resize(S(v)) = S(v) at
    the new size, because bilinear weights sum to 1; S(a) + S(b) = S(a + b), and S(a) + b = S(a + b)
    where b is a 1x1 map.
    A larger convolution stays: at the border it sees padding. A constant v is one for all
    images, so that its mean stays spread: over the means of what it was spread to.
    """

    name: str = "sink-spread"

    def __call__(self, program: Program) -> Program:
        """Spreads move towards the outputs."""
        return replace(program, graph=rewrite(program.graph, self._rule))

    def _rule(self, node: Node, seen: RewriteContext) -> Replacement | None:
        spreads = [seen[name] for name in node.inputs if seen[name].op == "spread"]
        if not spreads or (node.record.size_from == 1 and seen[node.inputs[0]].op != "spread"):
            return None
        first = spreads[0]
        if node.op == "global_mean":
            return self._mean(node, first, seen)
        if node.op in ("resize", "spread"):
            return Replacement(
                (replace(node, op="spread", inputs=(first.inputs[0], node.inputs[1]), attrs=()),),
                node.name,
            )
        if node.op == "add":
            return self._sum(node, spreads, seen)
        return self._before(node, first, seen) if _is_same_at_every_pixel(node) else None

    def _mean(self, node: Node, spread: Node, seen: RewriteContext) -> Replacement | None:
        point, like = spread.inputs
        if point not in seen.constants:
            return Replacement((), point)
        if seen[like].op == "global_mean":
            return Replacement((), spread.name)
        size = make_node(seen.fresh(f"{node.name}.size"), "global_mean", (like,))
        return Replacement(
            (size, replace(spread, name=node.name, inputs=(point, size.name))), node.name
        )

    def _before(self, node: Node, spread: Node, seen: RewriteContext) -> Replacement:
        point = replace(node, inputs=(spread.inputs[0],))
        name = seen.fresh(f"{node.name}.spread")
        after = make_node(name, "spread", (node.name, spread.inputs[1]))
        return Replacement((point, after), after.name)

    def _sum(self, node: Node, spreads: list[Node], seen: RewriteContext) -> Replacement | None:
        point = {spread.name: spread.inputs[0] for spread in spreads}
        rest = tuple(name for name in node.inputs if name not in point)
        if seen.points.issuperset(rest):
            point |= {name: name for name in rest}
            rest = ()
        elif len(spreads) == 1:
            return None
        points = [point[name] for name in node.inputs if name in point]
        total = make_node(seen.fresh(f"{node.name}.points"), "add", points)
        likes = [spread.inputs[1] for spread in spreads]
        largest = min(likes, key=lambda like: (like in seen.points, like in seen.constants))
        if not rest and largest in seen.points and not seen.constants.issuperset(points):
            return Replacement((total,), total.name)
        spread = make_node(seen.fresh(f"{node.name}.spread"), "spread", (total.name, largest))
        if not rest:
            return Replacement((total, spread), spread.name)
        return Replacement((total, spread, replace(node, inputs=(*rest, spread.name))), node.name)


@dataclass(frozen=True)
class FoldConstant:
    """Compute now all that depends on no input.

    zero(x) is the vector 0 spread to x's size. A convolution without bias maps it to 0,
    padding included, and one with bias to its bias; a batch norm maps 0 to
    beta - mean gamma / sqrt(var + eps), which is not 0. Any primitive whose operands all
    are constant 1x1 maps gives one, but for labels. Terms that are 0 drop out of sums, but for
    one that alone gives its sum the full size, x + S(0) = S(x) for a 1x1 map x, or its batch.
    """

    name: str = "fold-constant"

    def __call__(self, program: Program) -> Program:
        """Constants become ``vector`` nodes."""
        params = dict(program.params)
        graph = rewrite(program.graph, lambda node, seen: self._rule(node, seen, params))
        return program if graph is program.graph else replace(program, graph=graph, params=params)

    def _rule(
        self, node: Node, seen: RewriteContext, params: dict[str, Array]
    ) -> Replacement | None:
        if node.op == "zero":
            return self._zero(node, seen, params)
        if node.op == "add":
            kept = tuple(name for name in node.inputs if not _is_zero(seen[name], seen, params))
            point = seen.points.issuperset(kept) and not seen.points.issuperset(node.inputs)
            shrinks = point or seen.constants.issuperset(kept)
            if 0 < len(kept) < len(node.inputs) and not shrinks:
                return Replacement((replace(node, inputs=kept),), node.name)
        if node.op == "conv2d" and _is_zero(seen[node.inputs[0]], seen, params):
            return self._bias(node, seen, params)
        operands = [seen[name] for name in node.inputs]
        foldable = bool(operands) and all(operand.op == "vector" for operand in operands)
        if foldable and _gives_numbers(node) and not node.record.grows:
            values = [params[f"{operand.param}.weight"] for operand in operands]
            return Replacement(
                (_vector(node.name, evaluate_node(node, values, params), params),), node.name
            )
        return None

    def _zero(self, node: Node, seen: RewriteContext, params: dict[str, Array]) -> Replacement:
        channels = _channels(node.inputs[0], seen)
        name = seen.fresh(f"{node.name}.point")
        point = _vector(name, np.zeros((1, channels, 1, 1)), params)
        return Replacement(
            (point, make_node(node.name, "spread", (point.name, node.inputs[0]))), node.name
        )

    def _bias(
        self, node: Node, seen: RewriteContext, params: dict[str, Array]
    ) -> Replacement | None:
        if node["stride"] != 1:
            return None
        value = params[f"{node.param}.bias"] if node["bias"] else np.zeros(node["out"])
        source = seen[node.inputs[0]]
        if source.op == "vector":
            return Replacement((_vector(node.name, value, params),), node.name)
        point = _vector(seen.fresh(f"{node.name}.point"), value, params)
        return Replacement(
            (point, make_node(node.name, "spread", (point.name, source.inputs[1]))), node.name
        )


def _channels(name: str, seen: RewriteContext) -> int:
    """Channels of a node, followed back to where they are said."""
    node = seen[name]
    for attribute in ("out", "channels"):
        if attribute in dict(node.attrs):
            return node[attribute]
    if node.op == "concat":
        return sum(_channels(i, seen) for i in node.inputs)
    return _channels(node.inputs[0], seen)


def _vector(name: str, value: Array, params: dict[str, Array]) -> Node:
    """A ``vector`` node holding ``value``; its array joins ``params``."""
    dtype = next(iter(params.values())).dtype
    param = fresh_param(name, params)
    params[f"{param}.weight"] = np.asarray(value, dtype).reshape(1, -1, 1, 1)
    return make_node(name, "vector", (), param, channels=value.size)


def _is_zero(node: Node, seen: RewriteContext, params: Mapping[str, Array]) -> bool:
    if node.op == "spread":
        node = seen[node.inputs[0]]
    return node.op == "vector" and not params[f"{node.param}.weight"].any()


@dataclass(frozen=True)
class BroadcastSum:
    """x + S(v) = x + v broadcast: the map that is the same at every pixel is not made.

    Only where another term has the full size.
    """

    name: str = "broadcast-sum"

    def __call__(self, program: Program) -> Program:
        """Sums read 1x1 maps."""

        def rule(node: Node, seen: RewriteContext) -> Replacement | None:
            if node.op != "add":
                return None
            spread = [seen[name].op == "spread" for name in node.inputs]
            full = [
                not s and n not in seen.points for n, s in zip(node.inputs, spread, strict=True)
            ]
            if not any(spread) or not any(full):
                return None
            inputs = [seen[n].inputs[0] if seen[n].op == "spread" else n for n in node.inputs]
            return Replacement((replace(node, inputs=tuple(inputs)),), node.name)

        return replace(program, graph=rewrite(program.graph, rule))
