"""``nassearch run`` and ``nassearch resume``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import click

from auxnas.backends.caching import cache_dir
from auxnas.backends.devices import DeviceFailure
from auxnas.console import OneLineCommand, note, print_json, say
from auxnas.nassearch import options
from auxnas.nassearch.results import print_best, write_best
from auxnas.nassearch.watch import Watch
from auxnas.options import device_command, device_option
from auxnas.progress import display_on_stderr
from auxnas.search.errors import JournalError, SettingsError
from auxnas.search.loop.bounds import RunClock, Until
from auxnas.search.loop.context import RunContext
from auxnas.search.loop.phases import RecordingDisplay
from auxnas.search.loop.run import execute
from auxnas.search.loop.status import next_budget
from auxnas.search.loop.watching import Watcher
from auxnas.search.seams import EXECUTORS, SEARCHERS
from auxnas.search.settings.durations import duration_text
from auxnas.search.settings.presets import PRESETS
from auxnas.search.settings.recorded import trust_code
from auxnas.search.settings.resolving import former_defaults, nest
from auxnas.search.settings.search import Settings, with_absolute_paths
from auxnas.search.settings.toml_file import read_settings
from auxnas.search.storage.export import own_code
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.rescue import NAME
from auxnas.search.trials.records import PENDING, Trial, best_of
from auxnas.search.trials.rows import trial_row
from auxnas.trackers.board import run_trackers, with_trackers
from auxnas.trackers.session import Trackers

OPTIONS = options.SETTINGS | {
    "trials": "trials",
    "budget": "budget",
    "trial_timeout": "trial_timeout",
    "workers": "workers",
    "seed": "seed",
    "teacher": "teacher",
    "searcher": "search.searcher",
    "executor": "search.executor",
    "attempts": "search.retries",
    "cluster": "cluster.address",
    "mixed": "cluster.mixed",
    "vocabulary": "space.vocabulary",
    "batch": "search.batch",
    "lag": "search.lag",
    "tensorboard": "tensorboard",
    "max_params": "limits.params",
    "max_madds": "limits.madds",
    "max_latency_ms": "limits.latency_ms",
    "device": "latency.device",
    "device_command": "latency.command",
}
"""The settings that have an option of their own."""

GOES_ON = "what is finished is kept, the same command or nassearch resume goes on from there"

_trials = click.option("--trials", type=int, metavar="N", help="Number of genotypes to try.")
_budget = click.option(
    "--budget", metavar="TIME", help="Time after which no trial is begun: 4h, 30m, 1h30m."
)
_executor = click.option(
    "--executor", metavar="NAME", help=f"Where trials are evaluated: {EXECUTORS.takes}."
)
_attempts = click.option(
    "--attempts",
    type=click.IntRange(1),
    metavar="N",
    callback=lambda context, option, value: value and value - 1,
    help="Times that a trial is begun whose machine is lost, before it has failed.  [default: 3]",
)
_searcher = click.option("--searcher", metavar="NAME", help=f"Searcher: {SEARCHERS.takes}.")
_device = device_option("Measure latencies on this machine, where nasrun is, and keep them")
_timeout = click.option(
    "--trial-timeout", metavar="TIME", help="Longest time of a trial; one that takes longer fails."
)


@click.command(cls=OneLineCommand)
@options.data
@options.preset
@click.option(
    "--config",
    type=options.PATH,
    metavar="FILE",
    help="Settings in TOML, over those of the preset.",
)
@options.classes
@options.size
@options.task
@options.encoder
@options.vocabulary
@options.depth_scale
@options.label_map
@_trials
@_budget
@_timeout
@options.workers
@_executor
@options.cluster
@_attempts
@options.mixed
@click.option("--seed", type=int, metavar="N", help="Seed that everything random derives from.")
@click.option("--out", type=options.PATH, metavar="DIR", required=True, help="The run's folder.")
@options.encoder_weights
@options.teacher
@options.learner
@_searcher
@click.option("--batch", type=int, metavar="N", help="Genotypes proposed at a time.")
@click.option(
    "--lag",
    type=int,
    metavar="N",
    help="Latest trials that proposals do not wait for; with W at a time, W x longest / mean trial"
    " time or more keeps all busy.",
)
@click.option("--max-params", type=float, metavar="N", help="Reject larger networks, untrained.")
@click.option("--max-madds", type=float, metavar="N", help="Reject by multiply-adds, untrained.")
@click.option(
    "--max-latency-ms", type=float, metavar="MS", help="Reject by measured latency, untrained."
)
@_device
@device_command
@click.option("--tensorboard", is_flag=True, default=None, help="The same as --log tensorboard.")
@options.log
@options.sets
@options.cache
@options.as_json
def run(
    preset: str,
    config: Path | None,
    out: Path,
    cache: Path | None,
    log: tuple[str, ...],
    sets: tuple[tuple[str, Any], ...],
    as_json: bool,
    **named: Any,
) -> int:
    """Search, or go on with the search in --out.

    Pre-trains an encoder on the data (kept for the next run), tries genotypes in two
    stages, and leaves the best one in --out. Ctrl-C ends it without losing what is
    finished; the same command goes on.

    Settings come from --preset, then --config, then options, then --set.
    """
    given = _layer(config)
    options.require_data(out, named, sets, *given)
    layers = [PRESETS[options.known_preset(preset)], *given]
    settings = options.settings_of(Settings, layers, OPTIONS, named, sets)
    return _search(settings, out, cache, log, as_json)


def _layer(config: Path | None) -> list[dict[str, Any]]:
    """The settings in a file, if there is one."""
    try:
        layers = [read_settings(config)] if config else []
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    for layer in layers:
        trust_code(layer)
    return layers


@click.command(cls=OneLineCommand)
@options.run_folder
@_trials
@_budget
@_timeout
@options.workers
@_executor
@options.cluster
@_attempts
@options.mixed
@_searcher
@options.data
@options.parts_of("run")
@_device
@device_command
@options.log
@options.sets
@options.cache
@options.as_json
def resume(
    folder: Path,
    cache: Path | None,
    log: tuple[str, ...],
    sets: tuple[tuple[str, Any], ...],
    as_json: bool,
    **named: Any,
) -> int:
    """Go on with the search in RUN, with its own settings.

    --trials or --budget let it go on for longer than it was to; --data names the same
    images in another place. Code of your own that its settings name is named once
    again, by the same options as in run: --encoder package.module:Class. A run that was
    begun on a cluster goes on here, unless --cluster is given again.
    """
    with Journal(folder) as journal:
        stored = journal.meta().get("settings")
    if stored is None:
        raise JournalError(str(folder), "ended before it had settings", "nassearch run")
    settings = options.settings_of(
        Settings, [former_defaults(Settings), stored, _here(stored)], OPTIONS, named, sets
    )
    return _search(settings, folder, cache, log, as_json)


def _here(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The layer over a run's settings that takes it off its cluster: where trials are evaluated
    is the command's choice. As many processes here as there were seats would be too many."""
    search, address = stored.get("search", {}), stored.get("cluster", {}).get("address")
    here = {"search.executor": None} if search.get("executor") in EXECUTORS.table else {}
    return nest(here if address is None else {**here, "cluster.address": None, "workers": 0})


