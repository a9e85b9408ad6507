"""Model of a run: what is built around a genotype, and the weights that networks start from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from auxnas.backends.base import Learner
from auxnas.backends.registry import backend
from auxnas.compiler import Graph, ModelSpec, Program, encoder_outputs, lower, split_graph
from auxnas.compiler.encoders import PREFIX
from auxnas.compiler.files import atomic_write
from auxnas.genotype import SearchSpace
from auxnas.search.examples.context import DataContext
from auxnas.search.networks.given import given_encoder
from auxnas.search.networks.pretrain import (
    HOW_TO_BEGIN,
    PretrainedEncoder,
    Pretraining,
    pretrained_encoder,
)
from auxnas.search.networks.teachers import read_teacher
from auxnas.search.settings.search import SCRATCH
from auxnas.search.settings.spaces import search_space
from auxnas.search.storage.folders import PRETRAINED


@dataclass(frozen=True)
class ModelContext:
    """Networks of a run: their space, their encoder and what trains them.

    Attributes:
        data: training data, and the settings.
        learner: trains them.
        folder: the run's own, which keeps a copy of the encoder.
        forecast: is told, while an encoder is pre-trained, how many seconds that still takes, and
            how many at the fastest pace so far.
    """

    data: DataContext
    learner: Learner
    folder: Path
    forecast: Callable[[float, float], None] = lambda left, least: None

    @classmethod
    def of(cls, data: DataContext, threads: int, folder: Path) -> ModelContext:
        """The networks on ``data``, trained by the learner of its settings.

        Raises:
            BackendUnavailable: when the learner's framework is not installed.
        """
        learner = backend("learner", data.settings.learner)(threads=threads)
        return cls(data, learner, folder)

    @cached_property
    def space(self) -> SearchSpace:
        """Space of the genotypes.

        Raises:
            SettingsError: for an operation or a vocabulary that there is not.
        """
        return search_space(self.data.settings.space)

    @cached_property
    def spec(self) -> ModelSpec:
        """Specification of the network around a genotype."""
        settings = self.data.settings
        model = settings.model.model_dump()
        return ModelSpec(classes=self.data.task.outputs, task=settings.task_name, **model)

    @cached_property
    def encoder_graph(self) -> Graph:
        """From an image to the encoder outputs, which are the same for every genotype."""
        any_genotype = self.space.genotype([0] * len(self.space.layout))
        graph = lower(any_genotype, self.spec)
        return split_graph(graph, encoder_outputs(graph))[0]

    @property
    def pretraining(self) -> Pretraining:
        """Pre-training of an encoder where none is given."""
        data, settings = self.data, self.data.settings
        return Pretraining(
            learner=self.learner,
            label=settings.learner,
            spec=self.spec,
            settings=settings.pretrain,
            train=data.examples(data.search_split.train, settings.pretrain.scale),
            val=data.examples(data.search_split.val),
            data_key=data.training.key,
            task=data.task,
            start=data.output_start(data.search_split.train),
            given={} if settings.encoder_weights is None else self._given.params,
            forecast=self.forecast,
        )

    @cached_property
    def _given(self) -> PretrainedEncoder:
        """The encoder of the settings, which is said."""
        settings, display = self.data.settings, self.data.display
        path, seed = str(settings.encoder_weights), settings.pretrain.seed
        given = given_encoder(path, self.encoder_graph, self.spec, seed)
        if path == SCRATCH:
            display.say(f"encoder: {self.spec.encoder} begins with random weights; {HOW_TO_BEGIN}")
            return given
        without = self._without(given.teacher)
        display.say(f"encoder: from {path}: {given.carried}{without}")
        if given.warning:
            display.say(f"warning: {path}: {given.warning}")
        return given

    @cached_property
    def encoder(self) -> PretrainedEncoder:
        """The weights that networks start from."""
        return self._pretrained() if self.data.settings.encoder_weights is None else self._given

    def keep_encoder(self, digest: str) -> None:
        """Starts from the encoder of ``digest``: no other one is kept as the folder's own."""
        if self.data.settings.encoder_weights is None:
            vars(self)["encoder"] = self._pretrained(digest)

    def _pretrained(self, digest: str = "") -> PretrainedEncoder:
        work = replace(self.pretraining, record=self._record_pretraining, begun_with=digest)
        return pretrained_encoder(work, self.own_encoder, self.data.cache, self.data.display)

    @property
    def own_encoder(self) -> Path:
        """The folder's own copy of a pre-trained encoder."""
        return self.folder / "encoder.safetensors"

    @cached_property
    def encoder_params(self) -> Mapping[str, Any]:
        """The encoder's own arrays."""
        return {n: v for n, v in self.encoder.params.items() if n.startswith(PREFIX)}

    @cached_property
    def teacher(self) -> Program | None:
        """Teacher of stage 1: the network given, or else that of the pre-training.

        Raises:
            CompilerError: when the one given cannot be read.
            SearchError: when it has another number of classes.
        """
        given = self.data.settings.teacher
        if given is None:
            return self.encoder.teacher
        return read_teacher(Path(given), self.data.task.outputs)

    def _record_pretraining(self, found: Mapping[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.folder / PRETRAINED) as path:
            path.write_text(json.dumps(found) + "\n", encoding="utf-8")

    def _without(self, teacher: Program | None) -> str:
        """Remark on an encoder's file that brings no teacher; empty where none is needed."""
        settings = self.data.settings
        if teacher or settings.teacher or not settings.stage1.distillation:
            return ""
        return "; it brings no network to learn from, so nothing is distilled without --teacher"
