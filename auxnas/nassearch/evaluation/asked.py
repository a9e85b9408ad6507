"""Network and images that ``nassearch eval`` is asked to score."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import click

from auxnas.console import note
from auxnas.search.data import open_dataset
from auxnas.search.errors import RequestError
from auxnas.search.evaluation.scoring import META_VAL, Evaluation
from auxnas.search.examples.images import pixel_key
from auxnas.search.networks.networks import read_network
from auxnas.search.networks.sources import own_data
from auxnas.search.settings.search import DataSettings


class LabelNumbers(NamedTuple):
    """Meaning of stored labels, as the options of the command say."""

    depth_scale: float | None
    label_map: str | None

    def over(self, settings: DataSettings) -> LabelNumbers:
        """Those given, else those of the folder."""
        return LabelNumbers(
            self.depth_scale or settings.depth_scale, self.label_map or settings.map
        )


@dataclass(frozen=True)
class ScoringRequest:
    """Network and images to score, as the options of the command say; see ``Evaluation.of``."""

    weights: Path
    data: str | None
    size: tuple[int, int] | None
    part: str | None
    ignore: tuple[str, ...]
    task: str | None
    numbers: LabelNumbers
    stored_size: bool | None
    boxes: Path | None

    @property
    def picture(self) -> Path | None:
        """The file of the confusion matrix of the folder's own data; None of others."""
        return None if self.data or self.part else self.weights / "confusion.png"

    @property
    def source(self) -> str:
        """The data."""
        return self.data or own_data(self.weights).settings.source

    def evaluation(self) -> Evaluation:
        """Network and images; where no data are given, those that the folder was of."""
        if self.data is not None:
            meta_train = DataSettings().meta_train if self.part == META_VAL else None
            return self._of(self.data, self.ignore, meta_train, self.numbers)
        if not self.weights.exists():
            expected = "the folder of a run or a training, or a network's file and --data"
            raise RequestError(str(self.weights), "no such file or folder", expected)
        if not self.weights.is_dir():
            expected = "expected, WEIGHTS is not the folder of a run or a training"
            raise click.UsageError(f"--data: {expected}")
        own = own_data(self.weights)
        settings = own.settings
        note(f"data: {settings.source}, those of {self.weights}")
        numbers = self.numbers.over(settings)
        work = self._of(settings.source, self.ignore or own.ignore, settings.meta_train, numbers)
        if work.part != "val" and own.key is not None:
            whole = open_dataset(
                settings.source,
                classes=settings.classes,
                size=settings.size,
                task=work.task,
                depth_scale=settings.depth_scale,
                label_map=settings.map,
                padding=work.trained.padding,
            )
            if pixel_key(whole) != own.key:
                note(f"warning: {settings.source}: changed since {self.weights} was trained on it")
        return work

    def _of(
        self,
        source: str,
        ignore: tuple[str, ...],
        meta_train: float | None,
        numbers: LabelNumbers,
    ) -> Evaluation:
        return Evaluation.of(
            read_network(self.weights),
            source,
            self.size,
            self.part,
            ignore,
            meta_train,
            self.task,
            numbers.depth_scale,
            numbers.label_map,
            self.stored_size,
            self.boxes,
        )
