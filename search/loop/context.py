"""Context of a run: its settings and folder, with its data, its model and what they cost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from auxnas.backends.measuring.machine import cores
from auxnas.backends.progress import Display
from auxnas.search.errors import JournalError
from auxnas.search.examples.context import DataContext
from auxnas.search.loop.profiler import Profiler
from auxnas.search.networks.context import ModelContext
from auxnas.search.settings.search import Settings
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.weights import RunWeights


@dataclass(frozen=True)
class RunContext:
    """Context that the trials of a run share; computed when first needed.

    Attributes:
        settings: of the run.
        folder: the run's own.
        cache: folder of what is computed once, for other runs too.
        display: destination of progress.
    """

    settings: Settings
    folder: Path
    cache: Path
    display: Display

    @cached_property
    def threads(self) -> int:
        """Processor threads within an operation: those given, else those that the run in the
        folder began with, else the cores shared between the workers."""
        if self.settings.threads is not None:
            return self.settings.threads
        with suppress(JournalError), Journal(self.folder) as journal:
            begun_with = journal.meta().get("settings", {}).get("threads")
            if begun_with is not None:
                return int(begun_with)
        return max(1, cores() // max(1, self.settings.workers))

    @property
    def resolved(self) -> Settings:
        """The settings as the journal has them, with nothing left to the machine."""
        return self.settings.model_copy(update={"threads": self.threads})

    @cached_property
    def data(self) -> DataContext:
        """The images."""
        return DataContext(self.settings, self.cache, self.display)

    @cached_property
    def model(self) -> ModelContext:
        """The networks.

        Raises:
            BackendUnavailable: when the learner's framework is not installed.
        """
        return ModelContext.of(self.data, self.threads, self.folder)

    def with_forecast(self, forecast: Callable[[float, float], None]) -> RunContext:
        """The same, with all that is computed; ``forecast`` is told as ``ModelContext`` says."""
        model = replace(self.model, forecast=forecast)
        told = copy(self)
        vars(told)["model"] = model
        return told

    @cached_property
    def profiler(self) -> Profiler:
        """Counts and times networks."""
        model = self.model
        return Profiler(
            self.settings, model.space, model.spec, self.threads, self.display, self.cache
        )

    @cached_property
    def weights(self) -> RunWeights:
        """The trained networks."""
        dataset = self.data.training.dataset
        return RunWeights(
            run=self.folder,
            spec=self.model.spec,
            classes=dataset.classes,
            palette=dataset.palette.tolist(),
            size=self.settings.data.size,
            best=self.settings.keep,
            fit=self.settings.data.fit,
        )

    def meta(self) -> dict[str, Any]:
        """Everything that the journal says of the run, the encoder apart."""
        dataset = self.data.training.dataset
        return {
            "settings": self.resolved.model_dump(mode="json"),
            "data": self.data.training.key,
            "classes": list(dataset.classes),
            "palette": dataset.palette.tolist(),
            "model": self.model.spec.to_dict(),
            "metrics": [[n, m.title, m.higher] for n, m in self.data.task.metrics.items()],
        }
