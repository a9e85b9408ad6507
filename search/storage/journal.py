"""Journal of a run: one SQLite file that other processes can read meanwhile.

A trial's result and what the searcher learnt of it are written in one transaction, so the file
is consistent whenever the process ended. The searcher's state itself follows from the batches: it
is stored now and then, and computed again from there; see ``search.loop.replay``. A second file
gets every transaction as well, and takes the journal's place where that is damaged; see
``search.storage.rescue``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from auxnas.search.errors import JournalError
from auxnas.search.storage import old_journal, reading, schema
from auxnas.search.storage.database import copy_database, fault_words, is_of_disk
from auxnas.search.storage.reading import RowError
from auxnas.search.storage.rescue import (
    BACKUP,
    NAME,
    open_readable,
    restore_from_backup,
    update_journal,
)
from auxnas.search.storage.schema import JournalRow, Session, Snapshot, dump
from auxnas.search.storage.sealing import Seal, create_tables, seal_of, write_sealed
from auxnas.search.trials.records import PENDING, Rejection, Trial

_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Journal:
    """The open journal of a run.

    Attributes:
        path: the file.
        salvaged: why another file is read in its place, or what was mended for writing; empty
            when it was sound.

    Raises:
        JournalError: when there is none, or it is damaged or of another version.
    """

    def __init__(self, folder: Path, write: bool = False) -> None:
        self.path, self.salvaged = folder / NAME, ""
        self._second: sqlite3.Connection | None = None
        if not write:
            self._db, self.salvaged = open_readable(folder)
            return
        self.salvaged = restore_from_backup(folder) or ""
        self._db = self._open()
        try:
            self._second = self._open_second()
        except (sqlite3.Error, OSError) as error:
            self._db.close()
            raise self._unwritable(error) from error

    def _open(self) -> sqlite3.Connection:
        """The journal, made where there is none, converted where it is of an older version."""
        try:
            database = _connected(self.path, "FULL")
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version == 0:
                create_tables(database)
            elif version == old_journal.VERSION:
                database.close()
                update_journal(self.path)
                database = _connected(self.path, "FULL")
        except sqlite3.Error as error:
            if is_of_disk(error):
                raise self._unwritable(error) from error
            found = f"unreadable ({fault_words(error)})"
            raise JournalError(str(self.path), found, "a journal") from None
        return database

    def _open_second(self) -> sqlite3.Connection:
        """The second file, made anew where it is not like the journal."""
        path = self.path.with_name(BACKUP)
        if _seal_in(path) != seal_of(self._db):
            copy_database(self._db, path)
        return _connected(path, "NORMAL")

    def close(self) -> None:
        """Closes both files."""
        self._db.close()
        if self._second is not None:
            self._second.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read transaction: everything read in the block is of one moment."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    # Writing ------------------------------------------------------------------------

    def _write(self, *rows: JournalRow, check: Callable[[], None] = lambda: None) -> None:
        """Writes all rows in one transaction, or none; to the journal first.

        Each file's own seal is what the rows are added to: whether a transaction that was
        interrupted is in a file, only that file knows. The second takes no more transactions
        once it lacks one.

        Raises:
            JournalError: when a file cannot be written, for example on a full disk.
        """
        with self._transaction(self._db):
            check()
            before = seal_of(self._db)
            write_sealed(self._db, before, rows)
        if self._second is None:
            return
        with self._transaction(self._second):
            if seal_of(self._second) == before:
                write_sealed(self._second, before, rows)

    @contextmanager
    def _transaction(self, database: sqlite3.Connection) -> Iterator[None]:
        """Commits at the end of the block, or leaves the file as it was."""
        try:
            if database.in_transaction:  # where an interrupt came before the end of the last one
                database.execute("ROLLBACK")
            database.execute("BEGIN IMMEDIATE")
            yield
            database.execute("COMMIT")
        except sqlite3.IntegrityError:
            raise
        except OverflowError as error:
            raise JournalError(str(self.path), str(error), "integers of 64 bits") from None
        except (sqlite3.DatabaseError, RowError) as error:
            raise self._unwritable(error) from error
        finally:
            if database.in_transaction:
                database.execute("ROLLBACK")

    def _unwritable(self, error: Exception) -> JournalError:
        damaged = isinstance(error, RowError)
        damaged |= getattr(error, "sqlite_errorcode", None) in _DAMAGE
        found = fault_words(error) if damaged else error
        expected = "a whole file" if damaged else "room to write"
        expected += ": what has ended is kept, and nassearch resume goes on from it"
        return JournalError(str(self.path), f"cannot be written ({found})", expected)

    def _check_pending(self, number: int) -> None:
        select = "SELECT state FROM trials WHERE number = ?"
        if self._db.execute(select, (number,)).fetchone() != (PENDING,):
            raise JournalError(str(self.path), "a trial that has ended", "a pending one")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Lets what is wrong in a row name the file."""
        try:
            yield
        except (RowError, sqlite3.Error, UnicodeError) as error:
            expected = f"a journal, or a sound backup as {BACKUP}"
            raise JournalError(str(self.path), f"damaged: {fault_words(error)}", expected) from None

    # What the run is ----------------------------------------------------------------

    def meta(self) -> dict[str, Any]:
        """Metadata of the run: settings, data, encoder."""
        with self._reading():
            return _Meta(self.path, reading.read_meta(self._db))

    def set_meta(self, values: Mapping[str, Any]) -> None:
        """Stores metadata of the run."""
        self._write(
            *(JournalRow("meta", (name, dump(v)), replaces=True) for name, v in values.items())
        )

    def begin_session(self, environment: Mapping[str, Any], seconds: float) -> None:
        """Notes that a process goes on with the run, ``seconds`` after it was started."""
        self._write(
            JournalRow("sessions", (self._count("sessions") + 1, dump(environment), seconds))
        )

    def sessions(self) -> list[Session]:
        """Every process's share, in order."""
        with self._reading():
            return reading.read_sessions(self._db)

    def _count(self, table: str) -> int:
        return seal_of(self._db).heads.get(table, (0, 0))[0]

    # What it has done ---------------------------------------------------------------

    def trials(self) -> list[Trial]:
        """All trials in order."""
        with self._reading():
            return reading.read_trials(self._db)

    def best(self, count: int) -> list[Trial]:
        """The best ``count`` trials, the best first."""
        with self._reading():
            return reading.read_best(self._db, count)

    def counts(self, column: str) -> dict[str, int]:
        """Number of trials by ``state``, ``failure`` or another column."""
        with self._reading():
            return reading.read_counts(self._db, column)

    def rejected(self) -> dict[str, int]:
        """Number of rejected proposals, by limit."""
        with self._reading():
            return reading.read_rejected(self._db)

    def rejections(self) -> list[Rejection]:
        """Rejected proposals, in order."""
        with self._reading():
            return reading.read_rejections(self._db)

    def searcher(self) -> Snapshot | None:
        """The searcher as it was stored last; None where it never was."""
        with self._reading():
            return reading.read_searcher(self._db)

    def stored_searcher(self) -> tuple[int, int]:
        """Number of trials when the searcher was last stored, and bytes of its state."""
        row = self._db.execute("SELECT trials, length(state) FROM searcher").fetchone()
        return row or (0, 0)

    def asks(self, first: int = 0) -> dict[int, list[int]]:
        """Sizes of the calls of ``ask``, by batch from ``first`` on."""
        with self._reading():
            return reading.read_asks(self._db, first)

    def updates(self, after: int = 0) -> list[dict[str, Any]]:
        """Diagnostics of the searcher's updates, less the first ``after``."""
        with self._reading():
            return reading.read_updates(self._db, after)

    def remember(self, searcher: Snapshot) -> None:
        """Stores the searcher as it is."""
        self._write(schema.snapshot_row(searcher))

    def propose(
        self,
        trials: Sequence[Trial],
        asks: Sequence[int] = (),
        rejections: Sequence[Rejection] = (),
        seconds: float | None = None,
        searcher: Snapshot | None = None,
        updates: Sequence[Mapping[str, float]] = (),
    ) -> None:
        """Stores a batch of pending trials.

        Args:
            trials: the batch.
            asks: how many genotypes the searcher was asked for, each time.
            rejections: proposals drawn meanwhile that are over a limit.
            seconds: how long the session has been going on.
            searcher: as it is then, where it is to be stored.
            updates: how the searcher's updates went that it made then.
        """
        rows = schema.proposal_rows(trials, rejections, self._count("rejections") + 1)
        rows += [JournalRow("batches", (trials[0].batch, dump(list(asks))))] if trials else []
        self._write(*rows, *self._learnt(searcher, updates), *self._spent(seconds))

    def finish(
        self,
        trial: Trial,
        searcher: Snapshot | None = None,
        seconds: float | None = None,
        updates: Sequence[Mapping[str, float]] = (),
    ) -> None:
        """Stores the end of a pending trial.

        Args:
            trial: as it ended.
            searcher: as it is then, where it is to be stored.
            seconds: how long the session has been going on.
            updates: how the searcher's updates went that it made then.
        """
        rows = schema.result_rows(trial)
        rows += [*self._learnt(searcher, updates), *self._spent(seconds)]
        self._write(*rows, check=lambda: self._check_pending(trial.number))

    def _learnt(
        self, searcher: Snapshot | None, updates: Sequence[Mapping[str, float]]
    ) -> list[JournalRow]:
        numbered = enumerate(updates, self._count("updates") + 1) if updates else ()
        rows = [JournalRow("updates", (number, dump(dict(each)))) for number, each in numbered]
        return rows if searcher is None else [*rows, schema.snapshot_row(searcher)]

    def spend(self, seconds: float) -> None:
        """Stores how long the session has been going on."""
        self._write(*self._spent(seconds))

    def _spent(self, seconds: float | None) -> list[JournalRow]:
        if seconds is None:
            return []
        select = "SELECT number, environment FROM sessions WHERE number = ?"
        latest = self._db.execute(select, (self._count("sessions"),)).fetchone()
        return [JournalRow("sessions", (*latest, seconds), replaces=True)]


class _Meta(dict[str, Any]):
    """Metadata of a run; a missing key is an error that names the run."""

    def __init__(self, path: Path, found: Mapping[str, Any]) -> None:
        super().__init__(found)
        self._path = path

    def __missing__(self, name: str) -> Any:
        expected = "a run that got so far: nassearch run goes on with it"
        raise JournalError(str(self._path), f"it ended before the run's {name} was known", expected)


def _connected(path: Path, synchronous: str) -> sqlite3.Connection:
    """A connection that writes through a log beside the file."""
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute(f"PRAGMA page_size = {schema.PAGE}")  # of a new one
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA synchronous = {synchronous}")
    except BaseException:
        database.close()
        raise
    return database


def _seal_in(path: Path) -> Seal | None:
    """The seal of a database; None where there is none."""
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(path)) as database:
            return seal_of(database)
    except (sqlite3.Error, RowError):
        return None
