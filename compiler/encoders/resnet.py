"""ResNet (He, Zhang, Ren, Sun, CVPR 2016), under torchvision's names.

Blocks are bottlenecks from ResNet-50 on, whose stride is in the 3x3 convolution, as in
torchvision's weights; those of ResNet-18 and 34 are two 3x3 convolutions.
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
"""Depth -> bottlenecks of the four layers (He et al., Table 1)."""
BASIC = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
"""Depth -> blocks of two convolutions, likewise."""

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
        add = _bottleneck if self.depth in BLOCKS else _basic
        counts = (BLOCKS | BASIC)[self.depth]
        for layer, (base, count) in enumerate(zip(_WIDTHS, counts, strict=True), 1):
            width = scaled(base, self.width)
            for index in range(count):
                stride = 2 if index == 0 and layer > 1 else 1
                node = add(builder, f"encoder.layer{layer}.{index}", node, width, stride)
            channels = width * (_EXPANSION if self.depth in BLOCKS else 1)
            outputs.append(FeatureMap(node, channels, 2 << layer))
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
        parts = _PARTS if self.depth in BLOCKS else _BASIC_PARTS
        return {_own_name(n, parts): v for n, v in values.items() if not n.startswith("fc.")}


@dataclass(frozen=True)
class ResNet18(ResNet50):
    """ResNet-18 without its classifier."""

    depth: ClassVar[int] = 18
    name: ClassVar[str] = "resnet18"


@dataclass(frozen=True)
class ResNet34(ResNet50):
    """ResNet-34 without its classifier."""

    depth: ClassVar[int] = 34
    name: ClassVar[str] = "resnet34"


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


def _basic(builder: Builder, place: str, source: str, width: int, stride: int) -> str:
    """Two 3x3 convolutions beside a shortcut, projected where the map becomes smaller."""
    node = builder.conv_bn(f"{place}.first", source, width, act="relu", kernel=3, stride=stride)
    node = builder.conv_bn(f"{place}.second", node, width, kernel=3)
    if stride > 1:
        source = builder.conv_bn(f"{place}.shortcut", source, width, stride=stride)
    return builder.add(f"{place}.relu", "relu", builder.add(f"{place}.add", "add", node, source))


# Names of torchvision's weights ------------------------------------------------------------

_OURS = re.compile(r"encoder\.(?P<block>layer\d\.\d+)\.(?P<part>[a-z]+)\.(?P<kind>conv|bn)")
_THEIRS = re.compile(r"(?P<block>layer\d\.\d+)\.(?P<kind>conv|bn)(?P<part>[123])\.(?P<suffix>.+)")
_SHORTCUT = re.compile(r"(?P<block>layer\d\.\d+)\.downsample\.(?P<kind>[01])\.(?P<suffix>.+)")
_PARTS = ("reduce", "middle", "expand")
_BASIC_PARTS = ("first", "second")
_KINDS = ("conv", "bn")


def torchvision_name(param: str) -> str | None:
    """torchvision's prefix for our parameter prefix; None for one outside the encoder."""
    if found := re.fullmatch(r"encoder\.stem\.(conv|bn)", param):
        return f"{found[1]}1"
    if (match := _OURS.fullmatch(param)) is None:
        return None
    if match["part"] == "shortcut":
        return f"{match['block']}.downsample.{_KINDS.index(match['kind'])}"
    parts = _BASIC_PARTS if match["part"] in _BASIC_PARTS else _PARTS
    return f"{match['block']}.{match['kind']}{parts.index(match['part']) + 1}"


def _own_name(name: str, parts: tuple[str, ...]) -> str:
    """Our name of torchvision's array; one that it does not have as it is."""
    if found := re.fullmatch(r"(conv|bn)1\.(.+)", name):
        return f"encoder.stem.{found[1]}.{found[2]}"
    match = _THEIRS.fullmatch(name)
    if match and int(match["part"]) <= len(parts):
        part = parts[int(match["part"]) - 1]
        return f"encoder.{match['block']}.{part}.{match['kind']}.{match['suffix']}"
    if match := _SHORTCUT.fullmatch(name):
        kind = _KINDS[int(match["kind"])]
        return f"encoder.{match['block']}.shortcut.{kind}.{match['suffix']}"
    return name
