"""Files that are opened as journals and are none, or say what no journal says: one line each."""

import os
import re
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from auxnas.search.errors import JournalError
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.old_journal import SCHEMA as OLD_SCHEMA
from auxnas.search.storage.rescue import BACKUP, NAME, restore_from_backup
from auxnas.search.storage.schema import SCHEMA
from tests.search.damaging import aged, all_of, go_on

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x"
STATEMENTS = {
    "a column more": "ALTER TABLE trials ADD COLUMN note TEXT",
    "a table more": "CREATE TABLE notes (text TEXT)",
    "a table less": "DROP TABLE timings",
    "a view": "CREATE VIEW notes AS SELECT 1",
    "an index": "CREATE INDEX fast ON trials (reward)",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON trials BEGIN DELETE FROM trials; END",
    "an endless view": f"DROP TABLE meta; CREATE VIEW meta AS {ENDLESS} FROM n",
    "endless trials": f"DROP TABLE trials; CREATE VIEW trials AS {ENDLESS} AS state FROM n",
    "an endless table": f"DROP TABLE seal; CREATE VIEW seal AS {ENDLESS} FROM n",
}


@pytest.fixture
def folder(tmp_path):
    """A run without a backup."""
    go_on(tmp_path, 3)
    (tmp_path / BACKUP).unlink()
    return tmp_path


def change(folder, *statements, values=()):
    with closing(sqlite3.connect(folder / NAME)) as database, database:
        for statement in statements:
            for part in statement.split("; ") if "TRIGGER" not in statement else [statement]:
                database.execute(part, values)


def refused(folder, words):
    """The one line that every way of opening ends in; the file stays as it is."""
    before = (folder / NAME).read_bytes() if (folder / NAME).is_file() else None
    for act in (all_of, restore_from_backup, lambda place: Journal(place, write=True)):
        with pytest.raises(JournalError, match=words) as caught:
            act(folder)
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith(f"{folder / NAME}: ")
    assert before == ((folder / NAME).read_bytes() if before is not None else None)


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
@pytest.mark.parametrize("old", [False, True])
def test_what_is_declared_otherwise_is_refused_before_anything_is_read(folder, statement, old):
    if old:
        aged(folder)
        statement = statement.replace("DROP TABLE seal; CREATE VIEW seal", "CREATE VIEW seal")
    change(folder, statement)
    refused(folder, "no journal, or damaged: .* is not as in a journal")


@pytest.mark.parametrize("schema", [SCHEMA, OLD_SCHEMA])
def test_tables_with_a_version_that_is_none_are_refused(tmp_path, schema):
    with closing(sqlite3.connect(tmp_path / NAME)) as database:
        database.executescript(schema)
    refused(tmp_path, "journal version 0, expected 3")


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path):
    with closing(sqlite3.connect(tmp_path / NAME)) as database, database:
        database.execute("CREATE TABLE moz_places (id INTEGER PRIMARY KEY, url TEXT)")
        database.execute("PRAGMA user_version = 75")
    refused(tmp_path, "no journal, or damaged: table 'moz_places' is not as in a journal")


@pytest.mark.parametrize("kind", ["text", "folder", "pipe", "page"])
def test_a_file_of_another_kind_is_refused(tmp_path, kind):
    path = tmp_path / NAME
    {
        "text": lambda: path.write_text("not a database " * 99),
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "page": lambda: path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4080),
    }[kind]()
    refused(tmp_path, "unreadable")


def test_an_old_journal_that_another_process_has_open_is_not_converted(folder):
    """What that process writes would go to a file that has no name any more."""
    aged(folder)
    with closing(sqlite3.connect(folder / NAME)) as other:
        other.execute("PRAGMA journal_mode = WAL")  # as all of ours
        with other:
            other.execute("UPDATE sessions SET seconds = 7")
        with pytest.raises(JournalError, match=r"journal\.sqlite: open in another process"):
            Journal(folder, write=True)
        with other:
            other.execute("UPDATE sessions SET seconds = 77")
    with Journal(folder, write=True) as journal:
        assert [session.seconds for session in journal.sessions()] == [77]


