"""``nassearch correlate``: what a search's rewards are worth."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from auxnas.backends.caching import cache_dir
from auxnas.compiler.tasks import headline
from auxnas.console import OneLineCommand, print_json, say
from auxnas.nassearch import options
from auxnas.nassearch.plots import plot_correlation, require_matplotlib
from auxnas.nassearch.train import options_of_trainings, settings_of_trainings
from auxnas.progress import display_on_stderr
from auxnas.search.loop.context import RunContext
from auxnas.search.networks.searched import SIZES
from auxnas.search.settings.recorded import recorded_settings, recorded_space
from auxnas.search.settings.search import Settings
from auxnas.search.storage.folders import check_folder_kind
from auxnas.search.storage.identity import write_json
from auxnas.search.storage.journal import Journal
from auxnas.search.studies.correlation import STAGES, choose_trials, correlation_report
from auxnas.search.studies.trainings import train_all
from auxnas.search.training.context import TrainingContext
from auxnas.search.training.run import judged_on
from auxnas.search.trials.records import Trial
from auxnas.terminal import Terminal

OUT_HELP = "Folder to write to.  [default: RUN/correlate]"


@click.command(cls=OneLineCommand)
@options.run_folder
@click.option(
    "--count",
    type=click.IntRange(3),
    metavar="N",
    default=30,
    show_default=True,
    help="Architectures to train.",
)
@options_of_trainings(OUT_HELP)
def correlate(
    folder: Path,
    count: int,
    preset: str,
    as_searched: bool,
    out: Path | None,
    cache: Path | None,
    sets: tuple[tuple[str, Any], ...],
    as_json: bool,
    vocabulary: str | None,
    **named: Any,
) -> int:
    """Train a sample of RUN's architectures for long, and compare with their rewards.

    Spearman's rank correlation of the rewards after stage 1, stage 2 and full training
    (paper, Figure 5), over the whole range of rewards: of an architecture that was stopped
    there is none after stage 2. Ctrl-C or a kill loses no architecture that is finished, and of the
    one under way what came after its last checkpoint; the same command goes on.
    """
    require_matplotlib()
    with Journal(folder) as journal:
        trials, meta = journal.trials(), journal.meta()
    chosen = choose_trials(trials, count)
    recorded_space(meta["settings"])  # which adds primitives of the user's own
    rewarded = recorded_settings(meta["settings"], Settings, "data.source")
    rewarded_alike = ("task.ignore", rewarded.ignored)
    sets = (rewarded_alike, *sets)
    parts = (preset, as_searched, named, sets)
    settings, searched, executor = settings_of_trainings(folder, *parts)
    out = out or folder / "correlate"
    check_folder_kind(out, "a correlation")
    place = RunContext(executor, out, cache_dir(cache), display_on_stderr())

    def context_of(trial: Trial) -> TrainingContext:
        own = place.folder / f"trial-{trial.number + 1:05}"
        where = (own, place.cache, place.display)
        return TrainingContext(settings, trial.genotype, *where, searched)

    def work() -> int:
        sampled = train_all(chosen, context_of, place)
        found = correlation_report(trials, sampled, headline(meta))
        found["full_scored_on"] = judged_on(context_of(chosen[0]).data)
        found["ignored"] = list(settings.task.ignore or ())
        found["model"] = {
            "searched": {name: getattr(searched.spec, name) for name in SIZES}
            if searched
            else None,
            "trained": {name: getattr(settings.model, name) for name in SIZES},
        }
        files = {"plot": out / "correlation.png", "data": out / "correlation.json"}
        plot_correlation(found, files["plot"])
        found["files"] = {kind: str(path) for kind, path in files.items()}
        write_json(files["data"], found)
        print_json(found) if as_json else _print(found)
        return 0

    return options.run_resumable(work, "what is trained is kept, the same command goes on")


def _print(found: Mapping[str, Any]) -> None:
    """Architectures and correlations as tables."""
    console = Terminal(file=sys.stdout)
    rows = Table()
    metric = found["metric"]
    for title in ("trial", "stage 1", "stage 2", "full training", metric["title"]):
        rows.add_column(title, justify="right")
    for row in found["architectures"]:
        numbers = (_number(row[name]) for name in (*STAGES, metric["name"]))
        rows.add_row(str(row["trial"]), *numbers)
    console.print_table(rows)
    table = Table()
    table.add_column("rewards after")
    for title in ("Spearman's rho", "architectures", "chance (p)"):
        table.add_column(title, justify="right")
    after = _AFTER | {metric["name"]: f"full training ({metric['title']})"}
    for known in found["correlations"]:
        table.add_row(f"{after[known['first']]}, {after[known['second']]}", *_cells(known))
    table.add_row("stage 1, stage 2, all trials", *_cells(found["stages"]))
    console.print_table(table)
    left_out = f"; not counted: {', '.join(found['ignored'])}" if found["ignored"] else ""
    say(_models(found["model"]))
    say(f"full training is scored on {found['full_scored_on']}{left_out}")
    for path in found["files"].values():
        say(path)


def _models(found: Mapping[str, Any]) -> str:
    """Sizes of architectures in the search and in full training."""
    words = {
        when: ", ".join(f"{name} {value:g}" for name, value in (model or {}).items())
        for when, model in found.items()
    }
    return f"searched with {words['searched'] or 'unknown sizes'}; trained with {words['trained']}"


_AFTER = {
    "stage1": "stage 1",
    "stage2": "stage 2",
    "full": "full training",
}


def _cells(known: Mapping[str, Any]) -> tuple[str, str, str]:
    return _number(known["spearman"]), str(known["count"]), _number(known["chance"])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
