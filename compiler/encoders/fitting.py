"""Weights of a file fitted to an encoder."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from auxnas.compiler.encoders.base import PREFIX, Array, Encoder
from auxnas.compiler.encoders.contract import encoder_place
from auxnas.compiler.errors import CompilerError
from auxnas.compiler.ir import Graph
from auxnas.compiler.semantics import BATCH_NORM_EPSILON
from auxnas.compiler.weights import fit_params
from auxnas.genotype.errors import short_repr

_MEAN = ".running_mean"


def fit_encoder(
    encoder: Encoder, graph: Graph, values: Mapping[str, Array], place: str
) -> dict[str, Array]:
    """The parameters of ``encoder`` in ``graph``, float32 by our names.

    Args:
        encoder: says how published weights of it are named.
        graph: the encoder, alone or with a decoder, whose parameters are left out.
        values: arrays of a file: a whole network of ours, or published weights.
        place: names the file.

    Raises:
        CompilerError: naming the first parameter that is missing, unexpected, of another
            shape or not finite.
        EncoderWidthError: for an encoder of another width.
    """
    published = encoder.from_published(values, place)
    if not (isinstance(published, Mapping) and all(map(_is_named_array, published.items()))):
        given = f"from_published gives {short_repr(published)}"
        raise CompilerError(encoder_place(encoder), given, "a mapping from names to arrays")
    norms = [str(node.param) for node in graph.nodes if node.op == "batch_norm"]
    norms = [norm for norm in norms if norm.startswith(PREFIX)]
    if norms and published and not any(name.endswith(_MEAN) for name in published):
        where, expected = f"{place}: {norms[0]}{_MEAN}", "weights as they were trained, not folded"
        raise CompilerError(where, "missing, as of every batch norm", expected)
    found = {name: value for name, value in published.items() if name.startswith(PREFIX)}
    fitted = fit_params(graph, found, place, PREFIX)
    for name in found:
        if name not in fitted and not name.endswith(".num_batches_tracked"):
            raise CompilerError(f"{place}: {name}", "unexpected", "no such parameter")
    return fitted


def fresh_norms(graph: Graph, params: Mapping[str, Array]) -> tuple[int, int]:
    """Numbers of batch norms with the mean 0 and variance 1 that they are made with, and of all.

    Those are folded into the convolutions in front of them, or were never trained.
    """
    norms = [node.param for node in graph.nodes if node.op == "batch_norm"]
    fresh = [
        not params[f"{norm}.running_mean"].any()
        and np.abs(params[f"{norm}.running_var"] - 1).max() <= BATCH_NORM_EPSILON
        for norm in norms
        if f"{norm}.running_mean" in params
    ]
    return sum(fresh), len(fresh)


def _is_named_array(item: tuple[object, object]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], np.ndarray)
