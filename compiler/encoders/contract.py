"""Encoders in a graph, held to their contract."""

from __future__ import annotations

from collections.abc import Sequence

from auxnas.compiler.builder import Builder
from auxnas.compiler.encoders.base import PREFIX, Encoder, FeatureMap
from auxnas.compiler.errors import CompilerError
from auxnas.compiler.ir import Graph
from auxnas.compiler.primitives import Shape
from auxnas.compiler.shapes import infer_shapes
from auxnas.compiler.wellformed import verify_graph
from auxnas.genotype.errors import short_repr

_SIZE = (322_560, 645_120)
"""(height, width) that usual strides divide."""


def lower_encoder(encoder: Encoder, builder: Builder) -> tuple[FeatureMap, ...]:
    """Adds an image of three channels and the encoder behind it; its maps, the finest first.

    Raises:
        CompilerError: naming the encoder, for a graph or maps that are not as ``Encoder`` says.
    """
    found = encoder.lower(builder, builder.add("image", "input", channels=3))
    place = encoder_place(encoder)
    if not (isinstance(found, tuple | list) and found and all(map(_is_map, found))):
        expected = "a tuple of one or more FeatureMap"
        raise CompilerError(place, f"lower gives {short_repr(found)}", expected)
    maps = tuple(found)
    graph = builder.graph({f"map{index}": each.node for index, each in enumerate(maps)})
    _check_graph(place, graph)
    shapes = infer_shapes(graph, _SIZE)
    for index, each in enumerate(maps):
        if not _fits(each, shapes[each.node]):
            channels, height, _ = shapes[each.node]
            said = f"map {index} ({each.node}) of {each.channels} channels at stride {each.stride}"
            expected = f"{channels} channels at stride {_SIZE[0] / height:g}, as the graph has it"
            raise CompilerError(place, said, expected)
    strides = [each.stride for each in maps]
    if strides != sorted(strides):
        found_strides = ", ".join(map(str, strides))
        raise CompilerError(place, f"maps at strides {found_strides}", "the finest first")
    return maps


def tapped_maps(encoder: Encoder, maps: Sequence[FeatureMap], count: int) -> list[FeatureMap]:
    """The maps that a decoder of ``count`` encoder outputs reads, in order.

    Raises:
        CompilerError: naming the encoder, for taps that are not as ``Encoder`` says.
    """
    taps = encoder.taps(count)
    known = range(len(maps))
    fits = isinstance(taps, tuple | list) and all(type(t) is int and t in known for t in taps)
    if not (fits and len(taps) == count and list(taps) == sorted(set(taps))):
        expected = f"{count} rising numbers from 0 to {len(maps) - 1}, of its maps"
        raise CompilerError(
            encoder_place(encoder), f"taps({count}) gives {short_repr(taps)}", expected
        )
    return [maps[tap] for tap in taps]


def encoder_place(encoder: Encoder) -> str:
    """Words by which messages name an encoder: the place of its class."""
    kind = type(encoder)
    return f"encoder {kind.__module__}:{kind.__qualname__}"


def _is_map(value: object) -> bool:
    return isinstance(value, FeatureMap) and isinstance(value.node, str)


def _fits(found: FeatureMap, shape: Shape) -> bool:
    stride = found.stride
    if type(stride) is not int or stride < 1:
        return False
    return (found.channels, *(-(-side // stride) for side in _SIZE)) == shape


def _check_graph(place: str, graph: Graph) -> None:
    """Checks the nodes, and the names of parameters.

    Raises:
        CompilerError: naming the encoder and the first that is wrong.
    """
    try:
        verify_graph(graph)
    except CompilerError as error:
        raise CompilerError(f"{place}: {error.place}", error.found, error.expected) from None
    for node in graph.nodes:
        if node.param is not None and not node.param.startswith(PREFIX):
            found = f"parameters are named {node.param!r}"
            raise CompilerError(place, found, f"names that begin with {PREFIX!r}")
