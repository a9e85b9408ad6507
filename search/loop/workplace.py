"""What the trials of a run have in common: data, encoder, features, model."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

from auxnas.backends.base import BackendUnavailable, Learner
from auxnas.backends.measuring.latency import compiled_latency
from auxnas.backends.measuring.machine import cores
from auxnas.backends.progress import Display
from auxnas.backends.registry import backend
from auxnas.compiler import (
    CompilerError,
    Graph,
    ModelSpec,
    Program,
    cost,
    encoder_outputs,
    lower,
    split_graph,
)
from auxnas.compiler.encoders import PREFIX, Normalisation
from auxnas.compiler.files import atomic_write
from auxnas.compiler.tasks import Task, find_task
from auxnas.genotype import Genotype, GenotypeError, SearchSpace
from auxnas.search.data import Augment, Dataset, open_dataset
from auxnas.search.data import split_dataset as split_data
from auxnas.search.data.statistics import Statistics, missing_remarks, repeated_remark
from auxnas.search.errors import JournalError, SearchError
from auxnas.search.evaluation.two_stages import Material, TwoStages
from auxnas.search.examples.features import FeatureSource, feature_examples, subsample
from auxnas.search.examples.images import (
    ImageExamples,
    check_enough_data,
    pixel_key,
    pixel_store,
    statistics_of,
)
from auxnas.search.loop.environment import run_environment
from auxnas.search.loop.proposals import look_ahead
from auxnas.search.networks.pretrain import (
    PretrainedEncoder,
    Pretraining,
    given_encoder,
    pretrained_encoder,
)
from auxnas.search.networks.teachers import read_teacher
from auxnas.search.settings.search import Settings
from auxnas.search.settings.spaces import search_space
from auxnas.search.storage.folders import PRETRAINED
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.store import Store
from auxnas.search.storage.weights import RunWeights
from auxnas.search.trials.limits import LIMITED, first_excess
from auxnas.search.trials.records import Figures


@dataclass(frozen=True)
class Workplace:
    """Everything that the trials of a run have in common, made when first needed.

    Attributes:
        settings: of the run.
        folder: the run's own folder.
        cache: where things computed once are kept, for other runs too.
        display: where progress goes.
        forecasts: are told, while an encoder is pre-trained, how many seconds that still takes.
    """

    settings: Settings
    folder: Path
    cache: Path
    display: Display
    forecasts: list[Callable[[float], None]] = field(default_factory=list)

    @cached_property
    def learner(self) -> Learner:
        """Who trains."""
        learner: Learner = backend("learner", self.settings.learner)(threads=self.threads)
        return learner

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
    def space(self) -> SearchSpace:
        """Where genotypes are searched for.

        Raises:
            SettingsError: for an operation or a vocabulary that there is not.
        """
        return search_space(self.settings.space)

    # Data -------------------------------------------------------------------------------

    @cached_property
    def dataset(self) -> Dataset:
        """The training part of the data, at the run's size."""
        data = self.settings.data
        return open_dataset(data.source, classes=data.classes, size=data.size)

    @cached_property
    def pixels(self) -> Store:
        """Its images and labels, checked and decoded."""
        return pixel_store(self.dataset, self.cache, self.display)

    @cached_property
    def statistics(self) -> Statistics:
        """The pixels of each class in each image."""
        return statistics_of(self.dataset, self.pixels, self.cache, self.display)

    @cached_property
    def parts(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Which images are meta-train and which are meta-val, whatever the run's seed.

        Images with the same pixels are in the same part.
        """
        share, firsts = self.settings.data.meta_train, self.statistics.firsts
        first, second = split_data(self.dataset, share, firsts=firsts)
        return first.indices, second.indices

    def train_images(self, scale: tuple[float, float]) -> ImageExamples:
        """Meta-train for a whole network, magnified at random by ``scale``."""
        data = self.settings.data
        augment = Augment(data.size, scale, data.mirror, self.normalisation.mean, self.task.target)
        return ImageExamples(self.pixels, self.parts[0], augment, self.normalisation, self.task)

    def val_images(self) -> ImageExamples:
        """Meta-val for a whole network."""
        return ImageExamples(self.pixels, self.parts[1], None, self.normalisation, self.task)

    @cached_property
    def task(self) -> Task:
        """What is asked of a network."""
        return find_task(self.settings.task.name, self.dataset.classes, self.settings.ignored)

    def check_enough_data(self) -> None:
        """Finds meta-train and meta-val that nothing can be trained or judged on.

        Says which classes are missing in them, and which images are there twice.

        Raises:
            DataError: naming the part.
        """
        name, (train, val) = self.dataset.name, map(self.statistics.of, self.parts)
        check_enough_data(f"{name}: meta-train", train, self.statistics, 2, self.task)
        check_enough_data(f"{name}: meta-val", val, self.statistics, 1, self.task)
        for line in (
            *missing_remarks(name, ("meta-train", train), ("meta-val", val)),
            *repeated_remark(name, self.statistics),
        ):
            self.display.say(line)

    # Model ------------------------------------------------------------------------------

    @cached_property
    def spec(self) -> ModelSpec:
        """What is built around a genotype."""
        model = self.settings.model.model_dump()
        return ModelSpec(classes=self.task.outputs, task=self.settings.task.name, **model)

    @property
    def normalisation(self) -> Normalisation:
        """Mean and deviation of the encoder's images."""
        return self.spec.find_encoder().normalisation

    @cached_property
    def encoder_graph(self) -> Graph:
        """From an image to the encoder outputs, which are the same for every genotype."""
        any_genotype = self.space.genotype([0] * len(self.space.layout))
        graph = lower(any_genotype, self.spec)
        return split_graph(graph, encoder_outputs(graph))[0]

    @property
    def pretraining(self) -> Pretraining:
        """How an encoder is trained where none is given."""
        return Pretraining(
            learner=self.learner,
            label=self.settings.learner,
            spec=self.spec,
            settings=self.settings.pretrain,
            train=self.train_images(self.settings.pretrain.scale),
            val=self.val_images(),
            data_key=pixel_key(self.dataset),
            task=self.task,
            forecast=self._foretell,
        )

    def _foretell(self, seconds: float) -> None:
        for told in self.forecasts:
            told(seconds)

    @cached_property
    def encoder(self) -> PretrainedEncoder:
        """The weights that trials start from."""
        path = self.settings.encoder_weights
        if path is not None:
            given = given_encoder(path, self.encoder_graph, self.spec)
            self.display.say(f"encoder: from {path}{self._without(given.teacher)}")
            return given
        own = self.folder / "encoder.safetensors"
        work = replace(self.pretraining, record=self._record_pretraining)
        return pretrained_encoder(work, own, self.cache, self.display)

    def _record_pretraining(self, found: Mapping[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.folder / PRETRAINED) as path:
            path.write_text(json.dumps(found) + "\n", encoding="utf-8")

    def _without(self, teacher: Program | None) -> str:
        """What there is to say of an encoder's file that brings no teacher."""
        if teacher or self.settings.teacher or not self.settings.stage1.distillation:
            return ""
        return "; it brings no network to learn from, so nothing is distilled without --teacher"

    @cached_property
    def encoder_params(self) -> Mapping[str, Any]:
        """The encoder's own arrays."""
        return {n: v for n, v in self.encoder.params.items() if n.startswith(PREFIX)}

    @cached_property
    def teacher(self) -> Program | None:
        """Whom stage 1 learns from: the network given, or else that of the pre-training.

        Raises:
            CompilerError: when the one given cannot be read.
            SearchError: when it has another number of classes.
        """
        if self.settings.teacher is None:
            return self.encoder.teacher
        return read_teacher(Path(self.settings.teacher), self.task.outputs)

    # Trials -----------------------------------------------------------------------------

    @cached_property
    def evaluator(self) -> TwoStages:
        """Trains and scores genotypes."""
        settings = self.settings
        source = FeatureSource(
            learner=self.learner,
            label=settings.learner,
            encoder=Program(self.encoder_graph, self.encoder_params, "encoder"),
            teacher=self.teacher if settings.stage1.distillation else None,
            pixels=self.pixels,
            pixel_key=pixel_key(self.dataset),
            dtype=settings.features.dtype,
            normalisation=self.normalisation,
            task=self.task,
        )
        train, val = self.parts
        some = subsample(train, settings.features.images)
        first = Material(*feature_examples(source, some, val, self.cache, self.display))
        return TwoStages(
            learner=self.learner,
            task=self.task,
            spec=self.spec,
            encoder=self.encoder_params,
            first=first,
            second=Material(self.train_images(settings.data.scale), self.val_images()),
            stage1=settings.stage1,
            stage2=settings.stage2,
        )

    @cached_property
    def weights(self) -> RunWeights:
        """The trained networks."""
        return RunWeights(
            run=self.folder,
            spec=self.spec,
            classes=self.dataset.classes,
            palette=self.dataset.palette.tolist(),
            size=self.settings.data.size,
            best=self.settings.keep,
        )

    @cached_property
    def times_networks(self) -> bool:
        """Whether the latency of genotypes is measured.

        Raises:
            BackendUnavailable: when a setting needs it and onnxruntime is not installed.
        """
        latency = self.settings.latency
        needed = self.settings.limits.latency_ms is not None or latency.target_ms is not None
        if not (needed or latency.measure):
            return False
        try:
            _ = backend("runner", "ort"), backend("exporter", "onnx")
        except BackendUnavailable as error:
            if needed:
                raise
            self.display.say(f"latency: not measured ({error})")
            return False
        return True

    def figures(self, genotype: Genotype) -> Figures | None:
        """What a genotype's network costs as described; None where none can be built.

        Latency is not measured where another limit is exceeded.

        Raises:
            SearchError: when it is none of the run's space.
        """
        violation = self.space.violation(genotype)
        if violation is not None:
            outside = f"a genotype that was proposed is none of the run's space: {violation}"
            raise SearchError("search.searcher", outside)
        found = self.counted(genotype)
        if found is None or not self.times_networks or first_excess(self.settings.limits, found):
            return found
        graph = self.weights.graph(genotype)
        measured = compiled_latency(graph, self.settings.data.size, self.threads)
        if not measured.steady:
            self.display.say(f"latency: {measured}")
        return replace(found, latency=1000 * measured)

    def counted(self, genotype: Genotype) -> Figures | None:
        """The part of ``figures`` that takes no measuring."""
        try:
            graph = self.weights.graph(genotype)
        except (GenotypeError, CompilerError):
            return None
        found = cost(graph, self.settings.data.size)
        constant = not graph.depends_on_input()
        return Figures(found.parameters, found.multiply_adds, constant=constant)

    def refuse_hopeless(self) -> None:
        """Finds limits that hardly any genotype is within.

        Raises:
            SearchError: naming the least that some random genotypes cost.
        """
        limits = self.settings.limits
        measure = self.counted if limits.latency_ms is None else self.figures
        if limits.constant or any(getattr(limits, name) is not None for name in LIMITED):
            draw = random.Random(self.settings.seed)
            genotypes = (self.space.sample(draw) for _ in count())
            look_ahead(genotypes, measure, limits, self.display)

    @property
    def environment(self) -> dict[str, Any]:
        """Where trials are trained."""
        return run_environment(self.learner.where, self.threads)

    def meta(self) -> dict[str, Any]:
        """What the journal is to know of the run, the encoder apart."""
        return {
            "settings": self.resolved.model_dump(mode="json"),
            "data": pixel_key(self.dataset),
            "classes": list(self.dataset.classes),
            "palette": self.dataset.palette.tolist(),
            "model": self.spec.to_dict(),
        }
