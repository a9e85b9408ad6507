"""A trial as plain data, and its end in words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from auxnas.backends.progress import format_duration
from auxnas.search.trials.records import COMPLETE, FAILED, PENDING, REUSED, Trial

_SHOWN = 4
"""Metrics in a line."""


def latency_device(meta: Mapping[str, Any]) -> str | None:
    """The device that a run's latencies are of, by its metadata; None for its own machine."""
    name = meta.get("settings", {}).get("latency", {}).get("device")
    return name if isinstance(name, str) else None


def trial_row(trial: Trial, meta: Mapping[str, Any]) -> dict[str, Any]:
    """A trial as plain data, its metrics in the order of the run, whose metadata ``meta`` is."""
    trial = _in_order(trial, [name for name, *_ in meta.get("metrics", ())])
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
        "latency_device": latency_device(meta),
        "genotype": json.loads(str(trial.genotype)),
        "key": trial.key,
    }


def _in_order(trial: Trial, names: Sequence[str]) -> Trial:
    """The trial with the last stage's metrics in the order of ``names``, others behind them."""
    if not trial.stages:
        return trial
    *before, last = trial.stages
    known = {name: last.metrics[name] for name in names if name in last.metrics}
    return replace(trial, stages=(*before, replace(last, metrics={**known, **last.metrics})))


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
