"""An encoder that is given as a file: pre-trained, of a network of ours, or published."""

from __future__ import annotations

from collections.abc import Mapping

from auxnas.backends.artefacts.metadata import decode_metadata
from auxnas.backends.timm.published import published_arrays
from auxnas.backends.weights import read_arrays
from auxnas.compiler import CompilerError, Graph, ModelSpec, Program
from auxnas.compiler.encoders import EncoderWidthError
from auxnas.compiler.encoders.fitting import fit_encoder, fresh_norms
from auxnas.compiler.weights import fit_params, initial_params
from auxnas.search.networks.networks import Network
from auxnas.search.networks.pretrain import Params, PretrainedEncoder
from auxnas.search.settings.search import PUBLISHED, SCRATCH


def _taught_in(
    path: str, params: Params, known: Mapping[str, str], spec: ModelSpec
) -> Program | None:
    """The network of a file that pre-training wrote; None of another file or other outputs."""
    if "pretrain" not in known:
        return None
    try:
        network = Network.of(decode_metadata(known))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        found = f"no description of a network ({error})"
        raise CompilerError(path, found, "weights that nassearch wrote") from None
    if (network.spec.classes, network.spec.task) != (spec.classes, spec.task):
        return None
    graph = network.graph()
    return Program(graph, fit_params(graph, params, path), "refinenet")


def given_encoder(path: str, graph: Graph, spec: ModelSpec, seed: int) -> PretrainedEncoder:
    """The encoder in a file: ours, which needs no torch, or published weights.

    Args:
        path: the file; or ``published``, what timm or torchvision fetch, or ``none``.
        graph: a graph with the encoder alone.
        seed: of random weights, for ``none``.
        spec: of the run: the network that the encoder was pre-trained in comes with it
            where it is of the same task and as many outputs.

    Raises:
        CompilerError: when it cannot be read or does not fit.
        BackendUnavailable: for torchvision's, when torch is not installed.
    """
    if path == SCRATCH:
        return PretrainedEncoder(initial_params(graph, seed))
    try:
        return _read_encoder(path, graph, spec)
    except EncoderWidthError as error:
        expected = f"{error.expected}, or --set model.width={error.width:g}"
        raise CompilerError(error.place, error.found, expected) from None


def _read_encoder(path: str, graph: Graph, spec: ModelSpec) -> PretrainedEncoder:
    fetched = path == PUBLISHED
    params, known = (published_arrays(spec.encoder), {}) if fetched else read_arrays(path)
    fitted = fit_encoder(spec.find_encoder(), graph, params, path)
    unused = sum(array.size for array in params.values()) - sum(v.size for v in fitted.values())
    teacher = _taught_in(path, params, known, spec)
    return PretrainedEncoder(fitted, teacher, unused, fresh_norms(graph, fitted))
