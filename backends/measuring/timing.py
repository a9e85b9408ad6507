"""Measurement of speed: the one behind every latency.

What else a machine does only ever makes a run slower, so the truth is the lower end. Runs come
in rounds; the median of a round bears single outliers, the lowest of the rounds' medians bears
disturbed rounds, and it counts once others agree with it: until then, rounds are added.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from auxnas.backends.base import Runner

Feed = Mapping[str, np.ndarray[Any, Any]]
Clock = Callable[[], float]

RUNS = 5
"""Timed runs in each round; one more before them does not count."""
LEAST, MOST = 4, 1000
"""Rounds."""
AGREEING = 3
"""Rounds that have to agree, the lowest among them."""
STEADY = 0.05
"""Spread up to which they do."""
SHORTEST, LONGEST = 0.3, 10.0
"""Seconds that the rounds of a network are spread over at least, since load that lasts would slow
all of them alike, and after which no more are added."""
PAUSE = 0.03
"""Seconds before a round where several take turns: a runtime's threads spin for a while."""


class Latency(float):
    """Seconds of one run, a number like any other, which says how sure it is.

    Args:
        medians: of each round.

    Attributes:
        spread: by how much the last of the agreeing rounds was slower, as a share; None where
            there are too few.
        rounds: how many there were.
    """

    spread: float | None
    rounds: int

    def __new__(cls, medians: Sequence[float]) -> Latency:
        """The lowest of ``medians``."""
        lowest = sorted(medians)
        found = super().__new__(cls, lowest[0])
        found.rounds = len(lowest)
        enough = len(lowest) >= AGREEING and lowest[0] > 0
        found.spread = lowest[AGREEING - 1] / lowest[0] - 1 if enough else None
        return found

    @property
    def steady(self) -> bool:
        """Whether other rounds agree with the lowest."""
        return self.spread is not None and self.spread <= STEADY

    def __str__(self) -> str:
        """``1.23 ms``, with what there is to say of its spread."""
        if self.spread is None:
            return f"{1e3 * self:.2f} ms ({self.rounds} rounds, too few to tell a spread)"
        remark = "" if self.steady else ", UNSTEADY: the machine is busy"
        rounds = f"lowest of {self.rounds} rounds, spread {self.spread:.1%}"
        return f"{1e3 * self:.2f} ms ({rounds}{remark})"


def latency_of(runner: Runner, inputs: Feed, clock: Clock = time.perf_counter) -> Latency:
    """Seconds of one run of ``runner``."""
    return side_by_side({"": runner}, inputs, clock)[""]


def side_by_side(
    runners: Mapping[str, Runner], inputs: Feed, clock: Clock = time.perf_counter
) -> dict[str, Latency]:
    """Seconds of one run of each; they take turns, so that load strikes all alike.

    Rounds are added for ``SHORTEST`` seconds, and while one of them is not steady; ``MOST`` at
    the most, and none after ``LONGEST`` seconds.
    """
    medians: dict[str, list[float]] = {name: [] for name in runners}
    start = clock()
    while True:
        for name, runner in runners.items():
            if len(runners) > 1:
                time.sleep(PAUSE)
            medians[name].append(_round(runner, inputs, clock))
        found = {name: Latency(values) for name, values in medians.items()}
        rounds = len(next(iter(medians.values())))
        lasted = clock() - start
        steady = all(each.steady for each in found.values())
        enough = steady and rounds >= LEAST and lasted >= SHORTEST * len(runners)
        if enough or rounds >= MOST or (rounds >= AGREEING and lasted > LONGEST):
            return found


def latency_of_runs(seconds: Sequence[float]) -> Latency:
    """The latency of runs that were timed already, in their order, as rounds of ``RUNS``."""
    whole = range(0, max(1, len(seconds) - RUNS + 1), RUNS)
    return Latency([median(seconds[start : start + RUNS]) for start in whole])


def _round(runner: Runner, inputs: Feed, clock: Clock) -> float:
    """Median seconds of a round."""
    runner(inputs)
    return median(_seconds(runner, inputs, clock) for _ in range(RUNS))


def _seconds(runner: Runner, inputs: Feed, clock: Clock) -> float:
    start = clock()
    runner(inputs)
    return clock() - start
