"""``nassearch``: finds architectures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from backends.options import SizeType
from genotype.console import OneLineGroup, note, print_json
from search.cache import cache_dir
from search.commands import options
from search.commands.evaluate import evaluate
from search.commands.pretrain import pretrain
from search.commands.train import train
from search.config import Settings, nested, resolve
from search.errors import SettingsError
from search.journal import Journal
from search.presets import DEFAULT, PRESETS
from search.progress import display_on_stderr
from search.report import print_best, row, status_lines, write_best
from search.report import status as report_status
from search.run import execute
from search.trials import best_of
from search.workplace import Workplace

OPTIONS = {
    "data": "data.source",
    "classes": "data.classes",
    "size": "data.size",
    "trials": "trials",
    "seed": "seed",
    "encoder_weights": "encoder_weights",
    "learner": "learner",
    "batch": "search.batch",
}
"""The settings that have an option of their own."""

run_folder = click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))


@click.group(cls=OneLineGroup)
def main() -> None:
    """Find compact dense-prediction architectures for your images."""


main.add_command(evaluate)
main.add_command(pretrain)
main.add_command(train)


@main.command()
@click.option("--data", metavar="SPEC", help="synthetic[:COUNT], list:DIR_OR_FILE or voc:DEVKIT.")
@click.option("--preset", default=DEFAULT, show_default=True, help=", ".join(PRESETS) + ".")
@click.option("--classes", type=int, help="Number of classes, where the data do not say.")
@click.option("--size", type=SizeType(), help="Image height and width.")
@click.option("--trials", type=int, help="How many genotypes to try.")
@click.option("--seed", type=int, help="Everything random derives from it.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The run's folder.")
@click.option("--encoder-weights", metavar="FILE", help="Start from these, do not pre-train.")
@click.option("--learner", metavar="NAME", help="torch, or null (only pretends to train).")
@click.option("--batch", type=int, help="Genotypes proposed at a time.")
@options.sets
@options.cache
@options.as_json
def run(
    preset: str,
    out: Path,
    cache: Path | None,
    sets: tuple[tuple[str, Any], ...],
    as_json: bool,
    **given: Any,
) -> int:
    """Search, or go on with the search in --out.

    Pre-trains an encoder on the data (kept for the next run), tries genotypes in two
    stages, and leaves the best one in --out. Ctrl-C ends it without losing what is
    finished; the same command goes on.
    """
    settings = _settings(preset, given, dict(sets))
    try:
        return _search(Workplace(settings, out, cache_dir(cache), display_on_stderr()), as_json)
    except KeyboardInterrupt:
        note("interrupted: what is finished is kept, the same command goes on from there")
        return options.INTERRUPTED


def _settings(preset: str, named: Mapping[str, Any], sets: Mapping[str, Any]) -> Settings:
    """What the command line says, over the preset."""
    if preset not in PRESETS:
        known = ", ".join(PRESETS)
        raise click.BadParameter(f"{preset!r} is none of {known}", param_hint="--preset")
    given = {OPTIONS[name]: value for name, value in named.items() if value is not None}
    try:
        return resolve(PRESETS[preset], nested(given), nested(sets))
    except SettingsError as error:
        raise click.UsageError(str(error)) from None


def _search(place: Workplace, as_json: bool) -> int:
    """Runs to the end and says what came out; 1 when nothing did."""
    trials = execute(place)
    files = write_best(place, trials)
    if as_json:
        best = [row(trial) for trial in best_of(trials)]
        print_json({"run": str(place.folder), "trials": len(trials), "best": best, "files": files})
    else:
        print_best(trials)
        for path in files.values():
            click.echo(path)
    if not files:
        note("error: no trial has a reward, see nassearch status")
    return 0 if files else 1


@main.command()
@run_folder
@click.option("--count", type=click.IntRange(1), default=10, show_default=True)
@options.as_json
def top(folder: Path, count: int, as_json: bool) -> None:
    """The best genotypes of RUN, which may be under way."""
    with Journal(folder) as journal:
        trials = journal.trials()
    if as_json:
        print_json([row(trial) for trial in best_of(trials)[:count]])
    else:
        print_best(trials, count)


@main.command()
@run_folder
@options.as_json
def status(folder: Path, as_json: bool) -> None:
    """Where RUN stands, whether or not it is under way."""
    found = report_status(folder)
    if as_json:
        print_json(found)
        return
    with Journal(folder) as journal:
        lines = status_lines(found, journal.trials())
    for line in lines:
        click.echo(line)
