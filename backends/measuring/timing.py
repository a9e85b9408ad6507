"""Measurement of speed: the one behind every latency.

What else a machine does only ever makes a run slower, so the truth is the lower end. The median
of a few runs bears single outliers, and the lowest of such medians bears load that comes and goes:
that is a round. Load that lasts slows a whole round, so rounds are apart from each other, and the
lowest of them counts once others agree with it: until then, rounds are added.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median
from typing import Any, Protocol

import numpy as np

from auxnas.backends.base import Runner

Feed = Mapping[str, np.ndarray[Any, Any]]


class Clock(Protocol):
    """Seconds; the module ``time`` is one."""

    def perf_counter(self) -> float:
        """The time."""

    def sleep(self, seconds: float, /) -> None:
        """Lets it pass."""


RUNS = 5
"""Timed runs of a median; one more before them does not count."""
ROUND, APART = 0.1, 0.4
"""Seconds that a round takes at least, and between rounds."""
AGREEING = 3
"""Rounds that have to agree, the lowest among them."""
STEADY = 0.05
"""Spread up to which they do."""
WIDEST = 10.0
"""Spread beyond which its size says no more than that the machine was stopped or swapped."""
LONGEST = 10.0
"""Seconds after which no more rounds are added."""


class Latency(float):
    """Seconds of one run, a number like any other, which says how sure it is.

    Args:
        rounds: the seconds of each.

    Attributes:
        spread: by how much the last of the agreeing rounds was slower, as a share; None where
            there are too few.
        rounds: how many there were.
    """

    spread: float | None
    rounds: int

    def __new__(cls, rounds: Sequence[float]) -> Latency:
        """The lowest of ``rounds``."""
        lowest = sorted(rounds)
        found = super().__new__(cls, lowest[0])
        found.rounds = len(lowest)
        enough = len(lowest) >= AGREEING and lowest[0] > 0
        found.spread = lowest[AGREEING - 1] / lowest[0] - 1 if enough else None
        return found

    @classmethod
    def told(cls, seconds: float, spread: float | None, rounds: int) -> Latency:
        """One that was measured elsewhere, of whose rounds only this is known."""
        found = cls([seconds])
        found.spread, found.rounds = spread, rounds
        return found

    @property
    def steady(self) -> bool:
        """Whether other rounds agree with the lowest."""
        return self.spread is not None and self.spread <= STEADY

    def clearly_below(self, other: Latency) -> bool:
        """Whether it is lower than ``other`` by more than the rounds of either are spread."""
        return self * (1 + max(self.spread or 0, other.spread or 0)) < other

    def to_dict(self) -> dict[str, float | None]:
        """The number in milliseconds, and what is known of its rounds."""
        return {
            "latency_ms": 1e3 * self,
            "latency_spread": self.spread,
            "latency_rounds": self.rounds,
        }

    def __str__(self) -> str:
        """``1.23 ms``, with what there is to say of its spread."""
        if self.spread is None:
            rounds = f"{self.rounds} round{'s' * (self.rounds != 1)}"
            return f"{1e3 * self:.2f} ms ({rounds}, too few to tell a spread)"
        remark = "" if self.steady else ", UNSTEADY: the machine is busy"
        rounds = f"lowest of {self.rounds} rounds, spread {spread_text(self.spread)}"
        return f"{1e3 * self:.2f} ms ({rounds}{remark})"


def spread_text(spread: float) -> str:
    """A spread in per cent; of one beyond ``WIDEST`` only that it is."""
    return f"{spread:.1%}" if spread <= WIDEST else f"over {WIDEST:.0%}"


def told_apart(seconds: Sequence[float]) -> list[str]:
    """Times as ``1.23 ms``, with as many digits more as tell those apart that are not the same."""
    for digits in range(2, 7):
        texts = [f"{1e3 * each:.{digits}f} ms" for each in seconds]
        if len(set(texts)) == len(set(seconds)):
            break
    return texts


def latency_of(runner: Runner, inputs: Feed, clock: Clock = time) -> Latency:
    """Seconds of one run of ``runner``."""
    return side_by_side({"": runner}, inputs, clock)[""]


def side_by_side(
    runners: Mapping[str, Runner], inputs: Feed, clock: Clock = time, longest: float = LONGEST
) -> dict[str, Latency]:
    """Seconds of one run of each, in turns."""
    rounds = {name: partial(timed_round, runner, inputs, clock) for name, runner in runners.items()}
    return in_turns(rounds, clock, longest)


def in_turns(
    timed: Mapping[str, Callable[[], float]], clock: Clock = time, longest: float = LONGEST
) -> dict[str, Latency]:
    """Seconds of one run of each; they take turns, so that load strikes all alike.

    Rounds are added while those of one of them do not agree, but none after ``longest`` seconds
    where there are ``AGREEING``.

    Args:
        timed: seconds of a run, by a round of runs, of each.
        clock: tells the time.
        longest: seconds.
    """
    rounds: dict[str, list[float]] = {name: [] for name in timed}
    start, pause = clock.perf_counter(), 0.0
    while True:
        for name, one in timed.items():
            clock.sleep(pause)
            pause = APART / len(timed)  # the threads of another runtime spin for a while, too
            rounds[name].append(one())
        found = {name: Latency(values) for name, values in rounds.items()}
        late = clock.perf_counter() - start > longest
        if all(each.steady or (late and each.rounds >= AGREEING) for each in found.values()):
            return found


def split_rounds(runs: int) -> list[range]:
    """Runs that are timed singly as rounds: as many as have to agree, of ``RUNS`` at least."""
    count = max(1, min(AGREEING, runs // RUNS))
    ends = [runs * part // count for part in range(count + 1)]
    return [range(start, end) for start, end in itertools.pairwise(ends)]


def latency_of_runs(seconds: Sequence[float]) -> Latency:
    """The latency of runs that were timed already, in the rounds of ``split_rounds``."""
    return Latency([_lowest([seconds[run] for run in part]) for part in split_rounds(len(seconds))])


def timed_round(runner: Runner, inputs: Feed, clock: Clock) -> float:
    """Seconds of one run: the lowest median of ``ROUND`` seconds of runs."""
    medians, start = list[float](), clock.perf_counter()
    while not medians or clock.perf_counter() - start < ROUND:
        runner(inputs)
        medians.append(median(_seconds(runner, inputs, clock) for _ in range(RUNS)))
    return min(medians)


def _lowest(seconds: Sequence[float]) -> float:
    """Lowest median of ``RUNS`` in a row, of all where they are fewer."""
    starts = range(0, max(1, len(seconds) - RUNS + 1), RUNS)
    return min(median(seconds[start : start + RUNS]) for start in starts)


def _seconds(runner: Runner, inputs: Feed, clock: Clock) -> float:
    start = clock.perf_counter()
    runner(inputs)
    return clock.perf_counter() - start
