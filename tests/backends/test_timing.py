"""The one measurement of latency: outliers and disturbed rounds cannot decide it."""

import math
import random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxnas.backends.measuring import timing
from auxnas.backends.measuring.timing import (
    AGREEING,
    LEAST,
    MOST,
    RUNS,
    SHORTEST,
    STEADY,
    Latency,
    latency_of_runs,
)


@pytest.fixture(autouse=True)
def brief_timing():
    """Here rounds are as many as it takes, by a clock of its own."""


TRUE = 0.001
BURST = 4 * (RUNS + 1)
"""Runs: at nine times their length, most of the shortest time."""


class Machine:
    """Runs a network in ``TRUE`` seconds of its own clock, longer where ``load`` says so.

    Args:
        load: the factor of a run, by its number.
    """

    def __init__(self, load) -> None:
        self.load, self.now, self.runs = load, 0.0, 0

    def clock(self) -> float:
        return self.now

    def __call__(self, inputs):
        self.now += TRUE * self.load(self.runs)
        self.runs += 1
        return {}


def quiet(run: int) -> float:
    return 1.0


def random_outliers(share: float, seed: int = 0):
    rng = random.Random(seed)
    return lambda run: rng.uniform(2, 50) if rng.random() < share else rng.uniform(1, 1.02)


LOADS = {
    "quiet": quiet,
    "first runs": lambda run: 1000 if run < 3 else 1,
    "a burst": lambda run: 9.0 if run < BURST else 1,
    "every other round": lambda run: 9.0 if run // (RUNS + 1) % 2 else 1,
    "most rounds": lambda run: 1 if run // (RUNS + 1) % 5 == 4 else 3 + run % 7,
    "one run in ten": random_outliers(0.1),
    "one run in three": random_outliers(0.33),
}


def measured(load) -> Latency:
    machine = Machine(load)
    return timing.latency_of(machine, {}, machine.clock)


def off(latency: float) -> float:
    return latency / TRUE - 1


@pytest.mark.parametrize("name", LOADS)
def test_load_does_not_decide_and_the_spread_says_so(name):
    found = measured(LOADS[name])
    assert -1e-9 <= off(found) < STEADY
    assert found.steady


def test_rounds_that_agree_at_once_are_not_enough(monkeypatch):
    monkeypatch.setattr(timing, "SHORTEST", 0)
    assert off(measured(LOADS["a burst"])) > 1


def once(runner, inputs, clock) -> float:
    """The mutant: one measurement, the median of as many runs as are allowed in a round."""
    times = []
    for _ in range(4 * (RUNS + 1)):
        start = clock()
        runner(inputs)
        times.append(clock() - start)
    return median(times)


def test_a_single_measurement_would_be_decided_by_load():
    machine = Machine(LOADS["a burst"])
    assert off(once(machine, {}, machine.clock)) > 1


def test_what_never_becomes_steady_ends_and_is_said():
    found = measured(lambda run: 1.5 ** (run // (RUNS + 1)))
    assert not found.steady
    assert "UNSTEADY" in str(found)
    falling = measured(lambda run: 0.8 ** (run // (RUNS + 1)))
    assert (falling.rounds, falling.steady) == (MOST, False)
    slow = Machine(lambda run: 5_000 * (1 + run // (RUNS + 1)))
    assert timing.latency_of(slow, {}, slow.clock).rounds == AGREEING


def test_a_quiet_machine_takes_few_rounds():
    found = measured(quiet)
    least = math.ceil(SHORTEST / (RUNS + 1) / TRUE)
    assert (found.rounds, found.spread) == (least, pytest.approx(0))
    assert str(found) == f"1.00 ms (lowest of {least} rounds, spread 0.0%)"
    assert measured(lambda run: 100).rounds == LEAST


def test_several_take_turns_until_each_is_steady(monkeypatch):
    monkeypatch.setattr(timing, "PAUSE", 0)
    machine, calls = Machine(quiet), []

    def runner(name, load):
        def run(inputs):
            calls.append(name)
            machine.now += TRUE * load(calls.count(name) - 1)

        return run

    busy = runner("b", lambda run: 2 * (9 if run < BURST else 1))
    found = timing.side_by_side({"a": runner("a", quiet), "b": busy}, {}, machine.clock)
    turn = 1 + RUNS
    assert calls == [*"a" * turn, *"b" * turn] * found["a"].rounds
    assert found["a"].rounds == found["b"].rounds >= 4 + AGREEING
    assert found["b"] / found["a"] == pytest.approx(2)


@given(st.lists(st.floats(1e-6, 10), min_size=1, max_size=60))
def test_runs_that_were_timed_already_are_judged_alike(seconds):
    found = latency_of_runs(seconds)
    assert min(seconds) <= found <= max(seconds)
    assert found.rounds == max(1, len(seconds) // RUNS)
    assert (found.spread is None) == (found.rounds < AGREEING)
    spoilt = [x * 50 if index < RUNS else x for index, x in enumerate(seconds)]
    if found.rounds > 1:
        assert latency_of_runs(spoilt) <= max(median(seconds[at : at + RUNS]) for at in (RUNS,))


def test_a_latency_is_a_number():
    found = Latency([0.004, 0.002, 0.003])
    assert found == 0.002
    assert (found.spread, found.rounds) == (1.0, 3)
    assert type(1000 * found) is float
    assert "too few" in str(Latency([0.1, 0.2]))
