"""An encoder of your own: one class that says how it is lowered and what it gives.

    nassearch run --data synthetic --preset demo --encoder encoder:Plain --out plain
    nascompile plain/best.json --weights plain/best.safetensors --encoder encoder:Plain

from this folder, or with it on PYTHONPATH.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from auxnas.compiler.builder import Builder
from auxnas.compiler.encoders import FeatureMap, Normalisation, preferred, scaled


@dataclass(frozen=True)
class Plain:
    """Five 3x3 convolutions of stride 2; the maps at strides 4 to 32 are its outputs."""

    width: float = 1.0
    name: ClassVar[str] = "plain"
    normalisation: ClassVar[Normalisation] = Normalisation((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))

    def lower(self, builder: Builder, image: str) -> tuple[FeatureMap, ...]:
        """Adds the encoder behind the node ``image``."""
        node, maps = image, []
        for step in range(1, 6):
            out = scaled(16 * step, self.width)
            node = builder.conv_bn(f"encoder.{step}", node, out, act="relu", kernel=3, stride=2)
            maps.append(FeatureMap(node, out, 2**step))
        return tuple(maps)

    def taps(self, count: int) -> tuple[int, ...]:
        """The coarsest first: with four, all but the map at stride 2."""
        return preferred(self.name, (4, 3, 2, 1, 0), count)

    def from_published(self, values: Mapping[str, Any], place: str) -> Mapping[str, Any]:
        """There are no published weights: files have our own names."""
        return values
