"""The tables of a page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from auxnas.backends.progress import format_duration
from auxnas.html import words
from auxnas.html.runs import Run
from auxnas.html.series import stage_times
from auxnas.search.settings.resolving import flatten
from auxnas.search.settings.search import Settings
from auxnas.search.storage.schema import Session
from auxnas.search.trials.pareto import COSTS, front
from auxnas.search.trials.records import COMPLETE, FAILED, REUSED, STOPPED, Trial


@dataclass(frozen=True)
class PageTable:
    """Rows under heads.

    Attributes:
        heads: names of the columns.
        rows: as many cells each.
        texts: the columns that hold no numbers.
        bars: the columns of percentages that are shown as bars too.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: Sequence[str] = ()
    bars: Sequence[str] = ()

    def filled(self) -> PageTable:
        """The table without its empty columns."""
        kept = [n for n in range(len(self.heads)) if any(row[n] for row in self.rows)]
        rows = [[row[n] for n in kept] for row in self.rows]
        return replace(self, heads=[self.heads[n] for n in kept], rows=rows)


def overview_table(runs: Sequence[Run]) -> PageTable:
    """Key figures of each run, a column a run."""
    found = [dict(facts(run)) for run in runs]
    names = list(dict.fromkeys(name for known in found for name in known))
    rows = [[name, *(known.get(name, "") for known in found)] for name in names]
    return PageTable(["", *(run.label for run in runs)], rows, [""])


def facts(run: Run) -> list[tuple[str, str]]:
    """Key figures of a run: (name, value)."""
    found = {"best reward": "none"}
    if run.best:
        best = run.best[0]
        found["best reward"] = words.score(best.reward)
        name, metric = run.metric
        found[f"its {metric.title}"] = words.score(best.metrics.get(name))
        found["its trial"] = str(best.number + 1)
    asked = run.settings.get("trials")
    found["trials ended"] = f"{len(run.ended):,}" + (f" of {asked:,}" if asked else "")
    states = Counter(trial.state for trial in run.ended)
    named = {
        COMPLETE: "through both stages",
        STOPPED: "stopped after stage 1",
        REUSED: "isomorphic to an earlier one",
        FAILED: "failed",
    }
    found |= {name: f"{states[state]:,}" for state, name in named.items()}
    kinds = Counter(trial.failure.kind for trial in run.ended if trial.failure is not None)
    found |= {f"failed: {kind}": f"{count:,}" for kind, count in sorted(kinds.items())}
    over = Counter(rejection.limit for rejection in run.rejections)
    found |= {f"rejected: {limit}": f"{count:,}" for limit, count in sorted(over.items())}
    found["time"] = format_duration(run.seconds)
    if run.seconds:
        found["trials per hour"] = f"{3600 * len(run.ended) / run.seconds:,.1f}"
    return list(found.items())


def pareto_table(run: Run, cost: str) -> PageTable:
    """The trials that no other one beats in reward and cost, the cheapest first."""
    kept, (name, metric) = front(run.scored, COSTS[cost]), run.metric
    heads = ["trial", "reward", metric.title, "parameters", "multiply-adds", "latency"]
    return PageTable(heads, [_row(trial, name) for trial in kept]).filled()


def _row(trial: Trial, metric: str) -> list[str]:
    last = trial.stages[-1]
    return [
        str(trial.number + 1),
        words.score(last.reward),
        words.score(last.metrics.get(metric)),
        words.parameters(trial.parameters),
        words.multiply_adds(trial.multiply_adds),
        words.milliseconds(trial.latency),
    ]


def time_table(run: Run) -> PageTable:
    """Times by stage, and the rest of the run's time."""
    rows, spent = [], 0.0
    for stage in (1, 2):
        found = stage_times(run.scored, stage)
        if found is not None:
            spent += found.total
            each = [f"{found.mean:.1f} s", f"{found.median:.1f} s", format_duration(found.total)]
            rows.append([f"stage {stage}", f"{found.count:,}", *each])
    if run.settings.get("workers", 0) <= 1 and run.seconds > spent:
        rows.append(["all else", "", "", "", format_duration(run.seconds - spent)])
    rows.append(["the whole run", "", "", "", format_duration(run.seconds)])
    return PageTable(["", "times", "mean", "median", "together"], rows, [""])


