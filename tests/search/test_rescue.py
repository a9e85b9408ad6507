"""Damaged journals, full disks, folders that cannot be written: what is finished stays."""

import os
import random
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from auxnas.backends.progress import Silent
from auxnas.search.errors import JournalError
from auxnas.search.loop.context import RunContext
from auxnas.search.loop.run import execute
from auxnas.search.loop.status import run_status
from auxnas.search.loop.watching import Unwatched
from auxnas.search.settings.resolving import nest, resolve
from auxnas.search.storage import journal
from auxnas.search.storage.database import copy_database
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.rescue import BACKUP, DAMAGED, NAME, restore_from_backup
from auxnas.search.storage.schema import PAGE
from auxnas.search.trials.records import PENDING
from tests.search.comparing import contents
from tests.search.conftest import TINY

TRIALS = 4


@pytest.fixture(scope="module")
def runs(tmp_path_factory, module_place_of):
    """A run left alone, and the folder as it was after two trials, with a log beside the file."""
    base = tmp_path_factory.mktemp("runs")
    whole = module_place_of(base / "whole")
    inner = Unwatched.finished

    def copying(watch, trial, trials):
        inner(watch, trial, trials)
        if trial.number == 1:
            shutil.copytree(whole.folder, base / "half")

    Unwatched.finished = copying
    try:
        execute(whole)
    finally:
        Unwatched.finished = inner
    assert (base / "half" / f"{NAME}-wal").stat().st_size > 0
    return base


@pytest.fixture(scope="module")
def module_place_of(cache):
    def make(folder):
        settings = resolve(nest({**TINY, "trials": TRIALS}))
        return RunContext(settings, folder, cache, Silent())

    return make


@pytest.fixture
def copy_of(runs, tmp_path, module_place_of):
    """A copy of one of the runs, to be maltreated."""

    def make(name, copy="copy"):
        shutil.copytree(runs / name, tmp_path / copy)
        return module_place_of(tmp_path / copy)

    return make


def ended(folder):
    with Journal(folder) as journal:
        return [trial.number for trial in journal.trials() if trial.state != PENDING]


def cut(path, rng):
    """Truncates a file at a random byte."""
    with path.open("r+b") as file:
        file.truncate(rng.randrange(path.stat().st_size))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("name", "count"), [("whole", TRIALS), ("half", 2)])
def test_a_truncated_journal_is_read_and_gone_on_with(copy_of, runs, name, count, seed):
    place = copy_of(name)
    cut(place.folder / NAME, random.Random(f"{name} {seed}"))
    assert ended(place.folder) == list(range(count))
    if run_status(place.folder)["salvaged"]:
        assert restore_from_backup(place.folder).endswith("what that lacks is done again")
        assert (place.folder / DAMAGED).exists()
        assert run_status(place.folder)["salvaged"] == ""
    execute(place)
    assert contents(place.folder) == contents(runs / "whole")


@pytest.mark.parametrize("seed", range(4))
def test_a_truncated_log_loses_little(copy_of, runs, seed):
    place = copy_of("half")
    cut(place.folder / f"{NAME}-wal", random.Random(seed))
    assert ended(place.folder) in ([], [0], [0, 1])
    execute(place)
    assert contents(place.folder) == contents(runs / "whole")


def test_a_lost_journal_comes_back_from_its_backup(copy_of, runs):
    place = copy_of("whole")
    (place.folder / NAME).unlink()
    assert "missing; this is from its backup" in run_status(place.folder)["salvaged"]
    assert ended(place.folder) == list(range(TRIALS))
    execute(place)
    assert contents(place.folder) == contents(runs / "whole")


def test_the_backup_is_the_journal_after_every_trial(copy_of):
    place = copy_of("half")
    with Journal(place.folder) as journal:
        expected = journal.trials(), journal.meta(), journal.searcher(), journal.updates()
    for path in (place.folder / NAME, place.folder / f"{NAME}-wal"):
        path.unlink()
    with Journal(place.folder) as journal:
        assert journal.salvaged
        found = journal.trials(), journal.meta(), journal.searcher(), journal.updates()
    assert found == expected


