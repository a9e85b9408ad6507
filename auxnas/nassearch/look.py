"""``nassearch status``, ``nassearch top`` and ``nassearch export``: what a run has found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from auxnas.backends.progress import format_duration
from auxnas.compiler.files import check_room
from auxnas.compiler.tasks import headline
from auxnas.console import OneLineCommand, note, print_json, say
from auxnas.nassearch import options
from auxnas.nassearch.results import print_trials
from auxnas.search.errors import RequestError
from auxnas.search.loop.status import beyond_of, ended_of, next_budget
from auxnas.search.loop.status import run_status as status_of
from auxnas.search.networks.sources import trial_by_number
from auxnas.search.storage.export import export_trial
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.lock import holder
from auxnas.search.storage.optuna_study import export_study
from auxnas.search.trials.pareto import COSTS, front
from auxnas.search.trials.records import PENDING, Trial, best_of
from auxnas.search.trials.rows import latency_device, trial_row


@click.command(cls=OneLineCommand)
@options.run_folder
@options.as_json
def status(folder: Path, as_json: bool) -> None:
    """Show the state of RUN, running or not."""
    found = status_of(folder)
    _note_salvaged(found["salvaged"])
    if as_json:
        print_json(found)
        return
    for line in status_lines(found):
        say(line)


def status_lines(found: Mapping[str, Any]) -> list[str]:
    """The state of a run for people."""
    asked = "" if found["asked"] is None else f" of {found['asked']}"
    budget = "" if found["budget"] is None else f", budget {found['budget']}"
    running = f"running: {found['running']}" if found["running"] else "not running"
    lines = [f"{found['run']}: {found['ended']}{asked} trials ended{budget}, {running}"]
    lag = found["lag"]
    if lag:
        lines.append(f"lag: proposals depend on all trials but the last {lag} before their batch")
    now = "now" if found["running"] else "left at"
    lines += [f"{now}: {_task(task)}" for task in found["tasks"]]
    if found["running"] and not found["tasks"]:
        lines.append("now: no trial is under way")
    counted = {"states": "states", "failures": "failures", "rejected": "rejected untrained"}
    lines += [f"{words}: {_counts(found[name])}" for name, words in counted.items() if found[name]]
    if found["beyond"]:
        lines.append(f"proposed beyond the trials asked for, not to begin: {found['beyond']}")
    if found["unbegun"]:
        lines.append(
            f"proposed, and not begun as the budget was over: {found['unbegun']} (to go on: "
            f"nassearch resume {found['run']} --budget {found['next_budget']})"
        )
    if found["seconds"]:
        pace = 3600 * found["ended"] / found["seconds"]
        sessions = f"{found['sessions']} session{'s' * (found['sessions'] != 1)}"
        lines.append(
            f"time: {format_duration(found['seconds'])} in {sessions}, {pace:.1f} trials/h"
        )
    best = found["best"]
    if best:
        timed = "" if best["latency_ms"] is None else f", {best['latency_ms']:.2f} ms"
        if best["latency_device"] is not None and timed:
            timed += f" on {best['latency_device']}"
        lines.append(f"best: trial {best['trial']}, {best['ending']}{timed}")
        lines.append(f"genotype: {json.dumps(best['genotype'], separators=(',', ':'))}")
    return lines


def _task(task: Mapping[str, Any]) -> str:
    """Something under way, in words."""
    left = task["seconds_left"]
    begun = task["share"] or task["text"]
    parts = (
        task["task"],
        f"{int(100 * task['share'])} %" if begun else "no step yet",
        task["text"],
        left and f"{format_duration(left)} left",
    )
    return ", ".join(part for part in parts if part)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


@click.command(cls=OneLineCommand)
@options.run_folder
@click.option(
    "--count", type=click.IntRange(1), metavar="N", default=10, show_default=True, help="Rows."
)
@click.option("--pareto", is_flag=True, help="Only the Pareto front of reward and cost.")
@click.option(
    "--against",
    type=click.Choice(list(COSTS)),
    help="Cost of the front.  [default: latency where it was measured, else madds]",
)
@options.as_json
def top(folder: Path, count: int, pareto: bool, against: str | None, as_json: bool) -> None:
    """List the best genotypes of RUN, running or not."""
    with Journal(folder) as journal, journal.snapshot():
        meta, states, salvaged = journal.meta(), journal.counts("state"), journal.salvaged
        trials = journal.trials() if pareto or against else journal.best(count)
    _note_salvaged(salvaged)
    device = latency_device(meta)
    if pareto or against:
        against = against or default_cost(trials)
        check_cost_known(folder, trials, against)
        shown, title = front(trials, COSTS[against]), f"Pareto front against {against}"
    else:
        shown, title = trials, "best"
    if as_json:
        print_json([trial_row(trial, meta) for trial in shown])
    else:
        print_trials(shown, title, ended_of(states), headline(meta), device)


def check_cost_known(folder: Path, trials: list[Trial], against: str) -> None:
    """Checks that a front against a cost has members, where there are scored trials.

    Raises:
        RequestError: naming the other costs.
    """
    scored = best_of(trials)
    if scored and all(COSTS[against](trial) is None for trial in scored):
        found = f"no trial's {against} is known, it was not measured"
        expected = " or ".join(f"--against {name}" for name in COSTS if name != against)
        raise RequestError(str(folder), found, expected)


def default_cost(trials: list[Trial]) -> str:
    """Name of the cost that fronts are of where none is given."""
    return "latency" if any(trial.latency is not None for trial in trials) else "madds"


@click.command(cls=OneLineCommand)
@options.run_folder
@click.option("--trial", type=click.IntRange(1), metavar="N", help="Trial N, as top numbers it.")
@click.option("--best", type=click.IntRange(1), metavar="N", help="The best N.  [default: 1]")
@click.option(
    "--output",
    type=options.PathType(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder to write to.",
)
@click.option(
    "--optuna", metavar="URL", help="Database, such as sqlite:///x.db, to write all trials to."
)
@click.option("--study", metavar="NAME", help="Study of optuna's in it.  [default: RUN's name]")
@options.parts_of("run")
@options.as_json
def export(
    folder: Path,
    trial: int | None,
    best: int | None,
    output: Path | None,
    optuna: str | None,
    study: str | None,
    as_json: bool,
    **parts: str | None,
) -> None:
    """Write genotypes of RUN with their weights, ready for nascompile.

    Weights are there for the best trials only, as many as the setting keep says. With --optuna all
    trials become a study instead; again, it gets those that are new.
    """
    if optuna is not None:
        if any(given is not None for given in (trial, best, output)):
            raise click.UsageError("--optuna: expected no --trial, --best and --output with it")
        _export_study(folder, optuna, study or folder.resolve().name, as_json)
        return
    if output is None:
        raise click.UsageError("expected --output DIR, or --optuna URL")
    if trial is not None and best is not None:
        raise click.UsageError("--trial and --best: expected one of them")
    with Journal(folder) as journal:
        meta, trials, salvaged = journal.meta(), journal.trials(), journal.salvaged
    _note_salvaged(salvaged)
    options.check_parts(parts, meta.get("settings", {}), folder)
    chosen = _numbered(folder, trials, trial) if trial else best_of(trials)[: best or 1]
    if not chosen:
        raise RequestError(str(folder), "no trial has a reward", "one at least")
    if not output.exists():
        check_room(output)
    output.mkdir(parents=True, exist_ok=True)
    done = [export_trial(folder, meta, each, output) for each in chosen]
    if as_json:
        print_json(done)
        return
    for found in done:
        if found["weights"] is None:
            note(f"trial {found['trial']}: its weights were not kept, see the setting keep")
        say(found["command"])


def _export_study(folder: Path, url: str, study: str, as_json: bool) -> None:
    with Journal(folder) as journal, journal.snapshot():
        trials, states, salvaged = journal.trials(), journal.counts("state"), journal.salvaged
        settings, sessions = journal.meta().get("settings", {}), journal.sessions()
    _note_salvaged(salvaged)
    budget = next_budget(settings, sum(session.seconds for session in sessions))
    more = f" --budget {budget}" if budget else ""
    kept = trials[: len(trials) - beyond_of(states, settings.get("trials"))]
    found = export_study(kept, url, study)
    if as_json:
        print_json(asdict(found))
        return
    later = ""
    if found.waiting:
        under_way = "wait for one under way"
        goes_on = f"come when those before them have ended: nassearch resume {folder}{more}"
        later = f", {found.waiting} {under_way if holder(folder) else goes_on}"
    say(f"study {found.study}: {found.added} trials added, {found.trials} in it{later}")


def _numbered(folder: Path, trials: list[Trial], number: int) -> list[Trial]:
    trial = trial_by_number(folder, trials, str(number))
    if trial.state == PENDING:
        raise RequestError(f"{folder}:{number}", "a trial that has not ended", "one that has")
    return [trial]


def _note_salvaged(remark: str) -> None:
    if remark:
        note(f"warning: {remark}")
