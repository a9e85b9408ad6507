"""Labelled examples for a learner: images, or stored encoder outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from shlex import quote

import numpy as np

from auxnas.backends.base import Batch
from auxnas.backends.images import dark_remark, normalise
from auxnas.backends.progress import Display
from auxnas.compiler.encoders import IMAGENET, Normalisation
from auxnas.compiler.tasks import Segmentation, TargetFormat, Task
from auxnas.search.data import DataError, Dataset, check
from auxnas.search.data.augment import Augmentation
from auxnas.search.data.photometric import Photometric
from auxnas.search.data.statistics import Statistics, check_variety, image_counts
from auxnas.search.data.views import Colour, without_padding
from auxnas.search.storage.cache import json_digest
from auxnas.search.storage.store import Array, Rows, Store, open_store

IMAGE, LABEL, TEACHER = "image", "label", "teacher"
"""Names of arrays in stores; ``image`` is the input of a whole network too."""
VALUES, CONTENT = "values", "content"
"""Names of the arrays of a dataset's statistics."""

_CHUNK = 16


@dataclass(frozen=True)
class PixelStore(Store):
    """A store of images and labels, which gives them without the margin that they are stored with.

    Attributes:
        margin: pixels on every side.
        labels: the numbers of the labels.
    """

    margin: int = 0
    labels: TargetFormat = Segmentation.target

    def read(self, name: str, indices: Sequence[int]) -> Array:
        """Some images or labels, as networks are given them."""
        found = self.read_whole(name, indices)
        if not self.margin or name not in (IMAGE, LABEL):
            return found
        inner = slice(self.margin, -self.margin)
        return self.labels.cut(found, self.margin) if name == LABEL else found[:, inner, inner]

    def read_whole(self, name: str, indices: Sequence[int]) -> Array:
        """The same with their margin, to be moved about in."""
        return super().read(name, indices)


@dataclass(frozen=True)
class ImageExamples:
    """Images that a whole network starts from.

    Attributes:
        pixels: a store with ``image`` and ``label``.
        indices: positions in the store.
        augment: random transform for training; None for none.
        normalisation: the encoder's.
        task: makes the targets of images and labels.
        padding: colour that fills images up, which are transformed without it; None for none.
        photometric: changes of colour and sharpness, after ``augment`` and like it.
    """

    pixels: PixelStore
    indices: tuple[int, ...]
    augment: Augmentation | None = None
    normalisation: Normalisation = IMAGENET
    task: Task = field(default_factory=Segmentation)
    padding: Colour | None = None
    photometric: Photometric = field(default_factory=Photometric)

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.indices)

    def batch(self, indices: Sequence[int], rng: np.random.Generator | None) -> Batch:
        """Some of them, normalised; randomly transformed where ``rng`` is given."""
        rows = [self.indices[index] for index in indices]
        moves = rng is not None and self.augment is not None
        read = self.pixels.read_whole if moves else self.pixels.read
        images, labels = (read(name, rows) for name in (IMAGE, LABEL))
        if rng is not None and self.augment is not None:
            pairs = [
                (self.photometric(image, rng), label)
                for image, label in (self.augment(*p, rng) for p in self._stored(images, labels))
            ]
            images = np.stack([image for image, _ in pairs])
            labels = np.stack([label for _, label in pairs])
        targets = map(self.task.target_of, labels, (partial(np.asarray, each) for each in images))
        return Batch({IMAGE: normalise(images, self.normalisation)}, np.stack(list(targets)))

    def _stored(self, images: Array, labels: Array) -> Iterator[tuple[Array, Array]]:
        """Images and their labels, without what they were filled up with."""
        for pair in zip(images, labels, strict=True):
            yield (
                pair
                if self.padding is None
                else without_padding(*pair, self.padding, self.task.labels)
            )


def mean_target(task: Task, pixels: Store, rows: Sequence[int]) -> tuple[float, ...]:
    """The mean of the numbers that count in the targets of some images, one a channel."""
    totals = np.zeros((2, task.target.channels))
    for row in rows:
        image, label = (pixels.read(name, [row])[0] for name in (IMAGE, LABEL))
        target = task.target_of(label, partial(np.asarray, image))
        known = task.target.known(target)
        for total, values in zip(totals, (np.where(known, target, 0), known), strict=True):
            total += values.reshape(-1, task.target.channels).sum(0, dtype=np.float64)
    return tuple((totals[0] / np.maximum(totals[1], 1)).tolist())


@dataclass(frozen=True)
class FeatureExamples:
    """Stored encoder outputs that a decoder starts from.

    Attributes:
        features: a store with an array for each encoder output, and ``teacher`` perhaps.
        rows: positions in the store.
        pixels: the store with the labels.
        indices: the rows' places there.
        outputs: names of the encoder outputs.
        teacher: whether to hand out the teacher's logits.
        task: makes the targets of images and labels.
    """

    features: Store
    rows: tuple[int, ...]
    pixels: Store
    indices: tuple[int, ...]
    outputs: tuple[str, ...]
    teacher: bool = False
    task: Task = field(default_factory=Segmentation)

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.rows)

    def batch(self, indices: Sequence[int], rng: np.random.Generator | None) -> Batch:
        """Some of them; what is stored cannot be transformed any more."""
        rows = [self.rows[index] for index in indices]
        places = [self.indices[index] for index in indices]
        targets = map(
            self.task.target_of, self.pixels.read(LABEL, places), map(self._image, places)
        )
        maps = {name: self._read(name, rows) for name in self.outputs}
        teacher = self._read(TEACHER, rows) if self.teacher else None
        return Batch(maps, np.stack(list(targets)), teacher)

    def _image(self, place: int) -> Callable[[], Array]:
        """Reads an image where the task looks at it."""
        return lambda: np.asarray(self.pixels.read(IMAGE, [place])[0])

    def _read(self, name: str, rows: Sequence[int]) -> Array:
        return self.features.read(name, rows).astype(np.float32, copy=False)


