"""``nassearch pareto``: the best of a run's front, trained fully and made into artefacts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from auxnas.backends.base import BackendUnavailable
from auxnas.backends.caching import cache_dir, make_private
from auxnas.backends.images import labels_remark
from auxnas.backends.int8 import find_photographs
from auxnas.backends.measuring.machine import cores, cores_text, cpu_model
from auxnas.backends.progress import ToldOnce
from auxnas.compiler.files import atomic_write
from auxnas.compiler.tasks import headline
from auxnas.console import OneLineCommand, note, print_json, say
from auxnas.nassearch import options
from auxnas.nassearch.finalists import compile_forms, forms_here, shown_error, shown_precision
from auxnas.nassearch.look import check_cost_known, default_cost
from auxnas.nassearch.train import options_of_trainings, settings_of_trainings
from auxnas.options import PathType
from auxnas.progress import display_on_stderr
from auxnas.search.errors import RequestError, SearchError
from auxnas.search.loop.context import RunContext
from auxnas.search.settings.recorded import recorded_space
from auxnas.search.storage.folders import check_folder_kind
from auxnas.search.storage.identity import write_json
from auxnas.search.storage.journal import Journal
from auxnas.search.studies.trainings import Sampled, train_all
from auxnas.search.training.context import TrainingContext
from auxnas.search.training.run import check_training, judged_on
from auxnas.search.trials.pareto import COSTS, front
from auxnas.search.trials.records import Trial
from auxnas.terminal import Terminal

OUT_HELP = "Folder to write to.  [default: RUN/pareto]"
DATA, PAGE = "pareto.json", "pareto.html"
IMAGES_HELP = "Check on these photographs instead of noise. int8 is calibrated on them (8 or more)."
TARGET_HELP = "Target to compile for; may be repeated.  [default: onnx, openvino, trt, rtx if here]"


@click.command(cls=OneLineCommand)
@options.run_folder
@click.option(
    "--count",
    type=click.IntRange(1),
    metavar="N",
    default=5,
    show_default=True,
    help="Members of the front, those of the best rewards.",
)
@click.option(
    "--against",
    type=click.Choice(list(COSTS)),
    help="Cost of the front.  [default: latency where it was measured, else madds]",
)
@click.option("--target", "targets", metavar="NAME", multiple=True, help=TARGET_HELP)
@click.option("--images", type=PathType(path_type=Path), metavar="DIR", help=IMAGES_HELP)
@options_of_trainings(OUT_HELP)
def pareto(
    folder: Path,
    count: int,
    against: str | None,
    targets: tuple[str, ...],
    images: Path | None,
    preset: str,
    as_searched: bool,
    out: Path | None,
    cache: Path | None,
    sets: tuple[tuple[str, Any], ...],
    as_json: bool,
    vocabulary: str | None,
    **named: Any,
) -> int:
    """Train the best of RUN's Pareto front fully, and compile them in every precision.

    Each is trained as by train, then compiled for every target and precision that this machine
    runs, verified and timed; int8 needs --images. One table, one folder, one page. Ctrl-C or a
    kill loses no network and no artefact that is finished; the same command goes on.
    """
    with Journal(folder) as journal:
        trials, meta = journal.trials(), journal.meta()
    against = against or default_cost(trials)
    home, kept = out or folder / "pareto", cache_dir(cache)
    members = front(trials, COSTS[against])

    def choose() -> list[Trial]:
        check_cost_known(folder, trials, against)
        return finalists(folder, members, count)

    recorded_space(meta["settings"])  # which adds primitives of the user's own
    parts = (preset, as_searched, named, sets)
    trained, forms, chosen, photographs, *_ = options.all_of(
        (
            lambda: settings_of_trainings(folder, *parts),
            lambda: list(forms_here(targets, images is not None)),
            choose,
            lambda: images and find_photographs(images),
            lambda: check_folder_kind(home, "a Pareto front"),
            lambda: make_private(kept),
            _require_page,
        )
    )
    settings, searched, executor = trained
    judged = photographs and photographs.judged
    if judged and (remark := labels_remark(str(images), judged)):
        note(remark)
    place = RunContext(executor, home, kept, ToldOnce(display_on_stderr()))

    def context_of(trial: Trial) -> TrainingContext:
        own = place.folder / f"trial-{trial.number + 1:05}"
        where = (own, place.cache, place.display)
        return TrainingContext(settings, trial.genotype, *where, searched)

    def work() -> int:
        rows = []
        check_training(context_of(chosen[0]))
        for sampled in train_all(chosen, context_of, place):
            own = context_of(sampled.trial).folder
            made = [] if sampled.result is None else [own]
            facts = [compile_forms(each, forms, images, vocabulary, place.display) for each in made]
            rows.append(_row(sampled, own, metric[0], facts))
        found = {
            "run": str(folder),
            "against": against,
            "front": len(members),
            "asked": count,
            "data": settings.data.source,
            "size": list(settings.data.size),
            "epochs": settings.train.epochs,
            "metric": {"name": metric[0], "title": metric[1].title},
            "scored_on": judged_on(context_of(chosen[0]).data),
            "machine": f"{cpu_model()}, {cores_text(cores())}",
            "finalists": rows,
            "files": {"data": str(home / DATA), "page": str(home / PAGE)},
        }
        write_json(home / DATA, found)
        _write_page(found, chosen, home / PAGE)
        print_json(found) if as_json else _print(found)
        if all(row["failure"] for row in rows):
            raise SearchError(str(home), "every training failed", "one that does not")
        if all(form["failure"] for row in rows for form in row["forms"]):
            raise SearchError(str(home), "no artefact could be made", "one, see the table")
        return 0

    metric = headline(meta)
    return options.run_resumable(work, "what is finished is kept, the same command goes on")


def finalists(folder: Path, members: Sequence[Trial], count: int) -> list[Trial]:
    """The ``count`` members of the front with the best rewards, the cheapest first.

    Raises:
        RequestError: for a run without any.
    """
    best = sorted(members, key=lambda trial: trial.stages[-1].reward, reverse=True)[:count]
    if not best:
        raise RequestError(str(folder), "no trial has a reward", "one at least")
    return [trial for trial in members if trial in best]


def _row(
    sampled: Sampled, folder: Path, metric: str, facts: Sequence[list[dict[str, Any]]]
) -> dict[str, Any]:
    """A finalist as plain data."""
    return {
        **sampled.row(metric),
        "reward": sampled.trial.stages[-1].reward,
        **({} if sampled.result is None else _sizes(sampled.result)),
        "folder": str(folder),
        "forms": [form for each in facts for form in each],
    }


def _sizes(result: Mapping[str, Any]) -> dict[str, Any]:
    return {name: result[name] for name in ("parameters", "multiply_adds")}


HEADS = ("trial", "reward", "", "parameters", "multiply-adds", "form", "latency", "error", "size")
"""Of the table; the third is the metric's title."""


