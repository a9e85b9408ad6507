"""The names of the authors' published checkpoints for the parameters of our graphs.

In a checkpoint the cell on the first and second item of block B is
``decoder.cells.B.op_1`` and ``op_2``; its operations are numbered 0 for the first and
3k+1, 3k+2 for the two of branch k (3k+3 is their sum). The names inside an operation
tell its kind: ``0`` and ``1`` for a convolution and its batch norm, ``op.sep_R.0``, ``1``
and ``2`` for repetition R of a separable one, ``conv1x1.0`` and ``1`` in gap.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from auxnas.compiler.errors import CompilerError
from auxnas.compiler.ir import Graph
from auxnas.compiler.shapes import graph_weights

Array = np.ndarray[Any, Any]

_CONV_BN = {"conv": 0, "bn": 1}
_RESIDUAL = {"expand": 0, "depthwise": 3, "project": 6}
_SEPARABLE = {"depthwise": 0, "conv": 1, "bn": 2}
_IGNORED = ("num_batches_tracked",)
_OPERATION = re.compile(
    r"(?P<place>.+)\.(?:(?P<first>first)|branch(?P<branch>\d+)\.op(?P<side>\d))"
    r"(?:\.(?P<repeat>\d+))?\.(?P<layer>\w+)"
)


def published_name(param: str, separable: frozenset[str], pooled: frozenset[str]) -> str:
    """The checkpoint's prefix for our parameter prefix.

    Args:
        param: ``Node.param``.
        separable: the operations that are separable, by our name up to the repetition.
        pooled: likewise those with a global mean.

    Raises:
        CompilerError: for a parameter that the published networks do not have.
    """
    match = _OPERATION.fullmatch(param)
    if match is not None:
        return _operation(match, separable, pooled)
    if found := re.fullmatch(r"encoder\.layer1\.(conv|bn)", param):
        return f"encoder.layer1.{_CONV_BN[found[1]]}"
    if found := re.fullmatch(r"encoder\.(layer\d\.\d+)\.(\w+)\.(conv|bn)", param):
        return f"encoder.{found[1]}.conv.{_RESIDUAL[found[2]] + _CONV_BN[found[3]]}"
    if found := re.fullmatch(r"decoder\.adapt(\d)\.(conv|bn)", param):
        return f"decoder.adapt{int(found[1]) + 1}.{_CONV_BN[found[2]]}"
    if found := re.fullmatch(r"decoder\.block(\d+)\.(left|right)\.agg\.(conv|bn)", param):
        branch = 1 if found[2] == "left" else 2
        return f"decoder.cells.{found[1]}.agg.branch_{branch}.{_CONV_BN[found[3]]}"
    if found := re.fullmatch(r"auxiliary(\d+)\.clf", param):
        return f"decoder.aux_clfs.{found[1]}.aux_clf"
    if found := re.fullmatch(r"decoder\.pre_clf\.(conv|bn)", param):
        return f"decoder.pre_clf.{_CONV_BN[found[1]]}"
    if param == "decoder.clf":
        return "decoder.conv_clf"
    raise CompilerError(param, "not in the published networks")


def _operation(match: re.Match[str], separable: frozenset[str], pooled: frozenset[str]) -> str:
    place, layer = match["place"], match["layer"]
    number = 0 if match["first"] else 3 * int(match["branch"]) + 1 + int(match["side"])
    own = match[0].removesuffix(f".{layer}").removesuffix(f".{match['repeat']}")
    if own in separable:
        inner = f"op.sep_{match['repeat'] or 0}.{_SEPARABLE[layer]}"
    else:
        inner = ("conv1x1." if own in pooled else "") + str(_CONV_BN[layer])
    if found := re.fullmatch(r"decoder\.block(\d+)\.(left|right)", place):
        cell = f"decoder.cells.{found[1]}.op_{1 if found[2] == 'left' else 2}"
    else:
        cell = f"decoder.aux_clfs.{place.removeprefix('auxiliary').removesuffix('.cell')}.aux_cell"
    return f"{cell}._ops.{number}.{inner}"


def published_names(graph: Graph) -> dict[str, str]:
    """Our parameter array's name -> the checkpoint's, for every array of ``graph``."""
    kinds: dict[str, set[str]] = {"depthwise": set(), "mean": set()}
    for node in graph.nodes:
        match = _OPERATION.fullmatch(node.name)
        kind = "mean" if node.op == "global_mean" else match["layer"] if match else ""
        if match is not None and kind in kinds:
            own = node.name.rpartition(".")[0]
            kinds[kind].add(own.removesuffix(f".{match['repeat']}"))
    separable, pooled = (frozenset(kinds[kind]) for kind in ("depthwise", "mean"))
    found = {}
    for name in graph_weights(graph):
        param, _, suffix = name.rpartition(".")
        found[name] = f"{published_name(param, separable, pooled)}.{suffix}"
    return found


def from_published(values: Mapping[str, Array], graph: Graph, place: str) -> dict[str, Array]:
    """Our parameters of ``graph`` out of a published checkpoint.

    Auxiliary heads may be absent or there without being used.

    Raises:
        CompilerError: naming the first parameter that is missing, unexpected or of
            another shape, as those of another architecture are.
    """
    return rename_params(values, published_names(graph), graph, place)


def rename_params(
    values: Mapping[str, Array], names: Mapping[str, str], graph: Graph, place: str
) -> dict[str, Array]:
    """The parameters of ``graph`` out of arrays under other names.

    Args:
        values: the arrays.
        names: the other name of each of ours.
        graph: whose parameters.
        place: for messages: the file.

    Raises:
        CompilerError: as ``from_published``.
    """
    weights, found = graph_weights(graph), {}
    for ours, theirs in names.items():
        if theirs not in values:
            raise CompilerError(
                f"{place}: {theirs}", "missing", f"an array of {weights[ours].shape}"
            )
        if values[theirs].shape != weights[ours].shape:
            raise CompilerError(
                f"{place}: {theirs}", f"shape {values[theirs].shape}", f"{weights[ours].shape}"
            )
        found[ours] = values[theirs]
    taken = set(names.values())
    for theirs in values:
        if theirs not in taken and not theirs.endswith(_IGNORED) and ".aux_" not in theirs:
            raise CompilerError(f"{place}: {theirs}", "unexpected", "no such parameter")
    return found


def is_published(names: Mapping[str, Any]) -> bool:
    """Whether parameter names are those of a published checkpoint."""
    return "decoder.conv_clf.weight" in names
