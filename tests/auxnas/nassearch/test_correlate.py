"""Rank correlation, and ``nassearch correlate``."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxnas.backends.base import TrialFailure
from auxnas.backends.null.learner import NullLearner
from auxnas.compiler.tasks import Metric
from auxnas.nassearch import correlate
from auxnas.search.errors import SearchError
from auxnas.search.loop.run import execute
from auxnas.search.studies.correlation import PAIRS, choose_trials, correlations
from auxnas.search.studies.ranks import box_summary, p_value, ranks, spearman
from auxnas.search.trials.records import COMPLETE, FAILED, STOPPED, Stage, Trial, best_of

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12)
PAIRED = st.integers(2, 12).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 6), min_size=n, max_size=n)] * 2)
)


# Ranks ----------------------------------------------------------------------------------


@given(VALUES)
def test_ranks_by_counting(values):
    found = ranks(values)
    for value, rank in zip(values, found, strict=True):
        below, equal = (
            sum(test) for test in ([v < value for v in values], [v == value for v in values])
        )
        assert rank == below + (equal + 1) / 2


@given(st.permutations(range(8)), st.permutations(range(8)))
def test_without_ties_it_is_the_textbooks_formula(one, other):
    squares = sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
    assert spearman(one, other) == pytest.approx(1 - 6 * squares / (8 * 63))


@given(PAIRED)
def test_with_ties_it_is_numpys_correlation_of_ranks(pair):
    found = spearman(*pair)
    if len(set(pair[0])) == 1 or len(set(pair[1])) == 1:
        assert found is None
        return
    assert found == pytest.approx(np.corrcoef(ranks(pair[0]), ranks(pair[1]))[0, 1], abs=1e-12)
    assert spearman(pair[1], pair[0]) == pytest.approx(found)
    assert spearman([-value for value in pair[0]], pair[1]) == pytest.approx(-found)


def test_only_the_order_matters():
    one, other = [0.1, 0.5, 0.3, 0.9], [1, 4, 8, 9]
    assert spearman(one, other) == spearman([v**3 for v in one], np.exp(other)) == 0.8


@pytest.mark.parametrize("size", [0, 1])
def test_too_few_have_none(size):
    assert spearman([1.0] * size, [2.0] * size) is None
    assert p_value([1.0] * size, [2.0] * size) is None


def test_chance_of_five_in_order_is_two_in_a_hundred_and_twenty():
    assert p_value(range(5), range(5)) == pytest.approx(2 / 120, abs=0.004)
    assert p_value(range(5), range(5)[::-1]) == pytest.approx(2 / 120, abs=0.004)
    assert p_value(range(20), range(20)) < 2e-4
    assert p_value([1, 2, 3, 4], [2, 1, 4, 3]) > 0.2


def test_summary_of_few():
    assert box_summary([])["median"] is None
    found = box_summary([3.0, 1.0, 2.0])
    assert (found["count"], found["mean"], found["least"], found["median"]) == (3, 2, 1, 2)
    assert (found["lower_quartile"], found["upper_quartile"]) == (1.5, 2.5)


# Choosing -------------------------------------------------------------------------------


def trial(number, *rewards):
    state = COMPLETE if len(rewards) == 2 else STOPPED
    stages = tuple(Stage(reward, {}) for reward in rewards)
    return Trial(number, 0, None, str(number), 0, state, stages, (rewards or (None,))[-1])


@given(st.lists(st.floats(0, 1), min_size=3, max_size=40), st.integers(3, 30))
def test_chosen_ones_spread_over_the_ranks(values, count):
    """Stopped ones, every third here, as well as those through both stages."""
    trials = [
        trial(n, *((value,) if n % 3 == 0 else (0.5, value))) for n, value in enumerate(values)
    ]
    trials.append(replace(trial(99), state=FAILED))
    found = choose_trials(trials, count)
    assert len(found) == min(count, len(values))
    assert len({one.number for one in found}) == len(found)
    rewards = [one.stages[-1].reward for one in found]
    assert rewards == sorted(rewards)
    assert (rewards[0], rewards[-1]) == (min(values), max(values))
    if count >= len(values):
        assert {one.state for one in found} == {COMPLETE, STOPPED}


def test_too_few_are_refused():
    with pytest.raises(
        SearchError, match="2 trials with a reward of their own, expected at least 3"
    ):
        choose_trials([trial(0, 0.1, 0.2), trial(1, 0.4), replace(trial(2), state=FAILED)], 5)


def test_correlations_leave_failures_out():
    rows = [
        {
            "stage1": n,
            "stage2": -n,
            "full": None if n == 3 else n,
            "miou": None if n == 3 else 2 * n,
        }
        for n in range(6)
    ]
    metric = ("miou", Metric("mIoU"))
    found = {(row["first"], row["second"]): row for row in correlations(rows, metric)}
    assert set(found) == {*PAIRS, ("stage2", "miou")}
    error = correlations(rows, ("miou", Metric("error", higher=False)))[-1]
    assert error["spearman"] == -found["stage2", "miou"]["spearman"] == 1
    assert (found["stage1", "stage2"]["spearman"], found["stage1", "stage2"]["count"]) == (-1, 6)
    assert (found["stage1", "full"]["spearman"], found["stage1", "full"]["count"]) == (1, 5)


# The command ----------------------------------------------------------------------------


PLAN = ("--preset", "demo", "--set", "model.agg_size=8", "--epochs", 4, "--count", 3)


def test_a_sample_is_trained_and_compared(run, place_of):
    place = place_of("run", trials=5, search__proceed=1.0)
    trials = execute(place)
    result = run("correlate", place.folder, *PLAN, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    rows = found["architectures"]
    assert len(rows) == 3
    assert rows[-1]["trial"] == best_of(trials)[0].number + 1
    by_number = {trial.number + 1: trial for trial in trials}
    for row in rows:
        own = by_number[row["trial"]]
        assert [row["stage1"], row["stage2"]] == [stage.reward for stage in own.stages]
        kept = place.folder / "correlate" / f"trial-{row['trial']:05}" / "result.json"
        assert row["full"] == json.loads(kept.read_text())["reward"]
        assert row["miou"] == json.loads(kept.read_text())["miou"]
    assert {r["spearman"] for r in found["correlations"]} == {1.0}, "the null learner is consistent"
    assert Path(found["files"]["plot"]).read_bytes().startswith(b"\x89PNG")
    assert json.loads(Path(found["files"]["data"]).read_text()) == found


def test_stopped_ones_take_part_and_classes_left_out_are_the_searchs(run, place_of):
    """Fails where full training counts a class that rewards leave out."""
    place = place_of("run", trials=6, search__proceed=0.0, task__ignore=("road",))
    trials = execute(place)
    assert STOPPED in {trial.state for trial in trials}
    result = run("correlate", place.folder, *PLAN[:-1], 6, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    stopped = {trial.number + 1 for trial in trials if trial.state == STOPPED}
    for row in found["architectures"]:
        assert (row["stage2"] is None) == (row["trial"] in stopped)
        own = place.folder / "correlate" / f"trial-{row['trial']:05}"
        assert json.loads((own / "training.json").read_text())["settings"]["task"] == {
            "name": "segmentation",
            "ignore": ["road"],
        }
    counts = {(row["first"], row["second"]): row["count"] for row in found["correlations"]}
    assert counts["stage1", "full"] == len(found["architectures"])
    assert counts["stage2", "full"] == len(found["architectures"]) - len(stopped)
    assert found["ignored"] == ["road"]
    assert found["full_scored_on"] == "2 images of their validation part"


def test_it_goes_on_where_it_was_interrupted(run, place_of, monkeypatch):
    monkeypatch.setattr(correlate, "plot_correlation", lambda found, path: None)
    place = place_of("run", trials=5, search__proceed=1.0)
    execute(place)
    inner, calls = NullLearner.fit_part, []

    def interrupting(self, *args):
        calls.append(args[0].name)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return inner(self, *args)

    monkeypatch.setattr(NullLearner, "fit_part", interrupting)
    result = run("correlate", place.folder, *PLAN)
    assert result.exit_code == 130
    assert result.stderr.endswith("what is trained is kept, the same command goes on\n")
    result = run("correlate", place.folder, *PLAN)
    assert result.exit_code == 0, result.output
    assert "trained already" in result.stderr
    first, second, third = dict.fromkeys(calls)
    assert calls == [first] * 4 + [second] * 3 + [second] * 2 + [third] * 4
    for word in ("Spearman's rho", "full training", "stage 1, stage 2, all trials", ".png"):
        assert word in result.stdout


def test_a_failed_training_is_left_out(run, place_of, monkeypatch):
    monkeypatch.setattr(correlate, "plot_correlation", lambda found, path: None)
    place = place_of("run", trials=5, search__proceed=1.0)
    best = best_of(execute(place))[0]
    inner = NullLearner.fit_part

    def failing(self, program, *args):
        if program.name == best.key:
            raise TrialFailure("nan", "loss nan at step 1 of 9")
        return inner(self, program, *args)

    monkeypatch.setattr(NullLearner, "fit_part", failing)
    result = run("correlate", place.folder, *PLAN, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [row["failure"] for row in found["architectures"]] == [
        None,
        None,
        "nan: loss nan at step 1 of 9",
    ]
    assert [row["count"] for row in found["correlations"]] == [3, 2, 2, 2]


@pytest.mark.parametrize("command", ["correlate", "ablate"])
def test_the_missing_extra_is_named_before_the_work(run, place_of, monkeypatch, tmp_path, command):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    place = place_of("run")
    execute(place)
    args = [place.folder] if command == "correlate" else ["--out", tmp_path / "out"]
    result = run(command, *args)
    assert result.exit_code == 3
    assert result.stderr == (
        "error: plots: the package 'matplotlib' is not installed, "
        'try: pip install "auxnas[report]"\n'
    )
    assert not (place.folder / "correlate").exists()
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_run(run, tmp_path):
    result = run("correlate", tmp_path)
    assert result.exit_code == 2
    assert "no run here" in result.stderr
