"""Weights that timm and torchvision publish, fetched by their own loaders."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from auxnas.backends.base import BackendUnavailable
from auxnas.compiler import CompilerError
from auxnas.genotype.errors import inline

Array = np.ndarray[Any, Any]

PUBLISHED = {
    "mobilenet_v2": "torchvision:mobilenet_v2",
    "mobilenet_v2_torchvision": "torchvision:mobilenet_v2",
    "mobilenetv4_conv_small": "timm:mobilenetv4_conv_small.e2400_r224_in1k",
    "mobilenetv4_conv_medium": "timm:mobilenetv4_conv_medium.e500_r256_in1k",
    "efficientnet_lite0": "timm:efficientnet_lite0.ra_in1k",
    "repvgg_a0": "timm:repvgg_a0.rvgg_in1k",
    **{f"resnet{depth}": f"timm:resnet{depth}.tv_in1k" for depth in (18, 34, 50, 101, 152)},
}
"""By encoder of ours, the library and its name of weights of ImageNet at width 1."""


def published_arrays(encoder: str) -> dict[str, Array]:
    """The published weights of an encoder, by their own names.

    Raises:
        CompilerError: for an encoder without any, and where they cannot be fetched.
        BackendUnavailable: when the library is not installed.
    """
    place = f"published weights of {encoder}"
    library, _, name = PUBLISHED.get(encoder, encoder).partition(":")
    if library not in ("timm", "torchvision"):
        raise CompilerError(place, "none are known", "a file of weights (--encoder-weights FILE)")
    try:
        if library == "timm":
            model = import_module("timm").create_model(name, pretrained=True)
        else:
            model = getattr(import_module("torchvision.models"), name)(weights="DEFAULT")
    except ModuleNotFoundError as error:
        raise BackendUnavailable(place, error.name or library, "timm") from None
    except Exception as error:  # no network, no such weights: each has its own
        found = f"{library} cannot fetch {name} ({inline(str(error))[:200]})"
        raise CompilerError(place, found, "a file of weights (--encoder-weights FILE)") from None
    return {key: value.numpy() for key, value in model.state_dict().items()}
