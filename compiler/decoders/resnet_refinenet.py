"""Light-Weight RefineNet on ResNet, the paper's teacher (section 4), as its authors published it.

Nekrasov, Shen, Reid: Light-Weight RefineNet for Real-Time Semantic Segmentation (BMVC
2018), on the encoder of He, Zhang, Ren, Sun (CVPR 2016) with bottleneck blocks. Unlike
the decoder that ``compiler.decoders.refinenet`` puts on MobileNet-v2, the coarsest stage works on
512 channels, every other encoder output passes two 1x1 convolutions, and maps grow with
their corner pixels aligned.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from auxnas.compiler.builder import Builder
from auxnas.compiler.decoders.refinenet import CHANNELS, chained_pooling
from auxnas.compiler.encoders import find_encoder
from auxnas.compiler.encoders.contract import lower_encoder
from auxnas.compiler.encoders.resnet import BLOCKS, torchvision_name
from auxnas.compiler.errors import CompilerError
from auxnas.compiler.ir import Graph, Program
from auxnas.compiler.lowering import MAIN
from auxnas.compiler.published import rename_params
from auxnas.compiler.shapes import graph_weights

_COARSEST = 512
"""Channels of the decoder's first stage; the others have ``CHANNELS``."""
_STRIDES = (32, 16, 8, 4)
_CLASSIFIER = "clf_conv.weight"


def lower_resnet_refinenet(depth: int, classes: int) -> Graph:
    """The network of an RGB image; its output has stride 4.

    Raises:
        CompilerError: for a depth other than 50, 101 and 152.
    """
    if depth not in BLOCKS:
        raise CompilerError("depth", str(depth), f"one of {', '.join(map(str, BLOCKS))}")
    builder = Builder()
    maps = lower_encoder(find_encoder(f"resnet{depth}"), builder)
    node: str | None = None
    for found in reversed(maps):
        node = _stage(builder, found.stride, found.node, node)
    head = builder.add("refinenet.clf", "conv2d", str(node), out=classes, kernel=3, bias=1)
    return builder.graph({MAIN: head})


# Decoder -----------------------------------------------------------------------------


def _stage(builder: Builder, stride: int, layer: str, coarser: str | None) -> str:
    """Fusion of an encoder output with the coarser stage's result, then pooling."""
    place, channels = f"refinenet.stride{stride}", _COARSEST if coarser is None else CHANNELS
    node = _conv(builder, f"{place}.adapt", layer, channels)
    if coarser is not None:
        node = _conv(builder, f"{place}.fuse", node, channels)
        passed = _conv(builder, f"{place}.carry", coarser, channels)
        passed = builder.add(f"{place}.up", "resize_corners", passed, node)
        node = builder.add(f"{place}.sum", "add", node, passed)
    node = builder.add(f"{place}.relu", "relu", node)
    return chained_pooling(builder, f"{place}.pool", node, channels)


def _conv(builder: Builder, place: str, source: str, channels: int) -> str:
    return builder.add(f"{place}.conv", "conv2d", source, out=channels, kernel=1)


# Published weights ---------------------------------------------------------------------

_STAGE = re.compile(r"refinenet\.stride(?P<stride>\d+)\.(?P<part>[a-z]+)(?P<index>\d*)\.conv")


def published_name(param: str) -> str:
    """The authors' prefix for our parameter prefix (``Node.param``).

    Their ResNet has torchvision's names; the decoder's stages are numbered from the
    coarsest, 1 to 4.
    """
    if (name := torchvision_name(param)) is not None:
        return name
    if found := _STAGE.fullmatch(param):
        return _stage_name(_STRIDES.index(int(found["stride"])) + 1, found["part"], found["index"])
    return "clf_conv"


def _stage_name(stage: int, part: str, index: str) -> str:
    if part == "pool":
        return f"mflow_conv_g{stage}_pool.0.{int(index) + 1}_outvar_dimred"
    return {
        "adapt": f"p_ims1d2_outl{stage}_dimred",
        "fuse": f"adapt_stage{stage}_b2_joint_varout_dimred",
        "carry": f"mflow_conv_g{stage - 1}_b3_joint_varout_dimred",
    }[part]


def published_names(graph: Graph) -> dict[str, str]:
    """Our parameter array's name -> the authors', for every array of ``graph``."""
    pairs = ((name, *name.rpartition(".")[::2]) for name in graph_weights(graph))
    return {name: f"{published_name(param)}.{suffix}" for name, param, suffix in pairs}


def is_published(names: Mapping[str, Any]) -> bool:
    """Whether parameter names are those of a published checkpoint of this network."""
    return _CLASSIFIER in names and "mflow_conv_g1_pool.0.1_outvar_dimred.weight" in names


def from_published(values: Mapping[str, np.ndarray[Any, Any]], place: str) -> Program:
    """The network of a published checkpoint, whose depth and classes its arrays tell.

    Args:
        values: arrays by the authors' names.
        place: for messages: the file.

    Raises:
        CompilerError: naming the first parameter that is missing, unexpected or of
            another shape.
    """
    graph = lower_resnet_refinenet(_depth(values, place), len(values[_CLASSIFIER]))
    params = rename_params(values, published_names(graph), graph, place)
    return Program(graph, params, "refinenet")


def _depth(values: Mapping[str, Any], place: str) -> int:
    """The depth with as many blocks in the third layer, in which all three differ."""
    found = {match[1] for name in values if (match := re.match(r"layer3\.(\d+)\.", name))}
    depths = {blocks[2]: depth for depth, blocks in BLOCKS.items()}
    if len(found) not in depths:
        expected = " or ".join(map(str, depths))
        raise CompilerError(f"{place}: layer3", f"{len(found)} blocks", expected)
    return depths[len(found)]
