"""The journal: transactions, versions, damage, readers beside the writer."""

import multiprocessing
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auxnas.genotype import SearchSpace, zoo
from auxnas.search.errors import JournalError, SearchError
from auxnas.search.storage import rescue
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.rescue import BACKUP, NAME, fault_of, restore_from_backup
from auxnas.search.storage.schema import VERSION, JournalRow, Session, Snapshot, result_rows
from auxnas.search.storage.sealing import EMPTY, create_tables, seal_fault, write_sealed
from auxnas.search.trials.records import (
    COMPLETE,
    FAILED,
    PENDING,
    REUSED,
    STOPPED,
    Failure,
    Rejection,
    Stage,
    Trial,
    best_of,
)
from tests.search.comparing import contents

GENOTYPES = [zoo.load_published(name).genotype for name in zoo.NAMES]


def pending(number, batch=0):
    genotype = GENOTYPES[number % 3]
    found = Trial(number, batch, genotype, genotype.key(), 10 + number)
    return replace(found, parameters=7, multiply_adds=9, latency=1.25 * number or None)


def ended(number, reward=0.5):
    stages = (Stage(0.25, {"miou": 0.125}, 1.5, 16), Stage(reward, {"miou": 0.75}, 2.5))
    return replace(pending(number), state=COMPLETE, stages=stages, reward=reward)


def told(number):
    """A searcher that remembers a trial."""
    return Snapshot(1, 1, 3, {"told": number})


@pytest.fixture
def folder(tmp_path):
    with Journal(tmp_path, write=True) as journal:
        journal.set_meta({"settings": {"seed": 3}})
        journal.remember(Snapshot(0, 0, 0, {"asked": 1}))
        journal.propose([pending(n) for n in range(3)], [2, 1])
    return tmp_path


def test_keeps_what_it_is_given(folder):
    trials = [
        ended(0),
        replace(pending(1), state=FAILED, failure=Failure("nan", "loss nan"), stages=()),
        replace(pending(2), state=REUSED, reward=0.5, source=0),
    ]
    with Journal(folder, write=True) as journal:
        for trial in trials:
            journal.finish(trial, told(trial.number), updates=[{"told": trial.number}])
    with Journal(folder) as journal:
        assert journal.trials() == trials
        assert [trial.latency for trial in journal.trials()] == [None, 1.25, 2.5]
        assert journal.trials()[0].seconds == 4.0
        assert journal.searcher() == told(2)
        assert journal.updates() == [{"told": 0}, {"told": 1}, {"told": 2}]
        assert journal.updates(after=2) == [{"told": 2}]
        assert journal.asks() == {0: [2, 1]}
        assert journal.asks(1) == {}
        assert journal.meta() == {"settings": {"seed": 3}}


def test_counts_and_the_best_are_those_of_all_trials(tmp_path):
    states = [COMPLETE, FAILED, STOPPED, COMPLETE, REUSED, COMPLETE, PENDING, STOPPED]
    with Journal(tmp_path, write=True) as journal:
        journal.propose([pending(n) for n in range(len(states))], [8])
        for number, state in enumerate(states):
            if state != PENDING:
                failure = Failure("nan", "loss nan") if state == FAILED else None
                reward = None if failure else (0.5, 0.75)[number % 5 == 0]
                found = replace(ended(number), state=state, reward=reward, failure=failure)
                journal.finish(replace(found, stages=()) if failure else found)
        trials = journal.trials()
        for count in range(1, 7):
            best = journal.best(count)
            assert best == best_of(trials)[:count]
            assert [t.stages for t in best] == [trials[t.number].stages for t in best]
            assert [t.latency for t in best] == [trials[t.number].latency for t in best]
        assert journal.counts("state") == Counter(states)
        assert journal.counts("failure") == {"nan": 1}
        assert journal.rejected() == {}


def test_sessions_and_rejections(folder):
    rejected = [
        Rejection(genotype, "params", f"params {n}") for n, genotype in enumerate(GENOTYPES)
    ]
    with Journal(folder, write=True) as journal:
        journal.begin_session({"host": "a"}, 1.0)
        journal.finish(ended(0), seconds=7.5)
        journal.begin_session({"host": "b"}, 2.0)
        journal.propose([pending(3, 1)], [1], rejected)
    with Journal(folder) as journal:
        assert journal.sessions() == [Session({"host": "a"}, 7.5), Session({"host": "b"}, 2.0)]
        assert journal.rejections() == rejected
        assert journal.rejected() == {"params": len(rejected)}


def test_result_and_searcher_state_stand_or_fall_together(folder):
    with Journal(folder, write=True) as journal:
        before = contents(folder)
        with pytest.raises(SearchError, match="cannot be stored"):
            journal.finish(ended(0), Snapshot(1, 1, 3, {"state": object()}))
        twice = replace(ended(0), stages=(Stage(0.1, {}), Stage(float("nan"), {})))
        with pytest.raises(sqlite3.IntegrityError):
            journal.finish(twice, told(1))  # SQLite stores NaN as NULL, which is refused
        assert contents(folder) == before
        journal.finish(ended(0))
        assert contents(folder) != before


def test_a_batch_is_proposed_whole_or_not_at_all(folder):
    with Journal(folder, write=True) as journal:
        with pytest.raises(sqlite3.IntegrityError):
            journal.propose([pending(3, 1), pending(0, 1)], [9])
        assert [trial.number for trial in journal.trials()] == [0, 1, 2]
        assert journal.asks() == {0: [2, 1]}


def test_an_ended_trial_cannot_end_again(folder):
    with Journal(folder, write=True) as journal:
        journal.finish(ended(0, 0.5))
        with pytest.raises(JournalError, match="a trial that has ended, expected a pending one"):
            journal.finish(ended(0, 0.9), told(9))
        assert journal.trials()[0].reward == 0.5
        assert journal.searcher() == Snapshot(0, 0, 0, {"asked": 1})


