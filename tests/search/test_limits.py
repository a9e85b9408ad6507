"""Limits: over them nothing is trained, told or lost; latency weighs as its formula says."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxnas.backends.base import BackendUnavailable
from auxnas.backends.measuring.timing import Latency
from auxnas.backends.progress import Silent
from auxnas.compiler import lower
from auxnas.genotype import SearchSpace
from auxnas.search.errors import SearchError
from auxnas.search.examples import context
from auxnas.search.loop import profiler
from auxnas.search.loop.bounds import Until
from auxnas.search.loop.driver import Rules
from auxnas.search.loop.proposals import (
    HOPELESS,
    HOPELESS_TIMED,
    LOOKED_AT,
    LOOKED_AT_TIMED,
    draw_proposals,
    look_ahead,
)
from auxnas.search.loop.run import execute
from auxnas.search.searchers import RandomSearcher
from auxnas.search.settings.search import LatencySettings, LimitSettings
from auxnas.search.storage import weights
from auxnas.search.storage.journal import Journal
from auxnas.search.trials.limits import first_excess, weighted_reward
from auxnas.search.trials.records import COMPLETE, Figures
from tests.search.comparing import contents

SPACE = SearchSpace.cvpr2019()


def cheap(genotype):
    """Figures that differ from genotype to genotype: the first token alone."""
    return Figures(genotype.tokens[0], 1000 + genotype.tokens[0], 0.5 * genotype.tokens[0])


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        ({}, None),
        ({"params": 7, "madds": 8, "latency_ms": 2.5}, None),
        ({"params": 6}, ("params", "params 7, at most 6")),
        ({"madds": 7}, ("madds", "madds 8, at most 7")),
        ({"latency_ms": 2.4}, ("latency_ms", "latency_ms 2.5, at most 2.4")),
        ({"params": 6, "madds": 7}, ("params", "params 7, at most 6")),
    ],
)
def test_excess(limits, found):
    assert first_excess(LimitSettings(**limits), Figures(7, 8, 2.5)) == found


def test_what_was_not_measured_is_not_over_a_limit():
    assert first_excess(LimitSettings(latency_ms=1), Figures(7, 8)) is None


def test_a_batch_is_filled_with_what_is_within_the_limits():
    limits = LimitSettings(params=1)
    drawn, rejected = draw_proposals(RandomSearcher(SPACE, 0), 20, cheap, limits)
    assert len(drawn) == 20
    assert rejected
    assert all(genotype.tokens[0] <= 1 for genotype, _ in drawn)
    assert all(each.genotype.tokens[0] > 1 for each in rejected)
    unlimited, none = draw_proposals(
        RandomSearcher(SPACE, 0), 20 + len(rejected), cheap, LimitSettings()
    )
    assert none == []
    assert [g for g, _ in unlimited if g.tokens[0] <= 1] == [g for g, _ in drawn]


def test_hopeless_limits_are_given_up():
    asked = []

    def measure(genotype):
        asked.append(genotype)
        return Figures(5, 5)

    with pytest.raises(SearchError, match="0 of 1000 proposals are within them, expected looser "):
        draw_proposals(RandomSearcher(SPACE, 0), 2, measure, LimitSettings(params=4))
    assert len(asked) == 2 * HOPELESS


def test_networks_that_have_to_be_timed_are_given_up_sooner():
    said, figures = [], Figures(5, 5, 3.2)
    limits = LimitSettings(latency_ms=0.1)
    with pytest.raises(SearchError, match="0 of 100 proposals"):
        draw_proposals(RandomSearcher(SPACE, 0), 2, lambda genotype: figures, limits, said.append)
    assert HOPELESS_TIMED * 2 == 100
    last = "the last: latency_ms 3.2, at most 0.1"
    assert said == [f"limits: {n} proposals rejected so far, {last}" for n in (20, 40, 80)]


@pytest.mark.parametrize(
    ("limits", "figures", "asked", "words"),
    [
        ({"params": 4}, Figures(1234, 5), LOOKED_AT, "the least params 1,234, at most 4"),
        ({"latency_ms": 1}, Figures(6, 5, 2.5), LOOKED_AT_TIMED, "latency_ms 2.5, at most 1"),
    ],
)
def test_looking_ahead_names_the_least_that_was_seen(limits, figures, asked, words):
    some, found = iter(lambda: SPACE.sample(random.Random(0)), None), []

    def measure(genotype):
        found.append(genotype)
        return figures

    with pytest.raises(SearchError, match=f"none of {asked} random networks is .*{words}"):
        look_ahead(some, measure, LimitSettings(**limits), Silent())
    assert len(found) == asked


def test_one_within_the_limits_is_enough():
    some = [SPACE.sample(random.Random(seed)) for seed in range(9)]
    most = sorted(genotype.tokens[0] for genotype in some)[1]
    look_ahead(iter(some), cheap, LimitSettings(params=max(1, most)), Silent())


def test_hopeless_limits_are_found_before_an_image_is_read(place_of, monkeypatch):
    monkeypatch.setattr(context, "pixel_store", lambda *args: pytest.fail("read"))
    place = place_of(limits__params=10)
    with pytest.raises(SearchError, match=r"none of 200 .*the least params [\d,]+, at most 10"):
        execute(place)
    assert not place.folder.exists()


def test_what_cannot_be_measured_is_left_to_the_evaluator():
    drawn, rejected = draw_proposals(
        RandomSearcher(SPACE, 0), 3, lambda genotype: None, LimitSettings()
    )
    assert [figures for _, figures in drawn] == [None] * 3
    assert rejected == []


class Listening(RandomSearcher):
    """Remembers what it was told."""

    told = ()

    def tell(self, trials):
        self.told = (*self.told, *trials)


def test_rejections_are_kept_and_nobody_is_told(tmp_path, driver_of):
    searcher = Listening(SPACE, 0)
    rules = Rules(0, 3, 0.9, 5, limits=LimitSettings(params=1))
    with Journal(tmp_path, write=True) as journal:
        driver = driver_of(journal, searcher=searcher, measure=cheap, rules=rules)
        trials = driver.run(Until(6))
        rejected = journal.rejections()
        assert journal.trials() == trials
    assert [trial.number for trial in trials] == list(range(6))
    assert all(trial.parameters <= 1 for trial in trials)
    assert rejected
    assert all(each.limit == "params" for each in rejected)
    assert list(searcher.told) == trials


@given(st.floats(0.01, 1), st.floats(0.01, 100), st.floats(0.01, 100))
def test_weighting_is_that_of_mnasnet(reward, latency, target):
    settings = LatencySettings(target_ms=target)
    assert weighted_reward(reward, latency, LatencySettings()) == reward
    assert weighted_reward(reward, target, settings) == reward
    assert weighted_reward(reward, None, settings) == reward
    twice = weighted_reward(reward, 2 * latency, settings) / weighted_reward(
        reward, latency, settings
    )
    assert twice == pytest.approx(0.9526, abs=1e-4)


def test_the_searcher_is_told_the_weighted_reward_and_stages_keep_their_own(tmp_path, driver_of):
    searcher = Listening(SPACE, 0)
    rules = Rules(0, 3, 0.9, 5, latency=LatencySettings(target_ms=1.0, exponent=-1.0))
    with Journal(tmp_path, write=True) as journal:
        trials = driver_of(
            journal,
            searcher=searcher,
            measure=lambda genotype: Figures(1, 2, 4.0),
            rules=rules,
        ).run(Until(3))
    assert all(trial.reward == trial.stages[-1].reward / 4 for trial in trials)
    assert [trial.reward for trial in searcher.told] == [trial.reward for trial in trials]
    assert all(trial.latency == 4.0 for trial in trials)


@pytest.mark.parametrize("batch", [1, 2])
def test_an_isomorphic_genotype_is_not_measured_again(tmp_path, driver_of, batch):
    """Neither in a later batch nor in the same, nor one that was rejected."""
    within, over = SPACE.genotype([0] * len(SPACE.layout)), SPACE.sample(random.Random(0))
    measured = []

    class Repeating(Listening):
        asked = 0

        def ask(self, count):
            self.asked += 1
            return [within if self.asked % 3 == 0 else over] * count

    def measure(found):
        measured.append(found)
        return Figures(1 if found == within else 9, 2, float(len(measured)))

    rules = Rules(0, batch, 0.9, 5, limits=LimitSettings(params=1))
    with Journal(tmp_path, write=True) as journal:
        searcher = Repeating(SPACE, 0)
        trials = driver_of(journal, searcher=searcher, measure=measure, rules=rules).run(Until(4))
        assert len(journal.rejections()) == 8
    assert measured.count(within) == 1
    assert measured.count(over) == 1
    assert len({trial.latency for trial in trials}) == 1


# In a run --------------------------------------------------------------------------------


def test_limits_of_a_run(place_of):
    found = execute(place_of("free"))
    limit = sorted(trial.parameters for trial in found)[2]
    place = place_of("limited", limits__params=limit)
    trials = execute(place)
    assert len(trials) == 6
    assert all(trial.parameters <= limit for trial in trials)
    with Journal(place.folder) as journal:
        assert journal.rejections()
    execute(place_of("again", limits__params=limit))
    assert contents(place.folder) == contents(place_of("again").folder)


def test_latency_is_measured_stored_and_left_out_of_comparisons(place_of, monkeypatch):
    asked = []

    def measured(graph, size, threads, *_):
        asked.append((graph, size, threads))
        return Latency([0.001 * len(asked)] * 3)

    lowered = Counter()

    def counting(*args):
        lowered[args] += 1
        return lower(*args)

    weights.shipped_graph.cache_clear()
    monkeypatch.setattr(weights, "lower", counting)
    monkeypatch.setattr(profiler, "compiled_latency", measured)
    place = place_of("timed", latency__measure=True, threads=1)
    trials = execute(place)
    assert set(lowered.values()) == {1}
    assert [trial.latency for trial in trials] == pytest.approx([n + 1.0 for n in range(6)])
    assert {(size, threads) for _, size, threads in asked} == {((32, 32), 1)}
    assert {len(graph.outputs) for graph, _, _ in asked} == {1}
    timed = contents(place.folder)
    execute(place_of("again", latency__measure=True, threads=1))
    assert contents(place_of("again").folder) == timed
    with Journal(place_of("again").folder) as journal:
        assert [trial.latency for trial in journal.trials()] != [trial.latency for trial in trials]


def test_a_latency_that_no_other_round_agrees_with_is_said(place_of, monkeypatch):
    said, place = [], place_of("busy", latency__measure=True, trials=1)
    monkeypatch.setattr(profiler, "compiled_latency", lambda *_: Latency([0.001, 0.002, 0.009]))
    monkeypatch.setattr(place.display, "say", said.append)
    place.profiler.profile(SPACE.genotype([0] * len(SPACE.layout)))
    assert "latency: 1.00 ms (lowest of 3 rounds, spread 800.0%, UNSTEADY" in said[-1]


def test_latency_is_not_measured_over_another_limit(place_of, monkeypatch):
    monkeypatch.setattr(profiler, "compiled_latency", lambda *args: pytest.fail("measured"))
    place = place_of(latency__measure=True, limits__params=1)
    figures = place.profiler.profile(SPACE.genotype([0] * len(SPACE.layout)))
    assert figures.parameters > 1
    assert figures.latency is None


def test_a_latency_limit_rejects(place_of, monkeypatch):
    monkeypatch.setattr(
        profiler, "compiled_latency", lambda graph, *_: Latency([len(graph) / 1000] * 3)
    )
    limit = sorted(t.latency for t in execute(place_of("free", latency__measure=True)))[2]
    place = place_of("limited", limits__latency_ms=limit, limits__constant=False)
    trials = execute(place)
    assert all(trial.latency <= limit for trial in trials)
    with Journal(place.folder) as journal:
        assert {each.limit for each in journal.rejections()} == {"latency_ms"}
    assert {trial.state for trial in trials} >= {COMPLETE}


@pytest.mark.parametrize(
    "needed",
    [
        {"limits__latency_ms": 3.0},
        {"latency__target_ms": 3.0},
        {"search__searcher": "nsga2", "search__nsga2__cost": "latency"},
        {"search__searcher": "optuna:nsgaii,population_size=4,cost=latency"},
    ],
)
def test_without_onnxruntime_latency_is_left_out_unless_it_is_needed(place_of, monkeypatch, needed):
    def missing(role, name):
        raise BackendUnavailable("ort", "onnxruntime", "ort")

    monkeypatch.setattr(profiler, "backend", missing)
    assert not place_of(latency__measure=True).profiler.measures_latency
    with pytest.raises(BackendUnavailable, match=r"auxnas\[ort\]"):
        _ = place_of(**needed).profiler.measures_latency


def test_a_real_measurement_is_in_milliseconds(place_of):
    pytest.importorskip("onnxruntime")
    figures = place_of(latency__measure=True).profiler.profile(
        SPACE.genotype([0] * len(SPACE.layout))
    )
    assert 0.01 < figures.latency < 10_000
