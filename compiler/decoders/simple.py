"""Simple baseline of pose estimation: an encoder and three transposed convolutions.

Xiao, Wu, Wei: Simple Baselines for Human Pose Estimation and Tracking (ECCV 2018), on ResNet-50
the largest rival of the paper's Table 2, which prints 34.0 M parameters: 33,999,697 with COCO's
17 outputs. The encoder's last map, of stride 32, grows to stride 4.
"""

from __future__ import annotations

from auxnas.compiler.builder import Builder
from auxnas.compiler.ir import Graph
from auxnas.compiler.lowering import MAIN
from auxnas.compiler.spec import ModelSpec

DECONVOLUTIONS = 3


def lower_simple(spec: ModelSpec, channels: int) -> Graph:
    """The network of ``spec``'s encoder and classes; its output has an eighth of its stride.

    A side that stride 32 does not divide is covered by whole pixels of the last map, so that
    the output has 8 ceil(H / 32) rows.
    """
    builder = Builder()
    maps = spec.find_encoder().lower(builder, builder.add("image", "input", channels=3))
    node = maps[-1].node
    for index in range(DECONVOLUTIONS):
        place = f"decoder.deconv{index}"
        node = builder.add(f"{place}.conv", "deconv2d", node, out=channels, kernel=4, stride=2)
        node = builder.add(f"{place}.bn", "batch_norm", node)
        node = builder.add(f"{place}.relu", "relu", node)
    head = builder.add("decoder.clf", "conv2d", node, out=spec.classes, kernel=1, bias=1)
    return builder.graph({MAIN: head})
