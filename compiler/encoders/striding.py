"""Encoders with finer last maps: strides left out, and the kernels behind them dilated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from auxnas.compiler.builder import Builder
from auxnas.compiler.encoders.base import Encoder, FeatureMap
from auxnas.compiler.encoders.contract import encoder_place, lower_encoder
from auxnas.compiler.errors import CompilerError
from auxnas.compiler.ir import Node, make_node


def lower_at_stride(encoder: Encoder, most: int) -> tuple[Builder, tuple[FeatureMap, ...]]:
    """``encoder`` behind the node ``image``, with no map coarser than stride ``most``.

    Its parameters are the same, and every map, read at the pixels of its usual stride, has the
    values that it usually has (Chen et al., 2017, section 3.1).

    Raises:
        CompilerError: as ``lower_encoder``, or naming a node that would have to be dilated and
            cannot.
    """
    builder = Builder()
    maps = lower_encoder(encoder, builder)
    try:
        nodes, strides = limit_strides(builder.nodes, most)
    except CompilerError as error:
        place = f"{encoder_place(encoder)}: {error.place}"
        raise CompilerError(place, error.found, error.expected) from None
    return Builder(nodes), tuple(replace(each, stride=strides[each.node]) for each in maps)


def limit_strides(nodes: Sequence[Node], most: int) -> tuple[list[Node], dict[str, int]]:
    """``nodes`` with no stride beyond ``most``, and the stride of each node's map.

    A stride s that would lead beyond is left out, and every kernel behind it reads pixels s times
    as far apart; the kernel whose own stride it is does not.

    Raises:
        CompilerError: naming a node with a kernel that cannot be dilated.
    """
    found: list[Node] = []
    strides: dict[str, int] = {}
    rates: dict[str, int] = {}
    for node in nodes:
        like = node.inputs[node.record.size_from or 0] if node.inputs else None
        stride, rate = (strides[like], rates[like]) if like else (1, 1)
        step = dict(node.attrs).get("stride", 1)
        kept = step if stride * step <= most else 1
        found.append(_strided(node, kept, rate))
        strides[node.name], rates[node.name] = stride * kept, rate * step // kept
    return found, strides


def _strided(node: Node, stride: int, rate: int) -> Node:
    """``node`` with another stride, its kernel ``rate`` times as far apart."""
    attrs = dict(node.attrs)
    if attrs.get("kernel", 1) > 1 and rate > 1:
        if "dilation" not in attrs:
            expected = "a primitive with a dilation behind a stride that is left out"
            raise CompilerError(node.name, node.op, expected)
        attrs["dilation"] *= rate
    if "stride" in attrs:
        attrs["stride"] = stride
    return make_node(node.name, node.op, node.inputs, node.param, **attrs)
