"""Results of a run: a table for people, and the best network's files."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.table import Table

from auxnas.compiler import Program
from auxnas.compiler.files import atomic_write
from auxnas.compiler.tasks import Metric
from auxnas.pictures import draw_predictions, prediction_examples
from auxnas.search.loop.context import RunContext
from auxnas.search.storage.export import trial_document, write_document
from auxnas.search.storage.folders import CLASSES
from auxnas.search.trials.records import PENDING, Trial, best_of
from auxnas.terminal import Terminal

LESS = ("stages", "multiply-adds", "parameters", "latency")
"""Columns of the table that go first where a terminal is narrow."""
_BATCH = 16
"""Images of meta-val at a time."""


def table(shown: list[Trial], title: str, headline: tuple[str, Metric]) -> Table:
    """Trials with rewards and their headline metric; the latency where it is known."""
    result = Table(title=title, title_justify="left")
    timed = any(trial.latency is not None for trial in shown)
    name, metric = headline
    heads = ("trial", "reward", metric.title, "stages", "parameters", "multiply-adds")
    for head in (*heads, "latency") if timed else heads:
        result.add_column(head, justify="right", no_wrap=True)
    for trial in shown:
        latency = "" if trial.latency is None else f"{trial.latency:.2f} ms"
        result.add_row(
            str(trial.number + 1),
            f"{trial.reward:.4f}",
            f"{trial.metrics[name]:.4f}" if name in trial.metrics else "",
            str(len(trial.stages)),
            f"{(trial.parameters or 0) / 1e6:.3f} M",
            f"{(trial.multiply_adds or 0) / 1e6:.1f} M",
            *([latency] if timed else []),
        )
    return result


def print_trials(
    shown: list[Trial],
    title: str,
    ended: int,
    headline: tuple[str, Metric],
    device: str | None = None,
) -> None:
    """A table of some of a run's trials on stdout, then their genotypes, ready to be copied.

    ``ended`` trials have ended; ``device`` is what latencies are of, None for the run's machine.
    """
    console = Terminal(file=sys.stdout)
    words = f"{title}: {len(shown)} of {ended} trials"
    console.print_table(table(shown, words, headline), (*LESS, headline[1].title))
    if device is not None:
        console.print(f"latency: of {device}", soft_wrap=True)
    for trial in shown:
        console.print(f"trial {trial.number + 1}: {trial.genotype}", soft_wrap=True)


def print_best(
    trials: list[Trial],
    headline: tuple[str, Metric],
    device: str | None = None,
    count: int = 10,
) -> None:
    """The best trials on stdout."""
    ended = sum(trial.state != PENDING for trial in trials)
    print_trials(best_of(trials)[:count], "best", ended, headline, device)


def write_best(context: RunContext, trials: list[Trial]) -> dict[str, str]:
    """Writes ``best.json``, ``best.safetensors`` and ``predictions.png``; their paths by kind.

    ``best.classes.json`` beside them is for the report. Nothing is written when no trial has a
    reward.
    """
    best = best_of(trials)
    if not best:
        return {}
    paths = {
        "genotype": context.folder / "best.json",
        "weights": context.folder / "best.safetensors",
        "predictions": context.folder / "predictions.png",
    }
    program = context.weights.program(best[0])
    context.weights.save(paths["weights"], best[0].genotype, program.params)
    run = context.folder.resolve().name
    write_document(paths["genotype"], trial_document(best[0], f"{run}-best", run, context.meta()))
    with atomic_write(paths["predictions"]) as path:
        palette = context.data.training.dataset.palette
        draw_predictions(prediction_examples(context, best[0]), context.data.task, palette, path)
    write_document(
        context.folder / CLASSES, json.dumps(class_scores(context, best[0], program), indent=2)
    )
    return {kind: str(path) for kind, path in paths.items()}


def class_scores(context: RunContext, trial: Trial, program: Program) -> dict[str, Any]:
    """The network of ``trial`` measured once over all of meta-val: its task's table, as data."""
    data = context.data
    images = data.examples(data.search_split.val)
    sums = context.model.learner.measure(program, images, data.task, _BATCH)
    found = data.task.table(sums)
    rows = [*found.rows, *([found.total] if found.total else [])]
    return {"trial": trial.number + 1, "columns": found.columns, "rows": rows}
