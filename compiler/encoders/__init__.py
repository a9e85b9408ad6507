"""Encoders: the backbones that decoders are searched for.

One is found by name, by ``package.module:Class``, or by an entry point of the group
``auxnas.encoders``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

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
from auxnas.genotype.errors import short_repr
from auxnas.genotype.plugins import PluginError, check_members, find_maker

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

_HERE = "auxnas.compiler.encoders"
ENCODERS = {
    "mobilenet_v2": f"{_HERE}.mobilenet:MobileNetV2",
    "mobilenet_v2_torchvision": f"{_HERE}.mobilenet:TorchvisionMobileNetV2",
    "mobilenetv4_conv_small": f"{_HERE}.mobilenetv4:MobileNetV4ConvSmall",
    "mobilenetv4_conv_medium": f"{_HERE}.mobilenetv4:MobileNetV4ConvMedium",
    "efficientnet_lite0": f"{_HERE}.efficientnet:EfficientNetLite0",
    "repvgg_a0": f"{_HERE}.repvgg:RepVGGA0",
    "resnet18": f"{_HERE}.resnet:ResNet18",
    "resnet34": f"{_HERE}.resnet:ResNet34",
    "resnet50": f"{_HERE}.resnet:ResNet50",
    "resnet101": f"{_HERE}.resnet:ResNet101",
    "resnet152": f"{_HERE}.resnet:ResNet152",
}
"""Our encoders by name: where each is."""

LIBRARY_ENCODERS = {"timm": "auxnas.backends.timm.encoder:make_timm_encoder"}
"""By the prefix of ``genotype.plugins.LIBRARIES``, what makes an encoder of a library's network."""

DEFAULT = "mobilenet_v2"
"""The paper's encoder (section 4)."""

MEMBERS = ("name", "normalisation", "lower", "taps", "from_published")
"""Members of an encoder."""


@lru_cache(maxsize=64)
def find_encoder(name: str, width: float = 1.0) -> Encoder:
    """The encoder called ``name`` whose channels are multiplied by ``width``.

    Raises:
        PluginError: when there is none of this name, or it lacks what an encoder has.
    """
    library, _, rest = name.partition(":")
    if library in LIBRARY_ENCODERS:
        maker = find_maker("encoders", library, LIBRARY_ENCODERS, ("name", "width"))
        made: Any = maker(rest, width)
    else:
        made = find_maker("encoders", name, ENCODERS, ("width",))(width)
    check_members("encoders", name, made, MEMBERS)
    if not isinstance(made.normalisation, Normalisation):
        found = f"{name}: normalisation {short_repr(made.normalisation)}"
        raise PluginError("encoders", found, "a Normalisation of auxnas.compiler.encoders")
    encoder: Encoder = made
    return encoder
