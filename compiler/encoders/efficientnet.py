"""EfficientNet-Lite0 (Tan and Le, 2019; without squeeze-and-excitation), under timm's names."""

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
STAGES = (
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
)
"""(expansion factor, kernel, channels, blocks, stride) of every stage."""


@dataclass(frozen=True)
class EfficientNetLite0:
    """EfficientNet-Lite0 without its classifier.

    Attributes:
        width: multiplier of all channels.
    """

    width: float = 1.0
    name: ClassVar[str] = "efficientnet_lite0"
    normalisation: ClassVar[Normalisation] = IMAGENET

    def lower(self, builder: Builder, image: str) -> tuple[FeatureMap, ...]:
        """Adds the encoder; the outputs of its seven stages."""
        channels, stride, maps = scaled(STEM, self.width), 2, []
        stem = ("conv_stem", "bn1")
        node = conv_norm(builder, stem, image, channels, act="relu6", kernel=3, stride=2)
        for stage, (factor, kernel, base, count, first_stride) in enumerate(STAGES):
            out = scaled(base, self.width)
            for index in range(count):
                step = first_stride if index == 0 else 1
                window = {"kernel": kernel, "stride": step, "groups": channels * factor}
                node = _block(builder, f"blocks.{stage}.{index}", node, (channels, out), window)
                channels = out
            stride *= first_stride
            maps.append(FeatureMap(node, channels, stride))
        return tuple(maps)

    def taps(self, count: int) -> tuple[int, ...]:
        """Four end at strides 4 to 32; fewer drop the finest, more add stages 1, 6 and 4.

        Raises:
            CompilerError: for more outputs than the encoder has.
        """
        return preferred("EfficientNet-Lite0", (6, 4, 2, 1, 0, 5, 3), count)

    def from_published(self, values: Mapping[str, Array], place: str) -> Mapping[str, Array]:
        """Our own names as they are, or timm's ``efficientnet_lite0``."""
        return from_timm(values)


def _block(
    builder: Builder, place: str, source: str, channels: tuple[int, int], window: dict[str, int]
) -> str:
    """1x1 expansion where there is one, depthwise window, 1x1 projection, beside a shortcut."""
    hidden, node, number = window["groups"], source, 1
    expanded = hidden > channels[0]
    if expanded:
        names = (f"{place}.conv_pw", f"{place}.bn1")
        node, number = conv_norm(builder, names, node, hidden, act="relu6"), 2
    names = (f"{place}.conv_dw", f"{place}.bn{number}")
    node = conv_norm(builder, names, node, hidden, act="relu6", **window)
    last = "conv_pwl" if expanded else "conv_pw"
    node = conv_norm(builder, (f"{place}.{last}", f"{place}.bn{number + 1}"), node, channels[1])
    if window["stride"] == 1 and channels[0] == channels[1]:
        return builder.add(f"{PREFIX}{place}.add", "add", source, node)
    return node