def failure_table(run: Run) -> PageTable:
    """Failed trials by kind, the most frequent first, with the last one's message."""
    found: dict[str, list[tuple[int, str]]] = {}
    for trial in run.ended:
        if trial.failure is not None:
            cases = found.setdefault(trial.failure.kind, [])
            cases.append((trial.number + 1, trial.failure.detail))
    commonest = sorted(found.items(), key=lambda pair: -len(pair[1]))
    rows = [[kind, f"{len(some):,}", _numbers(some), some[-1][1]] for kind, some in commonest]
    heads = ["kind", "trials", "numbers", "the last one"]
    return PageTable(heads, rows, [heads[0], *heads[2:]])


def _numbers(cases: Sequence[tuple[int, str]], most: int = 12) -> str:
    """Numbers of the trials, the first ``most`` of them."""
    shown = ", ".join(str(number) for number, _ in cases[:most])
    return shown + (", ..." if len(cases) > most else "")


def rejection_table(run: Run) -> PageTable:
    """Rejected genotypes by limit, with the last one's message."""
    found: dict[str, list[str]] = {}
    for rejection in run.rejections:
        found.setdefault(rejection.limit, []).append(rejection.detail)
    rows = [[limit, f"{len(some):,}", some[-1]] for limit, some in sorted(found.items())]
    return PageTable(["limit", "genotypes", "the last one"], rows, ["limit", "the last one"])


MOST_ROWS = 1_000
"""Trials in a table at most."""


def trial_table(run: Run) -> tuple[str, PageTable]:
    """Title and rows of the trials that have ended; the best where they are very many."""
    shown, title = run.ended, "All trials that have ended"
    if len(shown) > MOST_ROWS:
        shown = run.best[:MOST_ROWS]
        title = f"The best {len(shown):,} of {len(run.ended):,} trials that have ended"
    name, metric = run.metric
    heads = ["trial", "state", "reward", "stage 1", "stage 2", metric.title]
    heads += ["parameters", "multiply-adds", "latency", "seconds", "note"]
    rows = [_trial(trial, name) for trial in shown]
    return title, PageTable(heads, rows, ["state", "note"]).filled()


def _trial(trial: Trial, metric: str) -> list[str]:
    first, second = (*(words.score(stage.reward) for stage in trial.stages), "", "")[:2]
    note = "" if trial.source is None else f"as trial {trial.source + 1}"
    if trial.failure is not None:
        note = f"{trial.failure.kind}: {trial.failure.detail}"
    return [
        str(trial.number + 1),
        trial.state,
        words.score(trial.reward),
        first,
        second,
        words.score(trial.metrics.get(metric)),
        words.parameters(trial.parameters),
        words.multiply_adds(trial.multiply_adds),
        words.milliseconds(trial.latency),
        f"{trial.seconds:.1f}" if trial.stages else "",
        note,
    ]


def settings_table(runs: Sequence[Run]) -> PageTable:
    """All settings, with the defaults (the paper's, where it gives one) that differ."""
    defaults = dict(flatten(Settings().model_dump(mode="json")))
    values = [dict(flatten(run.settings)) for run in runs]
    rows = []
    for name in dict.fromkeys(name for found in values for name in found):
        default = defaults.get(name, "")
        same = all(found.get(name, default) == default for found in values)
        other = "" if same else _value(default)
        rows.append([name, *(_value(found.get(name, "")) for found in values), other])
    heads = ["setting", *(run.label for run in runs), "default, where another"]
    return PageTable(heads, rows, heads).filled()


def _value(value: Any) -> str:
    """A setting as in TOML, or a dash for none."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


def session_table(run: Run) -> PageTable:
    """Machine, versions and seconds of each process that worked on the run."""
    rows = [[str(n), *_session(session)] for n, session in enumerate(run.sessions, 1)]
    heads = ["session", "time", "machine", "device", "versions", "revision"]
    return PageTable(heads, rows, heads[2:]).filled()


def _session(session: Session) -> list[str]:
    found: Mapping[str, Any] = session.environment
    machine = [str(found[key]) for key in ("host", "system", "cpu") if found.get(key)]
    machine += [f"{found['cores']} cores"] if found.get("cores") else []
    device = [found["device"], f"{found.get('threads') or 'all'} threads"] if found else []
    versions = [f"{name} {value}" for name, value in found.get("versions", {}).items()]
    texts = [", ".join(part) for part in (machine, device, versions)]
    return [format_duration(session.seconds), *texts, str(found.get("revision") or "")]
