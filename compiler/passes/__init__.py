"""Rewrites of programs that keep what they compute, and the pipelines made of them."""

from compiler.passes.folding import FoldBatchNorm
from compiler.passes.pipeline import Change, Pass, run
from compiler.passes.removal import RemoveIdentity, RemoveZero, StripAuxiliary

INFERENCE: tuple[Pass, ...] = (
    StripAuxiliary(),
    RemoveIdentity(),
    RemoveZero(),
    FoldBatchNorm(),
)
"""From the network as described to the one that ships."""

__all__ = [
    "INFERENCE",
    "Change",
    "FoldBatchNorm",
    "Pass",
    "RemoveIdentity",
    "RemoveZero",
    "StripAuxiliary",
    "run",
]
