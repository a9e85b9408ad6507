"""The one measurement of latency: outliers and disturbed rounds cannot decide it."""

import random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxnas.backends.measuring import timing
from auxnas.backends.measuring.machine import instruction_sets
from auxnas.backends.measuring.timing import (
    AGREEING,
    APART,
    LONGEST,
    ROUND,
    RUNS,
    STEADY,
    Latency,
    latency_of_runs,
    split_rounds,
)


@pytest.fixture(autouse=True)
def brief_timing():
    """Here rounds are as many as it takes, by a clock of its own."""


TRUE = 0.001
BURST = 4 * (RUNS + 1)
"""Runs: at nine times their length, a part of a round."""


class Machine:
    """Runs a network in ``TRUE`` seconds of its own clock, longer where ``load`` says so.

    Args:
        load: the factor of a run, by its number and the time.
    """

    def __init__(self, load) -> None:
        self.load, self.now, self.runs = load, 0.0, 0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def __call__(self, inputs):
        self.now += TRUE * self.load(self.runs)
        self.runs += 1
        return {}


class Shared(Machine):
    """One where ``load`` is by the time."""

    def __call__(self, inputs):
        self.now += TRUE * self.load(self.now)


def quiet(run: int) -> float:
    return 1.0


def random_outliers(share: float, seed: int = 0):
    rng = random.Random(seed)
    return lambda run: rng.uniform(2, 50) if rng.random() < share else rng.uniform(1, 1.02)


LOADS = {
    "quiet": quiet,
    "first runs": lambda run: 1000 if run < 3 else 1,
    "a burst": lambda run: 9.0 if run < BURST else 1,
    "every other median": lambda run: 9.0 if run // (RUNS + 1) % 2 else 1,
    "most medians": lambda run: 1 if run // (RUNS + 1) % 5 == 4 else 3 + run % 7,
    "one run in ten": random_outliers(0.1),
    "one run in three": random_outliers(0.33),
}
LASTING = {
    "some tenths of a second": lambda now: 1.7 if now < 0.4 else 1,
    "over a second, and after": lambda now: 1.5 + now / 10 if not 1.2 < now < 4 else 1,
    "most of each second": lambda now: 1.6 + now % 0.3 if now % 1 > 0.3 else 1,
}


def measured(machine: Machine) -> Latency:
    return timing.latency_of(machine, {}, machine)


def off(latency: float) -> float:
    return latency / TRUE - 1


CASES = [Machine(load) for load in LOADS.values()] + [Shared(load) for load in LASTING.values()]


@pytest.mark.parametrize("machine", CASES, ids=[*LOADS, *LASTING])
def test_load_does_not_decide_and_the_spread_says_so(machine):
    found = measured(machine)
    assert -1e-9 <= off(found) < STEADY
    assert found.steady


@pytest.mark.parametrize("changed", [{"APART": 0}, {"AGREEING": 2, "APART": 0.2}])
def test_rounds_that_follow_at_once_or_are_two_are_not_enough(monkeypatch, changed):
    for name, value in changed.items():
        monkeypatch.setattr(timing, name, value)
    found = measured(Shared(LASTING["some tenths of a second"]))
    assert found.steady
    assert off(found) > 0.5


def test_a_single_median_would_be_decided_by_load(monkeypatch):
    monkeypatch.setattr(timing, "ROUND", 0)
    monkeypatch.setattr(timing, "APART", 0)
    assert off(measured(Machine(LOADS["a burst"]))) > 1


def test_what_never_becomes_steady_ends_and_is_said():
    rising = Shared(lambda now: 1.5**now)
    found = measured(rising)
    assert not found.steady
    assert "UNSTEADY" in str(found)
    assert LONGEST < rising.now < LONGEST + 2
    slow = Machine(lambda run: 5_000 * (1 + run // (RUNS + 1)))
    assert measured(slow).rounds == AGREEING


def test_a_quiet_machine_takes_few_rounds():
    machine = Machine(quiet)
    found = measured(machine)
    assert (found.rounds, found.spread) == (AGREEING, pytest.approx(0))
    assert str(found) == "1.00 ms (lowest of 3 rounds, spread 0.0%)"
    assert machine.now == pytest.approx(3 * ROUND + 2 * APART, abs=0.02)


def test_several_take_turns_until_each_is_steady():
    machine, calls = Machine(quiet), []

    def runner(name, factor):
        def run(inputs):
            calls.append(name)
            busy = name == "b" and machine.now < 2
            machine.now += TRUE * factor * (1 + 8 * machine.now if busy else 1)

        return run

    runners = {"a": runner("a", 1), "b": runner("b", 2)}
    found = timing.side_by_side(runners, {}, machine)
    turns = [name for name, before in zip(calls, [None, *calls], strict=False) if name != before]
    assert turns == ["a", "b"] * found["a"].rounds
    assert found["a"].rounds == found["b"].rounds > AGREEING
    assert found["b"] / found["a"] == pytest.approx(2)


@given(st.lists(st.floats(1e-6, 10), min_size=1, max_size=60))
def test_runs_that_were_timed_already_are_judged_alike(seconds):
    found, rounds = latency_of_runs(seconds), split_rounds(len(seconds))
    assert [run for part in rounds for run in part] == list(range(len(seconds)))
    assert min(seconds) <= found <= max(seconds)
    assert found.rounds == len(rounds) == max(1, min(AGREEING, len(seconds) // RUNS))
    assert (found.spread is None) == (found.rounds < AGREEING)
    spoilt = [x * 50 if run in rounds[0] else x for run, x in enumerate(seconds)]
    if found.rounds > 1:
        assert latency_of_runs(spoilt) <= median(seconds[run] for run in list(rounds[1])[:RUNS])


def test_a_latency_is_a_number():
    found = Latency([0.004, 0.002, 0.003])
    assert found == 0.002
    assert (found.spread, found.rounds) == (1.0, 3)
    assert type(1000 * found) is float
    assert "too few" in str(Latency([0.1, 0.2]))


def test_instruction_sets(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("model name : A\nflags\t: fpu avx2 avx512f amx_bf16\nmore : sse4_2\n")
    assert instruction_sets(path) == ["avx2", "avx512f", "amx_bf16"]
    path.write_text("Features\t: fp asimd i8mm\n")
    assert instruction_sets(path) == ["asimd", "i8mm"]
    assert instruction_sets(tmp_path / "none") == []


@given(st.lists(st.floats(1e-5, 10), min_size=1, max_size=4))
def test_times_that_differ_are_told_apart(seconds):
    """From the hundredth of a millisecond on, as far as the nanosecond."""
    texts = timing.told_apart(seconds)
    for one, text in zip(seconds, texts, strict=True):
        assert text.endswith(" ms")
        assert abs(float(text[:-3]) - 1e3 * one) <= 0.00501
    distinct = {round(1e3 * each, 6) for each in seconds}
    assert len(set(texts)) == len(distinct)
    assert timing.told_apart([0.00039, 0.0004]) == ["0.39 ms", "0.40 ms"]
    assert timing.told_apart([0.000391, 0.000394]) == ["0.391 ms", "0.394 ms"]


@given(st.floats(0, 1e9))
def test_a_spread_that_tells_nothing_has_no_digits(spread):
    text = timing.spread_text(spread)
    assert text == (f"{100 * spread:.1f}%" if spread <= 10 else "over 1000%")
    assert f"spread {text}" in str(Latency.told(1e-3, spread, 3))
