"""Light-Weight RefineNet on any encoder, the hand-made decoder of the field.

Nekrasov, Shen, Reid: Light-Weight RefineNet for Real-Time Semantic Segmentation (BMVC
2018). It pre-trains the encoder, teaches, and is the rival that found decoders are
compared with. From coarse to fine: 1x1 convolutions bring every encoder layer to the
decoder's channels, layers of one stride are summed with the coarser result, then
chained residual pooling refines the sum and a 1x1 convolution passes it up.
"""

from __future__ import annotations

from auxnas.compiler.builder import Builder
from auxnas.compiler.encoders import FeatureMap
from auxnas.compiler.encoders.contract import lower_encoder
from auxnas.compiler.ir import Graph
from auxnas.compiler.lowering import MAIN
from auxnas.compiler.spec import ModelSpec

CHANNELS = 256
POOLINGS = 4
FINEST = 4
"""Stride of the finest maps that are read."""


def lower_refinenet(spec: ModelSpec, channels: int = CHANNELS) -> Graph:
    """The network of ``spec``'s encoder and classes with this decoder.

    Its output has the encoder's finest stride from 4 on.
    """
    builder = Builder()
    found = lower_encoder(spec.find_encoder(), builder)
    coarser: str | None = None
    for stride in sorted({m.stride for m in found if m.stride >= FINEST}, reverse=True):
        maps = [m for m in found if m.stride == stride]
        coarser = _stage(builder, f"refinenet.stride{stride}", maps, coarser, channels)
    head = builder.add("refinenet.clf", "conv2d", str(coarser), out=spec.classes, kernel=3, bias=1)
    return builder.graph({MAIN: head})


def _stage(
    builder: Builder, place: str, maps: list[FeatureMap], coarser: str | None, channels: int
) -> str:
    """One RefineNet block: fusion of ``maps`` and the coarser result, then pooling."""
    terms = [
        _conv(builder, f"{place}.adapt{index}", item.node, channels)
        for index, item in enumerate(maps)
    ]
    if coarser is not None:
        passed = _conv(builder, f"{place}.carry", coarser, channels)
        terms.append(builder.add(f"{place}.up", "resize", passed, terms[0]))
    node = builder.add(f"{place}.relu", "relu", builder.sum(f"{place}.sum", terms))
    return chained_pooling(builder, f"{place}.pool", node, channels)


def chained_pooling(builder: Builder, place: str, source: str, channels: int) -> str:
    """x + p1(x) + p2(p1(x)) + ..., each p a 5x5 max pooling and a 1x1 convolution."""
    terms, node = [source], source
    for index in range(POOLINGS):
        node = builder.add(f"{place}{index}.max", "max_pool", node, kernel=5)
        node = _conv(builder, f"{place}{index}", node, channels)
        terms.append(node)
    return builder.sum(f"{place}.sum", terms)


def _conv(builder: Builder, place: str, source: str, channels: int) -> str:
    return builder.add(f"{place}.conv", "conv2d", source, out=channels, kernel=1)
