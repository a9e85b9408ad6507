"""Simple baseline of pose estimation: an encoder and three transposed convolutions.

Xiao, Wu, Wei: Simple Baselines for Human Pose Estimation and Tracking (ECCV 2018), on ResNet-50
the largest rival of the paper's Table 2, which prints 34.0 M parameters: 33,999,697 with COCO's
17 outputs. The encoder's last map, of stride 32, grows to stride 4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from auxnas.compiler.builder import Builder
from auxnas.compiler.encoders.contract import lower_encoder
from auxnas.compiler.encoders.resnet import torchvision_name
from auxnas.compiler.ir import Graph
from auxnas.compiler.lowering import MAIN
from auxnas.compiler.published import rename_params
from auxnas.compiler.shapes import graph_weights
from auxnas.compiler.spec import ModelSpec

DECONVOLUTIONS = 3


def lower_simple(spec: ModelSpec, channels: int) -> Graph:
    """The network of ``spec``'s encoder and classes; its output has an eighth of its stride.

    A side that stride 32 does not divide is covered by whole pixels of the last map, so that
    the output has 8 ceil(H / 32) rows.
    """
    builder = Builder()
    maps = lower_encoder(spec.find_encoder(), builder)
    node = maps[-1].node
    for index in range(DECONVOLUTIONS):
        place = f"decoder.deconv{index}"
        node = builder.add(f"{place}.conv", "deconv2d", node, out=channels, kernel=4, stride=2)
        node = builder.add(f"{place}.bn", "batch_norm", node)
        node = builder.add(f"{place}.relu", "relu", node)
    head = builder.add("decoder.clf", "conv2d", node, out=spec.classes, kernel=1, bias=1)
    return builder.graph({MAIN: head})


# Published weights ---------------------------------------------------------------------


def is_simple_baseline(names: Mapping[str, Any]) -> bool:
    """Whether parameter names are those of the authors' checkpoints."""
    return "deconv_layers.0.weight" in names and "final_layer.weight" in names


def from_simple_baseline(
    values: Mapping[str, np.ndarray[Any, Any]], graph: Graph, place: str
) -> dict[str, np.ndarray[Any, Any]]:
    """Our parameters of ``graph`` out of the authors' checkpoint, whose ResNet is torchvision's.

    Their COCO and MPII readers give images as blue, green, red under RGB's mean: that is to be
    undone by whoever feeds the network.

    Raises:
        CompilerError: naming the first parameter that is missing, unexpected or of another
            shape, as those of another network are.
    """
    pairs = ((name, *name.rpartition(".")[::2]) for name in graph_weights(graph))
    names = {name: f"{_authors_name(param)}.{suffix}" for name, param, suffix in pairs}
    return rename_params(values, names, graph, place)


def _authors_name(param: str) -> str:
    """Their prefix for our parameter prefix: three modules a transposed convolution."""
    if found := re.fullmatch(r"decoder\.deconv(\d)\.(conv|bn)", param):
        return f"deconv_layers.{3 * int(found[1]) + (found[2] == 'bn')}"
    return torchvision_name(param) or "final_layer"
