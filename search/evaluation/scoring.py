"""Score of a trained network on labelled images: scores, class by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auxnas.backends.base import Learner
from auxnas.backends.progress import Display
from auxnas.compiler import cost
from auxnas.compiler.tasks import Sums, Task, find_task
from auxnas.genotype.plugins import options_over, with_options
from auxnas.search.data import DataError, Dataset, open_dataset, parts, split_dataset
from auxnas.search.data.base import Array, OfficialEvaluation
from auxnas.search.data.statistics import (
    Statistics,
    check_not_mask,
    empty_remark,
    missing_remark,
    mixed_remark,
    repeated_remark,
)
from auxnas.search.errors import RequestError
from auxnas.search.examples.images import ImageExamples, pixel_store, statistics_of
from auxnas.search.examples.stored import StoredSizeExamples
from auxnas.search.networks.networks import Network, Trained
from auxnas.search.settings.resolving import resolve

META_VAL = "meta-val"
"""The images that a search keeps apart from those it trains on."""


def scores(task: Task, sums: Sums) -> dict[str, Any]:
    """Reward, metrics and details of a task's statistics, as plain data."""
    score = task.score(sums)
    return {"reward": score.reward, **score.metrics, **task.details(sums)}


def network_figures(network: Network, size: tuple[int, int]) -> dict[str, Any]:
    """Parameters and multiply-adds of a network as described, without auxiliary heads."""
    found = cost(network.shipped().graph(), size)
    return {
        "network": network.name,
        "parameters": found.parameters,
        "multiply_adds": found.multiply_adds,
        "size": list(size),
    }


@dataclass(frozen=True)
class Measured:
    """Outcome of an evaluation.

    Attributes:
        sums: the statistics of the task.
        images: the number of those that they are of.
        official: the data's own evaluation; None where they have none.
        results: rows that it takes.
    """

    sums: Sums
    images: int
    official: OfficialEvaluation | None = None
    results: Sequence[Mapping[str, Any]] = ()

    def figures(self) -> dict[str, Any]:
        """The figures of the data's own evaluation.

        Raises:
            BackendUnavailable: when a library for them is not installed.
        """
        return {} if self.official is None else self.official.figures(self.results)


