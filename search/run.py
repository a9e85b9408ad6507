"""A whole run: from settings to a journal, by way of data, encoder, features and trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from platform import python_version
from typing import Any

import numpy as np

from backends.base import Learner
from backends.registry import backend
from compiler import Graph, ModelSpec, Program, cost, encoder_outputs, lower, split
from genotype import SearchSpace
from search.cache import params_digest
from search.config import Settings, difference
from search.data import Augment, DataError, Dataset, open_dataset
from search.data import split as split_data
from search.driver import Driver, Policy
from search.errors import JournalError, SettingsError
from search.evaluator import Material, TwoStages
from search.examples import LABEL, ImageExamples, pixel_key, pixel_store
from search.features import FeatureSource, feature_examples, some_of
from search.journal import NAME, Journal
from search.lock import run_lock
from search.pretrain import PREFIX, Encoder, Pretraining, given_encoder, pretrained_encoder
from search.progress import Display
from search.searchers import make_searcher
from search.store import Store
from search.tasks import Segmentation
from search.trials import Trial
from search.watch import Watch
from search.weights import RunWeights, shipped


@dataclass(frozen=True)
class Workplace:
    """Everything that the trials of a run have in common, made when first needed.

    Attributes:
        settings: of the run.
        folder: the run's own folder.
        cache: where things computed once are kept, for other runs too.
        display: where progress goes.
    """

    settings: Settings
    folder: Path
    cache: Path
    display: Display

    @cached_property
    def learner(self) -> Learner:
        """Who trains."""
        learner: Learner = backend("learner", self.settings.learner)(threads=self.settings.threads)
        return learner

    @property
    def space(self) -> SearchSpace:
        """Where genotypes are searched for."""
        return SearchSpace.cvpr2019()

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
    def parts(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Which images are meta-train and which are meta-val, whatever the run's seed."""
        first, second = split_data(self.dataset, self.settings.data.meta_train)
        return first.indices, second.indices

    def train_images(self, scale: tuple[float, float]) -> ImageExamples:
        """Meta-train for a whole network, magnified at random by ``scale``."""
        data = self.settings.data
        return ImageExamples(self.pixels, self.parts[0], Augment(data.size, scale, data.mirror))

    def val_images(self) -> ImageExamples:
        """Meta-val for a whole network."""
        return ImageExamples(self.pixels, self.parts[1])

    @cached_property
    def task(self) -> Segmentation:
        """What is asked of a network."""
        ignore = self.settings.task.ignore
        if ignore is None:
            ignore = ("background",) if self.settings.data.source.startswith("voc:") else ()
        return Segmentation(self.dataset.classes, ignore)

    # Model ------------------------------------------------------------------------------

    @cached_property
    def spec(self) -> ModelSpec:
        """What is built around a genotype."""
        return ModelSpec(classes=len(self.dataset.classes), **self.settings.model.model_dump())

    @cached_property
    def encoder_graph(self) -> Graph:
        """From an image to the encoder outputs, which are the same for every genotype."""
        any_genotype = self.space.genotype([0] * len(self.space.layout))
        graph = lower(any_genotype, self.spec)
        return split(graph, encoder_outputs(graph))[0]

    @cached_property
    def encoder(self) -> Encoder:
        """The weights that trials start from."""
        path = self.settings.encoder_weights
        if path is not None:
            self.display.say(f"encoder: from {path}; without its teacher, nothing is distilled")
            return given_encoder(path, self.encoder_graph)
        work = Pretraining(
            learner=self.learner,
            label=self.settings.learner,
            spec=self.spec,
            settings=self.settings.pretrain,
            train=self.train_images(self.settings.pretrain.scale),
            val=self.val_images(),
            data_key=pixel_key(self.dataset),
            task=self.task,
        )
        own = self.folder / "encoder.safetensors"
        return pretrained_encoder(work, own, self.cache, self.display)

    @cached_property
    def encoder_params(self) -> Mapping[str, Any]:
        """The encoder's own arrays."""
        return {n: v for n, v in self.encoder.params.items() if n.startswith(PREFIX)}

    # Trials -----------------------------------------------------------------------------

    @cached_property
    def evaluator(self) -> TwoStages:
        """Trains and scores genotypes."""
        settings = self.settings
        teacher = self.encoder.teacher if settings.stage1.distillation else None
        source = FeatureSource(
            learner=self.learner,
            label=settings.learner,
            encoder=Program(self.encoder_graph, self.encoder_params, "encoder"),
            teacher=teacher,
            pixels=self.pixels,
            pixel_key=pixel_key(self.dataset),
            dtype=settings.features.dtype,
        )
        train, val = self.parts
        some = some_of(train, settings.features.images)
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
        palette = self.dataset.palette.tolist()
        folder, size = self.folder / "weights", self.settings.data.size
        return RunWeights(folder, self.spec, self.dataset.classes, palette, size)

    def figures(self, trial: Trial) -> tuple[int, int]:
        """Parameters and multiply-adds of a trial's network as described."""
        found = cost(lower(trial.genotype, shipped(self.spec)), self.settings.data.size)
        return found.parameters, found.multiply_adds

    def meta(self) -> dict[str, Any]:
        """What the journal is to know of the run, the encoder apart."""
        return {
            "settings": self.settings.model_dump(mode="json"),
            "data": pixel_key(self.dataset),
            "classes": list(self.dataset.classes),
            "model": self.spec.to_dict(),
            "versions": versions(),
        }


