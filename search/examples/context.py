"""Data of a run: images that are decoded once, divided into those to learn and to judge from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import NamedTuple

from auxnas.backends.progress import Display
from auxnas.compiler.encoders import Normalisation, find_encoder
from auxnas.compiler.tasks import Task, find_task
from auxnas.compiler.weights import OutputStart
from auxnas.genotype.plugins import find_plugin
from auxnas.search.data import DataError, Dataset, open_dataset, parts, split_dataset
from auxnas.search.data.joined import with_classes_of
from auxnas.search.data.photometric import Photometric
from auxnas.search.data.statistics import (
    Statistics,
    empty_remark,
    leaked_remark,
    missing_remarks,
    mixed_remark,
    repeated_remark,
    sparse_remark,
)
from auxnas.search.data.views import PAD, Colour
from auxnas.search.examples.images import (
    ImageExamples,
    PixelStore,
    check_enough_data,
    mean_target,
    pixel_key,
    pixel_store,
    statistics_of,
)
from auxnas.search.examples.trivial import Images, is_one_map, one_number
from auxnas.search.settings.search import Settings


@dataclass(frozen=True)
class StoredDataset:
    """A dataset whose pixels are decoded, and counted, once.

    Attributes:
        dataset: images and labels, at the run's size.
        cache: folder that runs share.
        display: destination of progress.
    """

    dataset: Dataset
    cache: Path
    display: Display

    @property
    def key(self) -> str:
        """Name of the content."""
        return pixel_key(self.dataset)

    @cached_property
    def pixels(self) -> PixelStore:
        """Images and labels, checked and decoded."""
        return pixel_store(self.dataset, self.cache, self.display)

    @cached_property
    def statistics(self) -> Statistics:
        """The pixels of each class in each image."""
        return statistics_of(self.dataset, self.pixels, self.cache, self.display)


@dataclass(frozen=True)
class Part:
    """Some of the images of a dataset.

    Attributes:
        name: of the part, in messages.
        title: the same, of its images.
        stored: the dataset.
        indices: places of the images there.
    """

    name: str
    title: str
    stored: StoredDataset
    indices: tuple[int, ...]

    def __len__(self) -> int:
        """The number of images."""
        return len(self.indices)

    @property
    def images(self) -> Images:
        """The store of the pixels, and the images' places in it."""
        return self.stored.pixels, self.indices

    @property
    def statistics(self) -> Statistics:
        """The pixels of each class in each of the images."""
        return self.stored.statistics.of(self.indices)


class Split(NamedTuple):
    """Images to train on, and images to validate on."""

    train: Part
    val: Part


