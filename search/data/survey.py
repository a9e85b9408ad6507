"""Survey of data before anything is trained on them: every fault rather than the first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from auxnas.backends.images.colours import NamedColour
from auxnas.backends.images.labels import label_map_advice, range_reason
from auxnas.compiler.tasks import IGNORE
from auxnas.search.data.base import Array, Bytes, Dataset
from auxnas.search.data.check import CheckProgress, value_place
from auxnas.search.data.colours import StrangeColour, colour_text, strange_colours, unused_colours
from auxnas.search.data.errors import DataError
from auxnas.search.data.mapped import MappedDataset, idle_terms
from auxnas.search.data.statistics import (
    VALUES,
    Statistics,
    empty_remark,
    image_counts,
    leaked_remark,
    missing_remark,
    missing_remarks,
    mixed_remark,
    repeated_remark,
    sparse_remark,
)

SHOWN = 8
"""Examples that are kept to be looked at."""
_EXPECTED = ", expected "
_LARGEST = 512
"""Pixels of the longer side of an example, about."""


@dataclass(frozen=True)
class Sample:
    """An image with its label, maps thinned out to a few hundred pixels a side."""

    place: str
    image: Bytes
    label: Array


class Samples:
    """Examples spread over images of which nobody knows beforehand how many there are.

    Of all that were offered every ``step``-th is kept, twice as many as are shown at most.
    """

    def __init__(self) -> None:
        self._kept: list[Sample] = []
        self._offered, self._step = 0, 1

    def offer(self, make: Callable[[], Sample]) -> None:
        """The next example, which is made where it is kept."""
        if self._offered % self._step == 0:
            if len(self._kept) == 2 * SHOWN:
                self._kept, self._step = self._kept[::2], 2 * self._step
            self._kept.append(make())
        self._offered += 1

    @property
    def chosen(self) -> tuple[Sample, ...]:
        """``SHOWN`` of them, or all where there are fewer."""
        total, shown = len(self._kept), min(len(self._kept), SHOWN)
        return tuple(self._kept[n * total // shown] for n in range(shown))


@dataclass(frozen=True)
class StrangeValue:
    """A label value that is no class.

    Attributes:
        value: the number.
        pixels: that have it.
        images: that have some.
        place: the first of these, with row and column.
    """

    value: int
    pixels: int
    images: int
    place: str


@dataclass(frozen=True)
class Survey:
    """Contents of a part of some data.

    Attributes:
        part: ``train`` or ``val``.
        dataset: the part, as it is stored.
        known: whether the data, or the user, say how many classes there are.
        statistics: of the images that can be read.
        sizes: how many of these have each (height, width).
        faults: of the others.
        strange: label values that are no class, the most frequent first.
        samples: some of the images that can be read.
        colours: of the label images among the faults that are no class's.
        stored: label values that occur before they are mapped, where they are.
        unused: names and colours of the table of classes that no label image has, where some
            have colours that are no class's.
    """

    part: str
    dataset: Dataset
    known: bool
    statistics: Statistics
    sizes: Mapping[tuple[int, int], int]
    faults: tuple[DataError, ...]
    strange: tuple[StrangeValue, ...]
    samples: tuple[Sample, ...]
    colours: tuple[StrangeColour, ...] = ()
    stored: Sequence[int] = ()
    unused: tuple[NamedColour, ...] = ()

    @cached_property
    def values(self) -> tuple[int, ...]:
        """Label values that occur, 255 apart, rising."""
        found = self.statistics.values[:, :IGNORE].any(axis=0)
        return tuple(np.flatnonzero(found).tolist())

    @property
    def advice(self) -> str:
        """Words about numbers that are no classes, or whose classes are not known, or ""."""
        counted = bool(self.statistics.unlabelled)
        if not self.values or not self.dataset.labels.classes:
            return ""
        if not self.known:
            return label_map_advice(self.values, counted) or (
                f"values 0..{self.values[-1]} occur: --classes {self.values[-1] + 1}, or their "
                "names in classes.txt"
            )
        if self.values == (0,) and counted and len(self.dataset.classes) == 2:
            return label_map_advice(self.values, counted)
        if self.strange:
            reason = range_reason(self.values, len(self.dataset.classes))
            return f"{reason}: {label_map_advice(self.values, counted) or '--map FROM=TO'}"
        return ""

    @property
    def repeated(self) -> tuple[tuple[str, str], ...]:
        """Images that have the pixels of an earlier one, and that one."""
        places, firsts = self.statistics.places, self.statistics.firsts
        return tuple((places[n], places[first]) for n, first in enumerate(firsts) if first != n)

    @property
    def usable(self) -> bool:
        """Whether nothing was found that training would refuse."""
        found = self.statistics
        alike = len(found.classes) - len(found.missing) < 2 and self.dataset.labels.classes
        return not (self.faults or self.strange or alike) and self.known and found.labelled


def survey_data(
    part: str, dataset: Dataset, known: bool = True, progress: CheckProgress | None = None
) -> Survey:
    """Reads every image and label once, as stored.

    Args:
        part: name of the part.
        dataset: its images.
        known: whether ``dataset`` has the classes that the data or the user say.
        progress: called after every image.
    """
    total = len(dataset)
    places, values, content, samples = list[str](), list[Array](), list[Bytes](), Samples()
    stored = np.zeros(256, bool)
    faults, groups, sizes = list[DataError](), list[str](), Counter[tuple[int, int]]()
    strange: dict[int, StrangeValue] = {}
    for index in range(total):
        try:
            image, label = _read(dataset, index, stored)
        except DataError as error:
            faults.append(error)
        else:
            counts, digest = image_counts(image, label, dataset.labels)
            _note_strange(strange, dataset, index, label, counts)
            places.append(dataset.place(index))
            groups.append(dataset.group(index))
            values.append(counts)
            content.append(digest)
            sizes[(image.shape[0], image.shape[1])] += 1
            samples.offer(partial(_sample, places[-1], image, label, dataset.labels.is_map))
        if progress is not None:
            progress(index + 1, total)
    classes = dataset.classes if dataset.labels.classes else ()
    shape = (len(places), VALUES)
    statistics = Statistics(
        classes,
        tuple(places),
        np.array(values, np.int64).reshape(shape),
        np.array(content, np.uint8).reshape(len(places), 32),
        tuple(groups),
    )
    rows = tuple(sorted(strange.values(), key=lambda each: -each.pixels))
    colours = strange_colours(faults, int(statistics.values.sum()))
    found = (part, dataset, known, statistics, sizes, tuple(faults), rows, samples.chosen, colours)
    unused = unused_colours(faults, statistics)
    return Survey(*found, np.flatnonzero(stored).tolist(), unused)


def _read(dataset: Dataset, index: int, stored: Array) -> tuple[Bytes, Array]:
    """Image and label, which belong together; ``stored`` gets the values before a map.

    Raises:
        DataError: when one is missing, damaged, or of another form than it should be.
    """
    source, place = dataset.origin(index)
    source.check_presence(place)
    image = source.image(place)
    if isinstance(source, MappedDataset):
        label = source.dataset.label(place)
        stored[label] = True
        label = source.table[label]
    else:
        label = source.label(place)
    source.check_item(place, image, label)
    fault = source.labels.fault(label, (image.shape[0], image.shape[1]))
    if fault is not None:
        raise DataError(source.label_place(place), fault)
    return image, label


def _note_strange(
    found: dict[int, StrangeValue], dataset: Dataset, index: int, label: Array, counts: Array
) -> None:
    """Counts the values of a label that are no class."""
    if not dataset.labels.classes:
        return
    for value in np.flatnonzero(counts[len(dataset.classes) : IGNORE]) + len(dataset.classes):
        known = found.get(int(value))
        place = known.place if known else value_place(dataset, index, label, int(value))
        pixels, images = (known.pixels, known.images) if known else (0, 0)
        found[int(value)] = StrangeValue(int(value), pixels + int(counts[value]), images + 1, place)


def _sample(place: str, image: Bytes, label: Array, thins: bool) -> Sample:
    """An example, thinned out where a label is a map of pixels."""
    step = max(1, -(-max(image.shape[:2]) // _LARGEST)) if thins else 1
    return Sample(
        place,
        *(np.ascontiguousarray(each[::step, ::step]) if thins else each for each in (image, label)),
    )


def survey_remarks(surveys: Sequence[Survey], element: str = "pixel") -> Iterator[str]:
    """Lines about all that a survey found which is remarkable but no fault."""
    for survey in surveys:
        name, found = f"{survey.dataset.name}, {survey.part}", survey.statistics
        yield from filter(None, survey.dataset.remark.split("\n"))
        yield from filter(None, survey.dataset.note().split("\n") if not survey.faults else ())
        if isinstance(survey.dataset, MappedDataset) and survey.stored:
            for term in idle_terms(survey.dataset.text, survey.stored):
                yield f"{name}: --map {term}: no pixel has such a value"
        yield from (
            *sparse_remark(name, found),
            *empty_remark(name, found, element),
            *mixed_remark(name, found),
            *repeated_remark(name, found),
        )
    if not all(survey.known for survey in surveys):
        return
    if not all(len(survey.statistics) for survey in surveys):
        return
    (first, *rest), name = surveys, surveys[0].dataset.name
    whole = not any(survey.faults for survey in surveys)
    if whole and not rest:
        yield from missing_remark(name, first.statistics)
    for other in rest:
        pair = ((each.part, each.statistics) for each in (first, other))
        yield from missing_remarks(name, *pair) if whole else ()
        yield from leaked_remark(first.statistics, other.statistics)


def survey_rows(surveys: Sequence[Survey]) -> list[dict[str, Any]]:
    """Each class: its pixels and their share of the labelled ones, and images that have some."""
    found = [survey.statistics for survey in surveys]
    classes = surveys[0].dataset.classes if surveys[0].dataset.labels.classes else ()
    pixels, images = (sum(getattr(each, kind) for each in found) for kind in ("pixels", "images"))
    total = max(1, int(np.sum(pixels)))
    return [
        {
            "name": name,
            "pixels": int(pixels[number]),
            "share": int(pixels[number]) / total,
            "images": int(images[number]),
        }
        for number, name in enumerate(classes)
    ]


def survey_document(surveys: Sequence[Survey], source: str) -> dict[str, Any]:
    """All that was found, as plain data."""
    return {
        "data": source,
        "usable": all(survey.usable for survey in surveys),
        "classes": survey_rows(surveys) if surveys[0].known else None,
        "parts": {survey.part: _part_document(survey) for survey in surveys},
        "remarks": list(dict.fromkeys(survey_remarks(surveys))),
    }


def told_once(faults: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Lines about faults, each with how many these are.

    A fault that is mended like an earlier one does not say how. Those of other files alone, in the
    same words, are one line.
    """
    known, alike = set[str](), dict[str, list[str]]()
    for fault in faults:
        alike.setdefault(fault.partition(": ")[2] or fault, []).append(fault)
    for first, *others in alike.values():
        found, _, expected = first.partition(_EXPECTED)
        said = found if expected in known else first
        line = f"{said} (and {len(others)} like it)" if others else said
        yield line, 1 + len(others)
        known |= {expected} - {""}


def _part_document(survey: Survey) -> dict[str, Any]:
    found, unmatched = survey.statistics, survey.dataset.unmatched
    sizes = sorted(survey.sizes.items(), key=lambda row: (-row[1], row[0]))
    return {
        "images": len(survey.dataset),
        "sizes": [{"height": h, "width": w, "images": count} for (h, w), count in sizes],
        "labelled": int(found.values[:, :IGNORE].sum()),
        "unlabelled": found.unlabelled,
        "values": list(survey.values),
        "strange": [vars(each) for each in survey.strange],
        "colours": [each.document() for each in survey.colours],
        "unused_colours": [[name, colour_text(c)] for name, c in survey.unused],
        "advice": survey.advice,
        "faults": [str(fault) for fault in survey.faults],
        "images_without_label": _paths(unmatched.images),
        "labels_without_image": _paths(unmatched.labels),
        "repeated": [list(pair) for pair in survey.repeated],
    }


def _paths(found: Sequence[Path]) -> list[str]:
    return list(map(str, found))
