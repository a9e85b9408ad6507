"""Weights of a network from a file: ours, or the authors' published checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auxnas.backends.artefacts.metadata import decode_metadata
from auxnas.backends.registry import backend
from auxnas.compiler import CompilerError, Graph
from auxnas.compiler.architecture import Architecture, blueprint_of, described_architecture
from auxnas.compiler.decoders.simple import from_simple_baseline, is_simple_baseline
from auxnas.compiler.published import from_published, is_published
from auxnas.compiler.weights import fit_params, load_weights


@dataclass(frozen=True)
class Weights:
    """Parameter arrays and what is known of them.

    Attributes:
        params: arrays by name.
        source: for messages: a path, or how they were made.
        metadata: decoded metadata: ``genotype``, ``model``, ``classes``,
            ``normalisation`` where present.
    """

    params: Mapping[str, Any] = field(repr=False)
    source: str
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def architecture(self) -> Architecture | None:
        """The architecture that they are of; None where the file does not say.

        Raises:
            CompilerError: for a description that is none.
        """
        try:
            return described_architecture(self.metadata)
        except (ValueError, KeyError, TypeError) as error:
            place = f"{self.source}: metadata"
            raise CompilerError(place, f"no genotype ({error})", "one") from None

    def of(self, graph: Graph) -> dict[str, Any]:
        """The parameters of ``graph``, from our names or the published checkpoints'.

        Raises:
            CompilerError: naming the first parameter that does not fit.
        """
        values = self.params
        try:
            if is_published(values):
                values = from_published(values, graph, self.source)
            elif is_simple_baseline(values):
                values = from_simple_baseline(values, graph, self.source)
            return fit_params(graph, values, self.source)
        except CompilerError as error:
            if not error.found.startswith(("missing", "shape", "unexpected")):
                raise
            hint = "; give the genotype and the sizes that these weights were trained for"
            raise CompilerError(error.place, error.found, error.expected + hint) from None


def read_weights(path: str, architecture: Architecture) -> Weights:
    """Weights of ``architecture``'s network from a safetensors file or a PyTorch state dict.

    A state dict is read by torch, without executing what it may carry.

    Raises:
        CompilerError: when the file cannot be read, or says that it is of another architecture.
        BackendUnavailable: for a state dict, when torch is not installed.
    """
    params, texts = read_arrays(path)
    found = Weights(params, path, decode_metadata(texts))
    theirs = found.architecture()
    if theirs is not None and _shape(theirs) != _shape(architecture):
        hint = "; give the genotype that they were trained for"
        raise CompilerError(path, f"weights of {theirs}", f"of {architecture}{hint}")
    return found


def _shape(architecture: Architecture) -> Architecture:
    """The architecture but for the number of its channels."""
    return blueprint_of(architecture).with_channels(1)


def read_arrays(path: str | Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Arrays of a safetensors file or a PyTorch state dict, and the former's metadata as stored.

    Raises:
        CompilerError: when the file cannot be read.
        BackendUnavailable: for a state dict, when torch is not installed.
    """
    if is_state_dict(path):
        return backend("checkpoint", "torch")(Path(path)), {}
    return load_weights(path)


def is_state_dict(path: str | Path) -> bool:
    """Whether a file starts as those of ``torch.save`` do: an archive or a pickle.

    A safetensors file starts with any eight bytes, its header's length, and then ``{``.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(9)
    except OSError:
        return False
    return head.startswith((b"PK", b"\x80")) and head[8:] != b"{"
