"""MobileNet-v2, the given encoder (Sandler et al., 2018; paper, section 4).

Layers are numbered 1 to 8 as in the published checkpoints: 1 is the stem, 2-8 the seven
groups of inverted residuals. The paper's four outputs, of 24, 32, 96 and 320 channels at
strides 4, 8, 16 and 32, are those of layers 3, 4, 6 and 8. As in the published encoder,
the first inverted residual has its 1x1 expansion too, where the factor is 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auxnas.compiler.builder import Builder
from auxnas.compiler.errors import CompilerError

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

_PREFERENCE = (8, 6, 4, 3, 5, 7, 2)
_WIDTHS = (1.0, 0.75, 0.5, 0.35, 0.25, 1.3, 1.4, *(n / 100 for n in range(5, 401)))
"""Width multipliers to be recognised, those of published weights first."""


class EncoderWidthError(CompilerError):
    """Weights are those of an encoder of another width.

    Attributes:
        width: the width multiplier that they fit.
    """

    def __init__(self, place: str, width: float, expected: float) -> None:
        self.width = width
        super().__init__(place, f"an encoder of width {width:g}", f"one of width {expected:g}")


Sides = Sequence[int]
"""Shape of an array of weights."""


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """A node's output: its name, channels and stride."""

    node: str
    channels: int
    stride: int


def output_layers(count: int) -> tuple[int, ...]:
    """The layers that a decoder with ``count`` encoder outputs reads, finest first.

    Four are the paper's. Fewer drop the finest, more add layers 5, 7 and 2, in this order.

    Raises:
        CompilerError: for more outputs than the encoder has.
    """
    if not 1 <= count <= len(_PREFERENCE):
        raise CompilerError(
            "encoder_outputs", str(count), f"1..{len(_PREFERENCE)}, which MobileNet-v2 has"
        )
    return tuple(sorted(_PREFERENCE[:count]))


def scaled(channels: int, width: float) -> int:
    """``channels`` times ``width``, to the nearest multiple of 8 that loses at most 10 %."""
    wanted = channels * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def check_width(found: Mapping[str, Sides], wanted: Mapping[str, Sides], place: str) -> None:
    """Finds the weights of an encoder that is wider or narrower throughout.

    Args:
        found: the weights' shapes by our parameter names.
        wanted: those of the encoder that they are for.
        place: names the weights.

    Raises:
        EncoderWidthError: when ``found`` is all of such an encoder.
    """
    width, expected = _fitting_width(found), _fitting_width(wanted)
    if width is not None and expected is not None and width != expected:
        raise EncoderWidthError(place, width, expected)


def _fitting_width(shapes: Mapping[str, Sides]) -> float | None:
    """The first of ``_WIDTHS`` whose layers have the channels of these weights; None for none."""
    names = ["encoder.layer1.conv.weight"]
    names += [f"encoder.layer{layer}.0.project.conv.weight" for layer in range(2, len(GROUPS) + 2)]
    found = [shapes[name][0] for name in names if shapes.get(name)]
    channels = [STEM, *(base for _, base, _, _ in GROUPS)]
    return next((w for w in _WIDTHS if [scaled(base, w) for base in channels] == found), None)


def lower_encoder(builder: Builder, image: str, width: float) -> dict[int, FeatureMap]:
    """Adds the encoder; returns the output of every layer by its number."""
    channels = scaled(STEM, width)
    node = builder.conv_bn("encoder.layer1", image, channels, act="relu6", kernel=3, stride=2)
    stride = 2
    layers = {1: FeatureMap(node, channels, stride)}
    for layer, (factor, base, count, first_stride) in enumerate(GROUPS, 2):
        out = scaled(base, width)
        for index in range(count):
            step = first_stride if index == 0 else 1
            place = f"encoder.layer{layer}.{index}"
            node = _inverted_residual(builder, place, node, (channels, out), factor, step)
            channels = out
        stride *= first_stride
        layers[layer] = FeatureMap(node, channels, stride)
    return layers


def _inverted_residual(
    builder: Builder, place: str, source: str, channels: tuple[int, int], factor: int, stride: int
) -> str:
    hidden = channels[0] * factor
    node = builder.conv_bn(f"{place}.expand", source, hidden, act="relu6")
    node = builder.conv_bn(
        f"{place}.depthwise", node, hidden, act="relu6", kernel=3, stride=stride, groups=hidden
    )
    node = builder.conv_bn(f"{place}.project", node, channels[1])
    if stride == 1 and channels[0] == channels[1]:
        return builder.add(f"{place}.add", "add", source, node)
    return node
