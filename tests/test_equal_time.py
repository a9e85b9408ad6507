"""The comparison of searchers at equal time: what counts, and what its table says."""

import json
import re
from itertools import accumulate

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from auxnas.search.storage.lock import run_lock
from bench.training import equal_time

SECONDS = st.floats(0.1, 10)


class Runs:
    """Stands for the command: every run takes the next of some times."""

    def __init__(self, seconds):
        self.seconds, self.trials = iter(seconds), 0

    def __call__(self, words):
        if words.startswith("run "):
            self.trials = int(re.search(r"--trials (\d+)$", words)[1])
            return None, next(self.seconds)
        return [{"genotype": n, "reward": n / 1000} for n in range(self.trials)][::-1], 0.0


def searched(monkeypatch, folder, seconds, limit):
    monkeypatch.setattr(equal_time, "nassearch", Runs([*seconds, *[99.0] * 50]))
    return equal_time.search("ppo", 0, "", folder, limit)


@given(first=st.lists(SECONDS, min_size=6, max_size=6), second=st.lists(SECONDS, max_size=30))
def test_no_more_counts_than_the_first_took(tmp_path_factory, first, second):
    with pytest.MonkeyPatch.context() as patch:
        ours = searched(patch, tmp_path_factory.mktemp("a"), first, None)
        assert ours["trials"] == equal_time.TRIALS
        assert ours["seconds"] == pytest.approx(sum(first))
        folder = tmp_path_factory.mktemp("b")
        theirs = searched(patch, folder, second, ours["seconds"])
        within = sum(spent <= ours["seconds"] for spent in accumulate(second))
        assert theirs["trials"] == equal_time.STEP * within
        assert theirs["seconds"] <= ours["seconds"]
        assert len(theirs["best"]) == theirs["trials"]
        # What has ended is not gone on with.
        assert searched(patch, folder, [], ours["seconds"]) == theirs
        assert json.loads((folder / "ppo-0.json").read_text()) == theirs


def test_what_was_cut_off_begins_again_as_nobody_knows_its_time(tmp_path, monkeypatch):
    class Cut(Runs):
        def __call__(self, words):
            if words.startswith("run "):
                (tmp_path / "ppo-0" / f"{next(self.seconds)}").mkdir(parents=True)
                if len(list((tmp_path / "ppo-0").iterdir())) == 3:
                    raise KeyboardInterrupt
                return None, 1.0
            return [], 0.0

    monkeypatch.setattr(equal_time, "nassearch", Cut(range(9)))
    with pytest.raises(KeyboardInterrupt):
        equal_time.search("ppo", 0, "", tmp_path, None)
    again = searched(monkeypatch, tmp_path, [2.0] * 6, None)
    assert again["seconds"] == pytest.approx(12.0)
    assert again["trials"] == equal_time.TRIALS
    assert not (tmp_path / "ppo-0").exists()


@given(st.lists(st.tuples(*[st.floats(10, 60)] * 6), min_size=1, max_size=3))
def test_the_table_tells_each_seeds_difference(scores):
    def found(start):
        return {
            "trials": [60] * len(scores),
            "minutes": [1.0] * len(scores),
            "reward": [0.5] * len(scores),
            "miou": {seed: list(row[start : start + 3]) for seed, row in enumerate(scores)},
        }

    text = equal_time.table({"ppo": found(0), "predictor": found(3)})
    told = re.findall(r"[+-]\d+\.\d", text.rpartition("seed by seed:")[2])
    gains = [sum(row[3:]) / 3 - sum(row[:3]) / 3 for row in scores]
    assert [float(each) for each in told] == pytest.approx(gains, abs=0.051)
    assert f"{sum(map(sum, (row[:3] for row in scores))) / 3 / len(scores):.1f}" in text


def test_a_folder_of_other_settings_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(equal_time, "nassearch", lambda words: (None, 0.0))
    equal_time.begin({"size": "96x128"}, "", tmp_path)
    equal_time.begin({"size": "96x128"}, "", tmp_path)
    with pytest.raises(Exception, match="other settings"):
        equal_time.begin({"size": "48x64"}, "", tmp_path)


def test_one_command_at_a_time_has_a_folder(tmp_path):
    words = ["--data", "d", "--encoder", "e", "--work", str(tmp_path), "--output", "o.json"]
    with run_lock(tmp_path):
        found = CliRunner().invoke(equal_time.main, words)
    assert found.exit_code == 1
    assert "in use by" in found.output
