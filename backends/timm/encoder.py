"""``timm:NAME``: a network of timm as an encoder, read once and kept in the cache.

What is kept needs neither torch nor timm, so that later commands are quick.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from auxnas.backends.base import BackendUnavailable
from auxnas.backends.caching import CacheError, cache_dir, make_private
from auxnas.compiler import CompilerError
from auxnas.compiler.builder import Builder
from auxnas.compiler.encoders.base import PREFIX, FeatureMap, Normalisation, preferred
from auxnas.compiler.files import atomic_write
from auxnas.compiler.ir import parse_graph
from auxnas.compiler.semantics import BATCH_NORM_EPSILON
from auxnas.genotype.errors import truncate
from auxnas.genotype.plugins import PluginError

Array = np.ndarray[Any, Any]
IMAGE = "image"
"""Name of the input in a graph that is kept."""
FORMAT = 1
"""Of the files that are kept; others are read anew."""


@dataclass(frozen=True)
class ImportedNetwork:
    """A network of timm as its features' graph.

    Attributes:
        graph: its text form; parameters have timm's names behind ``encoder.``.
        maps: (node, channels, stride) of its feature maps, the finest first.
        mean: of the images that its weights are for.
        deviation: of them.
        epsilons: of its batch norms, by their parameters' prefix, where they are not ours.
        beyond: timm's parameters behind the last feature map.
    """

    graph: str
    maps: list[list[Any]]
    mean: list[float]
    deviation: list[float]
    epsilons: dict[str, float]
    beyond: list[str]


@dataclass(frozen=True)
class TimmEncoder:
    """A network of timm without its classifier."""

    name: str
    normalisation: Normalisation
    network: ImportedNetwork

    def lower(self, builder: Builder, image: str) -> tuple[FeatureMap, ...]:
        """Adds the encoder; timm's feature maps."""
        for node in parse_graph(self.network.graph).nodes:
            if node.op != "input":
                inputs = (image if name == IMAGE else name for name in node.inputs)
                builder.add(node.name, node.op, *inputs, **dict(node.attrs))
        return tuple(FeatureMap(*each) for each in self.network.maps)

    def taps(self, count: int) -> tuple[int, ...]:
        """The coarsest maps.

        Raises:
            CompilerError: for more outputs than the encoder has.
        """
        return preferred(self.name, tuple(reversed(range(len(self.network.maps)))), count)

    def from_published(self, values: Mapping[str, Array], place: str) -> Mapping[str, Array]:
        """Our own names as they are, or timm's behind ``encoder.``, without its classifier.

        Variances grow by what timm's epsilon is above ours: then batch norm gives the same.
        """
        if any(name.startswith(PREFIX) for name in values):
            return values
        beyond = set(self.network.beyond)
        found = {f"{PREFIX}{n}": value for n, value in values.items() if n not in beyond}
        for param, epsilon in self.network.epsilons.items():
            name = f"{param}.running_var"
            if name in found:
                found[name] = found[name] + np.float32(epsilon - BATCH_NORM_EPSILON)
        return found


def make_timm_encoder(name: str, width: float) -> TimmEncoder:
    """timm's network ``name``, imported unless it is kept.

    Raises:
        CompilerError: for another width than 1.
        PluginError: when timm has no such network, or it does not fit.
        BackendUnavailable: when timm is missing.
    """
    whole = f"timm:{name}"
    if re.fullmatch(r"\w[\w.]*", name) is None:
        raise PluginError("encoders", truncate(whole), "timm: and the name of a network of timm")
    network = _kept(name) or _imported(name)
    if width != 1:
        expected = "1, the one width of a network of timm (--set model.width=1)"
        raise CompilerError("model.width", f"{width:g}", expected)
    normalisation = Normalisation(_three(network.mean), _three(network.deviation))
    return TimmEncoder(whole, normalisation, network)


def _three(values: list[float]) -> tuple[float, float, float]:
    red, green, blue = values
    return red, green, blue


def _installed() -> str:
    """The version of timm; empty where there is none."""
    try:
        return version("timm")
    except PackageNotFoundError:
        return ""


def _place(name: str, of: str) -> Path:
    return cache_dir() / "timm" / f"{name}-{of}.json"


def _kept(name: str) -> ImportedNetwork | None:
    """The network as an earlier command imported it: of this version, or where none is, any."""
    of = _installed()
    files = [_place(name, of)] if of else sorted(_place(name, "").parent.glob(f"{name}-*.json"))
    for file in files:
        try:
            values = json.loads(file.read_text("utf-8"))
            if values.pop("format") == FORMAT:
                return ImportedNetwork(**values)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            continue
    return None


def _imported(name: str) -> ImportedNetwork:
    """The network, which is kept for later."""
    try:
        from auxnas.backends.timm.importing import import_network
    except ImportError as error:
        raise BackendUnavailable(f"timm:{name}", error.name or "timm", "timm") from None
    network = import_network(name)
    file = _place(name, _installed())
    try:
        make_private(file.parent)
        with atomic_write(file) as temporary:
            temporary.write_text(json.dumps({"format": FORMAT, **vars(network)}), "utf-8")
    except (OSError, CacheError):
        pass  # it is imported once more by the next command
    return network
