"""A byte that changes in a journal is seen: it reads the same, or its backup does, or an error."""

import random
import re
import shutil
import sqlite3
from contextlib import closing

import pytest

from auxnas.search.errors import JournalError
from auxnas.search.storage import rescue
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.rescue import BACKUP, DAMAGED, NAME, fault_of, restore_from_backup
from auxnas.search.storage.sealing import columns
from tests.search.damaging import TABLES, all_of, go_on

ONE_LINE = re.compile(r"\S+/journal\.sqlite: unreadable \([^\n]+\), expected a journal, or [^\n]+")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run with something in every table."""
    folder = go_on(tmp_path_factory.mktemp("finished") / "run", 12)
    with closing(sqlite3.connect(folder / NAME)) as database:
        assert all(database.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in TABLES)
    return folder


@pytest.fixture
def copy_of(finished, tmp_path):
    def make(name="run", backup=True):
        shutil.copytree(finished, tmp_path / name)
        if not backup:
            (tmp_path / name / BACKUP).unlink()
        return tmp_path / name

    return make


def flip(path, seed):
    """Changes 1 to 20 bytes at random places."""
    rng, data = random.Random(seed), bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 20)):
        data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
    path.write_bytes(data)


def outcome(folder, expected):
    """What becomes of reading: ``same``, ``backup``, ``refused`` or ``silent``."""
    try:
        said, salvaged = all_of(folder)
    except JournalError as error:
        return "refused" if ONE_LINE.fullmatch(str(error)) else str(error)
    if said != expected:
        return "silent"
    return "backup" if salvaged else "same"


@pytest.mark.parametrize("backup", [True, False])
def test_random_bytes_never_make_a_silent_difference(finished, copy_of, tmp_path, backup):
    expected, _ = all_of(finished)
    copy_of(backup=backup)
    found = []
    for seed in range(60):
        shutil.copyfile(finished / NAME, tmp_path / "run" / NAME)
        flip(tmp_path / "run" / NAME, seed)
        found.append(outcome(tmp_path / "run", expected))
    assert set(found) == {"same", "backup" if backup else "refused"}


def test_the_check_is_what_sees_them(finished, copy_of, tmp_path, monkeypatch):
    """A reader without digests takes some for sound: the test above can fail."""
    expected, _ = all_of(finished)
    copy_of(backup=False)
    monkeypatch.setattr(rescue, "seal_fault", lambda database: None)
    found = []
    for seed in range(60):
        shutil.copyfile(finished / NAME, tmp_path / "run" / NAME)
        flip(tmp_path / "run" / NAME, seed)
        try:
            said, _ = all_of(tmp_path / "run")
        except JournalError:
            continue
        found.append(said == expected)
    assert not all(found)


def test_damage_in_both_files_is_refused(finished, copy_of):
    expected, _ = all_of(finished)
    folder = copy_of()
    for name in (NAME, BACKUP):
        with closing(sqlite3.connect(folder / name)) as database, database:
            database.execute("UPDATE trials SET reward = reward + 1 WHERE number = 2")
    assert outcome(folder, expected) == "refused"
    with pytest.raises(JournalError, match="table trials, row 2: its digest is of other values"):
        restore_from_backup(folder)


CELLS = [(table, column.name) for table in TABLES for column in columns()[table]]


@pytest.mark.parametrize(("table", "column"), CELLS)
def test_a_cell_that_changes_is_named(copy_of, table, column):
    """One digit, letter or byte of it; still a row that the table may have."""
    folder = copy_of(backup=False)
    with closing(sqlite3.connect(folder / NAME)) as database, database:
        names = ", ".join(each.name for each in columns()[table])
        *_, last = database.execute(f"SELECT {names} FROM {table}")
        place = [each.name for each in columns()[table]].index(column)
        keys = [(c, v) for c, v in zip(columns()[table], last, strict=True) if c.key]
        where = " AND ".join(f"{c.name} = ?" for c, _ in keys)
        database.execute("PRAGMA ignore_check_constraints = ON")
        database.execute(
            f"UPDATE {table} SET {column} = ? WHERE {where}",
            (other(last[place]), *(v for _, v in keys)),
        )
    row = ", ".join(str(v) for c, v in keys) if column not in [c.name for c, _ in keys] else ".*"
    assert re.match(
        f"damaged: (table {table}, row {row}: its|its contents)", fault_of(folder / NAME)
    )


def other(value):
    if value is None:
        return 1
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    return f"{value} " if isinstance(value, str) else value + 1


@pytest.mark.parametrize("table", TABLES)
def test_a_row_that_is_lost_is_missed(copy_of, table):
    folder = copy_of(backup=False)
    with closing(sqlite3.connect(folder / NAME)) as database, database:
        keys = ", ".join(column.name for column in columns()[table] if column.key)
        last = f"SELECT {keys} FROM {table} ORDER BY {keys} DESC LIMIT 1"
        database.execute(f"DELETE FROM {table} WHERE ({keys}) = ({last})")
    assert re.fullmatch(rf"damaged: table {table}: \d+ rows, expected \d+", fault_of(folder / NAME))


def test_a_row_of_an_earlier_moment_is_missed(copy_of, tmp_path):
    """It has the right digest, but is not what was written last."""
    early, late = go_on(tmp_path / "early", 2), copy_of(backup=False)
    with closing(sqlite3.connect(late / NAME)) as database, database:
        database.execute("ATTACH ? AS early", (str(early / NAME),))
        database.execute("REPLACE INTO main.trials SELECT * FROM early.trials WHERE number = 2")
    assert fault_of(late / NAME) == "damaged: table trials: not the rows that were written last"


def test_an_older_journal_beside_its_backup_is_brought_up_to_date(copy_of, tmp_path, finished):
    """As after a lost end of the log, which SQLite leaves out without a word."""
    early, late = go_on(tmp_path / "early", 5), copy_of()
    shutil.copyfile(early / NAME, late / NAME)
    said, salvaged = all_of(late)
    assert said == all_of(finished)[0]
    assert re.search(r"lacks the last \d+ of \d+ transactions; this is from its backup", salvaged)
    assert "lacks the last" in restore_from_backup(late)
    assert all_of(late) == (said, "")


def test_damage_is_mended_and_the_run_goes_on(copy_of, tmp_path):
    folder, whole = copy_of(), go_on(tmp_path / "whole", 15)
    with closing(sqlite3.connect(folder / NAME)) as database, database:
        database.execute("UPDATE stages SET metrics = '{}' WHERE trial = 1")
    assert (
        "row 1, 1: its digest is of other values; going on from its backup"
        in restore_from_backup(folder)
    )
    assert fault_of(folder / DAMAGED)
    go_on(folder, 15)
    assert all_of(folder)[0]["trials"] == all_of(whole)[0]["trials"]


def test_a_damaged_backup_is_said_and_made_again(copy_of, finished):
    folder = copy_of()
    with closing(sqlite3.connect(folder / BACKUP)) as database, database:
        database.execute("DELETE FROM stages WHERE trial = 1")
    assert re.search(
        r"backup\.sqlite: damaged: table stages: .*made again", restore_from_backup(folder)
    )
    Journal(folder, write=True).close()
    assert fault_of(folder / BACKUP) is None
    (folder / NAME).unlink()
    assert all_of(folder)[0] == all_of(finished)[0]


def test_a_transaction_that_the_backup_lacks_is_made_up_for(copy_of, monkeypatch):
    """As where a process is killed between the two, or the second file cannot grow."""
    folder = copy_of()
    with Journal(folder, write=True) as journal:
        journal._follows = False
        journal.set_meta({"encoder": "1"})
    with Journal(folder, write=True) as journal:
        journal.set_meta({"teacher": "2"})
        expected = journal.meta()
    (folder / NAME).unlink()
    assert all_of(folder)[0]["meta"] == expected