@dataclass(frozen=True)
class DataContext:
    """Images of a run and their task; computed when first needed.

    Attributes:
        settings: of the run.
        cache: folder of what is computed once, for other runs too.
        display: destination of progress.
    """

    settings: Settings
    cache: Path
    display: Display

    @cached_property
    def training(self) -> StoredDataset:
        """The training part of the data."""
        return StoredDataset(self._open("train"), self.cache, self.display)

    @cached_property
    def validation(self) -> StoredDataset | None:
        """The data's own validation part, of the same classes; None where there is none.

        Raises:
            DataError: naming a class that one of the two parts has alone.
        """
        if "val" not in parts(self.settings.data.source):
            return None
        found = with_classes_of(self._open("val"), self.training.dataset)
        return StoredDataset(found, self.cache, self.display)

    @cached_property
    def task(self) -> Task:
        """Task of the networks, on the classes of the data."""
        settings = self.settings
        found = find_task(settings.task_name, self.training.dataset.classes, settings.ignored)
        return found.with_loss(dict(settings.loss), self._samples)

    def _samples(self) -> tuple[float, ...]:
        """Size of each class in the training part, in whole images."""
        found = self.training.statistics.pixels / prod(self.settings.data.size)
        return tuple(found.tolist())

    @property
    def normalisation(self) -> Normalisation:
        """Mean and deviation of the encoder's images."""
        model = self.settings.model
        return find_encoder(model.encoder, model.width).normalisation

    @cached_property
    def search_split(self) -> Split:
        """Meta-train and meta-val, the same whatever the run's seed.

        Images with the same pixels are in the same part.
        """
        stored, share = self.training, self.settings.data.meta_train
        found = split_dataset(stored.dataset, share, firsts=stored.statistics.together)
        names = ("meta-train", "meta-val")
        return Split(*(Part(n, n, stored, f.indices) for n, f in zip(names, found, strict=True)))

    @cached_property
    def training_split(self) -> Split:
        """The whole training part, and the data's own validation part.

        Where there is none, meta-train and meta-val.
        """
        own = self.validation
        train, val = self.search_split if own is None else map(_whole, (self.training, own))
        return Split(
            replace(train, name="the training part", title="images to train on"),
            replace(val, name="what is validated on", title="images to validate on"),
        )

    def examples(self, part: Part, scale: tuple[float, float] | None = None) -> ImageExamples:
        """Images that a whole network starts from.

        Args:
            part: which.
            scale: random magnification of images to train on, (least, most), which are
                mirrored, and change their colours, too; None for images as they are.
        """
        data, by, task = self.settings.data, self.normalisation, self.task
        size = data.crop or data.size
        augment = None
        if scale is not None:
            make = find_plugin("augmentation", task.augmentation, {})
            augment = make(task, size, scale, data.mirror, by.mean)
        pixels, colours = part.stored.pixels, Photometric(**dict(data.photometric))
        return ImageExamples(pixels, part.indices, augment, by, task, self._padding, colours)

    @property
    def _padding(self) -> Colour | None:
        """Colour that fills images up; None where they are stretched."""
        return self.normalisation.colour if self.settings.data.fit == PAD else None

    def output_start(self, part: Part) -> OutputStart:
        """What outputs begin with, where images of ``part`` are trained on."""
        task, pixels = self.task, part.stored.pixels
        biases = mean_target(task, pixels, part.indices) if task.starts_at_mean else ()
        return OutputStart(biases, task.first_scale)

    def check_enough_data(self, found: Split) -> None:
        """Finds images that nothing can be trained or judged on.

        Says which classes are missing in them, and which images are there twice.

        Raises:
            DataError: naming the part.
        """
        name = self.training.dataset.name
        train, val = found.train.statistics, found.val.statistics
        for part, own, least in (found.train, train, 2), (found.val, val, 1):
            check_enough_data(
                f"{name}: {part.title}", own, part.stored.statistics, least, self.task
            )
            if number := one_number(self.task, part.images):
                wrong = f"{self.task.name} of {number} everywhere is as right as the labels"
                raise DataError(f"{name}: {part.title}", wrong, "labels that differ more")
        for line in (
            *missing_remarks(name, (found.train.name, train), (found.val.name, val)),
            *sparse_remark(f"{name}: {found.train.title}", train),
            *sparse_remark(f"{name}: {found.val.title}", val),
            *empty_remark(f"{name}: {found.train.title}", train, self.task.labels.element),
            *empty_remark(f"{name}: {found.val.title}", val, self.task.labels.element),
            *self._one_map_remark(found),
            *mixed_remark(name, self.training.statistics),
            *repeated_remark(name, self.training.statistics),
            *leaked_remark(train, val),
        ):
            self.display.say(line)

    def _one_map_remark(self, found: Split) -> Iterator[str]:
        """A warning about labels that are the same whatever the image."""
        if is_one_map(self.task, found.train.images, found.val.images):
            yield (
                f"warning: {self.training.dataset.name}: the labels of the first image to train "
                "on are right for all to validate on, so an answer that looks at no image is"
            )

    def part_of(self, source: str) -> Part:
        """The training part of other data, of the same classes, less the images to validate on.

        Raises:
            DataError: when the classes differ, or nothing can be learned from what is left.
        """
        found = with_classes_of(self._open("train", source), self.training.dataset)
        stored = StoredDataset(found, self.cache, self.display)
        judged = frozenset[str]().union(*self.training_split.val.statistics.names)
        every = stored.statistics.names
        kept = tuple(n for n, names in enumerate(every) if names.isdisjoint(judged))
        part = replace(_whole(stored), indices=kept)
        less = ", less those validated on" * (len(kept) < len(every))
        where = f"{found.name}: images to train on{less}"
        check_enough_data(where, part.statistics, stored.statistics, 2, self.task)
        if len(kept) < len(every):
            gone = f"{len(every) - len(kept)} of {len(every)} images"
            self.display.say(f"{found.name}: {gone} are left out, which are validated on")
        for line in (
            *empty_remark(where, part.statistics, self.task.labels.element),
            *mixed_remark(found.name, stored.statistics),
        ):
            self.display.say(line)
        return part

    def _open(self, part: str, source: str | None = None) -> Dataset:
        data = self.settings.data
        return open_dataset(
            source or data.source,
            classes=data.classes,
            size=data.size,
            part=part,
            task=find_task(self.settings.task_name),
            depth_scale=data.depth_scale,
            label_map=data.map,
            padding=self._padding,
        )


def _whole(stored: StoredDataset) -> Part:
    name = stored.dataset.name
    return Part(name, name, stored, tuple(range(len(stored.dataset))))
