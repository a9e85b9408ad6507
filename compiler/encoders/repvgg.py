"""RepVGG-A0 (Ding et al., 2021), under timm's names.

Trained it has three branches a block, 3x3, 1x1 and nothing, each with its batch norm;
``compiler.passes`` makes one 3x3 convolution of them (Ding et al., section 3.3).
"""

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

STEM = 48
STAGES = ((48, 2), (96, 4), (192, 14), (1280, 1))
"""(channels, blocks) of each stage, whose first block has stride 2."""


@dataclass(frozen=True)
class RepVGGA0:
    """RepVGG-A0 without its classifier.

    Attributes:
        width: multiplier of all channels.
    """

    width: float = 1.0
    name: ClassVar[str] = "repvgg_a0"
    normalisation: ClassVar[Normalisation] = IMAGENET

    def lower(self, builder: Builder, image: str) -> tuple[FeatureMap, ...]:
        """Adds the encoder; the outputs of its stem, at stride 2, and of its four stages."""
        channels = scaled(STEM, self.width)
        node = _block(builder, "stem", image, (3, channels), 2)
        maps = [FeatureMap(node, channels, 2)]
        for stage, (base, count) in enumerate(STAGES):
            out = scaled(base, self.width)
            for index in range(count):
                ends, stride = (channels, out), 2 if index == 0 else 1
                node = _block(builder, f"stages.{stage}.{index}", node, ends, stride)
                channels = out
            maps.append(FeatureMap(node, channels, 4 << stage))
        return tuple(maps)

    def taps(self, count: int) -> tuple[int, ...]:
        """Four are those of the stages; fewer drop the finest, five add the stem's.

        Raises:
            CompilerError: for more outputs than the encoder has.
        """
        return preferred("RepVGG", (4, 3, 2, 1, 0), count)

    def from_published(self, values: Mapping[str, Array], place: str) -> Mapping[str, Array]:
        """Our own names as they are, or timm's ``repvgg_a0``."""
        return from_timm(values)


def _block(
    builder: Builder, place: str, source: str, channels: tuple[int, int], stride: int
) -> str:
    out, branches = channels[1], []
    for part, kernel in (("conv_kxk", 3), ("conv_1x1", 1)):
        names = (f"{place}.{part}.conv", f"{place}.{part}.bn")
        branches.append(conv_norm(builder, names, source, out, kernel=kernel, stride=stride))
    if stride == 1 and channels[0] == out:
        branches.append(builder.add(f"{PREFIX}{place}.identity", "batch_norm", source))
    node = builder.add(f"{PREFIX}{place}.add", "add", *branches)
    return builder.add(f"{PREFIX}{place}.relu", "relu", node)