@dataclass(frozen=True)
class Evaluation:
    """A trained network and the images that it is scored on.

    Attributes:
        trained: the network.
        dataset: the images; of ``META_VAL`` those that are trained on too.
        size: (height, width) that they are brought to.
        task: of the network; gives targets and scores.
        part: which of the data the images are: ``train``, ``val`` or ``META_VAL``.
        meta_train: the share of the data that is not ``META_VAL``.
        stored_size: whether labels are scored at their own size, which outputs are grown to.
    """

    trained: Trained
    dataset: Dataset
    size: tuple[int, int]
    task: Task
    part: str
    meta_train: float | None = None
    stored_size: bool = False

    @classmethod
    def of(
        cls,
        trained: Trained,
        source: str,
        size: tuple[int, int] | None = None,
        part: str | None = None,
        ignore: Sequence[str] = (),
        meta_train: float | None = None,
        task: str | None = None,
        depth_scale: float | None = None,
        label_map: str | None = None,
        stored_size: bool | None = None,
        boxes: Path | None = None,
    ) -> Evaluation:
        """Evaluation that the options of a command line describe.

        Args:
            trained: the network.
            source: the data, as after ``--data``.
            size: of the images; None for the network's own.
            part: ``train`` or ``val``; None for ``val`` where there is one.
            ignore: classes that count in no mean.
            meta_train: the share of ``train`` that the network was trained on, where that is
                known: without ``val`` the rest is taken.
            task: the network's, with other options perhaps; None for as it is.
            depth_scale: units a metre of stored depth; None for what is usual.
            label_map: other numbers for label values; None for as they are stored.
            stored_size: whether labels are scored at their own size; None for what is usual in
                the task.
            boxes: a detector's file, whose boxes the persons are looked for in.

        Raises:
            DataError: when there are no such data, or no boxes of them.
            SettingsError: for a size that no network takes.
            RequestError: when they have other classes than the network.
            ValueError: for a class to ignore that there is not.
        """
        if size is not None:
            resolve({"data": {"size": size}})
        size = size or _own_size(trained)
        without = "train" if meta_train is None else META_VAL
        part = part or ("val" if "val" in parts(source) else without)
        name = _task_of(trained, task)
        where = ("train" if part == META_VAL else part, find_task(name), depth_scale, label_map)
        dataset = _open(trained, source, size, *where)
        if boxes is not None:
            if part == META_VAL:
                expected = "--part train, or data with a part to validate on"
                raise RequestError("--boxes", f"{boxes} with {source}, part {part}", expected)
            dataset = dataset.in_boxes(boxes)
        names = _same_classes(trained, dataset)
        own = find_task(name, names, tuple(ignore))
        stored = own.scored_as_stored if stored_size is None else stored_size
        if stored and trained.padding:
            words = "images that are filled up to one size, labels with them"
            raise RequestError(str(trained.path), words, "--network-size")
        return cls(trained, dataset, size, own, part, meta_train, stored)

    @property
    def scored_at(self) -> str:
        """The size that labels are scored at, in words."""
        return "the labels' own size" if self.stored_size else f"{self.size[0]}x{self.size[1]}"

    def run(self, learner: Learner, batch_size: int, cache: Path, display: Display) -> Measured:
        """The statistics of the task, and what the data's own evaluation takes.

        Says which classes are missing, and which images are there twice.

        Raises:
            DataError: for labels of one class alone that are likely a mask of 0 and 255.
        """
        images, found = self.examples(cache, display)
        check_not_mask(f"{self.dataset.name}: images to score", found)
        which = "meta-val (the data have no part for it)" if self.part == META_VAL else self.part
        images_of = f"{len(images)} images of {self.dataset.name}, part {which}"
        display.say(f"scoring {self.trained.path} on {images_of}, on {learner.where}")
        name = self.dataset.name
        official = self.dataset.official(images.indices)  # which asks a box of nobody too
        for line in (
            *missing_remark(name, found),
            *(empty_remark(name, found, self.task.labels.element) if official is None else ()),
            *mixed_remark(name, found),
            *repeated_remark(name, found),
        ):
            display.say(line)
        together = 1 if isinstance(images, StoredSizeExamples) else batch_size
        if official is None:
            sums = learner.measure(self.trained.program, images, self.task, together)
            return Measured(sums, len(images))
        answers: list[Array] = []

        def keep(output: Array) -> None:
            answers.extend(self.task.answer(output))

        sums = learner.measure(self.trained.program, images, self.task, together, keep)
        if len(answers) < len(images):  # made up for all of what some are like
            return Measured(sums, len(images))
        return Measured(sums, len(images), official, official.results(answers))

    def examples(
        self, cache: Path, display: Display
    ) -> tuple[ImageExamples | StoredSizeExamples, Statistics]:
        """The images that are scored, and the statistics of their labels."""
        pixels = pixel_store(self.dataset, cache, display)
        normalisation = self.trained.network.spec.find_encoder().normalisation
        whole = statistics_of(self.dataset, pixels, cache, display)
        indices = self._scored(whole)
        images = ImageExamples(pixels, indices, None, normalisation, self.task)
        stored = StoredSizeExamples(images, self.dataset) if self.stored_size else images
        return stored, whole.of(indices)

    def _scored(self, whole: Statistics) -> tuple[int, ...]:
        """Positions of the images, among those of the dataset."""
        if self.part != META_VAL or self.meta_train is None:
            return tuple(range(len(whole)))
        return split_dataset(self.dataset, self.meta_train, firsts=whole.together)[1].indices


def _task_of(trained: Trained, asked: str | None) -> str:
    """The network's task, with other options where these are asked for.

    Raises:
        RequestError: for another task.
    """
    own = trained.network.spec.task
    if asked is None:
        return own
    (name, _), (known, _) = with_options(asked), with_options(own)
    if name != known:
        raise RequestError("--task", asked, f"{known}, which {trained.path} was trained for")
    return options_over(asked, own)


def _open(
    trained: Trained,
    source: str,
    size: tuple[int, int],
    part: str,
    task: Task,
    depth_scale: float | None,
    label_map: str | None,
) -> Dataset:
    """The images; data that do not name their classes have as many as the network."""
    spec = trained.network.spec
    own = len(trained.known.get("classes", ())) or spec.classes
    classes = own if task.labels.classes else None
    try:
        return open_dataset(
            source,
            classes=classes,
            size=size,
            part=part,
            task=task,
            depth_scale=depth_scale,
            label_map=label_map,
            padding=trained.padding,
        )
    except DataError as error:
        if error.place != "classes":
            raise
        found = f"the network has {own} classes, the data {error.expected}"
        raise RequestError(str(trained.path), found) from None


def _own_size(trained: Trained) -> tuple[int, int]:
    """The image size that the network was trained for."""
    if "size" not in trained.known:
        raise RequestError(str(trained.path), "no image size in it", "--size HxW")
    height, width = trained.known["size"]
    return height, width


def _same_classes(trained: Trained, dataset: Dataset) -> tuple[str, ...]:
    """The names of the classes; where the data have none, the network's."""
    ours, theirs = tuple(trained.known.get("classes", dataset.classes)), dataset.classes
    unnamed = tuple(f"class{index}" for index in range(len(theirs)))
    if theirs not in (ours, unnamed):
        first = next(pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1])
        raise RequestError(
            dataset.name, f"class {first[1]!r}", f"{first[0]!r} in its place, as {trained.path}"
        )
    return ours
