"""Datasets of a user's, held to what they say and completed by the usual answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from auxnas.compiler.tasks import TargetFormat
from auxnas.genotype.errors import short_repr
from auxnas.search.data.base import BaseDataset, Dataset
from auxnas.search.data.errors import DataError
from auxnas.search.seams import DATASETS


class CompletedDataset(BaseDataset):
    """A dataset by an object that has only some of the members; the others are the usual ones."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def __len__(self) -> int:
        return len(self.given)

    def __getattribute__(self, name: str) -> Any:
        if name != "given" and not name.startswith("__") and hasattr(self.given, name):
            return getattr(self.given, name)
        return super().__getattribute__(name)


def completed(dataset: Any) -> Dataset:
    """The dataset itself, or with the members that an object of a user's lacks.

    Raises:
        DataError: for an object that is none, or whose members are of other types.
    """
    place = f"dataset {type(dataset).__module__}:{type(dataset).__qualname__}"
    missing = [member for member in DATASETS.members if not hasattr(dataset, member)]
    if missing:
        raise DataError(place, f"without {', '.join(missing)}", ", ".join(DATASETS.members))
    whole: Dataset = dataset
    found = whole if isinstance(dataset, BaseDataset) else CompletedDataset(dataset)
    _check_facts(place, found)
    return found


def _check_facts(place: str, dataset: Any) -> None:
    """Checks what a dataset says of itself.

    Raises:
        DataError: naming the first that is not as ``Dataset`` says.
    """
    size = getattr(dataset, "given", dataset).__len__()
    palette, classes = dataset.palette, dataset.classes
    named = isinstance(classes, tuple | list) and all(isinstance(each, str) for each in classes)
    shape = (len(classes), 3) if named else ()
    coloured = isinstance(palette, np.ndarray) and palette.dtype == np.uint8
    facts = (
        ("name", dataset.name, isinstance(dataset.name, str), "a text"),
        ("classes", classes, named and len(set(classes)) == len(classes), "a tuple of names"),
        ("palette", palette, coloured and palette.shape == shape, f"uint8 of shape {shape}"),
        ("labels", dataset.labels, isinstance(dataset.labels, TargetFormat), "a TargetFormat"),
        ("remark", dataset.remark, isinstance(dataset.remark, str), "a text"),
        ("images", size, isinstance(size, int) and size > 0, "at least one"),
    )
    for name, value, fits, expected in facts:
        if not fits:
            raise DataError(place, f"{name} {short_repr(value)}", expected)
