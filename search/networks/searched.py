"""Comparison of a network to be trained with its searched form: sizes, costs, limits, data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache as cached
from functools import partial
from pathlib import Path
from typing import Any

from auxnas.backends.base import BackendUnavailable
from auxnas.backends.devices import DeviceFailure, parse_device
from auxnas.backends.measuring.latency import compiled_latency
from auxnas.compiler import Graph, ModelSpec, cost
from auxnas.genotype import Genotype
from auxnas.search.errors import SettingsError
from auxnas.search.settings.recorded import check_trusted
from auxnas.search.settings.search import LatencySettings, LimitSettings, ModelSettings
from auxnas.search.storage.weights import shipped_graph
from auxnas.search.trials.limits import excesses
from auxnas.search.trials.records import Figures

SIZES = ("width", "agg_size", "sep_repeats")
"""Fields of the model's size that may differ between search and training (paper, section 4)."""


@dataclass(frozen=True)
class Searched:
    """Conditions of the search that found an architecture.

    Attributes:
        place: a run's folder or a genotype's file, for messages.
        spec: the model around it.
        size: (height, width) of the images; None where that is unknown.
        limits: of the search on a network's costs.
        latency: of the search, with the device that it was measured on.
        data: names the images by content, where they are known.
        encoder: names the encoder's weights by content, likewise.
        vocabulary: name or place of the operations, where it is not ours.
        others: conditions of further searches that are named beside this one.
    """

    place: str
    spec: ModelSpec
    size: tuple[int, int] | None = None
    limits: LimitSettings = field(default_factory=LimitSettings)
    data: str | None = None
    encoder: str | None = None
    vocabulary: str | None = None
    others: tuple[Searched, ...] = ()
    latency: LatencySettings = field(default_factory=LatencySettings)

    @property
    def layer(self) -> dict[str, Any]:
        """Settings under which it is built so again; auxiliary heads are of training alone."""
        names = ModelSettings.model_fields.keys() - {"auxiliary"}
        return {"model": {name: getattr(self.spec, name) for name in sorted(names)}}


def compare_with_search(
    searched: Searched,
    genotype: Genotype,
    spec: ModelSpec,
    size: tuple[int, int],
    threads: int,
    cache: Path | None = None,
) -> dict[str, Any]:
    """``genotype`` as searched and as it is to be trained, as plain data.

    ``over`` has a line for each limit of the search that the network to be trained is over,
    ``over_others`` those of further runs that it does not repeat; its latency is measured
    where that is limited, on the device of that search; ``cache`` keeps what a device measures.
    """
    named = (searched, *searched.others)
    measure = cached(partial(_figures, shipped_graph(genotype, spec), size, threads, cache))
    over: dict[str, str] = {}
    for each in named:
        timed = each.limits.latency_ms is not None
        figures, unmeasured = measure(each.latency if timed else None)
        for _, line in excesses(each.limits, figures):
            over.setdefault(line, each.place)
        for line in unmeasured:
            over.setdefault(line, each.place)
    others = [[place, line] for line, place in over.items() if place != searched.place]
    return {
        "place": searched.place,
        "searched": _row(genotype, searched.spec, searched.size or size),
        "trained": _row(genotype, spec, size),
        "over": [line for line, place in over.items() if place == searched.place],
        **({"over_others": others} if others else {}),
    }


def _figures(
    graph: Graph,
    size: tuple[int, int],
    threads: int,
    cache: Path | None,
    latency: LatencySettings | None,
) -> tuple[Figures, list[str]]:
    """Costs of a network, with its latency where its settings are given, and a line where it could
    not be measured."""
    counted, measured, unmeasured = cost(graph, size), None, []
    if latency is not None:
        try:
            check_trusted({"latency": {"command": latency.command}}, ["latency.command"])
            found = latency.device and parse_device(latency.device, latency.command)
            measured = 1000 * compiled_latency(graph, size, threads, found or None, cache)
        except (BackendUnavailable, DeviceFailure, SettingsError) as error:
            unmeasured = [f"latency_ms unknown ({error})"]
    return Figures(counted.parameters, counted.multiply_adds, measured), unmeasured


def _row(genotype: Genotype, spec: ModelSpec, size: tuple[int, int]) -> dict[str, Any]:
    counted = cost(shipped_graph(genotype, spec), size)
    return {
        "parameters": counted.parameters,
        "multiply_adds": counted.multiply_adds,
        "size": list(size),
        **{name: getattr(spec, name) for name in SIZES},
    }


def comparison_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Lines of a comparison for people; none without a comparison."""
    if not found:
        return
    one, other = found["searched"], found["trained"]
    if one == other:
        yield f"trained as searched: {_words(one)}"
    else:
        yield f"searched: {_words(one)}"
        yield f"to be trained: {_words(other)}; --as-searched keeps what was searched"
    own = [[found["place"], line] for line in found["over"]]
    for place, line in (*own, *found.get("over_others", ())):
        yield f"warning: over a limit of {place}: {line}"


def _words(row: Mapping[str, Any]) -> str:
    height, width = row["size"]
    sizes = ", ".join(f"{name} {row[name]:g}" for name in SIZES)
    return (
        f"{row['parameters'] / 1e6:.3f} M parameters, {row['multiply_adds'] / 1e6:.1f} M "
        f"multiply-adds at {height}x{width} ({sizes})"
    )
