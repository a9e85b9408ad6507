"""Time by operation: onnxruntime's profile of an artefact, by the genotype's operations."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx

from auxnas.backends.artefacts.artefact import Artefact
from auxnas.backends.artefacts.kernels import Attribution, Kernel
from auxnas.backends.artefacts.onnx_file import operators
from auxnas.compiler import CompilerError
from auxnas.compiler.places import UNMATCHED, Places

Array = np.ndarray[Any, Any]
Event = Mapping[str, Any]

_TIME = "_kernel_time"


@dataclass(frozen=True, slots=True)
class TimeShare:
    """Time of one thing.

    Attributes:
        name: of what.
        seconds: median a run, summed over its kernels.
        kernels: how many run for it.
    """

    name: str
    seconds: float
    kernels: int


@dataclass(frozen=True)
class Profile:
    """Median seconds a run: of each kernel by itself, and of the whole.

    Attributes:
        kernels: every kernel in the order of execution, with its time.
        total: a whole run, with what the runtime does between kernels.
        runs: how many the medians are of.
        absorbed: our nodes that have no kernel of their own.
        devices: those that it ran on.
    """

    kernels: tuple[tuple[Kernel, float], ...]
    total: float
    runs: int
    absorbed: tuple[str, ...]
    devices: tuple[str, ...] = ()

    @property
    def between(self) -> float:
        """Of a run, what is spent outside kernels; medians of parts may exceed the whole's."""
        return max(0.0, self.total - sum(seconds for _, seconds in self.kernels))

    @property
    def unmatched(self) -> tuple[Kernel, ...]:
        """Kernels that could not be attributed."""
        return tuple(kernel for kernel, _ in self.kernels if kernel.place.group == UNMATCHED)

    def shares(self, key: Callable[[Kernel], str | None]) -> list[TimeShare]:
        """Time by ``key`` of the kernel, the largest first; None is left out."""
        seconds, counts = defaultdict[str, float](float), defaultdict[str, int](int)
        for kernel, time in self.kernels:
            name = key(kernel)
            if name is not None:
                seconds[name] += time
                counts[name] += 1
        found = [TimeShare(name, seconds[name], counts[name]) for name in seconds]
        return sorted(found, key=lambda share: -share.seconds)


def profile_artefact(
    artefact: Artefact,
    inputs: Mapping[str, Array],
    runs: int,
    warmup: int,
    threads: int | None = None,
    advance: Callable[[int], None] = lambda done: None,
) -> Profile:
    """Runs the artefact under the runtime's profiler.

    Returns:
        Medians over the last ``runs`` runs.

    Raises:
        BackendUnavailable: when onnxruntime is not installed.
        CompilerError: when it refuses the artefact, or another runtime's.
    """
    if artefact.kind != "ort":
        raise CompilerError(str(artefact.path), "another runtime's artefact", "an .onnx file")
    with TemporaryDirectory() as folder:
        made = Path(folder) / "optimised.onnx"
        runner = artefact.runner(
            threads,
            enable_profiling=True,
            profile_file_prefix=str(Path(folder) / "profile"),
            optimized_model_filepath=str(made),
        )
        for index in range(warmup + runs):
            runner(inputs)
            advance(index + 1)
        events = json.loads(Path(runner.session.end_profiling()).read_text(encoding="utf-8"))
        model = onnx.load(str(made), load_external_data=False)
    attribution = Attribution(
        artefact.operators, operators(model.graph.node), Places(artefact.genotype())
    )
    return replace(summarise(events, runs, attribution), devices=tuple(runner.devices))


def summarise(events: Iterable[Event], runs: int, attribution: Attribution) -> Profile:
    """Medians over the last ``runs`` runs among the profiler's events."""
    events = list(events)
    whole = [each for each in events if each["name"] == "model_run"][-runs:]
    start = whole[0]["ts"]
    seconds: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for each in events:
        if each.get("cat") == "Node" and each["name"].endswith(_TIME) and each["ts"] >= start:
            name, args = each["name"].removesuffix(_TIME), each["args"]
            key = (name, args["op_name"], args.get("node_index", ""))
            seconds[key].append(1e-6 * each["dur"])
    kernels = attribution.kernels([(name, op) for name, op, _ in seconds])
    total = median(1e-6 * each["dur"] for each in whole)
    timed = tuple(zip(kernels, map(median, seconds.values()), strict=True))
    return Profile(timed, total, len(whole), tuple(attribution.absorbed(kernels)))
