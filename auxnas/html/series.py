"""The numbers behind a page's charts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import mean, median

import numpy as np

from auxnas.search.trials.records import STOPPED, Trial

Points = list[tuple[int, float]]
"""(trial as people count, value)."""


def window(count: int) -> int:
    """Window of the running mean over ``count`` values: an eighth of them, 5 to 50."""
    return min(50, max(5, count // 8))


@dataclass(frozen=True)
class Band:
    """Running quartiles and mean of a series.

    Attributes:
        places: trials, as people count.
        low: first quartile of the last values up to each.
        mean: their mean.
        high: their third quartile.
    """

    places: list[int]
    low: list[float]
    mean: list[float]
    high: list[float]


def band(points: Points, size: int) -> Band:
    """Quartiles and mean of the last ``size`` values up to each point."""
    values = np.array([value for _, value in points])
    last = [values[max(0, end - size) : end] for end in range(1, len(values) + 1)]
    low, high = ([float(np.quantile(part, q)) for part in last] for q in (0.25, 0.75))
    return Band([x for x, _ in points], low, [float(part.mean()) for part in last], high)


def reward_points(trials: Iterable[Trial]) -> Points:
    """Reward of each trial that has one, against its number."""
    return [(t.number + 1, t.reward) for t in trials if t.reward is not None]


def stage_rewards(trials: Iterable[Trial], stage: int) -> list[float]:
    """The rewards after ``stage`` (1 or 2), of the trials that went through it."""
    return [trial.stages[stage - 1].reward for trial in trials if len(trial.stages) >= stage]


def best_so_far(points: Points) -> Points:
    """The largest value up to each point."""
    values = accumulate((value for _, value in points), max)
    return [(x, value) for (x, _), value in zip(points, values, strict=True)]


def stopped_share(trials: Sequence[Trial], size: int) -> Points:
    """Share of the last ``size`` trained trials that was stopped after stage 1."""
    points = [(trial.number + 1, float(trial.state == STOPPED)) for trial in trials]
    found = band(points, size)
    return list(zip(found.places, found.mean, strict=True))


@dataclass(frozen=True)
class StageTimes:
    """Statistics of a stage's time, in seconds.

    Attributes:
        count: how often it was gone through.
        mean: on average.
        median: half of the times are shorter.
        total: all together.
    """

    count: int
    mean: float
    median: float
    total: float


def stage_times(trials: Iterable[Trial], stage: int) -> StageTimes | None:
    """Times of ``stage`` (1 or 2); None when no trial went through it."""
    spent = [trial.stages[stage - 1].seconds for trial in trials if len(trial.stages) >= stage]
    return StageTimes(len(spent), mean(spent), median(spent), sum(spent)) if spent else None
