"""Networks as they are trained and kept: a genotype's, or a hand-made one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from auxnas.backends.artefacts.metadata import decode_metadata
from auxnas.compiler import CompilerError, Graph, ModelSpec, Program
from auxnas.compiler.architecture import (
    Architecture,
    describe_architecture,
    described_architecture,
    lower_architecture,
)
from auxnas.compiler.shapes import LARGEST_SIDE
from auxnas.compiler.weights import fit_params, load_weights, save_weights
from auxnas.genotype.errors import short_repr
from auxnas.search.data.views import PAD, STRETCH, Colour
from auxnas.search.settings.recorded import recorded_space
from auxnas.search.storage.folders import SEARCH, folder_kinds
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.weights import usage_metadata, weights_file, without_auxiliary
from auxnas.search.trials.records import best_of

WEIGHTS = "model.safetensors"
"""The trained network in a training's folder."""


@dataclass(frozen=True)
class Network:
    """An encoder with a decoder.

    Attributes:
        spec: of the network around a genotype; encoder and classes alone count for a hand-made
            decoder.
        architecture: the decoder.
    """

    spec: ModelSpec
    architecture: Architecture

    @property
    def name(self) -> str:
        """The genotype's key, or the hand-made decoder's name."""
        return self.architecture.key()

    def graph(self) -> Graph:
        """The network from image to logits, with the auxiliary heads of ``spec``."""
        return lower_architecture(self.architecture, self.spec)

    def shipped(self) -> Network:
        """The network without auxiliary heads."""
        return replace(self, spec=without_auxiliary(self.spec))

    def describe(self) -> dict[str, Any]:
        """The network as plain data; ``of`` reads it."""
        return {"model": self.spec.to_dict(), **describe_architecture(self.architecture)}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Network:
        """The network of plain data: a description, or what pre-training keeps.

        Raises:
            KeyError: when it is none.
            ValueError: naming what is wrong with it.
        """
        architecture = described_architecture(values)
        if architecture is None:
            raise KeyError("decoder")
        return cls(ModelSpec.from_dict(values["model"]), architecture)


@dataclass(frozen=True)
class Trained:
    """A trained network out of a file.

    Attributes:
        network: its description.
        program: its graph and parameters, without auxiliary heads.
        known: the file's metadata: ``classes``, ``palette``, ``size``, ``fit`` where it has them.
        path: the file.
    """

    network: Network
    program: Program
    known: Mapping[str, Any]
    path: Path

    @property
    def padding(self) -> Colour | None:
        """Colour that fills images up to their size; None where they are stretched to it."""
        colour = self.network.spec.find_encoder().normalisation.colour
        return colour if self.known.get("fit") == PAD else None


def save_network(
    path: Path,
    network: Network,
    params: Mapping[str, Any],
    classes: tuple[str, ...],
    palette: list[list[int]],
    size: tuple[int, int],
    fit: str = STRETCH,
) -> None:
    """Writes a network's weights, auxiliary heads apart, with all it takes to use them.

    Args:
        path: the file.
        network: of the weights.
        params: the weights.
        classes: their names.
        palette: their colours.
        size: (height, width) that images were brought to.
        fit: how, as ``data.fit`` has it.
    """
    kept = network.shipped()
    normalisation = kept.spec.find_encoder().normalisation
    usage = usage_metadata(classes, palette, size, normalisation, fit)
    metadata = {**kept.describe(), **usage}
    save_weights(path, fit_params(kept.graph(), params, str(path)), metadata)


def read_network(place: Path) -> Trained:
    """The network in a file, or in the folder of a training or of a run.

    Of a run it is that of its best trial so far, as the journal says, whatever else is there.

    Raises:
        CompilerError: when there is none, or it is damaged.
        JournalError: when a run's journal cannot be read.
    """
    path = _file(place)
    params, texts = load_weights(path)
    known = decode_metadata(texts)
    try:
        network = Network.of(known).shipped()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        expected = "weights that nassearch wrote"
        raise CompilerError(str(path), f"no description of a network ({error})", expected) from None
    _check_usage(known, str(path))
    graph = network.graph()
    program = Program(graph, fit_params(graph, params, str(path)), network.name)
    return Trained(network, program, known, path)


def _check_usage(known: Mapping[str, Any], place: str) -> None:
    """Refuses names or a size that are none, where the metadata have them.

    Raises:
        CompilerError: at ``place``.
    """
    names, size = known.get("classes", []), known.get("size", [1, 1])
    if known.get("fit", STRETCH) not in (STRETCH, PAD):
        raise CompilerError(f"{place}: fit", short_repr(known["fit"]), f"{STRETCH} or {PAD}")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CompilerError(f"{place}: classes", short_repr(names), "a list of names")
    sides = size if isinstance(size, list) else []
    if len(sides) != 2 or not all(type(s) is int and 0 < s <= LARGEST_SIDE for s in sides):
        raise CompilerError(
            f"{place}: size", short_repr(size), f"two sides of 1 to {LARGEST_SIDE} pixels"
        )


def _file(place: Path) -> Path:
    """The weights in a folder: of the best trial of a run, or of a training; or the file itself."""
    if not place.is_dir():
        return place
    if SEARCH in folder_kinds(place):
        with Journal(place) as journal:
            best, meta = best_of(journal.trials()), journal.meta()
        if not best:
            raise CompilerError(str(place), "no trial has a reward", "one at least")
        recorded_space(meta["settings"])  # which adds primitives of the user's own
        return weights_file(place, best[0].number)
    for name in (WEIGHTS, "best.safetensors"):
        if (place / name).is_file():
            return place / name
    raise CompilerError(str(place), f"no {WEIGHTS} in it", "a finished training or run")
