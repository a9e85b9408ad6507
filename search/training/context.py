"""Context of a long training: its settings and folder, with its data, model and network."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from auxnas.backends.measuring.machine import cores
from auxnas.backends.progress import Display
from auxnas.compiler import Program
from auxnas.compiler.architecture import Architecture, blueprint_of
from auxnas.search.examples.context import DataContext, Part
from auxnas.search.networks.context import ModelContext
from auxnas.search.networks.networks import Network
from auxnas.search.networks.searched import Searched, compare_with_search
from auxnas.search.networks.teachers import read_teacher
from auxnas.search.settings.training import TrainingSettings
from auxnas.search.storage.checkpoint import Told, ignore_history


@dataclass(frozen=True)
class TrainingContext:
    """Data, networks and settings of a long training; computed when first needed.

    Attributes:
        settings: of the training.
        architecture: the genotype to train, or the hand-made decoder.
        folder: the training's own.
        cache: folder of what is computed once.
        display: destination of progress.
        searched: how a search built the genotype, if one did.
        told: called with the history so far, after each part of the training.
    """

    settings: TrainingSettings
    architecture: Architecture
    folder: Path
    cache: Path
    display: Display
    searched: Searched | None = None
    told: Told = ignore_history

    @cached_property
    def threads(self) -> int:
        """Processor threads within an operation: those given, else all cores."""
        return cores() if self.settings.threads is None else self.settings.threads

    @cached_property
    def data(self) -> DataContext:
        """The images, as a search on them has them."""
        return DataContext(self.settings.search(), self.cache, self.display)

    @cached_property
    def earlier(self) -> tuple[Part, ...]:
        """The images of the first phases, where they have others than the last one's.

        Raises:
            DataError: when they cannot be trained on.
        """
        known = {source: self.data.part_of(source) for source in dict.fromkeys(self._sources)}
        return tuple(known[source] for source in self._sources)

    @property
    def _sources(self) -> tuple[str, ...]:
        return self.settings.train.data

    @cached_property
    def model(self) -> ModelContext:
        """The encoder, as a search on the same data has it, and the learner.

        Raises:
            BackendUnavailable: when the learner's framework is not installed.
        """
        return ModelContext.of(self.data, self.threads, self.folder)

    @cached_property
    def network(self) -> Network:
        """The network that is trained."""
        channels = self.settings.train.channels
        return Network(self.model.spec, blueprint_of(self.architecture).with_channels(channels))

    @cached_property
    def teacher(self) -> Program | None:
        """Teacher of the network, if there is one."""
        given = self.settings.train.teacher
        return None if given is None else read_teacher(Path(given), self.data.task.outputs)

    @cached_property
    def comparison(self) -> dict[str, Any] | None:
        """The network beside the one that was searched, as plain data; None without a search."""
        genotype = blueprint_of(self.architecture).genotype
        if self.searched is None or genotype is None:
            return None
        where = (self.settings.data.size, self.threads, self.cache)
        return compare_with_search(self.searched, genotype, self.model.spec, *where)

    @property
    def seed(self) -> int:
        """Seed of the training, 32 bits, and not that of the pre-training.

        A rival that started from the very decoder that the encoder was trained under
        would have an advantage.
        """
        return zlib.crc32(f"auxnas training {self.settings.seed}".encode())
