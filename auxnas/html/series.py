"""The numbers behind a page's charts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import mean, median
from typing import TypeVar

import numpy as np

from auxnas.search.trials.records import STOPPED, Trial

Points = list[tuple[int, float]]
"""(trial as people count, value)."""


MOST = 2_000
"""Points of a series in a chart: a page of a long run stays small."""

T = TypeVar("T")


def thinned(items: Sequence[T]) -> Sequence[T]:
    """``MOST`` items evenly apart, the first and the last among them; all where there are fewer."""
    if len(items) <= MOST:
        return items
    return [items[round(n * (len(items) - 1) / (MOST - 1))] for n in range(MOST)]


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
    """Quartiles and mean of the last ``size`` values up to each point, of long series to some."""
    values = np.array([value for _, value in points])
    ends = thinned(range(1, len(values) + 1))
    last = [values[max(0, end - size) : end] for end in ends]
    low, high = ([float(np.quantile(part, q)) for part in last] for q in (0.25, 0.75))
    return Band([points[end - 1][0] for end in ends], low, [float(p.mean()) for p in last], high)


def reward_points(trials: Iterable[Trial]) -> Points:
    """Reward of each trial that has one, against its number."""
    return [(t.number + 1, t.reward) for t in trials if t.reward is not None]


def stage_rewards(trials: Iterable[Trial], stage: int) -> list[float]:
    """The rewards after ``stage`` (1 or 2), of the trials that went through it."""
    return [trial.stages[stage - 1].reward for trial in trials if len(trial.stages) >= stage]


def best_so_far(points: Points) -> Points:
    """The largest value up to each point where it grows."""
    values = list(accumulate((value for _, value in points), max))
    pairs = zip(points, values, [None, *values], strict=False)
    return [(x, value) for (x, _), value, before in pairs if value != before]


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