def test_proposals_come_back_from_the_backup(runs, tmp_path, module_place_of, monkeypatch):
    place, inner = module_place_of(tmp_path / "run"), Unwatched.started

    def interrupted(watch, trial):
        if trial.number == 2:
            raise KeyboardInterrupt
        return inner(watch, trial)

    with monkeypatch.context() as patch:
        patch.setattr(Unwatched, "started", interrupted)
        with pytest.raises(KeyboardInterrupt):
            execute(place)
    (place.folder / NAME).unlink()
    with Journal(place.folder) as journal:
        assert [trial.state == PENDING for trial in journal.trials()] == [False] * 2 + [True] * 2
    execute(place)
    assert contents(place.folder) == contents(runs / "whole")


@pytest.mark.parametrize("backup", [None, b"", b"nothing like it" * 100])
def test_without_a_sound_backup_a_damaged_journal_is_refused_and_kept(copy_of, backup):
    place = copy_of("whole")
    path = place.folder / NAME
    path.write_bytes(path.read_bytes()[:5000])
    (place.folder / BACKUP).unlink()
    if backup is not None:
        (place.folder / BACKUP).write_bytes(backup)
    for act in (lambda: execute(place), lambda: run_status(place.folder)):
        with pytest.raises(JournalError, match=r"journal\.sqlite: unreadable \(damaged: "):
            act()
    assert path.stat().st_size == 5000


SQLITES = r"disk image|malformed|not a database|btree|Tree|\*\*\*|database is|no such"


@pytest.mark.parametrize("at", [0, 18, 100, *range(PAGE, 6 * PAGE, PAGE)])
def test_what_is_wrong_with_a_journal_is_said_in_our_words(copy_of, at):
    folder = copy_of("whole").folder
    with (folder / NAME).open("r+b") as file:
        file.seek(at)
        file.write(b"\xfa" * 200)
    (folder / BACKUP).unlink()
    for act in (Journal, restore_from_backup, partial(Journal, write=True)):
        with pytest.raises(JournalError, match=r"journal\.sqlite: unreadable \(") as caught:
            act(folder)
        assert not re.search(SQLITES, str(caught.value))


def test_damaged_journals_are_kept_each_with_its_log(copy_of):
    folder = copy_of("half").folder
    for name in (DAMAGED, "journal.damaged-2.sqlite", "journal.damaged-3.sqlite"):
        path = folder / NAME
        path.write_bytes(name.encode() * 999)
        log = Path(f"{path}-wal")
        log.write_bytes(b"x" + name.encode())
        said = restore_from_backup(folder)
        assert said.startswith(f"{path}, now {name}: damaged: ")
        assert "backup, which has 2 ended trials and may lack some, what" in said
        assert ended(folder) == [0, 1]
    for name in (DAMAGED, "journal.damaged-2.sqlite", "journal.damaged-3.sqlite"):
        assert (folder / name).read_bytes() == name.encode() * 999
        assert (folder / f"{name}-wal").read_bytes() == b"x" + name.encode()


def test_what_a_backup_lacks_is_counted(copy_of, runs, tmp_path):
    place = copy_of("whole")
    (place.folder / BACKUP).unlink()
    copy_of("half", "early")
    with Journal(tmp_path / "early") as journal:
        copy_database(journal._db, place.folder / BACKUP)
    with closing(sqlite3.connect(place.folder / NAME)) as database, database:
        database.execute("UPDATE stages SET reward = reward / 2")
    assert re.search(
        r"backup, which lacks \d+ of \d+ transactions and 2 of 4 ended trials", status_of(place)
    )
    assert "and 2 of 4 ended trials, what" in restore_from_backup(place.folder)
    execute(place)
    assert contents(place.folder) == contents(runs / "whole")


def status_of(place):
    return run_status(place.folder)["salvaged"]


