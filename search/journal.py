"""What a run has done, in one SQLite file that other processes can read meanwhile.

A trial's result and the searcher's state that follows from it are written in one
transaction, so the file tells of a moment that was, whenever the process ended. A second
file, rewritten whenever a trial has ended, takes its place where it is damaged; see
``search.rescue``.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auxnas.genotype import parse
from auxnas.search import schema
from auxnas.search.errors import JournalError
from auxnas.search.rescue import BACKUP, NAME, open_readable
from auxnas.search.schema import SCHEMA, VERSION, Statement, dump
from auxnas.search.trials import Rejection, Trial

_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@dataclass(frozen=True, slots=True)
class Session:
    """One process's share of a run.

    Attributes:
        environment: where it ran, and with which versions.
        seconds: from its start to its end, or to the last thing that it wrote.
    """

    environment: Mapping[str, Any]
    seconds: float


class Journal:
    """The open journal of a run.

    Attributes:
        path: the file.
        salvaged: of a journal opened for reading: why another file is read in its place;
            empty when it is itself.

    Raises:
        JournalError: when there is none, or it is damaged or of another version.
    """

    def __init__(self, folder: Path, write: bool = False) -> None:
        self.path, self.salvaged = folder / NAME, ""
        if write:
            self._db = self._open()
        else:
            self._db, self.salvaged = open_readable(folder)
        self._check_version(write)

    def _open(self) -> sqlite3.Connection:
        try:
            database = sqlite3.connect(self.path, isolation_level=None)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA foreign_keys = ON")
        except sqlite3.Error as error:
            raise JournalError(str(self.path), f"unreadable ({error})", "a journal") from None
        return database

    def _check_version(self, write: bool) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0 and write:
            statements = [text for text in SCHEMA.split(";") if text.strip()]
            version_is = f"PRAGMA user_version = {VERSION}"
            self._commit((text, ()) for text in [*statements, version_is])
        elif version != VERSION:
            self._db.close()
            age = "a newer" if version > VERSION else "an older"
            expected = f"{VERSION}: {age} auxnas wrote it and can read it"
            raise JournalError(str(self.path), f"journal version {version}", expected)

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read within is of one moment, while another process writes."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    # Writing ------------------------------------------------------------------------

    def _write(self, statements: Iterable[Statement], backup: bool = True) -> None:
        """All statements in one transaction, or none; each changes one row.

        What follows from what the backup has already, it need not have at once.
        """
        self._commit(statements, rows=1)
        if backup:
            self._back_up()

    def _commit(self, statements: Iterable[Statement], rows: int | None = None) -> None:
        """All statements in one transaction, or none.

        Raises:
            JournalError: when the file cannot be written, for example on a full disk, or a
                statement changes another number of rows.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for statement, values in statements:
                changed = self._db.execute(statement, values).rowcount
                if rows is not None and changed != rows:
                    raise JournalError(str(self.path), "a trial that has ended", "a pending one")
            self._db.execute("COMMIT")
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            raise self._unwritable(error) from error
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _unwritable(self, error: Exception) -> JournalError:
        damaged = getattr(error, "sqlite_errorcode", None) in _DAMAGE
        expected = "a whole file" if damaged else "room to write"
        expected += ": what has ended is kept, and nassearch resume goes on from it"
        return JournalError(str(self.path), f"cannot be written ({error})", expected)

    def _back_up(self) -> None:
        """Copies the journal to its second file, which changes from one whole copy to the next."""
        backup = self.path.with_name(BACKUP)
        part = backup.with_suffix(".part")
        try:
            part.unlink(missing_ok=True)
            with closing(sqlite3.connect(part, isolation_level=None)) as copy:
                copy.execute("PRAGMA synchronous = OFF")
                self._db.backup(copy)
            os.replace(part, backup)
        except (sqlite3.Error, OSError) as error:
            part.unlink(missing_ok=True)
            raise self._unwritable(error) from error

    # What the run is ----------------------------------------------------------------

    def meta(self) -> dict[str, Any]:
        """What is known of the run: settings, data, encoder."""
        rows = self._db.execute("SELECT name, value FROM meta")
        return {name: json.loads(value) for name, value in rows}

    def set_meta(self, values: Mapping[str, Any]) -> None:
        """Stores what is known of the run."""
        insert = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
        self._write((insert, (name, dump(value))) for name, value in values.items())

    def begin_session(self, environment: Mapping[str, Any], seconds: float) -> None:
        """Notes that a process goes on with the run, ``seconds`` after it was started."""
        insert = "INSERT INTO sessions (environment, seconds) VALUES (?, ?)"
        self._write([(insert, (dump(environment), seconds))])

    def sessions(self) -> list[Session]:
        """Every process's share, in order."""
        rows = self._db.execute("SELECT environment, seconds FROM sessions ORDER BY number")
        return [Session(json.loads(environment), seconds) for environment, seconds in rows]

    # What it has done ---------------------------------------------------------------

    def trials(self) -> list[Trial]:
        """All trials in order."""
        return schema.read_trials(self._db)

    def rejections(self) -> list[Rejection]:
        """What was proposed and over a limit, in order."""
        rows = self._db.execute('SELECT genotype, "limit", detail FROM rejections ORDER BY number')
        return [Rejection(parse(genotype).genotype, *rest) for genotype, *rest in rows]

    def searcher_state(self) -> dict[str, Any] | None:
        """The searcher's last state; None before the first proposal."""
        row = self._db.execute("SELECT state FROM searcher").fetchone()
        return None if row is None else json.loads(row[0])

    def propose(
        self,
        trials: Sequence[Trial],
        searcher: Mapping[str, Any],
        rejections: Sequence[Rejection] = (),
        seconds: float | None = None,
    ) -> None:
        """Stores a batch of pending trials.

        Args:
            trials: the batch.
            searcher: the searcher's state behind it.
            rejections: what was proposed on the way and is over a limit.
            seconds: how long the session has been going on.
        """
        statements = [*schema.propose(trials, rejections), schema.remember(searcher)]
        self._write([*statements, *_spent(seconds)], backup=False)

    def finish(
        self, trial: Trial, searcher: Mapping[str, Any] | None = None, seconds: float | None = None
    ) -> None:
        """Stores how a pending trial ended.

        Args:
            trial: as it ended.
            searcher: the searcher's state, if it learnt from it.
            seconds: how long the session has been going on.
        """
        statements = schema.finish(trial)
        if searcher is not None:
            statements.append(schema.remember(searcher))
        self._write([*statements, *_spent(seconds)])

    def spend(self, seconds: float) -> None:
        """Stores how long the session has been going on."""
        self._write(_spent(seconds), backup=False)


def _spent(seconds: float | None) -> list[Statement]:
    return [] if seconds is None else [schema.spend(seconds)]
