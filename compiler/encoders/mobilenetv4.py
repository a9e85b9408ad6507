"""MobileNet-v4 of convolutions alone (Qin et al., 2024), small and medium, under timm's names."""

from __future__ import annotations

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
from auxnas.compiler.encoders.timm_names import conv_norm, from_timm

STEM = 32


@dataclass(frozen=True, slots=True)
class ConvBlock:
    """A convolution, batch norm and ReLU."""

    kernel: int
    channels: int
    stride: int = 1

    def lower(self, builder: Builder, place: str, source: str, before: int, out: int) -> str:
        """Adds it; ``before`` and ``out`` are the channels at a width."""
        names = (f"{place}.conv", f"{place}.bn1")
        window = {"kernel": self.kernel, "stride": self.stride}
        return conv_norm(builder, names, source, out, act="relu", **window)


@dataclass(frozen=True, slots=True)
class FusedBlock:
    """A 3x3 convolution of stride 2 to ``factor`` times the channels, and a 1x1 projection."""

    factor: int
    channels: int
    stride: int = 2

    def lower(self, builder: Builder, place: str, source: str, before: int, out: int) -> str:
        """Adds it; ``before`` and ``out`` are the channels at a width."""
        names = (f"{place}.conv_exp", f"{place}.bn1")
        hidden, window = scaled(before * self.factor, 1), {"kernel": 3, "stride": self.stride}
        node = conv_norm(builder, names, source, hidden, act="relu", **window)
        return conv_norm(builder, (f"{place}.conv_pwl", f"{place}.bn2"), node, out)


@dataclass(frozen=True, slots=True)
class InvertedBlock:
    """Universal inverted bottleneck: depthwise windows before and after the expansion.

    Attributes:
        start: kernel of the window before; 0: there is none.
        middle: that of the window behind, likewise.
        factor: of the expansion.
        channels: of its output.
        stride: in the last of the windows.
    """

    start: int
    middle: int
    factor: int
    channels: int
    stride: int = 1

    def lower(self, builder: Builder, place: str, source: str, before: int, out: int) -> str:
        """Adds it; ``before`` and ``out`` are the channels at a width."""
        node, hidden = source, scaled(before * self.factor, 1)
        if self.start:
            step = 1 if self.middle else self.stride
            window = {"kernel": self.start, "stride": step, "groups": before}
            node = conv_norm(builder, _names(place, "dw_start"), node, before, act="", **window)
        node = conv_norm(builder, _names(place, "pw_exp"), node, hidden, act="relu")
        if self.middle:
            window = {"kernel": self.middle, "stride": self.stride, "groups": hidden}
            node = conv_norm(builder, _names(place, "dw_mid"), node, hidden, act="relu", **window)
        node = conv_norm(builder, _names(place, "pw_proj"), node, out)
        if self.stride == 1 and before == out:
            return builder.add(f"{PREFIX}{place}.add", "add", node, source)
        return node


def _names(place: str, part: str) -> tuple[str, str]:
    return f"{place}.{part}.conv", f"{place}.{part}.bn"


_Block = ConvBlock | FusedBlock | InvertedBlock

SMALL: tuple[tuple[_Block, ...], ...] = (
    (ConvBlock(3, 32, 2), ConvBlock(1, 32)),
    (ConvBlock(3, 96, 2), ConvBlock(1, 64)),
    (
        InvertedBlock(5, 5, 3, 96, 2),
        *[InvertedBlock(0, 3, 2, 96)] * 4,
        InvertedBlock(3, 0, 4, 96),
    ),
    (
        InvertedBlock(3, 3, 6, 128, 2),
        InvertedBlock(5, 5, 4, 128),
        InvertedBlock(0, 5, 4, 128),
        InvertedBlock(0, 5, 3, 128),
        *[InvertedBlock(0, 3, 4, 128)] * 2,
    ),
    (ConvBlock(1, 960),),
)
"""Stages behind the stem (Qin et al., Table 11)."""

MEDIUM: tuple[tuple[_Block, ...], ...] = (
    (FusedBlock(4, 48),),
    (InvertedBlock(3, 5, 4, 80, 2), InvertedBlock(3, 3, 2, 80)),
    (
        InvertedBlock(3, 5, 6, 160, 2),
        *[InvertedBlock(3, 3, 4, 160)] * 2,
        InvertedBlock(3, 5, 4, 160),
        InvertedBlock(3, 3, 4, 160),
        InvertedBlock(3, 0, 4, 160),
        InvertedBlock(0, 0, 2, 160),
        InvertedBlock(3, 0, 4, 160),
    ),
    (
        InvertedBlock(5, 5, 6, 256, 2),
        InvertedBlock(5, 5, 4, 256),
        *[InvertedBlock(3, 5, 4, 256)] * 2,
        InvertedBlock(0, 0, 4, 256),
        InvertedBlock(3, 0, 4, 256),
        InvertedBlock(3, 5, 2, 256),
        InvertedBlock(5, 5, 4, 256),
        *[InvertedBlock(0, 0, 4, 256)] * 2,
        InvertedBlock(5, 0, 2, 256),
    ),
    (ConvBlock(1, 960),),
)
"""Stages behind the stem (Qin et al., Table 12)."""


@dataclass(frozen=True)
class MobileNetV4ConvSmall:
    """MobileNet-v4-Conv-S without its classifier.

    Attributes:
        width: multiplier of all channels.
    """

    width: float = 1.0
    stages: ClassVar[tuple[tuple[_Block, ...], ...]] = SMALL
    name: ClassVar[str] = "mobilenetv4_conv_small"
    normalisation: ClassVar[Normalisation] = IMAGENET

    def lower(self, builder: Builder, image: str) -> tuple[FeatureMap, ...]:
        """Adds the encoder; the outputs of its stem, at stride 2, and of its five stages."""
        channels, stride, stem = scaled(STEM, self.width), 2, ("conv_stem", "bn1")
        node = conv_norm(builder, stem, image, channels, act="relu", kernel=3, stride=2)
        maps = [FeatureMap(node, channels, stride)]
        for stage, blocks in enumerate(self.stages):
            for index, block in enumerate(blocks):
                out = scaled(block.channels, self.width)
                node = block.lower(builder, f"blocks.{stage}.{index}", node, channels, out)
                channels, stride = out, stride * block.stride
            maps.append(FeatureMap(node, channels, stride))
        return tuple(maps)

    def taps(self, count: int) -> tuple[int, ...]:
        """Four end at strides 4 to 32; fewer drop the finest, more add the stem and stage 4.

        Raises:
            CompilerError: for more outputs than the encoder has.
        """
        return preferred("MobileNet-v4", (5, 3, 2, 1, 0, 4), count)

    def from_published(self, values: Mapping[str, Array], place: str) -> Mapping[str, Array]:
        """Our own names as they are, or timm's of the same name."""
        return from_timm(values)


@dataclass(frozen=True)
class MobileNetV4ConvMedium(MobileNetV4ConvSmall):
    """MobileNet-v4-Conv-M without its classifier."""

    stages: ClassVar[tuple[tuple[_Block, ...], ...]] = MEDIUM
    name: ClassVar[str] = "mobilenetv4_conv_medium"