def test_a_locked_journal_is_not_taken_for_a_damaged_one(copy_of, monkeypatch):
    folder = copy_of("whole").folder
    before = (folder / NAME).read_bytes()
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, timeout=0))
    with closing(sqlite3.connect(folder / NAME, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        for act in (Journal, restore_from_backup, partial(Journal, write=True)):
            with pytest.raises(JournalError, match=r"journal\.sqlite: open in another process"):
                act(folder)
        other.execute("ROLLBACK")
    assert (folder / NAME).read_bytes() == before
    assert restore_from_backup(folder) is None


def test_a_run_that_ended_before_its_first_transaction_begins_again(copy_of, runs):
    place = copy_of("whole")
    (place.folder / NAME).write_bytes(b"")
    (place.folder / BACKUP).unlink()
    execute(place)
    assert contents(place.folder) == contents(runs / "whole")


# A full disk ------------------------------------------------------------------------------


def test_a_disk_that_is_full_before_there_is_a_journal_is_said(tmp_path, monkeypatch):
    inner = journal._connected

    def limited(path, synchronous):
        database = inner(path, synchronous)
        database.execute("PRAGMA max_page_count = 1")
        return database

    monkeypatch.setattr(journal, "_connected", limited)
    with pytest.raises(JournalError, match=r"cannot be written \(database or disk is full\)"):
        Journal(tmp_path, write=True)


@pytest.mark.parametrize("missing", [1, 2, 4, 10])
def test_a_full_disk_ends_the_run_and_loses_nothing(
    runs, tmp_path, module_place_of, monkeypatch, missing
):
    """``max_page_count`` makes SQLite say what it says on a full disk."""
    place, inner = module_place_of(tmp_path / "run"), Journal._open
    pages = (runs / "whole" / NAME).stat().st_size // PAGE - missing

    def limited(self):
        database = inner(self)
        database.execute(f"PRAGMA max_page_count = {pages}")
        return database

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "_open", limited)
        with pytest.raises(JournalError, match=r"cannot be written \(database or disk is full\)"):
            execute(place)
    found = run_status(place.folder)["ended"] if (place.folder / BACKUP).exists() else 0
    execute(place)
    assert found < TRIALS
    assert contents(place.folder) == contents(runs / "whole")


LIMITED = """
import resource, sys
from auxnas.nassearch.cli import main
largest = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
main()
"""


@pytest.mark.parametrize("largest", [5_000, 30_000])
def test_files_that_cannot_grow_end_the_run_and_lose_nothing(copy_of, runs, cache, largest):
    place = copy_of("half")
    command = [sys.executable, "-c", LIMITED, str(largest), "resume", str(place.folder)]
    done = subprocess.run(
        [*command, "--cache", str(cache)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: {place.folder}"), done.stderr
    assert "Traceback" not in done.stderr
    assert ended(place.folder)[:2] == [0, 1]
    execute(place)
    assert contents(place.folder) == contents(runs / "whole")


# A folder that cannot be written ------------------------------------------------------------

UNPRIVILEGED = """
import os
from auxnas.nassearch.cli import main
import auxnas.search.data.scenes.synthetic
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
main()
"""


@pytest.fixture
def public(runs):
    """A folder that everybody reaches."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o700)
    shutil.rmtree(folder)


def unprivileged(*arguments):
    command = [sys.executable, "-c", UNPRIVILEGED, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=os.getcwd())


@pytest.mark.parametrize("name", ["whole", "half"])
def test_a_folder_that_cannot_be_written_is_read_and_refused(runs, public, name):
    folder = public / "run"
    shutil.copytree(runs / name, folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    done = unprivileged("status", folder)
    assert done.returncode == 0, done.stderr
    assert f"{TRIALS if name == 'whole' else 2} of {TRIALS} trials ended" in done.stdout
    done = unprivileged("resume", folder, "--trials", 9, "--cache", public / "none")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"error: {folder}/lock: Permission denied"
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == before


def test_a_damaged_backup_that_claims_more_does_not_stop_a_sound_journal(tmp_path):
    with Journal(tmp_path, write=True) as journal:
        journal.set_meta({"data": "1"})
    before = (tmp_path / NAME).read_bytes()
    with Journal(tmp_path, write=True) as journal:
        journal.set_meta({"encoder": "1"})
    (tmp_path / NAME).write_bytes(before)
    with closing(sqlite3.connect(tmp_path / BACKUP)) as backup, backup:
        backup.execute("UPDATE meta SET value = '2' WHERE name = 'data'")
    assert restore_from_backup(tmp_path).endswith("made again from the journal")
    with Journal(tmp_path, write=True) as journal:
        assert journal.meta() == {"data": "1"}


def test_a_folder_in_place_of_the_backup_is_refused_in_one_line(tmp_path):
    Journal(tmp_path, write=True).close()
    (tmp_path / BACKUP).unlink()
    (tmp_path / BACKUP).mkdir()
    with pytest.raises(JournalError, match="no file, expected a file, or nothing: move it away"):
        restore_from_backup(tmp_path)
