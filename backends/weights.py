"""Weights of a network from a file: ours, or the authors' published checkpoints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auxnas.backends.artefacts.metadata import decode_metadata
from auxnas.backends.registry import backend
from auxnas.compiler import CompilerError, Graph
from auxnas.compiler.published import from_published, is_published
from auxnas.compiler.weights import fit_params, load_weights
from auxnas.genotype import Genotype, GenotypeError, parse


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

    def of(self, graph: Graph) -> dict[str, Any]:
        """The parameters of ``graph``, from our names or the published checkpoints'.

        Raises:
            CompilerError: naming the first parameter that does not fit.
        """
        values = self.params
        try:
            if is_published(values):
                values = from_published(values, graph, self.source)
            return fit_params(graph, values, self.source)
        except CompilerError as error:
            if not error.found.startswith(("missing", "shape", "unexpected")):
                raise
            hint = "; give the genotype and the sizes that these weights were trained for"
            raise CompilerError(error.place, error.found, error.expected + hint) from None


def read_weights(path: str, genotype: Genotype) -> Weights:
    """Weights of ``genotype``'s network from a safetensors file or a PyTorch state dict.

    A state dict is read by torch, without executing what it may carry.

    Raises:
        CompilerError: when the file cannot be read, or says that it is of another genotype.
        BackendUnavailable: for a state dict, when torch is not installed.
    """
    params, texts = read_arrays(path)
    known = decode_metadata(texts)
    if "genotype" in known:
        _same_genotype(path, known["genotype"], genotype)
    return Weights(params, path, known)


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


def _same_genotype(path: str, found: object, expected: Genotype) -> None:
    text = found if isinstance(found, str) else json.dumps(found)
    try:
        theirs = parse(text).genotype
    except GenotypeError as error:
        raise CompilerError(f"{path}: metadata", f"no genotype ({error})", "one") from None
    if theirs != expected:
        hint = "; give the genotype that they were trained for"
        raise CompilerError(path, f"weights of {theirs}", f"of {expected}{hint}")
