"""A whole long training: from settings to a folder with the trained network and its scores."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from auxnas.backends.base import Examples
from auxnas.backends.progress import Display
from auxnas.compiler import Program
from auxnas.compiler.decoders.refinenet import CHANNELS
from auxnas.compiler.files import atomic_write
from auxnas.compiler.tasks import Sums, Task
from auxnas.compiler.weights import initial_params
from auxnas.genotype import Genotype, to_json
from auxnas.search.data import Dataset, open_dataset, parts
from auxnas.search.data.statistics import leaked_remark, missing_remarks, repeated_remark
from auxnas.search.evaluation.scoring import network_figures, scores
from auxnas.search.examples.images import (
    ImageExamples,
    check_enough_data,
    pixel_key,
    pixel_store,
    statistics_of,
)
from auxnas.search.loop.workplace import Workplace
from auxnas.search.networks.networks import WEIGHTS, Network, save_network
from auxnas.search.networks.searched import Searched, compare_with_search, comparison_lines
from auxnas.search.networks.teachers import read_teacher
from auxnas.search.settings.training import TrainingSettings
from auxnas.search.storage.cache import params_digest
from auxnas.search.storage.checkpoint import Checkpoint, Entry
from auxnas.search.storage.folders import TRAINING, check_folder_kind
from auxnas.search.storage.identity import settle, write_json
from auxnas.search.storage.lock import run_lock
from auxnas.search.storage.store import Store
from auxnas.search.training.training import LongTraining, with_teacher

RESULT, GENOTYPE = "result.json", "genotype.json"
"""What came out of a training, and its genotype; in its folder."""


@dataclass(frozen=True)
class TrainingPlace:
    """Everything that a long training needs, made when first needed.

    Attributes:
        settings: how.
        genotype: what is trained; None for Light-Weight RefineNet.
        folder: the training's own folder.
        cache: where things computed once are kept.
        display: where progress goes.
        searched: how a search built the genotype, if one did.
    """

    settings: TrainingSettings
    genotype: Genotype | None
    folder: Path
    cache: Path
    display: Display
    searched: Searched | None = None

    @cached_property
    def search(self) -> Workplace:
        """The training part of the data, and the encoder, as a search has them."""
        return Workplace(self.settings.search(), self.folder, self.cache, self.display)

    @property
    def task(self) -> Task:
        """What is asked of the network."""
        return self.search.task

    # Data -------------------------------------------------------------------------------

    @cached_property
    def val_dataset(self) -> Dataset | None:
        """The data's own validation part; None where there is none."""
        data = self.settings.data
        if "val" not in parts(data.source):
            return None
        return open_dataset(data.source, classes=data.classes, size=data.size, part="val")

    @cached_property
    def val_pixels(self) -> Store:
        """Images and labels that are validated on."""
        if self.val_dataset is None:
            return self.search.pixels
        return pixel_store(self.val_dataset, self.cache, self.display)

    @cached_property
    def indices(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Which images are trained on, and which are validated on.

        All of each part; without a part to validate on, the search's meta-train and meta-val.
        """
        if self.val_dataset is None:
            return self.search.parts
        return tuple(range(len(self.search.dataset))), tuple(range(len(self.val_dataset)))

    @property
    def judges(self) -> str:
        """In words, the images that are validated on."""
        count = len(self.indices[1])
        if self.val_dataset is None:
            return f"{count} images of meta-val (the data have no part for it)"
        return f"{count} images of their validation part"

    def train_images(self) -> Examples:
        """Images to train on, transformed at random, with a teacher's logits if there is one."""
        whole = self.search.train_images(self.settings.data.scale)
        images = replace(whole, indices=self.indices[0])
        if self.teacher is None:
            return images
        return with_teacher(images, self.search.learner, self.teacher)

    def val_images(self) -> ImageExamples:
        """Images to validate on, as they are."""
        return ImageExamples(
            self.val_pixels, self.indices[1], None, self.search.normalisation, self.task
        )

    def check_enough_data(self) -> None:
        """Finds data that nothing can be trained or judged on.

        Raises:
            DataError: naming the data.
        """
        name, whole = self.search.dataset.name, self.search.statistics
        judged = whole
        if self.val_dataset is not None:
            judged = statistics_of(self.val_dataset, self.val_pixels, self.cache, self.display)
        train, val = whole.of(self.indices[0]), judged.of(self.indices[1])
        check_enough_data(f"{name}: images to train on", train, whole, 2, self.task)
        check_enough_data(f"{name}: images to validate on", val, judged, 1, self.task)
        parts = ("the training part", train), ("what is validated on", val)
        for line in (
            *missing_remarks(name, *parts),
            *repeated_remark(name, whole),
            *leaked_remark(train, val),
        ):
            self.display.say(line)

    # Model ------------------------------------------------------------------------------

    @cached_property
    def network(self) -> Network:
        """What is trained."""
        channels = self.settings.train.channels if self.genotype is None else CHANNELS
        return Network(self.search.spec, self.genotype, channels)

    @property
    def seed(self) -> int:
        """What random numbers come from: 32 bits, and not those of the pre-training.

        A rival that started from the very decoder that the encoder was trained under
        would have an advantage.
        """
        return zlib.crc32(f"auxnas training {self.settings.seed}".encode())

    @cached_property
    def teacher(self) -> Program | None:
        """Whom the network learns from as well, if anyone."""
        given = self.settings.train.teacher
        return None if given is None else read_teacher(Path(given), self.task.outputs)

    @cached_property
    def comparison(self) -> dict[str, Any] | None:
        """The network beside the one that was searched, as plain data; None without a search."""
        if self.searched is None or self.genotype is None:
            return None
        spec, size = self.search.spec, self.settings.data.size
        return compare_with_search(self.searched, self.genotype, spec, size, self.search.threads)

    def changes(self) -> Iterator[str]:
        """In words, what beside the network is not as it was in the search."""
        known = self.searched
        if known is None:
            return
        same_size = known.size == tuple(self.settings.data.size)
        if known.data and same_size and pixel_key(self.search.dataset) != known.data:
            yield f"warning: other data than those that {known.place} searched on"
        if known.encoder and params_digest(self.search.encoder_params) != known.encoder:
            yield f"warning: another encoder than the one that {known.place} searched with"

    def start(self) -> Program:
        """The network before training: the encoder as given, the rest from the seed."""
        graph = self.network.graph()
        params = {**initial_params(graph, self.seed), **self.search.encoder_params}
        return Program(graph, params, self.network.name)

    def identity(self) -> dict[str, Any]:
        """Everything that decides what the training comes to, apart from its settings."""
        val = self.val_dataset
        return {
            "network": self.network.describe(),
            "data": pixel_key(self.search.dataset),
            "validation": None if val is None else pixel_key(val),
            "encoder": params_digest(self.search.encoder_params),
            "teacher": self.teacher and params_digest(self.teacher.params),
        }


def train_network(place: TrainingPlace) -> dict[str, Any]:
    """Trains to the end, or goes on with the training in the folder; what came out, as data.

    A finished training is not repeated.

    Raises:
        RunLockedError: when another process trains in this folder.
        SettingsError: naming what differs from the training that was begun here, or what
            else is in the folder.
        TrialFailure: when training fails.
    """
    check_folder_kind(place.folder, "a training")
    if not place.folder.exists():
        _look_ahead(place)
    place.folder.mkdir(parents=True, exist_ok=True)
    with run_lock(place.folder):
        settle(place.folder / TRAINING, place.settings, place.identity())
        if (place.folder / RESULT).is_file():
            found: dict[str, Any] = json.loads((place.folder / RESULT).read_text())
            place.display.say(f"{place.folder}: trained already")
            Checkpoint.remove(place.folder)
            return found
        place.display.say(_introduction(place))
        for line in (*comparison_lines(place.comparison or {}), *place.changes()):
            place.display.say(line)
        program, sums, history = _training(place).run()
        return _finish(place, program, sums, history)


def _look_ahead(place: TrainingPlace) -> None:
    """Finds what is wrong with framework, data and files before a folder is made for them."""
    _ = place.search.learner, place.teacher, place.network.graph()
    place.check_enough_data()
    if place.settings.encoder_weights is not None:
        _ = place.search.encoder


def _training(place: TrainingPlace) -> LongTraining:
    return LongTraining(
        learner=place.search.learner,
        program=place.start(),
        train=place.train_images(),
        val=place.val_images(),
        task=place.task,
        settings=place.settings.train,
        seed=place.seed,
        folder=place.folder,
        display=place.display,
    )


def _introduction(place: TrainingPlace) -> str:
    """What is about to happen."""
    (height, width), first = place.settings.data.size, place.indices[0]
    what = place.network.name if place.genotype is None else str(place.genotype)
    return (
        f"training {what} on {place.search.dataset.name}: {len(first)} images at "
        f"{height}x{width}, {place.settings.train.epochs} epochs; "
        f"validating on {place.judges}"
    )


def _finish(
    place: TrainingPlace, program: Program, sums: Sums, history: Sequence[Entry]
) -> dict[str, Any]:
    """Writes the folder's files, ``result.json`` last; returns what is in that."""
    dataset, size, folder = place.search.dataset, place.settings.data.size, place.folder
    files = {"weights": folder / WEIGHTS}
    look = (dataset.classes, dataset.palette.tolist(), size)
    save_network(files["weights"], place.network, program.params, *look)
    result = training_summary(place, sums) | {
        "epochs": place.settings.train.epochs,
        "seed": place.settings.seed,
        "seconds": history[-1]["seconds"],
        "images": dict(zip(("train", "val"), map(len, place.indices), strict=True)),
    }
    if place.comparison is not None:
        result["searched"] = place.comparison
    if place.genotype is not None:
        files["genotype"] = folder / GENOTYPE
        with atomic_write(files["genotype"]) as path:
            path.write_text(_document(place, place.genotype, result) + "\n", encoding="utf-8")
    result["files"] = {kind: str(path) for kind, path in files.items()}
    write_json(folder / RESULT, result)
    Checkpoint.remove(folder)
    return result


def training_summary(place: TrainingPlace, sums: Sums) -> dict[str, Any]:
    """Scores and figures of the network whose statistics are ``sums``."""
    size = place.settings.data.size
    return {**network_figures(place.network, size), **scores(place.task, sums)}


def _document(place: TrainingPlace, genotype: Genotype, result: Mapping[str, Any]) -> str:
    kept = ("reward", *place.task.metrics, "parameters", "multiply_adds")
    return to_json(
        genotype,
        name=place.folder.name,
        model=place.network.shipped().spec.to_dict(),
        classes=list(place.search.dataset.classes),
        size=list(place.settings.data.size),
        result={name: result[name] for name in kept},
    )
