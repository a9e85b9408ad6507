"""``nassearch ablate``: what each component of the paper's training is worth."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from auxnas.backends.base import TrainingStep
from auxnas.backends.caching import cache_dir
from auxnas.backends.progress import Display
from auxnas.console import OneLineCommand, print_json, say
from auxnas.nassearch import options
from auxnas.nassearch.plots import plot_components, plot_kinds, require_matplotlib
from auxnas.progress import display_on_stderr
from auxnas.search.errors import SearchError, SettingsError
from auxnas.search.evaluation.evaluator import evaluator_of
from auxnas.search.evaluation.two_stages import StageProgress
from auxnas.search.executors.base import contact_executor, evaluates_elsewhere
from auxnas.search.loop.context import RunContext
from auxnas.search.loop.run import open_executor
from auxnas.search.settings.presets import PRESETS
from auxnas.search.settings.search import Settings
from auxnas.search.settings.stages import StageSettings
from auxnas.search.storage.cache import params_digest
from auxnas.search.storage.folders import ABLATION, check_folder_kind
from auxnas.search.storage.identity import begun_encoder, write_json, write_or_compare
from auxnas.search.storage.lock import run_lock
from auxnas.search.studies.ablation import (
    COMPONENTS,
    EvaluationRow,
    InSetups,
    Setup,
    ablation_report,
    check_components,
    evaluate_all,
    genotypes,
)
from auxnas.search.trials.records import Stage
from auxnas.terminal import Terminal

OPTIONS = options.SETTINGS | {
    "seed": "seed",
    "vocabulary": "space.vocabulary",
    "workers": "workers",
    "cluster": "cluster.address",
    "mixed": "cluster.mixed",
}
"""The settings that have an option of their own."""

_AUXILIARY = StageSettings.model_fields["auxiliary"].default
_COMPARED = {stage: {"auxiliary": _AUXILIARY} for stage in ("stage1", "stage2")}
"""Over any preset: without auxiliary outputs there is nothing to compare."""
_PARTS = 1000


@click.command(cls=OneLineCommand)
@options.data
@options.preset
@options.classes
@options.size
@options.task
@options.encoder
@options.vocabulary
@options.depth_scale
@options.label_map
@click.option(
    "--count",
    type=click.IntRange(1),
    metavar="N",
    default=140,
    show_default=True,
    help="Genotypes drawn.",
)
@click.option("--seed", type=int, metavar="N", help="Seed of the genotypes and of their training.")
@click.option("--out", type=options.PATH, metavar="DIR", required=True, help="Folder to write to.")
@options.encoder_weights
@options.workers
@options.cluster
@options.mixed
@options.learner
@options.sets
@options.cache
@options.as_json
def ablate(
    preset: str,
    count: int,
    out: Path,
    cache: Path | None,
    sets: tuple[tuple[str, Any], ...],
    as_json: bool,
    **named: Any,
) -> int:
    """Evaluate random genotypes with components on and off.

    Polyak averaging, auxiliary cells and distillation in all combinations (paper,
    Figure 3), and an auxiliary classifier in the cell's place (Figure 4): nine evaluations
    a genotype, both stages each. Ctrl-C or a kill loses the evaluation under way; the same
    command goes on, and a larger --count adds genotypes.
    """
    require_matplotlib()
    options.require_data(out, named, sets)
    layers = [PRESETS[options.known_preset(preset)], _COMPARED]
    settings = options.settings_of(Settings, layers, OPTIONS, named, sets)
    try:
        check_components(settings)
        if evaluates_elsewhere(settings) and settings.threads is None:
            found = "none, with evaluations elsewhere"
            raise SettingsError("threads", found, "a number: --set threads=1")
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    context = RunContext(settings, out, cache_dir(cache), display_on_stderr())

    def work() -> int:
        found = _execute(context, count)
        print_json(found) if as_json else _print(found)
        return 0

    return options.run_resumable(work, "what is evaluated is kept, the same command goes on")


def _execute(context: RunContext, count: int) -> dict[str, Any]:
    """Evaluates what is missing, and writes the figures and what they show."""
    check_folder_kind(context.folder, "an ablation")
    contact_executor(context.settings)
    data, model = context.data, context.model
    name, where = data.training.dataset.name, model.learner.where
    context.display.say(f"{count} genotypes on {name}, each with components on and off, on {where}")
    data.check_enough_data(data.search_split)
    if context.settings.encoder_weights is not None:
        _ = model.encoder, model.teacher
    context.folder.mkdir(parents=True, exist_ok=True)
    with run_lock(context.folder):
        if (digest := begun_encoder(context.folder / ABLATION)) is not None:
            model.keep_encoder(digest)
        whole = InSetups(evaluator_of(model))
        rest = {
            "data": data.training.key,
            "encoder": params_digest(model.encoder_params),
            "teacher": model.teacher and params_digest(model.teacher.params),
        }
        write_or_compare(context.folder / ABLATION, context.settings, rest)
        chosen = genotypes(model.space, count, context.settings.seed)
        with (
            Bars(context.display, count) as bars,
            open_executor(context, whole) as executor,
        ):
            seed, begin = context.settings.seed, bars.started
            rows = evaluate_all(executor, chosen, seed, context.folder, begin, bars.finished)
        return _written(context.folder, ablation_report(rows, data.task.headline))


def _written(folder: Path, found: dict[str, Any]) -> dict[str, Any]:
    if not found["genotypes"]:
        raise SearchError(str(folder), "every genotype failed in some setup", "one that did not")
    files = {
        "components": folder / "components.png",
        "kinds": folder / "auxiliary.png",
        "data": folder / "ablation.json",
    }
    plot_components(found, files["components"])
    plot_kinds(found, files["kinds"])
    found["files"] = {kind: str(path) for kind, path in files.items()}
    write_json(files["data"], found)
    return found


class Bars:
    """Shows each evaluation's progress, and a line when it has ended. Use it in ``with``."""

    def __init__(self, display: Display, count: int) -> None:
        self._display, self._count = display, count
        self._bars: dict[str, ExitStack] = {}

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *error: object) -> None:
        for title in list(self._bars):
            self._close(title)

    def _title(self, number: int, setup: str) -> str:
        return f"genotype {number + 1}/{self._count}, {setup}"

    def started(self, number: int, setup: Setup) -> StageProgress:
        """Opens the evaluation's bar."""
        title = self._title(number, setup.name)
        self._close(title)  # that of an attempt that was lost
        bar = self._bars[title] = ExitStack()
        advance: Callable[[int, str], None] = bar.enter_context(
            self._display.task(title, 2 * _PARTS)
        )

        def progress(stage: int, step: TrainingStep, before: Stage | None = None) -> None:
            done = (stage - 1) * _PARTS + _PARTS * step.step // step.steps
            advance(done, f"stage {stage}, loss {step.loss:.3f}")

        return progress

    def finished(self, row: EvaluationRow) -> None:
        """Closes the bar and says how the evaluation ended."""
        title = self._title(row["number"], row["setup"])
        self._close(title)
        rewards = ", ".join(f"{stage['reward']:.3f}" for stage in row["stages"])
        ending = f"failed ({row['failure']})" if row["failure"] else f"rewards {rewards}"
        self._display.say(f"{title}: {ending}")

    def _close(self, title: str) -> None:
        if title in self._bars:
            self._bars.pop(title).close()


