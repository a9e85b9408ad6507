"""A searcher's state follows from the journal: to the last bit, wherever it was stored last."""

import json
import warnings
from dataclasses import replace

import pytest

from auxnas.search.errors import JournalError
from auxnas.search.loop import driver as driver_module
from auxnas.search.loop import replay
from auxnas.search.loop.ledger import Ledger
from auxnas.search.loop.replay import restore_searcher
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.schema import Snapshot
from auxnas.search.trials.records import PENDING
from tests.search import damaging
from tests.search.damaging import aged, all_of, driver_for, go_on

NAMES = ["ppo", "reinforce", "random", "evolution", "nsga2", "predictor"]


def restored(folder, name, framework="null", said=None):
    """The state of a new searcher brought to where a run left off, as JSON."""
    with Journal(folder, write=True) as journal:
        searcher = driver_for(journal, name, framework).searcher
        say = pytest.fail if said is None else said.append
        restore_searcher(searcher, journal, journal.trials(), say)
    return json.dumps(searcher.state(), sort_keys=True)


def without_snapshots(monkeypatch):
    """Only the first state is stored from now on."""
    monkeypatch.setattr(driver_module, "due_snapshot", lambda *given: None)


@pytest.mark.parametrize("framework", ["null", "torch"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("trials", [0, 2, 3, 10])
def test_replayed_from_the_first_batch_it_is_the_same(
    tmp_path, monkeypatch, name, framework, trials
):
    """Also behind half a batch, and where proposals were over a limit."""
    if framework == "torch":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pytest.importorskip("torch")
    stored = go_on(tmp_path / "stored", trials, name, framework)
    without_snapshots(monkeypatch)
    bare = go_on(tmp_path / "bare", trials, name, framework)
    with Journal(bare) as journal:
        assert (journal.searcher().asked, journal.searcher().told) == (0, 0)
        assert len(journal.rejections()) > 0 or trials < 10
    assert restored(bare, name, framework) == restored(stored, name, framework)
    apart = {"searcher": None, "sessions": None}
    assert all_of(stored)[0] | apart == all_of(bare)[0] | apart


def test_the_comparison_sees_a_batch_that_is_not_told(tmp_path, monkeypatch):
    without_snapshots(monkeypatch)
    folder = go_on(tmp_path / "run", 9)
    right = restored(folder, "ppo")
    monkeypatch.setattr(replay, "tell_searcher", lambda *given: [])
    assert restored(folder, "ppo", said=[]) != right


def test_a_large_searcher_is_stored_seldom(tmp_path):
    found = []
    for share in (1, 10_000):
        folder = go_on(tmp_path / str(share), 12, share=share)
        with Journal(folder) as journal:
            found.append(journal.searcher().told)
    assert found == [0, 4]


def test_a_searcher_that_proposes_otherwise_is_said(tmp_path):
    folder, said = go_on(tmp_path / "run", 2, "random"), []
    with Journal(folder, write=True) as journal:
        kept = journal.searcher()
        other = driver_for(journal, "random").searcher
        other.ask(1)
        journal.remember(replace(kept, state=other.state()))
    restored(folder, "random", said=said)
    assert said == [
        "the searcher proposes otherwise than it did: another machine, or other versions?"
    ]


@pytest.mark.parametrize("state", [{}, {"words": 3}, {"version": 3, "words": [1], "gauss": None}])
def test_what_is_no_state_is_refused(tmp_path, state):
    with Journal(tmp_path, write=True) as journal:
        journal.remember(Snapshot(0, 0, 0, state))
    with pytest.raises(JournalError, match="table searcher, row 0: no state of this searcher"):
        restored(tmp_path, "random")


# Journals of version 2 ----------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_run_of_an_older_version_is_read_and_continued(tmp_path, name):
    whole = all_of(go_on(tmp_path / "whole", 12, name))[0]
    folder = go_on(tmp_path / "old", 6, name)
    before, _ = all_of(folder)
    aged(folder)
    bytes_before = (folder / damaging.NAME).read_bytes()
    assert all_of(folder)[0] | {"asks": None} == before | {"asks": None}
    assert (folder / damaging.NAME).read_bytes() == bytes_before
    go_on(folder, 12, name)
    continued = all_of(folder)[0]
    assert {batch: whole["asks"][batch] for batch in continued["asks"]} == continued["asks"]
    del whole["asks"], continued["asks"], whole["sessions"], continued["sessions"]
    assert continued == whole


def test_one_that_ended_within_a_batch_too(tmp_path):
    """Its searcher is behind the batch's proposals, and has not been told."""
    whole = all_of(go_on(tmp_path / "whole", 9, "random"))[0]["trials"]
    folder = go_on(tmp_path / "old", 3, "random")
    with Journal(folder, write=True) as journal:
        driver = driver_for(journal, "random")
        trials = journal.trials()
        restore_searcher(driver.searcher, journal, trials, pytest.fail)
        ledger = Ledger(trials)
        driver._propose(ledger)
        journal.remember(Snapshot(2, 2, len(ledger.trials), driver.searcher.state()))
    aged(folder)
    with Journal(folder) as journal:
        assert [t.state == PENDING for t in journal.trials()] == [False] * 3 + [True] * 3
        assert (journal.searcher().asked, journal.searcher().told) == (2, 1)
    go_on(folder, 9, "random")
    assert all_of(folder)[0]["trials"] == whole
