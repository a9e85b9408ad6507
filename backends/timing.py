"""How fast networks are, side by side."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median
from typing import Any

import numpy as np

from auxnas.backends.base import Runner

Feed = Mapping[str, np.ndarray[Any, Any]]

TURNS, RUNS = 12, 3
"""Of each network, and timed runs in each turn."""
PAUSE = 0.03
"""Seconds before a turn: a runtime's threads spin for a while after its last run."""


def side_by_side(runners: Mapping[str, Runner], inputs: Feed) -> dict[str, float]:
    """Median seconds of one run of each; they take turns, so that load strikes all alike.

    The first run of a turn does not count.
    """
    times: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(TURNS):
        for name, runner in runners.items():
            time.sleep(PAUSE)
            runner(inputs)
            times[name] += [_seconds(runner, inputs) for _ in range(RUNS)]
    return {name: median(values) for name, values in times.items()}


def _seconds(runner: Runner, inputs: Feed) -> float:
    start = time.perf_counter()
    runner(inputs)
    return time.perf_counter() - start