def versions() -> dict[str, str]:
    """Versions of what takes part, by name."""
    found = {"python": python_version()}
    for package in ("auxnas", "numpy", "torch"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def execute(place: Workplace) -> list[Trial]:
    """Runs the search until it has ``settings.trials`` outcomes; returns its trials.

    A run that was begun in the same folder with the same settings is continued.

    Raises:
        RunLockedError: when another process runs in this folder.
        SettingsError: naming the first setting that differs from the run's.
        JournalError: when data or encoder have changed since, or the journal is damaged.
    """
    if not (place.folder / NAME).exists():
        _look_ahead(place)
    place.folder.mkdir(parents=True, exist_ok=True)
    with run_lock(place.folder), Journal(place.folder, write=True) as journal:
        known = journal.meta() if journal.trials() else {}
        _refuse_other_settings(place, known)
        place.display.say(_introduction(place))
        _settle(place, journal, known, place.meta())
        _settle(place, journal, known, {"encoder": params_digest(place.encoder_params)})
        with Watch(place.display, place.settings.trials) as watch:
            return _driver(place, journal, watch).run(place.settings.trials)


def _look_ahead(place: Workplace) -> None:
    """Finds what is wrong with framework, data and files before a folder is made for them."""
    _ = place.learner, place.task, place.pixels
    _refuse_thin(place)
    if place.settings.encoder_weights is not None:
        _ = place.encoder


def _refuse_thin(place: Workplace) -> None:
    """Finds too few images, and parts in which nothing that counts is labelled."""
    for name, indices, least in zip(("train", "val"), place.parts, (2, 1), strict=True):
        where = f"{place.dataset.name}: meta-{name}"
        if len(indices) < least:
            raise DataError(where, f"{len(indices)} images", f"at least {least}")
        counted = [n for n, c in enumerate(place.task.classes) if c not in place.task.ignore]
        if not any(np.isin(place.pixels.read(LABEL, [index]), counted).any() for index in indices):
            raise DataError(where, "no labelled pixel of a class that counts", "some")


def _driver(place: Workplace, journal: Journal, watch: Watch) -> Driver:
    search = place.settings.search
    seed = place.settings.seed
    return Driver(
        journal=journal,
        searcher=make_searcher(search, place.space, seed, place.settings.learner),
        evaluate=place.evaluator,
        figures=place.figures,
        policy=Policy(seed, search.batch, search.proceed, search.proceed_half_life, search.reuse),
        weights=place.weights,
        watcher=watch,
    )


def _refuse_other_settings(place: Workplace, known: Mapping[str, Any]) -> None:
    found = difference(known["settings"], place.settings) if known else None
    if found is not None:
        expected = "the run's own settings, or another --out"
        raise SettingsError(str(place.folder), f"begun with other settings: {found}", expected)


def _settle(
    place: Workplace, journal: Journal, known: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    """Stores what the run is as long as it has no trials, and compares it after that."""
    for name in ("data", "encoder"):
        if name in now and known and known[name] != now[name]:
            expected = f"the same {name}, or another --out"
            raise JournalError(str(place.folder), f"the {name} changed since it began", expected)
    fresh = {name: now[name] for name in now if not known or name == "settings"}
    if any(known.get(name) != value for name, value in fresh.items()):
        journal.set_meta(fresh)


def _introduction(place: Workplace) -> str:
    """What is about to happen."""
    dataset, (height, width) = place.dataset, place.settings.data.size
    return (
        f"search on {dataset.name}: {len(dataset)} images at {height}x{width}, "
        f"{len(dataset.classes)} classes, {place.settings.trials} trials, "
        f"{type(place.learner).__name__}"
    )
