"""Putting a page together: what is shown of a run, in which order, and the file itself."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from auxnas.compiler.drawing.genotype_drawing import draw_genotype
from auxnas.compiler.files import atomic_write
from auxnas.drawing import svg
from auxnas.html import charts, costs, diagnostics, left, tables, words
from auxnas.html.predictions import prediction_picture
from auxnas.html.runs import Run, comparison_caveat, read_run, with_distinct_labels
from auxnas.html.sections import Fold, PageSection, Picture, png_element, render_sections
from auxnas.html.tables import PageTable
from auxnas.search.trials.rows import latency_device

TOP = 4
"""Number of architectures drawn."""


def write_report(folder: Path, against: Path | None, output: Path, cache: Path) -> dict[str, Any]:
    """Writes the page of the run in ``folder``; returns its key facts as plain data.

    Args:
        folder: the run's; nothing is written there but ``output``, where that is in it.
        against: another run to compare with.
        output: the page; it appears whole or not at all.
        cache: folder of results that runs share.

    Raises:
        JournalError: when a run cannot be read.
        OSError: when the page cannot be written.
    """
    runs = [read_run(folder)]
    if against is not None:
        runs = with_distinct_labels(runs[0], read_run(against))
    text = render_page(runs, cache, datetime.now(UTC))
    with atomic_write(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    found = {"report": str(output), "trials": len(runs[0].ended), "scored": len(runs[0].scored)}
    return found if against is None else found | {"incomparable": comparison_caveat(*runs)}


def render_page(runs: Sequence[Run], cache: Path, now: datetime) -> str:
    """The page as text.

    Args:
        runs: the run, and one to compare with if there is one.
        cache: folder of results that runs share.
        now: when it is written.
    """
    sections = [
        _summary(runs),
        _next(runs[0]),
        _search(runs),
        _costs(runs),
        _architectures(runs[0]),
        _predictions(runs[0], cache),
        _classes(runs[0]),
        _pretraining(runs[0]),
        _times(runs[0]),
        _controller(runs[0]),
        _trouble(runs[0]),
        _settings(runs),
    ]
    names, run = _names(runs), runs[0]
    source = run.settings.get("data", {}).get("source", "unknown data")
    learner = run.settings.get("learner", "unknown")
    against = f"; compared with {names[1]} ({runs[1].searcher})" if len(runs) > 1 else ""
    reasons = "; ".join(comparison_caveat(*runs)) if len(runs) > 1 else ""
    incomparable = f"Rewards of the two runs do not compare: {reasons}." if reasons else ""
    return render_sections(
        f"{run.name}: architecture search",
        names[0],
        f"Architecture search by {run.searcher} on {source}, learner {learner}{against}.",
        [found for found in sections if found is not None],
        now,
        [warning for warning in (run.salvaged, incomparable) if warning],
    )


def _names(runs: Sequence[Run]) -> list[str]:
    """Names of the runs: their folders' names, or paths where those are the same."""
    names = [run.name for run in runs]
    return names if len(set(names)) == len(names) else [str(run.folder) for run in runs]


def _summary(runs: Sequence[Run]) -> PageSection:
    run = runs[0]
    state = f"Running: {run.writer}." if run.writer else "Not running now."
    folds = _folds(tables.trial_table(run))
    if len(runs) > 1:
        return PageSection(
            "summary", "Summary", state, table=tables.overview_table(runs), folds=folds
        )
    return PageSection("summary", "Summary", state, tables.facts(run), folds=folds)


def _next(run: Run) -> PageSection | None:
    """Commands to go on with, ready to be copied."""
    if not run.best:
        return None
    data = run.settings.get("data", {})
    folder, size = run.folder.resolve(), data.get("size", (64, 64))
    source = (str(data.get("source", "DATA")), *_numbers(data))
    words = {
        "Train the best architecture to the end:": (
            *("nassearch", "train", "--genotype", f"{folder}:best", "--data", *source),
            *("--out", f"{folder}-trained"),
        )
    }
    if (folder / "best.safetensors").is_file() and (folder / "best.json").is_file():
        words["Compile it as it is:"] = (
            *("nascompile", str(folder / "best.json"), "--weights"),
            *(str(folder / "best.safetensors"), "--input-size", "x".join(map(str, size))),
            *("--output", str(folder / "best.onnx")),
        )
    commands = [(what, shlex.join(command)) for what, command in words.items()]
    return PageSection("next", "What next", commands=commands)


