"""Hand-made decoders: teachers, and the rivals of what is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar

from auxnas.compiler.decoders.deeplab import RATES, lower_deeplabv3, lower_deeplabv3plus
from auxnas.compiler.decoders.refinenet import CHANNELS, lower_refinenet
from auxnas.compiler.decoders.simple import lower_simple
from auxnas.compiler.errors import CompilerError, check_choice, check_integer
from auxnas.compiler.ir import Graph
from auxnas.compiler.spec import MOST_CHANNELS, ModelSpec

__all__ = ["CHANNELS", "DECODERS", "Decoder", "HandMade"]


@dataclass(frozen=True)
class Decoder:
    """A hand-made decoder.

    Attributes:
        title: in words.
        lower: the network of a spec's encoder and classes, with so many channels.
        encoder: the only one that it is meant for; None for any.
    """

    title: str
    lower: Callable[[ModelSpec, int], Graph]
    encoder: str | None = None


DECODERS: Mapping[str, Decoder] = MappingProxyType(
    {
        "lwrf": Decoder("Light-Weight RefineNet", lower_refinenet),
        "deeplabv3": Decoder(
            "DeepLab-v3 without ASPP, output stride 8", partial(lower_deeplabv3, output_stride=8)
        ),
        "deeplabv3-aspp": Decoder(
            "DeepLab-v3 with ASPP, output stride 16",
            partial(lower_deeplabv3, output_stride=16, rates=RATES),
        ),
        "deeplabv3plus": Decoder("DeepLab-v3+, output stride 4", lower_deeplabv3plus),
        "simple-resnet50": Decoder(
            "ResNet-50 and three transposed convolutions", lower_simple, "resnet50"
        ),
    }
)
"""By the name that stands where a genotype is expected: the paper's rivals."""


@dataclass(frozen=True)
class HandMade:
    """A hand-made network where a genotype is expected.

    Attributes:
        name: of its decoder.
        channels: of the decoder; the authors of all have 256.
        genotype: it has none.

    Raises:
        CompilerError: for a name that there is not, or channels out of range.
    """

    name: str
    channels: int = CHANNELS

    def __post_init__(self) -> None:
        check_choice("decoder.name", self.name, [*DECODERS])
        check_integer("decoder.channels", self.channels, 1, MOST_CHANNELS)

    genotype: ClassVar[None] = None

    @property
    def encoder(self) -> str | None:
        """The only encoder that it is meant for; None for any."""
        return DECODERS[self.name].encoder

    @property
    def title(self) -> str:
        """Its decoder, in words."""
        return DECODERS[self.name].title

    def with_channels(self, channels: int) -> HandMade:
        """The network with other channels."""
        return replace(self, channels=channels)

    def lower(self, spec: ModelSpec) -> Graph:
        """The network from image to logits; of ``spec``, encoder and classes alone count.

        Raises:
            CompilerError: for another encoder than the one that it is meant for.
        """
        if self.encoder not in (None, spec.encoder):
            expected = f"{self.encoder}, which {self.name} is made of"
            raise CompilerError("model.encoder", spec.encoder, expected)
        return DECODERS[self.name].lower(spec, self.channels)

    def describe(self) -> dict[str, Any]:
        """Entries of metadata."""
        return {"decoder": {"name": self.name, "channels": self.channels}}

    def key(self, level: str = "isomorphism") -> str:
        """Its name: it is the same as no other at every level."""
        return self.name

    def __str__(self) -> str:
        return self.name
