"""DeepLab-v3 and DeepLab-v3+ on any encoder, rivals of the paper's Tables 1 and 2.

Chen, Papandreou, Schroff, Adam: Rethinking Atrous Convolution for Semantic Image Segmentation
(2017); Chen, Zhu, Papandreou, Schroff, Adam: Encoder-Decoder with Atrous Separable Convolution
for Semantic Image Segmentation (ECCV 2018). On MobileNet-v2 as Sandler et al. (CVPR 2018,
section 6.3) have it: the head reads the 320 channels before the last 1x1 convolution.

With 21 classes at 512x512 the paper's Table 1 prints 2.1 M parameters and 8.73e9 multiply-adds
without ASPP (an output of 64x64), 4.5 M and 5.8e9 with it (32x32). Ours are 2,114,645 and
4,524,629 parameters, 1,088 of them of the 1x1 expansion in the first inverted residual, which
TensorFlow's encoder has not. Without that, and with 2 for each batch-norm element, as the table
seems to count, multiply-adds are 8.734e9, the table's, and 5.153e9. The table's 5.8e9 cannot be
met with its own number of parameters: it is 0.65e9 more, a quarter of what the encoder takes at
stride 16, and at the 513x513 of the authors' figures still 0.35e9 more.

DeepLab-v3+ has 5,816,113 parameters with 17 outputs, 5.8 M in Table 2: that is with dense 3x3
convolutions; with separable ones it would be 2.7 M.
"""

from __future__ import annotations

from collections.abc import Sequence

from auxnas.compiler.builder import Builder
from auxnas.compiler.encoders.base import FeatureMap
from auxnas.compiler.encoders.striding import lower_at_stride
from auxnas.compiler.errors import CompilerError
from auxnas.compiler.ir import Graph
from auxnas.compiler.lowering import MAIN
from auxnas.compiler.spec import ModelSpec

RATES = (6, 12, 18)
"""Dilations of the parallel 3x3 convolutions at output stride 16 (Chen et al., 2017)."""
FINE, LOW_CHANNELS = 4, 48
"""Stride and channels of the encoder's map that DeepLab-v3+ refines by."""


def lower_deeplabv3(
    spec: ModelSpec, channels: int, *, output_stride: int, rates: Sequence[int] = ()
) -> Graph:
    """The network of ``spec``'s encoder and classes; its output has ``output_stride``.

    Args:
        spec: encoder, its width and classes.
        channels: of the decoder.
        output_stride: of the encoder's last map, 8 or 16.
        rates: of the 3x3 convolutions; none for the light form of MobileNet-v2, which has the
            1x1 convolution and the image's mean alone.
    """
    builder, maps = lower_at_stride(spec.find_encoder(), output_stride)
    node = _pyramid(builder, maps[-1].node, channels, rates)
    return _classified(builder, node, spec)


def lower_deeplabv3plus(spec: ModelSpec, channels: int) -> Graph:
    """The same with ASPP at stride 16, refined at stride 4 by two 3x3 convolutions.

    Raises:
        CompilerError: for an encoder without a map of stride 4.
    """
    builder, maps = lower_at_stride(spec.find_encoder(), 16)
    fine = _map_of_stride(maps, FINE, spec.encoder)
    low = builder.conv_bn("decoder.low", fine, LOW_CHANNELS, act="relu")
    coarse = _pyramid(builder, maps[-1].node, channels, RATES)
    grown = builder.add("decoder.up", "resize", coarse, low)
    node = builder.add("decoder.join", "concat", grown, low)
    for index in range(2):
        node = builder.conv_bn(f"decoder.refine{index}", node, channels, act="relu", kernel=3)
    return _classified(builder, node, spec)


def _map_of_stride(maps: Sequence[FeatureMap], stride: int, encoder: str) -> str:
    """The last of an encoder's maps that has this stride."""
    found = [each.node for each in maps if each.stride == stride]
    if not found:
        strides = ", ".join(str(each.stride) for each in maps)
        raise CompilerError(f"encoder {encoder}", f"maps of stride {strides}", f"one of {stride}")
    return found[-1]


def _pyramid(builder: Builder, source: str, channels: int, rates: Sequence[int]) -> str:
    """Atrous spatial pyramid pooling: convolutions at several rates and the image's mean."""
    place = "decoder.aspp"
    parts = [builder.conv_bn(f"{place}.point", source, channels, act="relu")]
    for rate in rates:
        here = f"{place}.rate{rate}"
        parts.append(builder.conv_bn(here, source, channels, act="relu", kernel=3, dilation=rate))
    mean = builder.add(f"{place}.mean.pool", "global_mean", source)
    mean = builder.conv_bn(f"{place}.mean", mean, channels, act="relu")
    parts.append(builder.add(f"{place}.mean.spread", "spread", mean, source))
    joined = builder.add(f"{place}.concat", "concat", *parts)
    return builder.conv_bn(f"{place}.project", joined, channels, act="relu")


def _classified(builder: Builder, source: str, spec: ModelSpec) -> Graph:
    head = builder.add("decoder.clf", "conv2d", source, out=spec.classes, kernel=1, bias=1)
    return builder.graph({MAIN: head})
