"""A trial as plain data, and its end in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from auxnas.backends.progress import format_duration
from auxnas.search.trials.records import COMPLETE, FAILED, PENDING, REUSED, Trial

_SHOWN = 4
"""Metrics in a line."""


def latency_device(meta: Mapping[str, Any]) -> str | None:
    """The device that a run's latencies are of, by its metadata; None for its own machine."""
    name = meta.get("settings", {}).get("latency", {}).get("device")
    return name if isinstance(name, str) else None


def trial_row(trial: Trial, device: str | None = None) -> dict[str, Any]:
    """A trial as plain data; ``device`` as ``latency_device`` has it."""
    return {
        "trial": trial.number + 1,
        "state": trial.state,
        "ending": ending_text(trial),
        "reward": trial.reward,
        "metrics": dict(trial.metrics),
        "stages": [
            {"reward": stage.reward, "seconds": stage.seconds, "batch_size": stage.batch_size}
            for stage in trial.stages
        ],
        "parameters": trial.parameters,
        "multiply_adds": trial.multiply_adds,
        "latency_ms": trial.latency,
        "latency_device": device,
        "genotype": json.loads(str(trial.genotype)),
        "key": trial.key,
    }


def ending_text(trial: Trial) -> str:
    """End of a trial in a few words."""
    if trial.failure is not None:
        return f"failed ({trial.failure.kind}: {trial.failure.detail})"
    if trial.state == REUSED and trial.source is not None:
        return f"reward {trial.reward:.3f}, the same architecture as trial {trial.source + 1}"
    if trial.state in (PENDING, FAILED):
        return trial.state
    known = [f"{name} {value:.3f}" for name, value in trial.metrics.items()]
    metrics = ", ".join([*known[:_SHOWN], *["..."] * (len(known) > _SHOWN)])
    how = "two stages" if trial.state == COMPLETE else "stopped after stage 1"
    return f"reward {trial.reward:.3f} ({metrics}), {how}, {format_duration(trial.seconds)}"