def test_contents_leave_timings_out_and_nothing_else(tmp_path):
    found = []
    for name, seconds, reward in (("a", 1.0, 0.5), ("b", 2.0, 0.5), ("c", 1.0, 0.6)):
        folder = tmp_path / name
        folder.mkdir()
        with Journal(folder, write=True) as journal:
            journal.propose([pending(0)])
            stages = (Stage(reward, {}, seconds),)
            journal.finish(replace(ended(0, reward), stages=stages))
        found.append(contents(folder))
    assert found[0] == found[1]
    assert found[0] != found[2]


def _read(folder, queue):
    with Journal(folder) as journal:
        queue.put([trial.state for trial in journal.trials()])


def test_another_process_reads_while_one_writes(folder):
    with Journal(folder, write=True) as journal:
        journal.finish(ended(0))
        context = multiprocessing.get_context("spawn")
        queue = context.Queue()
        process = context.Process(target=_read, args=(folder, queue))
        process.start()
        assert queue.get(timeout=60) == ["complete", "pending", "pending"]
        process.join()


def test_a_missing_one_says_so(tmp_path):
    with pytest.raises(JournalError, match="no run here, expected a folder that nassearch run"):
        Journal(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("version", "age"), [(VERSION + 1, "a newer"), (1, "an older")])
def test_one_of_another_version_is_refused_and_left_alone(folder, version, age):
    for name in (NAME, BACKUP):
        with sqlite3.connect(folder / name) as database:
            database.execute(f"PRAGMA user_version = {version}")
        database.close()
    with pytest.raises(JournalError, match=f"journal version {version}, .*: {age} auxnas"):
        restore_from_backup(folder)
    for write in (False, True):
        with pytest.raises(JournalError, match=f"journal version {version}, .*: {age} auxnas"):
            Journal(folder, write)


@pytest.mark.parametrize("write", [False, True])
def test_a_file_that_is_no_journal_is_refused(tmp_path, write):
    (tmp_path / NAME).write_bytes(b"something else" * 100)
    with pytest.raises(JournalError, match="unreadable"):
        Journal(tmp_path, write)
    assert (tmp_path / NAME).read_bytes() == b"something else" * 100


def test_each_file_is_verified_once_when_it_is_opened_for_writing(folder, monkeypatch):
    verified = []

    def counting(path):
        verified.append(path.name)
        return fault_of(path)

    monkeypatch.setattr(rescue, "fault_of", counting)
    Journal(folder, write=True).close()
    assert verified == [NAME, BACKUP]


def test_damage_while_it_is_open_is_called_so(folder):
    with Journal(folder, write=True) as journal:
        journal.finish(ended(0))
    with Journal(folder, write=True) as journal:
        path = folder / NAME
        path.write_bytes(b"\xff" * path.stat().st_size)
        with pytest.raises(JournalError, match="expected a whole file: what has ended is kept"):
            journal.finish(ended(1))
    assert "going on from its backup" in restore_from_backup(folder)
    with Journal(folder) as journal:
        assert len(journal.trials()) == 3


def test_genotypes_of_other_spaces_come_back(tmp_path):
    space = SearchSpace(encoder_outputs=3, blocks=2, branches=1)
    genotype = space.genotype([0] * len(space.layout))
    with Journal(tmp_path, write=True) as journal:
        journal.propose([Trial(0, 0, genotype, genotype.key(), 1)])
        assert journal.trials()[0].genotype == genotype
        assert journal.trials()[0].genotype.space == space


# Interrupts --------------------------------------------------------------------------------


class Interrupted:
    """A connection that raises right behind the COMMIT of that number, which is done."""

    def __init__(self, inner, last):
        self._inner, self._last, self._count = inner, last, 0
        inner.execute("PRAGMA synchronous = OFF")

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def execute(self, statement, *values):
        done = self._inner.execute(statement, *values)
        if statement == "COMMIT":
            self._count += 1
            if self._count == self._last:
                raise KeyboardInterrupt
        return done


def interrupted(folder, which, last):
    """Writes until the interrupt, and once more as a run does that ends; whether one came."""
    with Journal(folder, write=True) as journal:
        journal.begin_session({}, 0.0)
        journal.propose([pending(n) for n in range(3)], [2, 1])
        setattr(journal, which, Interrupted(getattr(journal, which), last))
        try:
            for number in range(3):
                journal.finish(ended(number), told(number), 1.0)
        except KeyboardInterrupt:
            journal.spend(2.0)
            return True
        return False


@pytest.mark.parametrize("which", ["_db", "_second"])
def test_interrupted_behind_any_commit_both_files_are_sound(tmp_path, which):
    for last in count(1):
        folder = tmp_path / str(last)
        folder.mkdir()
        came = interrupted(folder, which, last)
        assert [fault_of(folder / name) for name in (NAME, BACKUP)] == [None, None]
        assert restore_from_backup(folder) is None
        with Journal(folder) as journal:
            assert journal.sessions()[-1].seconds == (2.0 if came else 1.0)
        if not came:
            break
    assert last > 3


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@example(-0.0, -0.0, "")
@given(NUMBERS, NUMBERS, st.text())
def test_any_number_and_text_is_as_it_was_written(reward, seconds, detail):
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        create_tables(database)
        trial = replace(
            ended(1), stages=(Stage(reward, {"miou": reward}, seconds),), reward=reward,
            failure=Failure("crash", detail),
        )  # fmt: skip
        write_sealed(database, EMPTY, [*result_rows(trial), JournalRow("latencies", (1, seconds))])
        assert seal_fault(database) is None
