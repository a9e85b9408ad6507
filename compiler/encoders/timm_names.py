"""Parameters under timm's names, which encoders of ours have behind ``encoder.``."""

from __future__ import annotations

from collections.abc import Mapping

from auxnas.compiler.builder import Builder
from auxnas.compiler.encoders.base import PREFIX, Array

HEADS = ("classifier.", "conv_head.", "norm_head.", "head.", "bn2.")
"""Starts of the names behind the last feature map."""


def conv_norm(
    builder: Builder, names: tuple[str, str], source: str, out: int, *, act: str = "", **attrs: int
) -> str:
    """Convolution and batch norm of these names, behind ``encoder.``, and the activation."""
    conv, norm = (f"{PREFIX}{name}" for name in names)
    node = builder.add(conv, "conv2d", source, out=out, **{"kernel": 1} | attrs)
    node = builder.add(norm, "batch_norm", node)
    return builder.add(f"{norm}.{act}", act, node) if act else node


def from_timm(values: Mapping[str, Array]) -> Mapping[str, Array]:
    """Our own names as they are, or timm's behind ``encoder.``, without its classifier."""
    if any(name.startswith(PREFIX) for name in values):
        return values
    return {f"{PREFIX}{n}": value for n, value in values.items() if not n.startswith(HEADS)}
