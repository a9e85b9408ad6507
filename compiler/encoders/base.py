"""The seam of encoders: any backbone with feature maps at several strides fits into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from auxnas.compiler.builder import Builder
from auxnas.compiler.errors import CompilerError

Array = np.ndarray[Any, Any]
PREFIX = "encoder."
"""Start of the names of an encoder's parameters."""


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """A node's output: its name, channels and stride."""

    node: str
    channels: int
    stride: int


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Normalisation of an encoder's input: (RGB / 255 - ``mean``) / ``deviation``, by channel.

    Raises:
        CompilerError: for anything but three finite numbers each, deviations above 0.
    """

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    def __post_init__(self) -> None:
        whole = len(self.mean) == len(self.deviation) == 3
        if not (whole and np.isfinite([*self.mean, *self.deviation]).all()):
            raise CompilerError("normalisation", repr(self)[:60], "3 finite numbers each")
        if min(self.deviation) <= 0:
            raise CompilerError("normalisation.deviation", repr(self.deviation), "above 0")

    @property
    def colour(self) -> tuple[int, int, int]:
        """The mean as red, green and blue from 0 to 255."""
        red, green, blue = np.clip(np.rint(255 * np.array(self.mean)), 0, 255).astype(int).tolist()
        return red, green, blue


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of ImageNet's photographs, with which most backbones were trained."""


class Encoder(Protocol):
    """A backbone: from an image to feature maps at several strides.

    Attributes:
        name: in settings, metadata and messages.
        normalisation: of the images that its weights are for.
    """

    name: str
    normalisation: Normalisation

    def __init__(self, width: float) -> None:
        """An encoder whose channels are multiplied by ``width``."""

    def lower(self, builder: Builder, image: str) -> tuple[FeatureMap, ...]:
        """Adds the encoder behind the node ``image``; its feature maps, the finest first.

        Parameters are named ``encoder.`` and what the encoder calls them.
        """

    def taps(self, count: int) -> tuple[int, ...]:
        """Indices of ``lower``'s maps that a decoder of ``count`` encoder outputs reads, in order.

        Raises:
            CompilerError: for more outputs than the encoder has.
        """

    def from_published(self, values: Mapping[str, Array], place: str) -> Mapping[str, Array]:
        """Arrays by our parameter names, from those of published weights.

        Values under our own names come back as they are. Shapes are compared elsewhere.

        Args:
            values: arrays by name, of one file.
            place: names the file.

        Raises:
            CompilerError: naming the first parameter that is missing or not known, or
                ``EncoderWidthError`` where they are of the same encoder at another width.
        """


class EncoderWidthError(CompilerError):
    """Weights are those of an encoder of another width.

    Attributes:
        width: the width multiplier that they fit.
    """

    def __init__(self, place: str, width: float, expected: float) -> None:
        self.width = width
        super().__init__(place, f"an encoder of width {width:g}", f"one of width {expected:g}")


def scaled(channels: int, width: float) -> int:
    """``channels`` times ``width``, to the nearest multiple of 8 that loses at most 10 %."""
    wanted = channels * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def preferred(name: str, places: tuple[int, ...], count: int) -> tuple[int, ...]:
    """The first ``count`` of ``places``, in order: the usual way to choose ``taps``.

    Raises:
        CompilerError: naming the encoder, for more than there are.
    """
    if not 1 <= count <= len(places):
        raise CompilerError("encoder_outputs", str(count), f"1..{len(places)}, which {name} has")
    return tuple(sorted(places[:count]))