DEEP = "[" * 100_000 + "]" * 100_000
LONG = "9" * 5000
CASES = [
    ("meta", "value", "[1]", "settings: no dict"),
    ("meta", "value", '{"data": 3}', "settings: no data.size"),
    ("meta", "value", '{"data": {"size": [1]}}', "settings: no data.size"),
    ("meta", "value", "{", "settings: no JSON"),
    ("meta", "value", DEEP, "settings: no JSON"),
    ("meta", "value", LONG, "settings: no JSON"),
    ("stages", "metrics", "[]", "row 0, 1: metrics: list, expected dict"),
    ("stages", "metrics", '{"miou": "0.5"}', "row 0, 1: metrics: miou is '0.5', expected a number"),
    ("stages", "metrics", '{"miou": true}', "row 0, 1: metrics: miou is True"),
    ("stages", "reward", "much", "row 0, 1: reward is str"),
    ("sessions", "environment", "3", "row 1: environment: int, expected dict"),
    ("trials", "genotype", "[]", "row 0: genotype: "),
    ("trials", "genotype", DEEP, "row 0: genotype: "),
    ("trials", "state", "asleep", "row 0: state 'asleep'"),
    ("trials", "batch", "one", "row 0: batch is str"),
    ("trials", "seed", 2.0**64, "row 0: seed is float"),
    ("trials", "number", -1, "no row 0"),
    ("trials", "reward", float("inf"), "row 0: reward is inf"),
    ("stages", "reward", float("-inf"), "row 0, 1: reward is -inf"),
    ("sessions", "seconds", float("inf"), "row 1: seconds is inf"),
    ("timings", "seconds", float("inf"), "row 0, 1: seconds is inf"),
    ("trials", "key", b"\xff\xfe", "row 0: key is bytes"),
    ("latencies", "milliseconds", b"1", "row 0: milliseconds is bytes"),
    ("rejections", "genotype", "{}", "row 1"),
    ("searcher", "state", "[]", "row 0: state: list, expected dict"),
    ("searcher", "state", '{"updates": 3}', "row 0: updates are no list"),
    ("searcher", "state", '{"updates": [{"told": "1"}]}', "row 1: told is '1', expected a number"),
]


@pytest.mark.parametrize(("table", "column", "value", "words"), CASES)
def test_values_that_no_journal_has_are_named(folder, table, column, value, words):
    """In one without digests, where they can only be told by what they are."""
    aged(folder)
    rows = "rowid = (SELECT min(rowid) FROM {})" if table != "meta" else "name = 'settings'"
    change(folder, f"UPDATE {table} SET {column} = ? WHERE {rows.format(table)}", values=(value,))
    refused(folder, f"table (updates|{table}).*{re.escape(words)}")


def test_what_is_not_known_of_a_run_is_an_error_that_names_it(folder):
    with Journal(folder) as journal:
        assert journal.meta().get("model") is None
        with pytest.raises(
            JournalError, match=f"{NAME}: it ended before the run's model was known"
        ):
            _ = journal.meta()["model"]


def test_the_largest_integers_are_kept_and_larger_ones_refused(folder):
    with Journal(folder, write=True) as journal:
        before = journal.trials()
        journal.set_meta({"data": 2**70})
        assert journal.meta()["data"] == 2**70
        with pytest.raises(JournalError, match="integers of 64 bits"):
            journal.propose([vast(before[0], 2**63)])
        assert journal.trials() == before
        journal.propose([vast(before[0], 2**63 - 1)])
    assert all_of(folder)[0]["trials"][-1].multiply_adds == 2**63 - 1


def vast(trial, count):
    return replace(trial, number=3, batch=1, state="pending", multiply_adds=count)
