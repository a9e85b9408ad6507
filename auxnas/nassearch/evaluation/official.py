"""``nassearch eval``: what data bring of their own, evaluations and parts to measure on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from auxnas.backends.base import BackendUnavailable
from auxnas.console import note
from auxnas.search.data import Dataset
from auxnas.search.data.joined import ONE_OF_THEM
from auxnas.search.data.spec import parts
from auxnas.search.errors import RequestError
from auxnas.search.evaluation.scoring import Evaluation, Measured


def explain_no_official(dataset: Dataset, results: Path | None) -> None:
    """Says that data have no evaluation of their own where a part of them has.

    Raises:
        UsageError: where results of it were asked for.
    """
    joined = {id(each): each for each, _ in map(dataset.origin, range(len(dataset)))}
    expected = any(each.official(()) is not None for each in joined.values()) * ONE_OF_THEM
    if results is not None:
        line = f"--results: {dataset.name} has no results of its own"
        raise click.UsageError(line + (expected and f", expected {expected}"))
    if expected:
        note(f"note: {dataset.name}: no average precision, which is of {expected}")


def check_meta_val(work: Evaluation, source: str) -> None:
    """Checks that there are images which options of the task can be measured on.

    Raises:
        RequestError: saying which options need no measuring.
    """
    if "train" not in parts(source):
        found = f"to be measured on meta-val, a share of what is trained on: {source} has val alone"
        raise RequestError("--task", found, " or ".join(work.task.candidates))


def official_figures(measured: Measured, needed: bool) -> dict[str, Any]:
    """The figures of the data's own evaluation; a line where a library for them is missing."""
    try:
        return measured.figures()
    except BackendUnavailable as error:
        if needed:
            raise
        note(f"note: {error}")
        return {}


def official_line(figures: Mapping[str, Any]) -> str:
    """Official figures in a line, and the boxes that they are of."""
    numbers = ", ".join(f"{n} {v:.3f}" for n, v in figures.items() if isinstance(v, float))
    return f"{numbers} (boxes: {figures['boxes']})" if "boxes" in figures else numbers