def _numbers(data: Mapping[str, Any]) -> list[str]:
    """Options of the meaning of stored labels, which other data would not have."""
    known = {"--map": data.get("map"), "--depth-scale": data.get("depth_scale")}
    given = ((option, str(value)) for option, value in known.items() if value is not None)
    return [word for pair in given for word in pair]


def _folds(*found: tuple[str, PageTable]) -> list[Fold]:
    """The tables that are not empty."""
    return [Fold(title, table) for title, table in found if table.rows]


def _search(runs: Sequence[Run]) -> PageSection:
    found = [_picture(chart) for chart in charts.search_charts(runs)]
    said = "" if found else "No trial has a reward yet."
    return PageSection("search", "Rewards", said, pictures=found)


def _picture(chart: charts.Chart) -> Picture:
    return Picture(chart.title, Markup(chart.svg), chart.note)


def _costs(runs: Sequence[Run]) -> PageSection | None:
    found = costs.pareto_charts(runs)
    if not found:
        return None
    named = {"madds": "multiply-adds", "latency": "latency"}
    folds = _folds(
        *((f"Front by {named[key]}", tables.pareto_table(runs[0], key)) for key in named)
    )
    timed = "" if all(latency_device(run.meta) is None for run in runs) else _timed(runs)
    pictures = [*map(_picture, found)]
    return PageSection("costs", "Rewards and costs", timed, pictures=pictures, folds=folds)


def _timed(runs: Sequence[Run]) -> str:
    """Machines that latencies are of."""
    places = [latency_device(run.meta) or "the run's own machine" for run in runs]
    if len(set(places)) == 1:
        return f"Latencies are of {places[0]}."
    named = (f"{run.label} of {place}" for run, place in zip(runs, places, strict=True))
    return f"Latencies: {', '.join(named)}."


def _architectures(run: Run) -> PageSection | None:
    best = run.best[:TOP]
    if not best:
        return None
    pictures = [
        Picture(
            f"Trial {trial.number + 1}, reward {words.score(trial.reward)}",
            Markup(svg(draw_genotype(trial.genotype))),
            f"{words.costs(trial)}. {trial.genotype}",
            "sheet",
        )
        for trial in best
    ]
    return PageSection("architectures", "Best architectures", pictures=pictures)


def _predictions(run: Run, cache: Path) -> PageSection | None:
    if not run.best:
        return None
    data, reason = prediction_picture(run, cache)
    number = run.best[0].number + 1
    if not data:
        return PageSection("predictions", "Predictions", f"There is no picture: {reason}.")
    alt = f"Validation images, their labels, and what the network of trial {number} makes of them"
    body = png_element(data, alt)
    picture = Picture(f"Validation images, trial {number}", body, kind="wide")
    return PageSection("predictions", "Predictions", pictures=[picture])


def _classes(run: Run) -> PageSection | None:
    table = left.class_table(run)
    if table is None:
        return None
    said = f"The network of trial {run.best[0].number + 1}, measured over all of meta-val."
    return PageSection("classes", "Classes", said, table=table)


def _pretraining(run: Run) -> PageSection | None:
    origin, facts, curve = (
        left.encoder_origin(run),
        left.pretraining_facts(run),
        left.pretraining_curve(run),
    )
    if not (origin or facts):
        return None
    pictures = [_picture(curve)] if curve else []
    return PageSection("pretraining", "Pre-training", origin, facts, pictures=pictures)


def _times(run: Run) -> PageSection:
    found = [_picture(diagnostics.stage_time_chart(run))] if run.scored else []
    return PageSection("times", "Times", table=tables.time_table(run), pictures=found)


def _controller(run: Run) -> PageSection | None:
    found = [_picture(chart) for chart in diagnostics.controller_charts(run)]
    return PageSection("controller", "Controller", pictures=found) if found else None


def _trouble(run: Run) -> PageSection | None:
    folds = _folds(
        ("Failures", tables.failure_table(run)), ("Rejected untrained", tables.rejection_table(run))
    )
    said = "Failed and rejected genotypes are kept apart; the searcher is not told of them."
    return PageSection("failures", "Failures and rejections", said, folds=folds) if folds else None


def _settings(runs: Sequence[Run]) -> PageSection:
    folds = _folds(
        ("Settings", tables.settings_table(runs)), ("Environment", tables.session_table(runs[0]))
    )
    return PageSection("settings", "Configuration", folds=folds)