def table_rows(found: Mapping[str, Any]) -> Iterator[list[str]]:
    """Cells of the one table, a line a form; what they share stands in the first."""
    name = found["metric"]["name"]
    for row in found["finalists"]:
        full = "failed" if row[name] is None else f"{row[name]:.4f}"
        sizes = (f"{row['parameters'] / 1e6:.3f} M", f"{row['multiply_adds'] / 1e6:.1f} M")
        head = [str(row["trial"]), f"{row['reward']:.4f}", full, *sizes]
        lines = [_cells(form) for form in row["forms"]] or [[row["failure"] or "", "", "", ""]]
        for number, line in enumerate(lines):
            yield [*(head if number == 0 else [""] * len(head)), *line]


def _cells(form: Mapping[str, Any]) -> list[str]:
    name = shown_precision(form)
    if form["failure"]:
        return [f"{name}: {form['failure']}", "", "", ""]
    time = form["latency_ms"]
    return [
        name,
        "" if time is None else f"{time:.2f} ms",
        shown_error(form),
        f"{form['bytes'] / 1e6:.1f} MB",
    ]


def remarks(found: Mapping[str, Any]) -> Iterator[str]:
    """Lines about what the table is of."""
    if found["front"] < found["asked"]:
        lack = f"{found['asked']} were asked for and the front has no more"
        yield f"{found['front']} trained: {lack}"
    height, width = found["size"]
    yield f"trained on {found['data']} at {height}x{width}, {found['epochs']} epochs each"
    yield f"scored on {found['scored_on']}; latency: {found['machine']}"


def _print(found: Mapping[str, Any]) -> None:
    console = Terminal(file=sys.stdout)
    table = Table()
    for head in HEADS:
        text = head == "form"
        table.add_column(head or found["metric"]["title"], justify="left" if text else "right")
    for cells in table_rows(found):
        table.add_row(*cells)
    console.print_table(table)
    for line in remarks(found):
        say(line)
    for path in found["files"].values():
        say(path)


def _require_page() -> None:
    """Checks, before the work, that the page can be made.

    Raises:
        BackendUnavailable: naming the extra that it needs.
    """
    try:
        import auxnas.html.pareto_page  # noqa: F401
    except ModuleNotFoundError as error:
        raise BackendUnavailable("nassearch pareto", str(error.name), "report") from None


def _write_page(found: Mapping[str, Any], trials: Sequence[Trial], path: Path) -> None:
    from auxnas.html.pareto_page import pareto_page

    heads = [head or found["metric"]["title"] for head in HEADS]
    said = "; ".join(remarks(found))
    text = pareto_page(found, heads, list(table_rows(found)), trials, f"{said}.")
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
