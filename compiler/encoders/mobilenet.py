"""MobileNet-v2, the given encoder (Sandler et al., 2018; paper, section 4).

Layers are numbered 1 to 8 as in the published checkpoints: 1 is the stem, 2-8 the seven
groups of inverted residuals. The paper's four outputs, of 24, 32, 96 and 320 channels at
strides 4, 8, 16 and 32, are those of layers 3, 4, 6 and 8. As in the published encoder,
the first inverted residual has its 1x1 expansion too, where the factor is 1; torchvision's
has none there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from auxnas.compiler.builder import Builder
from auxnas.compiler.encoders.base import (
    IMAGENET,
    Array,
    EncoderWidthError,
    FeatureMap,
    Normalisation,
    preferred,
    scaled,
)
from auxnas.compiler.encoders.torchvision import (
    from_torchvision,
    identity_expansion,
    is_torchvision,
)

STEM = 32
GROUPS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""(expansion factor, channels, blocks, stride) of layers 2 to 8."""

_PREFERENCE = (7, 5, 3, 2, 4, 6, 1)
"""Places among the outputs of layers 1 to 8 that a decoder reads, the most wanted first."""
_WIDTHS = (1.0, 0.75, 0.5, 0.35, 0.25, 1.3, 1.4, *(n / 100 for n in range(5, 401)))
"""Width multipliers to be recognised, those of published weights first."""


@dataclass(frozen=True)
class MobileNetV2:
    """MobileNet-v2 without its classifier.

    Attributes:
        width: multiplier of all channels.
    """

    width: float = 1.0
    expands_first: ClassVar[bool] = True
    name: ClassVar[str] = "mobilenet_v2"
    normalisation: ClassVar[Normalisation] = IMAGENET

    def lower(self, builder: Builder, image: str) -> tuple[FeatureMap, ...]:
        """Adds the encoder; the outputs of layers 1 to 8."""
        channels = scaled(STEM, self.width)
        node = builder.conv_bn("encoder.layer1", image, channels, act="relu6", kernel=3, stride=2)
        stride = 2
        layers = [FeatureMap(node, channels, stride)]
        for layer, (factor, base, count, first_stride) in enumerate(GROUPS, 2):
            out = scaled(base, self.width)
            for index in range(count):
                step = first_stride if index == 0 else 1
                place = f"encoder.layer{layer}.{index}"
                hidden = channels * factor if factor > 1 or self.expands_first else 0
                node = _inverted_residual(builder, place, node, (channels, out), hidden, step)
                channels = out
            stride *= first_stride
            layers.append(FeatureMap(node, channels, stride))
        return tuple(layers)

    def taps(self, count: int) -> tuple[int, ...]:
        """Four are the paper's; fewer drop the finest, more add layers 5, 7 and 2, in this order.

        Raises:
            CompilerError: for more outputs than the encoder has.
        """
        return preferred("MobileNet-v2", _PREFERENCE, count)

    def from_published(self, values: Mapping[str, Array], place: str) -> Mapping[str, Array]:
        """Our own names as they are, or torchvision's ``mobilenet_v2``.

        Raises:
            CompilerError: naming torchvision's first parameter that is missing or unexpected.
            EncoderWidthError: for weights of another width.
        """
        found = values
        if is_torchvision(values):
            found = from_torchvision(values, GROUPS, place)
            found |= identity_expansion(found) if self.expands_first else {}
        width = _fitting_width({name: value.shape for name, value in found.items()})
        if width is not None and _channels(width) != _channels(self.width):
            raise EncoderWidthError(place, width, self.width)
        return found


@dataclass(frozen=True)
class TorchvisionMobileNetV2(MobileNetV2):
    """MobileNet-v2 whose first inverted residual has no expansion: torchvision's weights fit.

    In ``MobileNetV2`` they get an identity there, whose batch norm changes the features by 8 to
    16 % while it is trained.
    """

    expands_first: ClassVar[bool] = False
    name: ClassVar[str] = "mobilenet_v2_torchvision"


def _fitting_width(shapes: Mapping[str, Sequence[int]]) -> float | None:
    """The first of ``_WIDTHS`` whose layers have the channels of these weights; None for none."""
    names = ["encoder.layer1.conv.weight"]
    names += [f"encoder.layer{layer}.0.project.conv.weight" for layer in range(2, len(GROUPS) + 2)]
    found = [shapes[name][0] for name in names if shapes.get(name)]
    return next((width for width in _WIDTHS if _channels(width) == found), None)


def _channels(width: float) -> list[int]:
    """Of the outputs of layers 1 to 8."""
    return [scaled(base, width) for base in (STEM, *(base for _, base, _, _ in GROUPS))]


def _inverted_residual(
    builder: Builder, place: str, source: str, channels: tuple[int, int], hidden: int, stride: int
) -> str:
    """1x1 expansion to ``hidden`` channels, none of 0; depthwise 3x3; 1x1 projection."""
    node = builder.conv_bn(f"{place}.expand", source, hidden, act="relu6") if hidden else source
    hidden = hidden or channels[0]
    node = builder.conv_bn(
        f"{place}.depthwise", node, hidden, act="relu6", kernel=3, stride=stride, groups=hidden
    )
    node = builder.conv_bn(f"{place}.project", node, channels[1])
    if stride == 1 and channels[0] == channels[1]:
        return builder.add(f"{place}.add", "add", source, node)
    return node
