"""Labelled examples whose labels are as they are stored, whatever size a network sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from auxnas.backends.base import Batch
from auxnas.search.data import Dataset
from auxnas.search.data.base import Array
from auxnas.search.examples.images import ImageExamples


@dataclass(frozen=True)
class StoredSizeExamples:
    """Images at a network's size with targets at the size of the data, to be scored on.

    Sizes may differ from image to image, so it is asked for one at a time.

    Attributes:
        images: at the network's size.
        dataset: that they are of, which knows where each is stored.
    """

    images: ImageExamples
    dataset: Dataset

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.images)

    @property
    def indices(self) -> tuple[int, ...]:
        """Positions of the images in the data."""
        return self.images.indices

    def batch(self, indices: Sequence[int], rng: np.random.Generator | None) -> Batch:
        """Some of them, whose labels have one size; never transformed."""
        places = [self.images.indices[index] for index in indices]
        stored = [self.dataset.origin(place) for place in places]
        labels = (_label(source, place) for source, place in stored)
        pictures = (partial(_image, source, place) for source, place in stored)
        targets = np.stack(list(map(self.images.task.target_of, labels, pictures)))
        return Batch(self.images.batch(indices, None).inputs, targets)


def _label(dataset: Dataset, index: int) -> Array:
    """A label without the margin."""
    found: Array = dataset.labels.cut(dataset.label(index)[None], dataset.margin)[0]
    return found


def _image(dataset: Dataset, index: int) -> Array:
    """An image without the margin."""
    inner = slice(dataset.margin, -dataset.margin or None)
    return dataset.image(index)[inner, inner]