def _print(found: Mapping[str, Any]) -> None:
    """Both figures' numbers as tables."""
    console = Terminal(file=sys.stdout)
    total = found["genotypes"]
    table = Table(title=f"rewards of {total} genotypes", title_justify="left")
    table.add_column("setup")
    for title in ("stage", "median", "mean", "gain over baseline", f"gained, of {total}"):
        table.add_column(title, justify="right")
    for row in found["components"]:
        gain = (f"{row['gain']:+.4f}", str(row["gained"]))
        if row["setup"] == COMPONENTS[0].name:
            gain = ("", "")
        middle = (f"{row['median']:.4f}", f"{row['mean']:.4f}")
        table.add_row(row["setup"], str(row["stage"]), *middle, *gain)
    console.print_table(table)
    title = f"{found['metric']['title']} after stage 2, without Polyak and KD"
    kinds = Table(title=title, title_justify="left")
    for title in ("auxiliary", "median", "mean", f"best, of {total}"):
        kinds.add_column(title, justify="left" if title == "auxiliary" else "right")
    for row in found["kinds"]:
        middle = (f"{row['median']:.4f}", f"{row['mean']:.4f}")
        kinds.add_row(row["auxiliary"], *middle, str(row["best"]))
    console.print_table(kinds)
    if found["failed"]:
        say(f"left out: {found['failed']} genotypes that failed in some setup")
    for path in found["files"].values():
        say(path)
