"""What a run has done, in one SQLite file that other processes can read meanwhile.

A trial's result and the searcher's state that follows from it are written in one
transaction, so the file tells of a moment that was, whenever the process ended.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from genotype import parse, to_json
from search.errors import JournalError
from search.trials import PENDING, Failure, Stage, Trial

NAME = "journal.sqlite"
VERSION = 1

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE searcher (id INTEGER PRIMARY KEY CHECK (id = 0), state TEXT NOT NULL);
CREATE TABLE trials (
    number INTEGER PRIMARY KEY, batch INTEGER NOT NULL, genotype TEXT NOT NULL,
    key TEXT NOT NULL, seed INTEGER NOT NULL, state TEXT NOT NULL, reward REAL,
    source INTEGER REFERENCES trials, failure TEXT, detail TEXT,
    parameters INTEGER, multiply_adds INTEGER
);
CREATE TABLE stages (
    trial INTEGER NOT NULL REFERENCES trials, stage INTEGER NOT NULL, reward REAL NOT NULL,
    metrics TEXT NOT NULL, PRIMARY KEY (trial, stage)
);
CREATE TABLE timings (
    trial INTEGER NOT NULL REFERENCES trials, stage INTEGER NOT NULL, seconds REAL NOT NULL,
    PRIMARY KEY (trial, stage)
);
"""

COMPARED = ("meta", "searcher", "trials", "stages")
"""The tables that are the same whenever seed and settings are."""


class Journal:
    """The open journal of a run.

    Raises:
        JournalError: when there is none, or it is damaged or of another version.
    """

    def __init__(self, folder: Path, write: bool = False) -> None:
        self.path = folder / NAME
        if not write and not self.path.is_file():
            raise JournalError(str(folder), "no run here", "a folder that nassearch run made")
        try:
            self._db = self._open(write)
            self._check_version(write)
        except sqlite3.Error as error:
            raise JournalError(str(self.path), f"unreadable ({error})", "a journal") from None

    def _open(self, write: bool) -> sqlite3.Connection:
        if not write:
            uri = f"{self.path.resolve().as_uri()}?mode=ro"
            return sqlite3.connect(uri, uri=True, isolation_level=None)
        database = sqlite3.connect(self.path, isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA foreign_keys = ON")
        return database

    def _check_version(self, write: bool) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0 and write:
            script = f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;"
            self._db.executescript(script)
        elif version != VERSION:
            self._db.close()
            expected = f"{VERSION}, which this auxnas reads"
            raise JournalError(str(self.path), f"journal version {version}", expected)

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _write(self, statements: Iterable[tuple[str, Sequence[Any]]]) -> None:
        """All statements in one transaction, or none; each changes one row."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for statement, values in statements:
                if self._db.execute(statement, values).rowcount != 1:
                    raise JournalError(str(self.path), "a trial that has ended", "a pending one")
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    # What the run is ----------------------------------------------------------------

    def meta(self) -> dict[str, Any]:
        """What is known of the run: settings, data, encoder, versions."""
        rows = self._db.execute("SELECT name, value FROM meta")
        return {name: json.loads(value) for name, value in rows}

    def set_meta(self, values: Mapping[str, Any]) -> None:
        """Stores what is known of the run."""
        insert = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
        self._write((insert, (name, _dump(value))) for name, value in values.items())

    # What it has done ---------------------------------------------------------------

    def trials(self) -> list[Trial]:
        """All trials in order."""
        stages: dict[int, list[Stage]] = {}
        joined = (
            "SELECT trial, reward, metrics, seconds FROM stages"
            " JOIN timings USING (trial, stage) ORDER BY trial, stage"
        )
        for trial, reward, metrics, seconds in self._db.execute(joined):
            stages.setdefault(trial, []).append(Stage(reward, json.loads(metrics), seconds))
        rows = self._db.execute("SELECT * FROM trials ORDER BY number")
        return [_trial(row, tuple(stages.get(row[0], ()))) for row in rows]

    def searcher_state(self) -> dict[str, Any] | None:
        """The searcher's last state; None before the first proposal."""
        row = self._db.execute("SELECT state FROM searcher").fetchone()
        return None if row is None else json.loads(row[0])

    def propose(self, trials: Sequence[Trial], searcher: Mapping[str, Any]) -> None:
        """Stores a batch of pending trials with the state of the searcher behind it."""
        self._write([*((_INSERT, _row(trial)) for trial in trials), _searcher(searcher)])

    def finish(self, trial: Trial, searcher: Mapping[str, Any] | None = None) -> None:
        """Stores how a pending trial ended, and the searcher's state if it learnt from it."""
        update = (
            "UPDATE trials SET state = ?, reward = ?, source = ?, failure = ?, detail = ?,"
            f" parameters = ?, multiply_adds = ? WHERE number = ? AND state = '{PENDING}'"
        )
        statements: list[tuple[str, Sequence[Any]]] = [(update, (*_row(trial)[5:], trial.number))]
        for number, stage in enumerate(trial.stages, 1):
            place = (trial.number, number)
            metrics = _dump(dict(stage.metrics))
            statements += [
                ("INSERT INTO stages VALUES (?, ?, ?, ?)", (*place, stage.reward, metrics)),
                ("INSERT INTO timings VALUES (?, ?, ?)", (*place, stage.seconds)),
            ]
        self._write(statements if searcher is None else [*statements, _searcher(searcher)])


_INSERT = f"INSERT INTO trials VALUES ({', '.join('?' * 12)})"


def _row(trial: Trial) -> tuple[Any, ...]:
    failure = trial.failure
    return (
        trial.number, trial.batch, to_json(trial.genotype), trial.key, trial.seed, trial.state,
        trial.reward, trial.source, failure and failure.kind, failure and failure.detail,
        trial.parameters, trial.multiply_adds,
    )  # fmt: skip


def _trial(row: Sequence[Any], stages: tuple[Stage, ...]) -> Trial:
    number, batch, genotype, key, seed, state, reward, source, kind, detail, *cost = row
    failure = None if kind is None else Failure(kind, detail)
    found = parse(genotype).genotype
    return Trial(number, batch, found, key, seed, state, stages, reward, source, failure, *cost)


def _searcher(state: Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
    return "INSERT OR REPLACE INTO searcher VALUES (0, ?)", (_dump(state),)


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def contents(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All that a journal says, apart from timings: what two runs are compared by."""
    with Journal(folder), closing(sqlite3.connect(folder / NAME)) as database:
        return {
            table: sorted(database.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
            for table in COMPARED
        }
