"""Costs of many networks around one encoder, counted without a graph of each.

The lowering writes each network into a builder that keeps no nodes: it counts, and knows every
primitive again by its operands' shapes. An encoder is counted once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from auxnas.compiler.builder import Builder
from auxnas.compiler.cost import cost, count_node
from auxnas.compiler.encoders import FeatureMap
from auxnas.compiler.encoders.contract import lower_encoder, tapped_maps
from auxnas.compiler.ir import Node
from auxnas.compiler.lowering import MAIN, lower_decoder
from auxnas.compiler.primitives import Shape
from auxnas.compiler.shapes import Size, infer_shape, infer_shapes
from auxnas.compiler.spec import ModelSpec
from auxnas.genotype import Genotype


@dataclass(frozen=True, slots=True)
class Count:
    """Costs of a network for one image.

    Attributes:
        parameters: learnt numbers.
        multiply_adds: of its convolutions.
        constant: whether its output does not depend on the image.
    """

    parameters: int
    multiply_adds: int
    constant: bool


_Map = tuple[Shape, bool]
"""Output of a primitive: its shape, and whether it depends on the image."""
_Counted = tuple[_Map, int, int]
"""Output, parameters and multiply-adds."""


class CountingBuilder(Builder):
    """Builder that counts what is added behind an encoder.

    Args:
        size: (height, width) of the image.
        known: outputs and costs by primitive, operands and attributes; added to.
        maps: the encoder's, by node.
        behind: its parameters and multiply-adds.
    """

    def __init__(
        self,
        size: Size,
        known: dict[object, _Counted],
        maps: Mapping[str, _Map],
        behind: tuple[int, int],
    ) -> None:
        super().__init__()
        self._size, self._known, self._maps = size, known, dict(maps)
        self._parameters, self._multiply_adds = behind

    def add(self, name: str, op: str, *inputs: str, **attrs: int) -> str:
        """Counts one primitive."""
        place = (op, *[self._maps[source] for source in inputs], *attrs.items())
        found = self._known.get(place)
        if found is None:
            found = self._known[place] = self._counted(name, op, *inputs, **attrs)
        self._maps[name], parameters, multiply_adds = found
        self._parameters += parameters
        self._multiply_adds += multiply_adds
        return name

    def _counted(self, name: str, op: str, *inputs: str, **attrs: int) -> _Counted:
        one = Builder()
        one.add(name, op, *inputs, **attrs)
        (node,) = one.nodes
        shapes = {source: self._maps[source][0] for source in inputs}
        shapes[name] = infer_shape(node, shapes, self._size)
        counted = count_node(node, shapes)
        output = shapes[name], _depends(node, self._maps)
        return output, counted.parameters, counted.multiply_adds

    def count(self, outputs: Mapping[str, str]) -> Count:
        """The count so far, of a network with these outputs (name -> node)."""
        _, depends = self._maps[outputs[MAIN]]
        return Count(self._parameters, self._multiply_adds, not depends)


def _depends(node: Node, maps: Mapping[str, _Map]) -> bool:
    return node.op == "input" or any(maps[source][1] for source in node.operands)


@dataclass(frozen=True)
class NetworkCounter:
    """Counts networks of genotypes.

    Attributes:
        spec: the model around them.
        size: (height, width) of the image.
        outputs: how many of the encoder's outputs the decoders read.
    """

    spec: ModelSpec
    size: Size
    outputs: int

    @cached_property
    def _known(self) -> dict[object, _Counted]:
        return {}

    @cached_property
    def _encoder(self) -> tuple[dict[str, _Map], tuple[int, int], list[FeatureMap]]:
        """Maps and costs of the encoder, and the maps of it that decoders read."""
        encoder, builder = self.spec.find_encoder(), Builder()
        taps = tapped_maps(encoder, lower_encoder(encoder, builder), self.outputs)
        graph = builder.graph({tap.node: tap.node for tap in taps})
        shapes, found = infer_shapes(graph, self.size), cost(graph, self.size)
        maps: dict[str, _Map] = {}
        for node in graph.nodes:
            maps[node.name] = shapes[node.name], _depends(node, maps)
        return maps, (found.parameters, found.multiply_adds), taps

    def count(self, genotype: Genotype) -> Count:
        """The count of ``lower(genotype, spec)``.

        Raises:
            CompilerError: as ``lower``.
        """
        maps, behind, taps = self._encoder
        builder = CountingBuilder(self.size, self._known, maps, behind)
        return builder.count(lower_decoder(builder, genotype, self.spec, taps))
