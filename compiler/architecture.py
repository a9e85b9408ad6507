"""Architectures: genotypes, and hand-made networks that stand in their place by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from auxnas.compiler.decoders import DECODERS, HandMade
from auxnas.compiler.ir import Graph
from auxnas.compiler.lowering import lower
from auxnas.compiler.spec import ModelSpec
from auxnas.genotype import Document, Genotype, GenotypeError, parse, to_json, zoo

Architecture = Genotype | HandMade
"""A network without its encoder's width, number of outputs and sizes."""


def lower_architecture(architecture: Architecture, spec: ModelSpec) -> Graph:
    """The network of ``architecture``, with the auxiliary heads of ``spec`` where it has blocks.

    Raises:
        CompilerError: when an operation of its vocabulary does not make a graph, or for another
            encoder than a hand-made network has.
    """
    if isinstance(architecture, HandMade):
        return architecture.lower(spec)
    return lower(architecture, spec)


def find_architecture(source: str) -> HandMade | Document:
    """A hand-made network by its name, or a genotype as ``genotype.zoo`` finds it.

    Raises:
        GenotypeError: naming what was found and what was expected.
    """
    if source in DECODERS:
        return HandMade(source)
    try:
        return zoo.find_genotype(source)
    except GenotypeError as error:
        if error.expected != zoo.EXPECTED:
            raise
        expected = f"{error.expected}, or of {', '.join(DECODERS)}"
        raise GenotypeError(error.place, error.found, expected) from None


def describe_architecture(architecture: Architecture) -> dict[str, Any]:
    """An architecture as entries of metadata; ``described_architecture`` reads them."""
    if isinstance(architecture, HandMade):
        return {"decoder": {"name": architecture.name, "channels": architecture.channels}}
    return {"genotype": json.loads(to_json(architecture))}


def described_architecture(values: Mapping[str, Any]) -> Architecture | None:
    """The architecture in metadata, what pre-training keeps among them; None where none is.

    Raises:
        GenotypeError: for what is no genotype.
        CompilerError: for a decoder that there is not.
        KeyError: for one that is not described.
    """
    if "genotype" in values:
        found = values["genotype"]
        return parse(found if isinstance(found, str) else json.dumps(found)).genotype
    if "pretrain" in values:
        return HandMade("lwrf", int(values["pretrain"]["channels"]))
    if "decoder" in values:
        return HandMade(values["decoder"]["name"], int(values["decoder"]["channels"]))
    return None
