"""Architectures: genotypes, and hand-made networks that stand in their place by name."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from os.path import isdir, isfile
from pathlib import Path
from typing import Any, ClassVar, Protocol

from auxnas.compiler.decoders import DECODERS, HandMade
from auxnas.compiler.ir import Graph
from auxnas.compiler.lowering import lower
from auxnas.compiler.spec import ModelSpec
from auxnas.genotype import Genotype, GenotypeError, parse, to_json, zoo
from auxnas.genotype.errors import inline

_BEST = "best.json"
"""File of a search's best genotype."""
_WEIGHTS = "weights"
_OTHERS = {
    **dict.fromkeys((".safetensors", ".pth", ".pt", ".ckpt"), _WEIGHTS),
    **dict.fromkeys((".onnx", ".pt2", ".engine", ".rtx", ".tflite", ".pte"), "an artefact"),
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"), "a picture"),
}
"""Kinds of files, by suffix, that may be given for a genotype and hold none."""
Architecture = Genotype | HandMade
"""A network without its encoder's width, number of outputs and sizes."""


class Blueprint(Protocol):
    """Facts that an architecture of either kind gives of itself."""

    @property
    def title(self) -> str:
        """Its kind, in words."""

    @property
    def encoder(self) -> str | None:
        """The only encoder that it is meant for; None for any."""

    @property
    def channels(self) -> int | None:
        """Channels of its decoder, where they are its own; None where they are a spec's."""

    @property
    def genotype(self) -> Genotype | None:
        """Its genotype; None where it was made by hand."""

    def with_channels(self, channels: int) -> Architecture:
        """The architecture with other channels, where they are its own."""

    def lower(self, spec: ModelSpec) -> Graph:
        """The network, with the auxiliary heads of ``spec`` where it has blocks.

        Raises:
            CompilerError: when an operation of its vocabulary does not make a graph, or for
                another encoder than it is meant for.
        """

    def describe(self) -> dict[str, Any]:
        """Entries of metadata; ``described_architecture`` reads them."""


@dataclass(frozen=True)
class GenotypeBlueprint:
    """A genotype as an architecture: its channels and its encoder are a spec's."""

    genotype: Genotype

    title: ClassVar[str] = "a genotype"
    encoder: ClassVar[None] = None
    channels: ClassVar[None] = None

    def with_channels(self, channels: int) -> Genotype:
        """The genotype itself."""
        return self.genotype

    def lower(self, spec: ModelSpec) -> Graph:
        """The network of ``spec`` around it."""
        return lower(self.genotype, spec)

    def describe(self) -> dict[str, Any]:
        """Its JSON document."""
        return {"genotype": json.loads(to_json(self.genotype))}


def blueprint_of(architecture: Architecture) -> Blueprint:
    """The facts that an architecture gives of itself."""
    return architecture if isinstance(architecture, HandMade) else GenotypeBlueprint(architecture)


@dataclass(frozen=True)
class ArchitectureDocument:
    """An architecture as found by a text.

    Attributes:
        architecture: itself.
        format: the notation of a genotype, as ``genotype.Document`` has it; None of a name that
            stands for no genotype.
        extra: everything else that stood there.
    """

    architecture: Architecture
    format: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def lower_architecture(architecture: Architecture, spec: ModelSpec) -> Graph:
    """The network of ``architecture``; see ``Blueprint.lower``."""
    return blueprint_of(architecture).lower(spec)


def find_architecture(source: str) -> ArchitectureDocument:
    """A hand-made network by its name, or a genotype as ``genotype.zoo`` finds it.

    Raises:
        GenotypeError: naming what was found and what was expected.
    """
    if source in DECODERS:
        return ArchitectureDocument(HandMade(source))
    _check_place(source)
    try:
        found = zoo.find_genotype(source)
    except GenotypeError as error:
        _check_kind(source)
        if error.expected != zoo.EXPECTED:
            raise
        expected = f"{error.expected}, or of {', '.join(DECODERS)}"
        raise GenotypeError(error.place, error.found, expected) from None
    return ArchitectureDocument(found.genotype, found.format, found.extra)


def _check_kind(source: str) -> None:
    """Refuses weights, artefacts and pictures by what they are called.

    Raises:
        GenotypeError: naming a file beside it that may be meant.
    """
    kind = _OTHERS.get(Path(source).suffix.lower()) if isfile(source) else None
    if kind is not None:
        beside = (Path(source).with_suffix(".json"), Path(source).with_name("genotype.json"))
        meant = next((f", such as {path}" for path in beside if path.is_file()), "")
        further = "; --weights FILE" * (kind == _WEIGHTS)
        found = f"{kind}, no genotype"
        raise GenotypeError(inline(source), found, f"a genotype file{meant}{further}") from None


def _check_place(source: str) -> None:
    """Refuses a folder, as a search's, and ``FOLDER:TRIAL`` of no search.

    Raises:
        GenotypeError: naming a file there that may be meant, or the command that writes one.
    """
    folder, _, trial = source.rpartition(":")
    for place in (source, folder):
        if isfile(source) or not isdir(place):  # of a text that is no path neither
            continue
        files = sorted(Path(place).glob("*.json"), key=lambda path: (path.name != _BEST, path.name))
        expected = f"a genotype file{f', such as {files[0]}' if files else ''}"
        if place == folder and trial.isdecimal():
            written = f"nassearch export {shlex.quote(folder)} --trial {trial} --output DIR"
            expected = f"a genotype file: {written} writes it"
        raise GenotypeError(inline(source), "a folder, no file", expected)


def describe_architecture(architecture: Architecture) -> dict[str, Any]:
    """An architecture as entries of metadata; ``described_architecture`` reads them."""
    return blueprint_of(architecture).describe()


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
