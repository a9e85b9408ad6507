"""Encoder outputs computed once, with a teacher's logits beside them (paper, section 4)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auxnas.backends.base import Learner
from auxnas.backends.images import normalise
from auxnas.backends.progress import Display
from auxnas.compiler import MAIN, Program
from auxnas.compiler.encoders import IMAGENET, Normalisation
from auxnas.compiler.tasks import Segmentation, Task
from auxnas.search.examples.images import IMAGE, TEACHER, FeatureExamples, normalisation_key
from auxnas.search.storage.cache import json_digest, params_digest
from auxnas.search.storage.store import Array, Rows, Store, open_store

_CHUNK = 16


@dataclass(frozen=True)
class FeatureSource:
    """Sources of stored encoder outputs.

    Attributes:
        learner: computes the outputs.
        label: names the learner; part of the store's name.
        encoder: from an image to the encoder outputs.
        teacher: from an image to logits, if there is one.
        pixels: the store of images.
        pixel_key: names its content.
        dtype: how encoder outputs are stored.
        normalisation: the encoder's; a teacher gets the same images.
        task: of the examples; nothing that is stored depends on it.
    """

    learner: Learner
    label: str
    encoder: Program
    teacher: Program | None
    pixels: Store
    pixel_key: str
    dtype: str
    normalisation: Normalisation = IMAGENET
    task: Task = field(default_factory=Segmentation)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the encoder outputs."""
        return tuple(name for name, _ in self.encoder.graph.outputs)

    def key(self, indices: Sequence[int]) -> str:
        """Names the store of these images: a hash of all that its content depends on."""
        programs = [p for p in (self.encoder, self.teacher) if p is not None]
        names = [(str(p.graph), params_digest(p.params)) for p in programs]
        known = (self.label, self.pixel_key, self.dtype, list(indices), names)
        return json_digest("features", *known, *normalisation_key(self.normalisation))

    def chunk(self, indices: Sequence[int]) -> Rows:
        """Encoder outputs and logits of some images."""
        inputs = {IMAGE: normalise(self.pixels.read(IMAGE, indices), self.normalisation)}
        maps: dict[str, Array] = dict(self.learner.infer(self.encoder, inputs))
        if self.teacher is not None:
            maps[TEACHER] = self.learner.infer(self.teacher, inputs)[MAIN]
        return maps


@dataclass(frozen=True)
class FeatureStore(Store):
    """A store of encoder outputs that knows how it is made again.

    Attributes:
        source: computes them.
        indices: of the images.
    """

    source: FeatureSource | None = None
    indices: tuple[int, ...] = ()

    def __reduce__(self) -> Any:
        """Processes of this machine are given the place alone, without encoder and teacher."""
        return Store, (self.folder, self.rows, self.rebuilt)


def feature_store(
    source: FeatureSource, indices: Sequence[int], cache: Path, display: Display
) -> FeatureStore:
    """The encoder outputs of the images ``indices``, in this order."""

    def compute() -> Iterator[Rows]:
        with display.task("computing encoder outputs", len(indices)) as advance:
            for start in range(0, len(indices), _CHUNK):
                some = indices[start : start + _CHUNK]
                yield source.chunk(some)
                advance(start + len(some), "")

    dtypes: Mapping[str, str] = dict.fromkeys((*source.outputs, TEACHER), source.dtype)
    folder = cache / "features" / source.key(indices)
    store = open_store(folder, len(indices), compute, dtypes, display.say)
    if store.rebuilt:
        display.say(f"stored encoder outputs were {store.rebuilt}: computed again")
    return FeatureStore(store.folder, store.rows, store.rebuilt, source, tuple(indices))


def feature_examples(
    source: FeatureSource,
    train: Sequence[int],
    val: Sequence[int],
    cache: Path,
    display: Display,
) -> tuple[FeatureExamples, FeatureExamples]:
    """Stage 1's examples to train on and to validate on, from one store."""
    store = feature_store(source, [*train, *val], cache, display)

    def part(first: int, indices: Sequence[int], teacher: bool) -> FeatureExamples:
        rows = tuple(range(first, first + len(indices)))
        return FeatureExamples(
            store, rows, source.pixels, tuple(indices), source.outputs, teacher, source.task
        )

    return part(0, train, source.teacher is not None), part(len(train), val, False)


def subsample(indices: Sequence[int], count: int) -> tuple[int, ...]:
    """At most ``count`` of ``indices``, always the same ones, in order."""
    if len(indices) <= count:
        return tuple(indices)
    return tuple(sorted(random.Random("auxnas features").sample(list(indices), count)))
