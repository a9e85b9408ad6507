"""ResNet with bottleneck blocks (He, Zhang, Ren, Sun, CVPR 2016), under torchvision's names.

The stride of a block is in its 3x3 convolution, as in torchvision's weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from auxnas.compiler.builder import Builder
from auxnas.compiler.encoders.base import (
    IMAGENET,
    PREFIX,
    Array,
    FeatureMap,
    Normalisation,
    preferred,
    scaled,
)

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""Depth -> blocks of the four layers (He et al., Table 1)."""

_STEM, _WIDTHS, _EXPANSION = 64, (64, 128, 256, 512), 4


@dataclass(frozen=True)
class ResNet50:
    """ResNet-50 without its classifier.

    Attributes:
        width: multiplier of all channels.
    """

    width: float = 1.0
    depth: ClassVar[int] = 50
    name: ClassVar[str] = "resnet50"
    normalisation: ClassVar[Normalisation] = IMAGENET

    def lower(self, builder: Builder, image: str) -> tuple[FeatureMap, ...]:
        """Adds the encoder; the outputs of its four layers, at strides 4, 8, 16 and 32."""
        channels = scaled(_STEM, self.width)
        node = builder.conv_bn("encoder.stem", image, channels, act="relu", kernel=7, stride=2)
        node = builder.add("encoder.pool", "max_pool", node, kernel=3, stride=2)
        outputs = []
        for layer, (base, count) in enumerate(zip(_WIDTHS, BLOCKS[self.depth], strict=True), 1):
            width = scaled(base, self.width)
            for index in range(count):
                stride = 2 if index == 0 and layer > 1 else 1
                node = _bottleneck(builder, f"encoder.layer{layer}.{index}", node, width, stride)
            outputs.append(FeatureMap(node, _EXPANSION * width, 2 << layer))
        return tuple(outputs)

    def taps(self, count: int) -> tuple[int, ...]:
        """All four, or without the finest.

        Raises:
            CompilerError: for more outputs than the encoder has.
        """
        return preferred("ResNet", (3, 2, 1, 0), count)

    def from_published(self, values: Mapping[str, Array], place: str) -> Mapping[str, Array]:
        """Our own names as they are, or torchvision's; its classifier is left out."""
        if any(name.startswith(PREFIX) for name in values):
            return values
        return {_own_name(n): v for n, v in values.items() if not n.startswith("fc.")}


@dataclass(frozen=True)
class ResNet101(ResNet50):
    """ResNet-101 without its classifier."""

    depth: ClassVar[int] = 101
    name: ClassVar[str] = "resnet101"


@dataclass(frozen=True)
class ResNet152(ResNet50):
    """ResNet-152 without its classifier."""

    depth: ClassVar[int] = 152
    name: ClassVar[str] = "resnet152"


def _bottleneck(builder: Builder, place: str, source: str, width: int, stride: int) -> str:
    """1x1, 3x3 and 1x1 convolutions beside a shortcut, projected in a layer's first block."""
    out = _EXPANSION * width
    node = builder.conv_bn(f"{place}.reduce", source, width, act="relu")
    node = builder.conv_bn(f"{place}.middle", node, width, act="relu", kernel=3, stride=stride)
    node = builder.conv_bn(f"{place}.expand", node, out)
    if place.endswith(".0"):
        source = builder.conv_bn(f"{place}.shortcut", source, out, stride=stride)
    return builder.add(f"{place}.relu", "relu", builder.add(f"{place}.add", "add", node, source))


# Names of torchvision's weights ------------------------------------------------------------

_OURS = re.compile(
    r"encoder\.(?P<block>layer\d\.\d+)\.(?P<part>reduce|middle|expand|shortcut)\.(?P<kind>conv|bn)"
)
_THEIRS = re.compile(r"(?P<block>layer\d\.\d+)\.(?P<kind>conv|bn)(?P<part>[123])\.(?P<suffix>.+)")
_SHORTCUT = re.compile(r"(?P<block>layer\d\.\d+)\.downsample\.(?P<kind>[01])\.(?P<suffix>.+)")
_PARTS = ("reduce", "middle", "expand")
_KINDS = ("conv", "bn")


def torchvision_name(param: str) -> str | None:
    """torchvision's prefix for our parameter prefix; None for one outside the encoder."""
    if found := re.fullmatch(r"encoder\.stem\.(conv|bn)", param):
        return f"{found[1]}1"
    if (match := _OURS.fullmatch(param)) is None:
        return None
    if match["part"] == "shortcut":
        return f"{match['block']}.downsample.{_KINDS.index(match['kind'])}"
    return f"{match['block']}.{match['kind']}{_PARTS.index(match['part']) + 1}"


def _own_name(name: str) -> str:
    """Our name of torchvision's array; one that it does not have as it is."""
    if found := re.fullmatch(r"(conv|bn)1\.(.+)", name):
        return f"encoder.stem.{found[1]}.{found[2]}"
    if match := _THEIRS.fullmatch(name):
        part = _PARTS[int(match["part"]) - 1]
        return f"encoder.{match['block']}.{part}.{match['kind']}.{match['suffix']}"
    if match := _SHORTCUT.fullmatch(name):
        kind = _KINDS[int(match["kind"])]
        return f"encoder.{match['block']}.shortcut.{kind}.{match['suffix']}"
    return name
