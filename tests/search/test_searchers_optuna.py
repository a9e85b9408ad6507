"""Samplers of optuna's as searchers: the contract, goals, limits, and what is refused."""

import json
import sys

import numpy as np
import pytest

from auxnas.backends.base import BackendUnavailable
from auxnas.genotype import SearchSpace
from auxnas.search.errors import SettingsError
from auxnas.search.seams import SEARCHERS
from auxnas.search.searchers import make_searcher
from auxnas.search.searchers.optuna_sampler import UNFIT
from auxnas.search.settings.search import SearchSettings
from auxnas.search.tabular import load_table
from auxnas.search.trials.records import COMPLETE, Trial
from tests.search.contracts import SPACE, SearcherContract, rounds, told

pytest.importorskip("optuna")


def searcher_of(text, space=SPACE, seed=0):
    return make_searcher(SearchSettings(searcher=f"optuna:{text}"), space, seed, "null")


class TestTpe(SearcherContract):
    name = "optuna:tpe,n_startup_trials=2"


class TestNsga2(SearcherContract):
    name = "optuna:nsgaii,population_size=3"


@pytest.mark.parametrize("name", ["random", "nsgaiii", "bruteforce"])
def test_other_samplers_go_on_the_same_way_too(name):
    small = SearchSpace(encoder_outputs=2, blocks=1, branches=1)
    searcher = searcher_of(name, small, seed=1)
    rounds(searcher, 4)
    fresh = searcher_of(name, small)
    fresh.restore(json.loads(json.dumps(searcher.state())))
    assert rounds(fresh, 1, 12) == rounds(searcher, 1, 12)


def test_tpe_learns_and_a_reward_upside_down_unlearns():
    table = load_table()
    tails = []
    for sign in (1, -1):
        searcher, rewards = searcher_of("tpe", table.space), []
        for batch in range(20):
            genotypes = searcher.ask(2)
            found = [table.reward(each) for each in genotypes]
            pairs = enumerate(zip(genotypes, found, strict=True), 2 * batch)
            searcher.tell([Trial(n, 0, g, "", 0, COMPLETE, (), sign * r) for n, (g, r) in pairs])
            rewards += found
        tails.append(np.mean(rewards[-20:]))
    assert tails[0] > tails[1] + 0.05


def states(searcher):
    return [(name, values) for _, name, values, _ in searcher.state()["trials"]]


def test_what_was_passed_over_violates_a_constraint_and_the_rest_waits():
    searcher = searcher_of("random")
    over, _, good, later = searcher.ask(4)
    searcher.tell(told([good], first=3))
    done = ("COMPLETE", [pytest.approx(0.3)])
    assert states(searcher) == [("PRUNED", None), ("PRUNED", None), done, ("RUNNING", None)]
    notes = [notes for *_, notes in searcher.state()["trials"]]
    assert ["limits" in str(each) for each in notes] == [True, True, False, False]
    searcher.tell(told([over, later], first=1))  # one that does not wait any more changes nothing
    assert [name for name, _ in states(searcher)] == ["PRUNED", "PRUNED", "COMPLETE", "COMPLETE"]


@pytest.mark.parametrize("cost", ["params", "madds", "latency"])
def test_a_cost_is_a_second_goal_and_one_that_is_not_known_says_nothing(cost):
    searcher = searcher_of(f"nsgaii,cost={cost}")
    one, other = searcher.ask(2)
    searcher.tell([Trial(0, 0, one, "", 0, COMPLETE, (), 0.5, None, None, 1, 2, 3.0)])
    searcher.tell([Trial(1, 0, other, "", 0, COMPLETE, (), 0.5)])
    known = {"params": 1, "madds": 2, "latency": 3.0}[cost]
    assert states(searcher) == [("COMPLETE", [0.5, known]), ("PRUNED", None)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tpee", "no sampler of optuna's 'tpee', expected one of"),
        ("base", "no sampler"),
        (
            "tpe,trials=3",
            "TPESampler: .*unexpected keyword argument 'trials', expected .*n_startup",
        ),
        ("tpe,seed=3", "seed=3, expected no seed of its own: the run's, --seed"),
        ("nsgaii,population_size=1", "NSGAIISampler: .*greater than or equal to 2"),
        ("tpe:seed=3", "options behind it: tpe,NAME=VALUE"),
        *((name, f"optuna:{name}: {why}, expected one of") for name, why in UNFIT.items()),
        ("tpe,cost=watts", "cost=watts, expected one of latency, madds, params"),
        ("tpe,cost", "expected name=value"),
    ],
)
def test_what_there_is_not_is_named(text, words):
    with pytest.raises(SettingsError, match=f"search.searcher: .*{words}"):
        searcher_of(text)


def test_what_is_offered_can_be_asked_and_nothing_else_there_is():
    import optuna

    names = SEARCHERS.libraries["optuna"].names
    there = {each for each in optuna.samplers.__all__ if each.endswith("Sampler")}
    known = {each.removesuffix("Sampler").lower() for each in there} - {"base", "basega"}
    assert {*names, *UNFIT} == known
    assert not {*names} & {*UNFIT}
    for name in names:
        assert len(searcher_of(name).ask(1)) == 1


def test_the_most_usual_sampler_is_offered_first():
    with pytest.raises(ValueError, match=r"^perhaps optuna:tpe, or one of"):
        SEARCHERS.known("optuna")
    with pytest.raises(SettingsError, match="expected one of tpe, nsgaii, nsgaiii, gp, random,"):
        searcher_of("foo")


@pytest.mark.parametrize("name", ["optuna", "optun", "cmaes"])
def test_a_name_that_is_none_is_answered_by_those_there_are(name):
    with pytest.raises(ValueError, match=r"optuna:tpe, optuna:nsgaii, .*package\.module"):
        SEARCHERS.known(name)


def test_an_option_of_the_wrong_type_is_named_when_it_is_used():
    with pytest.raises(SettingsError, match=r"search.searcher: TPESampler"):
        searcher_of("tpe,n_startup_trials=abc").ask(1)


def test_without_optuna_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(BackendUnavailable, match=r'pip install "auxnas\[optuna\]"'):
        searcher_of("tpe")


def test_a_run_is_searched_by_it_and_goes_on_from_its_file_alone(run, tmp_path):
    words = ("--preset", "demo", "--data", "synthetic:12", "--learner", "null", "--size", "32x32")
    less = [("--set", each) for each in ("model.width=0.1", "latency.measure=false")]
    less = [word for pair in less for word in pair]
    searcher = ("--searcher", "optuna:tpe,n_startup_trials=1")
    result = run("run", *words, *less, *searcher, "--trials", "3", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    result = run("resume", tmp_path / "run", "--trials", "4")
    assert result.exit_code == 0, result.output
    assert "proposes otherwise" not in result.stderr


def test_a_sampler_that_there_is_not_stops_a_run_before_it_begins(run, tmp_path):
    words = ("--preset", "demo", "--data", "synthetic:12", "--learner", "null")
    result = run("run", *words, "--searcher", "optuna:nope", "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "no sampler of optuna's 'nope'" in result.stderr
    assert not (tmp_path / "run").exists()