def check_enough_data(
    where: str, found: Statistics, whole: Statistics, least: int, task: Task
) -> None:
    """Checks that there are enough images, with labels that can be learned and scored.

    Args:
        where: names them.
        found: in the images to train or to validate on.
        whole: in the data that they are a part of.
        least: how many there have to be.
        task: says which classes count.

    Raises:
        DataError: naming ``where``.
    """
    if len(found) < least:
        raise DataError(where, f"{len(found)} images", f"at least {least}")
    if not task.labels.classes:
        if not found.labelled:
            raise DataError(where, "no number that counts in any label", "some")
        return
    if not set(task.classes) - set(task.ignore) - set(found.missing):
        raise DataError(where, "no labelled pixel of a class that counts", "some")
    check_variety(where, found, whole)


def normalisation_key(normalisation: Normalisation) -> tuple[str, ...]:
    """The part of a key that tells a normalisation; nothing for the usual one, ImageNet's."""
    return () if normalisation == IMAGENET else (repr(normalisation),)


def format_key(*numbers: TargetFormat) -> tuple[str, ...]:
    """The part of a key that tells the numbers of labels; nothing for segmentation's.

    Bytes were classes always in earlier versions, whose keys still hold.
    """
    if all(each == Segmentation.target for each in numbers):
        return ()
    kinds = ("" if each.classes == (each.dtype == "uint8") else "measured " for each in numbers)
    return tuple(kind + repr(each) for kind, each in zip(kinds, numbers, strict=True))


def pixel_key(dataset: Dataset) -> str:
    """Names the pixels of ``dataset``: its content, its size, and its labels' numbers."""
    return json_digest("pixels", dataset.fingerprint(), *format_key(dataset.labels))


def pixel_store(dataset: Dataset, cache: Path, display: Display) -> PixelStore:
    """All images and labels of ``dataset``, decoded and resized once.

    The data are checked before anything of theirs is stored; what was passed over in their
    list, and what is remarkable in their files, is said whether they are stored already or not.

    Raises:
        DataError: naming the first file that is not as it should be, and how to look at all.
    """
    try:
        return _stored_pixels(dataset, cache, display)
    except DataError as error:
        if error.place == dataset.name:  # of no file
            raise
        look = f", and `nassearch data {quote(dataset.name)}` looks at all of them"
        found, expected = error.found, error.expected
        said = (found, expected + look) if expected else (found + look, "")
        raise DataError(error.place, *said) from error


def _stored_pixels(dataset: Dataset, cache: Path, display: Display) -> PixelStore:
    def compute() -> Iterator[Rows]:
        with display.task("checking the data", len(dataset)) as advance:
            check(dataset, lambda done, total: advance(done, ""))
        with display.task("reading the images", len(dataset)) as advance:
            for start in range(0, len(dataset), _CHUNK):
                places = range(start, min(start + _CHUNK, len(dataset)))
                yield {
                    IMAGE: np.stack([dataset.image(place) for place in places]),
                    LABEL: np.stack([dataset.label(place) for place in places]),
                }
                advance(places.stop, "")

    if dataset.remark:
        display.say(dataset.remark)
    folder = cache / "pixels" / pixel_key(dataset)
    store = open_store(folder, len(dataset), compute, {}, display.say)
    if store.rebuilt:
        display.say(f"stored images were {store.rebuilt}: read again")
    for line in (dataset.note(), dark_remark(dataset.name, _brightest(store))):
        if line:
            display.say(line)
    return PixelStore(store.folder, store.rows, store.rebuilt, dataset.margin, dataset.labels)


def _brightest(store: Store) -> int:
    """The largest value of the images, or the first found that no dark picture has."""
    found = 0
    for start in range(0, store.rows, _CHUNK):
        chunk = store.read(IMAGE, range(start, min(start + _CHUNK, store.rows)))
        found = max(found, int(chunk.max()))
        if found and not dark_remark("", found):
            break
    return found


def statistics_of(dataset: Dataset, pixels: Store, cache: Path, display: Display) -> Statistics:
    """The pixels of each class in what ``pixels`` has of ``dataset``, counted once and kept."""

    def compute() -> Iterator[Rows]:
        with display.task("counting the classes", len(dataset)) as advance:
            for place in range(len(dataset)):
                image, label = (pixels.read(name, [place])[0] for name in (IMAGE, LABEL))
                found = image_counts(image, label, dataset.labels)
                yield {VALUES: found[0][None], CONTENT: found[1][None]}
                advance(place + 1, "")

    folder = cache / "statistics" / pixel_key(dataset)
    store = open_store(folder, len(dataset), compute, {VALUES: "int32"}, display.say)
    every = range(len(dataset))
    places = tuple(map(dataset.place, every))
    values, content = store.read(VALUES, every), store.read(CONTENT, every)
    classes = dataset.classes if dataset.labels.classes else ()
    groups = tuple(dataset.group(index) for index in every)
    return Statistics(classes, places, values, content, groups)
