"""Light-Weight RefineNet on ResNet, the paper's teacher (section 4), as its authors published it.

Nekrasov, Shen, Reid: Light-Weight RefineNet for Real-Time Semantic Segmentation (BMVC
2018), on the encoder of He, Zhang, Ren, Sun (CVPR 2016) with bottleneck blocks. Unlike
the decoder that ``compiler.refinenet`` puts on MobileNet-v2, the coarsest stage works on
512 channels, every other encoder output passes two 1x1 convolutions, and maps grow with
their corner pixels aligned.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from auxnas.compiler.builder import Builder
from auxnas.compiler.errors import CompilerError
from auxnas.compiler.ir import Graph, Program
from auxnas.compiler.lowering import MAIN
from auxnas.compiler.published import renamed
from auxnas.compiler.refinenet import CHANNELS, chained_pooling
from auxnas.compiler.shapes import graph_weights

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""Depth -> blocks of the four layers (He et al., Table 1)."""

_STEM, _WIDTHS, _EXPANSION = 64, (64, 128, 256, 512), 4
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
    layers = _encoder(builder, builder.add("image", "input", channels=3), BLOCKS[depth])
    node: str | None = None
    for stride, layer in zip(_STRIDES, reversed(layers), strict=True):
        node = _stage(builder, stride, layer, node)
    head = builder.add("refinenet.clf", "conv2d", str(node), out=classes, kernel=3, bias=1)
    return builder.graph({MAIN: head})


# Encoder -----------------------------------------------------------------------------


def _encoder(builder: Builder, image: str, blocks: tuple[int, ...]) -> list[str]:
    """Adds the encoder; the outputs of its four layers, finest first."""
    node = builder.conv_bn("encoder.stem", image, _STEM, act="relu", kernel=7, stride=2)
    node = builder.add("encoder.pool", "max_pool", node, kernel=3, stride=2)
    outputs = []
    for layer, (width, count) in enumerate(zip(_WIDTHS, blocks, strict=True), 1):
        for index in range(count):
            stride = 2 if index == 0 and layer > 1 else 1
            node = _bottleneck(builder, f"encoder.layer{layer}.{index}", node, width, stride)
        outputs.append(node)
    return outputs


def _bottleneck(builder: Builder, place: str, source: str, width: int, stride: int) -> str:
    """1x1, 3x3 and 1x1 convolutions beside a shortcut, projected in a layer's first block."""
    out = _EXPANSION * width
    node = builder.conv_bn(f"{place}.reduce", source, width, act="relu")
    node = builder.conv_bn(f"{place}.middle", node, width, act="relu", kernel=3, stride=stride)
    node = builder.conv_bn(f"{place}.expand", node, out)
    if place.endswith(".0"):
        source = builder.conv_bn(f"{place}.shortcut", source, out, stride=stride)
    return builder.add(f"{place}.relu", "relu", builder.add(f"{place}.add", "add", node, source))


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

_BLOCK = re.compile(
    r"encoder\.(?P<block>layer\d\.\d+)\.(?P<part>reduce|middle|expand|shortcut)\.(?P<kind>conv|bn)"
)
_PARTS = {"reduce": 1, "middle": 2, "expand": 3}
_STAGE = re.compile(r"refinenet\.stride(?P<stride>\d+)\.(?P<part>[a-z]+)(?P<index>\d*)\.conv")


def published_name(param: str) -> str:
    """The authors' prefix for our parameter prefix (``Node.param``).

    Their ResNet has torchvision's names; the decoder's stages are numbered from the
    coarsest, 1 to 4.
    """
    if found := re.fullmatch(r"encoder\.stem\.(conv|bn)", param):
        return f"{found[1]}1"
    if found := _BLOCK.fullmatch(param):
        if found["part"] == "shortcut":
            return f"{found['block']}.downsample.{('conv', 'bn').index(found['kind'])}"
        return f"{found['block']}.{found['kind']}{_PARTS[found['part']]}"
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
    params = renamed(values, published_names(graph), graph, place)
    return Program(graph, params, "refinenet")


def _depth(values: Mapping[str, Any], place: str) -> int:
    """The depth with as many blocks in the third layer, in which all three differ."""
    found = {match[1] for name in values if (match := re.match(r"layer3\.(\d+)\.", name))}
    depths = {blocks[2]: depth for depth, blocks in BLOCKS.items()}
    if len(found) not in depths:
        expected = " or ".join(map(str, depths))
        raise CompilerError(f"{place}: layer3", f"{len(found)} blocks", expected)
    return depths[len(found)]
