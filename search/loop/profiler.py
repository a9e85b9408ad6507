"""Cost and latency of genotypes' networks."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import repeat
from pathlib import Path

from auxnas.backends.base import BackendUnavailable
from auxnas.backends.devices import PATIENCE, Device, parse_device
from auxnas.backends.measuring.latency import compiled_latency
from auxnas.backends.measuring.timing import Latency
from auxnas.backends.progress import Display
from auxnas.backends.registry import backend
from auxnas.compiler import CompilerError, ModelSpec
from auxnas.compiler.counting import NetworkCounter
from auxnas.genotype import Genotype, GenotypeError, SearchSpace
from auxnas.search.errors import SearchError, SettingsError
from auxnas.search.loop.proposals import LOOKED_AT, look_ahead
from auxnas.search.settings.search import Settings
from auxnas.search.storage.weights import shipped_graph, without_auxiliary
from auxnas.search.trials.limits import LIMITED, first_excess
from auxnas.search.trials.records import Figures


@dataclass(frozen=True)
class Profiler:
    """Counts and times the networks of genotypes, as they are described.

    Attributes:
        settings: of the run: size of the images, limits, whether latency is measured.
        space: of the genotypes.
        spec: the network around them, of which auxiliary heads are left out.
        threads: within an operation.
        display: destination of remarks.
        cache: folder of what a device measured.
    """

    settings: Settings
    space: SearchSpace
    spec: ModelSpec
    threads: int
    display: Display
    cache: Path | None = None

    @cached_property
    def device(self) -> Device | None:
        """The machine that latency is measured on; None for this one."""
        latency = self.settings.latency
        if latency.device is None:
            return None
        return parse_device(latency.device, latency.command).telling(self.display.say, PATIENCE)

    @cached_property
    def measures_latency(self) -> bool:
        """Whether latency is measured.

        Raises:
            BackendUnavailable: when a setting needs it and onnxruntime is not installed.
            SettingsError: when a setting needs it on a cluster, whose machines need not be alike.
        """
        latency, limit = self.settings.latency, self.settings.limits.latency_ms
        goal = self.settings.search.is_of_latency
        needed = goal or limit is not None or latency.target_ms is not None
        if self.settings.cluster.address is not None and latency.device is None:
            if needed:
                found = "none, for a latency that a limit, target or searcher asks for on a cluster"
                raise SettingsError("latency.device", found, "the machine that it is meant for")
            return False
        if not (needed or latency.measure):
            return False
        try:
            _ = self.device or backend("runner", "ort"), backend("exporter", "onnx")
        except BackendUnavailable as error:
            if needed:
                raise
            self.display.say(f"latency: not measured ({error})")
            return False
        return True

    def profile(self, genotype: Genotype) -> Figures | None:
        """Figures of a genotype's network; None where none can be built.

        Latency is not measured where another limit is exceeded.

        Raises:
            SearchError: when it is none of the run's space.
        """
        violation = self.space.violation(genotype)
        if violation is not None:
            outside = f"a genotype that was proposed is none of the run's space: {violation}"
            raise SearchError("search.searcher", outside)
        found = self.count(genotype)
        if found is None or not self.measures_latency or first_excess(self.settings.limits, found):
            return found
        return replace(found, latency=1000 * self._latency(genotype, self.device))

    def _latency(self, genotype: Genotype, device: Device | None) -> Latency:
        graph, size = shipped_graph(genotype, self.spec), self.settings.data.size
        measured = compiled_latency(graph, size, self.threads, device, self.cache)
        if not measured.steady and (device is None or measured.spread is not None):
            self.display.say(f"latency: {measured}")
        return measured

    def check_device(self) -> None:
        """Measures a random genotype on the device, which may not be there, or not able.

        Raises:
            DeviceFailure: without much patience.
        """
        if self.device is None or not self.measures_latency:
            return
        draw = random.Random(self.settings.seed)
        some = (self.space.sample(draw) for _ in range(LOOKED_AT))
        genotype = next((each for each in some if self.count(each) is not None), None)
        if genotype is not None:
            self._latency(genotype, self.device.telling(self.display.say))

    def count(self, genotype: Genotype) -> Figures | None:
        """The part of ``profile`` that takes no measuring."""
        try:
            found = self._counter.count(genotype)
        except (GenotypeError, CompilerError):
            return None
        return Figures(found.parameters, found.multiply_adds, constant=found.constant)

    @cached_property
    def _counter(self) -> NetworkCounter:
        spec, outputs = without_auxiliary(self.spec), self.space.encoder_outputs
        return NetworkCounter(spec, self.settings.data.size, outputs)

    def check_limits_feasible(self) -> None:
        """Finds limits that hardly any genotype is within.

        Raises:
            SearchError: naming the least that some random genotypes cost.
        """
        limits = self.settings.limits
        measure = self.count if limits.latency_ms is None else self.profile
        if limits.constant or any(getattr(limits, name) is not None for name in LIMITED):
            draw = random.Random(self.settings.seed)
            genotypes = map(self.space.sample, repeat(draw))
            look_ahead(genotypes, measure, limits, self.display)
