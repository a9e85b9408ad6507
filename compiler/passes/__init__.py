"""Rewrites of programs that keep what they compute, and the pipelines made of them."""

from auxnas.compiler.passes.branches import MergeBranches
from auxnas.compiler.passes.folding import FoldBatchNorm
from auxnas.compiler.passes.pipeline import Change, Pass, run_passes
from auxnas.compiler.passes.removal import BorrowSize, RemoveIdentity, StripAuxiliary
from auxnas.compiler.passes.spreading import BroadcastSum, FoldConstant, SinkSpread
from auxnas.compiler.passes.sums import FlattenSum, LowerConv, MergeResize, RemoveRelu, SplitConv

INFERENCE: tuple[Pass, ...] = (
    StripAuxiliary(),
    RemoveIdentity(),
    FoldBatchNorm(),
    MergeBranches(),
    FoldConstant(),
    SinkSpread(),
    RemoveRelu(),
    SplitConv(),
    LowerConv(),
    MergeResize(),
    FlattenSum(),
    BroadcastSum(),
    BorrowSize(),
)
"""From the network as described to the one that ships."""

__all__ = [
    "INFERENCE",
    "BorrowSize",
    "BroadcastSum",
    "Change",
    "FlattenSum",
    "FoldBatchNorm",
    "FoldConstant",
    "LowerConv",
    "MergeBranches",
    "MergeResize",
    "Pass",
    "RemoveIdentity",
    "RemoveRelu",
    "SinkSpread",
    "SplitConv",
    "StripAuxiliary",
    "run_passes",
]