def _search(
    settings: Settings, out: Path, cache: Path | None, log: Sequence[str], as_json: bool
) -> int:
    """Runs to the end and says what came out; 1 when nothing did."""
    display = RecordingDisplay(display_on_stderr(), out)
    context = RunContext(with_absolute_paths(settings), out, cache_dir(cache), display)
    try:
        return options.run_resumable(partial(_report, context, log, as_json), GOES_ON)
    except DeviceFailure as failure:
        if not (out / NAME).exists():
            raise
        raise failure.with_advice(GOES_ON) from None


@contextmanager
def watch_run(
    context: RunContext,
    journal: Journal,
    until: Until,
    clock: RunClock,
    trackers: Trackers | None = None,
) -> Iterator[Watcher]:
    """Shows trials on the run's display, and to trackers: by default those of its settings."""
    with (
        Watch(context.display, until, clock) as watch,
        nullcontext(trackers) if trackers else run_trackers(context) as logs,
    ):
        yield with_trackers(logs, context, journal, watch)


def _report(context: RunContext, log: Sequence[str], as_json: bool) -> int:
    clocks: list[RunClock] = []

    def watching(
        context: RunContext, journal: Journal, until: Until, clock: RunClock
    ) -> AbstractContextManager[Watcher]:
        clocks.append(clock)
        return watch_run(context, journal, until, clock, trackers)

    with run_trackers(context, log) as trackers:
        trials = execute(context, watching)
        files, device = write_best(context, trials), context.settings.latency.device
        trackers.log_files(files.values())
    if as_json:
        best = [trial_row(trial, context.meta()) for trial in best_of(trials)]
        ended = sum(trial.state != PENDING for trial in trials)
        print_json({"run": str(context.folder), "trials": ended, "best": best, "files": files})
    else:
        print_best(trials, context.data.task.headline, device)
        for path in files.values():
            say(path)
        for line in _next(context) if files else ():
            say(line)
        for line in _longer(context, trials, sum(clock.total for clock in clocks)) if files else ():
            say(line)
    if not files:
        note(f"error: {_nothing(context, trials)}")
    return 0 if files else 1


def _next(context: RunContext) -> Iterator[str]:
    """Commands that go on from the best network: trained for long, or as it is."""
    best, meta = context.folder / "best.json", context.meta()
    own = own_code(meta["model"], context.settings.space.vocabulary)
    trained = context.folder.with_name(f"{context.folder.resolve().name}-trained")
    words = ["nassearch", "train", "--genotype", f"{context.folder}:best", *own]
    yield f"next: {shlex.join([*words, '--out', str(trained)])}"
    words = ["nascompile", str(best), "--weights", str(best.with_suffix(".safetensors")), *own]
    yield f"or, as it is: {shlex.join([*words, '--output', str(best.with_suffix('.onnx'))])}"


def _longer(context: RunContext, trials: Sequence[Trial], seconds: float) -> Iterator[str]:
    """Command that goes on with a search which its budget ended, after so many seconds in all."""
    recorded = context.settings.model_dump(mode="json")
    more, asked = next_budget(recorded, seconds), context.settings.trials
    if more and (asked is None or sum(trial.state != PENDING for trial in trials) < asked):
        words = ["nassearch", "resume", str(context.folder), "--budget", more]
        yield f"or, since the budget of {recorded['budget']} is over: {shlex.join(words)}"


def _nothing(context: RunContext, trials: list[Trial]) -> str:
    """Reason that there is no best trial, and what to do."""
    if any(trial.state != PENDING for trial in trials) or context.settings.budget is None:
        return "no trial has a reward, see nassearch status"
    spent = (
        f"the budget of {duration_text(context.settings.budget)} was over before the first trial"
    )
    more = duration_text(2 * context.settings.budget)
    return f"{spent}; to go on: nassearch resume {context.folder} --budget {more}"
