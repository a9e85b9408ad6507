"""Encoders: the backbones that decoders are searched for.

One is found by name, by ``package.module:Class``, or by an entry point of the group
``auxnas.encoders``.
"""

from __future__ import annotations

from functools import lru_cache

from auxnas.compiler.encoders.base import (
    IMAGENET,
    PREFIX,
    Encoder,
    EncoderWidthError,
    FeatureMap,
    Normalisation,
    preferred,
    scaled,
)
from auxnas.genotype.plugins import find_plugin

__all__ = [
    "DEFAULT",
    "ENCODERS",
    "IMAGENET",
    "PREFIX",
    "Encoder",
    "EncoderWidthError",
    "FeatureMap",
    "Normalisation",
    "find_encoder",
    "preferred",
    "scaled",
]

ENCODERS = {
    "mobilenet_v2": "auxnas.compiler.encoders.mobilenet:MobileNetV2",
    "resnet50": "auxnas.compiler.encoders.resnet:ResNet50",
    "resnet101": "auxnas.compiler.encoders.resnet:ResNet101",
    "resnet152": "auxnas.compiler.encoders.resnet:ResNet152",
}
"""Our encoders by name: where each is."""

DEFAULT = "mobilenet_v2"
"""The paper's encoder (section 4)."""


@lru_cache(maxsize=64)
def find_encoder(name: str, width: float = 1.0) -> Encoder:
    """The encoder called ``name`` whose channels are multiplied by ``width``.

    Raises:
        PluginError: when there is none of this name.
    """
    encoder: Encoder = find_plugin("encoders", name, ENCODERS)(width)
    return encoder
