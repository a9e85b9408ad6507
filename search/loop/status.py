"""State of a run as plain data."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from auxnas.search.loop.phases import read_phase
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.lock import holder
from auxnas.search.trials.records import PENDING, best_of
from auxnas.search.trials.rows import trial_row


def run_status(folder: Path) -> dict[str, Any]:
    """State of a run as plain data; the run may be under way."""
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
        "lag": settings.get("search", {}).get("lag", 0),
        "ended": len(ended),
        "states": dict(Counter(trial.state for trial in trials)),
        "failures": dict(Counter(t.failure.kind for t in trials if t.failure is not None)),
        "rejected": dict(Counter(rejection.limit for rejection in rejections)),
        "seconds": sum(session.seconds for session in sessions),
        "sessions": len(sessions),
        "best": trial_row(best[0], meta) if best else None,
        "salvaged": salvaged,
        "settings": settings,
        "environment": environment,
        "versions": environment.get("versions", {}),
    }
