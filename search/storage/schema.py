"""The tables of a journal, and the rows that are written into them.

Every row ends with a digest of its table and values; see ``search.storage.sealing``. No table has
an index beside it, so that a file is nothing but rows.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auxnas.genotype import to_json
from auxnas.search.errors import SearchError
from auxnas.search.trials.records import Rejection, Trial

VERSION = 3
PAGE = 1024
"""Bytes of a page of the file. A transaction writes the pages that it touches."""

SCHEMA = """
CREATE TABLE seal (
    id INTEGER PRIMARY KEY CHECK (id = 0), transactions INTEGER NOT NULL, heads TEXT NOT NULL,
    digest TEXT NOT NULL
);
CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL, digest TEXT NOT NULL)
    WITHOUT ROWID;
CREATE TABLE searcher (
    id INTEGER PRIMARY KEY CHECK (id = 0), asked INTEGER NOT NULL, told INTEGER NOT NULL,
    trials INTEGER NOT NULL, state BLOB NOT NULL, digest TEXT NOT NULL
);
CREATE TABLE batches (number INTEGER PRIMARY KEY, asks TEXT NOT NULL, digest TEXT NOT NULL);
CREATE TABLE updates (number INTEGER PRIMARY KEY, figures TEXT NOT NULL, digest TEXT NOT NULL);
CREATE TABLE trials (
    number INTEGER PRIMARY KEY, batch INTEGER NOT NULL, genotype TEXT NOT NULL,
    key TEXT NOT NULL, seed INTEGER NOT NULL, state TEXT NOT NULL, reward REAL,
    source INTEGER, failure TEXT, detail TEXT, parameters INTEGER, multiply_adds INTEGER,
    digest TEXT NOT NULL
);
CREATE TABLE stages (
    trial INTEGER NOT NULL, stage INTEGER NOT NULL, reward REAL NOT NULL, metrics TEXT NOT NULL,
    batch_size INTEGER, digest TEXT NOT NULL, PRIMARY KEY (trial, stage)
) WITHOUT ROWID;
CREATE TABLE rejections (
    number INTEGER PRIMARY KEY, genotype TEXT NOT NULL, "limit" TEXT NOT NULL,
    detail TEXT NOT NULL, digest TEXT NOT NULL
);
CREATE TABLE timings (
    trial INTEGER NOT NULL, stage INTEGER NOT NULL, seconds REAL NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (trial, stage)
) WITHOUT ROWID;
CREATE TABLE latencies (
    trial INTEGER PRIMARY KEY, milliseconds REAL NOT NULL, digest TEXT NOT NULL
);
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY, environment TEXT NOT NULL, seconds REAL NOT NULL,
    digest TEXT NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class JournalRow:
    """A row to be written.

    Attributes:
        table: whose.
        values: all but the digest.
        replaces: whether a row of the same key may be there, and is replaced.
    """

    table: str
    values: Sequence[Any]
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """One process's share of a run.

    Attributes:
        environment: machine, devices and versions.
        seconds: from its start to its end, or to the last thing that it wrote.
    """

    environment: Mapping[str, Any]
    seconds: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A searcher between two batches.

    Attributes:
        asked: batches that it had proposed.
        told: batches behind which it had been told what was due.
        trials: how many trials there were.
        state: the searcher's state, as JSON data.
    """

    asked: int
    told: int
    trials: int
    state: Mapping[str, Any]


def dump(value: Any) -> str:
    """JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True)


def proposal_rows(
    trials: Sequence[Trial], rejections: Iterable[Rejection], after: int
) -> list[JournalRow]:
    """Rows of pending trials, and of rejected genotypes numbered from ``after``."""
    return [
        *(JournalRow("trials", _values(trial)) for trial in trials),
        *(JournalRow("latencies", (t.number, t.latency)) for t in trials if t.latency is not None),
        *(
            JournalRow("rejections", (number, to_json(each.genotype), each.limit, each.detail))
            for number, each in enumerate(rejections, after)
        ),
    ]


def result_rows(trial: Trial) -> list[JournalRow]:
    """Rows of a trial that has ended."""
    rows = [JournalRow("trials", _values(trial), replaces=True)]
    for number, stage in enumerate(trial.stages, 1):
        place, metrics = (trial.number, number), dump(dict(stage.metrics))
        rows.append(JournalRow("stages", (*place, stage.reward, metrics, stage.batch_size)))
        rows.append(JournalRow("timings", (*place, stage.seconds)))
    return rows


def snapshot_row(searcher: Snapshot) -> JournalRow:
    """Row of the searcher's snapshot, which replaces the one before.

    Raises:
        SearchError: when its state is no JSON data.
    """
    try:
        state = zlib.compress(dump(searcher.state).encode(), 1)
    except (TypeError, ValueError) as error:
        found = f"its searcher's state cannot be stored ({error})"
        raise SearchError("search.searcher", found, "plain JSON data") from error
    values = (0, searcher.asked, searcher.told, searcher.trials, state)
    return JournalRow("searcher", values, replaces=True)


def _values(trial: Trial) -> tuple[Any, ...]:
    failure = trial.failure
    return (
        trial.number, trial.batch, to_json(trial.genotype), trial.key, trial.seed, trial.state,
        trial.reward, trial.source, failure and failure.kind, failure and failure.detail,
        trial.parameters, trial.multiply_adds,
    )  # fmt: skip
