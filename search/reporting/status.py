"""Where a run stands: as plain data, and as lines for people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auxnas.backends.progress import clock
from auxnas.search.loop.phases import read_phase
from auxnas.search.reporting.watch import ending
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.lock import holder
from auxnas.search.trials.records import PENDING, Trial, best_of


def row(trial: Trial) -> dict[str, Any]:
    """A trial as plain data."""
    return {
        "trial": trial.number + 1,
        "state": trial.state,
        "ending": ending(trial),
        "reward": trial.reward,
        "metrics": dict(trial.metrics),
        "stages": [
            {"reward": stage.reward, "seconds": stage.seconds, "batch_size": stage.batch_size}
            for stage in trial.stages
        ],
        "parameters": trial.parameters,
        "multiply_adds": trial.multiply_adds,
        "latency_ms": trial.latency,
        "genotype": json.loads(str(trial.genotype)),
        "key": trial.key,
    }


def status(folder: Path) -> dict[str, Any]:
    """Where a run stands, as plain data; the run may be under way."""
    with Journal(folder) as journal, journal.snapshot():
        meta, trials, sessions = journal.meta(), journal.trials(), journal.sessions()
        rejections, salvaged = journal.rejections(), journal.salvaged
    ended = [trial for trial in trials if trial.state != PENDING]
    best, settings = best_of(trials), meta.get("settings", {})
    environment = dict(sessions[-1].environment) if sessions else {}
    phase, tasks = read_phase(folder)
    return {
        "run": str(folder),
        "running": holder(folder),
        "phase": phase,
        "tasks": tasks,
        "asked": settings.get("trials"),
        "budget": settings.get("budget"),
        "ended": len(ended),
        "states": dict(Counter(trial.state for trial in trials)),
        "failures": dict(Counter(t.failure.kind for t in trials if t.failure is not None)),
        "rejected": dict(Counter(rejection.limit for rejection in rejections)),
        "seconds": sum(session.seconds for session in sessions),
        "sessions": len(sessions),
        "best": row(best[0]) if best else None,
        "salvaged": salvaged,
        "settings": settings,
        "environment": environment,
        "versions": environment.get("versions", {}),
    }


def status_lines(found: Mapping[str, Any]) -> list[str]:
    """The same for people."""
    asked = "" if found["asked"] is None else f" of {found['asked']}"
    budget = "" if found["budget"] is None else f", budget {found['budget']}"
    running = f"running: {found['running']}" if found["running"] else "not running"
    lines = [f"{found['run']}: {found['ended']}{asked} trials ended{budget}, {running}"]
    now = "now" if found["running"] else "left at"
    lines += [f"{now}: {_task(task)}" for task in found["tasks"]]
    counted = {"states": "states", "failures": "failures", "rejected": "rejected untrained"}
    lines += [f"{words}: {_counts(found[name])}" for name, words in counted.items() if found[name]]
    if found["seconds"]:
        pace = 3600 * found["ended"] / found["seconds"]
        sessions = f"{found['sessions']} session{'s' * (found['sessions'] != 1)}"
        lines.append(f"time: {clock(found['seconds'])} in {sessions}, {pace:.1f} trials/h")
    best = found["best"]
    if best:
        lines.append(f"best: trial {best['trial']}, {best['ending']}")
        lines.append(f"genotype: {json.dumps(best['genotype'], separators=(',', ':'))}")
    return lines


def _task(task: Mapping[str, Any]) -> str:
    """Something under way, in words."""
    left = task["seconds_left"]
    parts = (
        f"{task['task']}, {int(100 * task['share'])} %",
        task["text"],
        left and f"{clock(left)} left",
    )
    return ", ".join(part for part in parts if part)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
