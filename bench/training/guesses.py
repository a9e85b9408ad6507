"""Networks beside guesses, which look at no image, on the same validation part."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import click

from auxnas.backends.caching import cache_dir
from auxnas.backends.progress import Display
from auxnas.backends.registry import backend
from auxnas.progress import display_on_stderr
from auxnas.search.evaluation.scoring import Evaluation, scores
from auxnas.search.examples.context import DataContext
from auxnas.search.networks.networks import read_network
from auxnas.search.networks.sources import own_data
from auxnas.search.settings.search import Settings


@dataclass(frozen=True)
class Contest:
    """Networks, and the data that guesses are made from and all are scored on.

    Attributes:
        works: each network on the validation part, by the name of its folder.
        data: those of the first network.
        about: facts for the results.
        cache: folder of what is kept.
        display: progress.
    """

    works: Mapping[str, Evaluation]
    data: DataContext
    about: Mapping[str, Any]
    cache: Path
    display: Display

    @classmethod
    def of(cls, folders: Sequence[Path]) -> Contest:
        """The networks in folders of runs or trainings."""
        display, cache = display_on_stderr(), cache_dir(None)
        own = own_data(folders[0]).settings
        works = {
            each.name: Evaluation.of(read_network(each), own.source, depth_scale=own.depth_scale)
            for each in folders
        }
        first = next(iter(works.values()))
        task = first.trained.network.spec.task
        settings = Settings.model_validate({"data": own.model_dump(), "task": {"name": task}})
        about = {"data": own.source, "task": task, "size": list(first.size)}
        return cls(works, DataContext(settings, cache, display), about, cache, display)

    @property
    def judge(self) -> Evaluation:
        """The evaluation that guesses take part in."""
        return next(iter(self.works.values()))

    def scores(self) -> dict[str, dict[str, Any]]:
        """The scores of every network, by the name of its folder."""
        learner = backend("learner", "torch")(threads=1)
        return {
            name: scores(work.task, work.run(learner, 16, self.cache, self.display).sums)
            for name, work in self.works.items()
        }

    def finish(self, output: Path | None, **found: Any) -> None:
        """Prints the results, and writes them to a file where one is named."""
        text = json.dumps({**self.about, **found}, indent=1)
        click.echo(text)
        if output is not None:
            output.write_text(text + "\n", encoding="utf-8")


def over_seeds(
    found: Mapping[str, Mapping[str, Any]], metrics: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Mean and standard deviation of metrics over the seeds of a thing, by its name.

    Folders that differ in a number at their names' end, ``arch0-0`` and ``arch0-1``, are seeds of
    one thing.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for name, row in found.items():
        groups.setdefault(re.sub(r"-\d+$", "", name), []).append(row)
    return {
        name: {"seeds": len(rows), **{metric: _spread(rows, metric) for metric in metrics}}
        for name, rows in groups.items()
        if len(rows) > 1
    }


def _spread(rows: Sequence[Mapping[str, Any]], metric: str) -> dict[str, float]:
    values = [row[metric] for row in rows]
    return {"mean": fmean(values), "deviation": stdev(values)}
