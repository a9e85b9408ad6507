"""State of a run as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auxnas.search.loop.phases import read_phase
from auxnas.search.settings.durations import duration_text, parse_duration
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.lock import holder
from auxnas.search.trials.records import PENDING
from auxnas.search.trials.rows import trial_row


def ended_of(states: Mapping[str, int]) -> int:
    """Number of trials that have ended, of those by state."""
    return sum(count for state, count in states.items() if state != PENDING)


def beyond_of(states: Mapping[str, int], asked: int | None) -> int:
    """Number of trials that the last batch proposed beyond those asked for: they do not begin."""
    return 0 if asked is None else max(0, sum(states.values()) - max(asked, ended_of(states)))


def next_budget(settings: Mapping[str, Any], seconds: float) -> str:
    """The budget, for about as long again, of a run that has used up its own; else "".

    Args:
        settings: as they are recorded.
        seconds: all its sessions together.
    """
    text = settings.get("budget")
    budget = seconds + 1 if text is None else parse_duration(text)
    return "" if seconds < budget else duration_text(60 * math.ceil((seconds + budget) / 60))


def run_status(folder: Path) -> dict[str, Any]:
    """State of a run as plain data; the run may be under way."""
    with Journal(folder) as journal, journal.snapshot():
        meta, sessions, salvaged = journal.meta(), journal.sessions(), journal.salvaged
        states, failures = journal.counts("state"), journal.counts("failure")
        rejected, best = journal.rejected(), journal.best(1)
    settings = meta.get("settings", {})
    beyond = beyond_of(states, settings.get("trials"))
    seconds, running = sum(session.seconds for session in sessions), holder(folder)
    waiting = states.get(PENDING, 0) - beyond
    more = next_budget(settings, seconds)
    unbegun = waiting if more and not running else 0
    kept = {**states, PENDING: waiting - unbegun}
    environment = dict(sessions[-1].environment) if sessions else {}
    phase, tasks = read_phase(folder)
    return {
        "run": str(folder),
        "running": running,
        "phase": phase,
        "tasks": tasks,
        "asked": settings.get("trials"),
        "budget": settings.get("budget"),
        "next_budget": more or None,
        "lag": settings.get("search", {}).get("lag", 0),
        "ended": ended_of(states),
        "states": {state: count for state, count in kept.items() if count},
        "beyond": beyond,
        "unbegun": unbegun,
        "failures": failures,
        "rejected": rejected,
        "seconds": seconds,
        "sessions": len(sessions),
        "best": trial_row(best[0], meta) if best else None,
        "salvaged": salvaged,
        "settings": settings,
        "environment": environment,
        "versions": environment.get("versions", {}),
    }
