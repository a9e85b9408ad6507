"""The tables of a journal: how trials are written into them and read from them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from auxnas.genotype import parse, to_json
from auxnas.search.trials import PENDING, Failure, Rejection, Stage, Trial

VERSION = 2

SCHEMA = """
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
    metrics TEXT NOT NULL, batch_size INTEGER, PRIMARY KEY (trial, stage)
);
CREATE TABLE rejections (
    number INTEGER PRIMARY KEY, genotype TEXT NOT NULL, "limit" TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE TABLE timings (
    trial INTEGER NOT NULL REFERENCES trials, stage INTEGER NOT NULL, seconds REAL NOT NULL,
    PRIMARY KEY (trial, stage)
);
CREATE TABLE latencies (
    trial INTEGER PRIMARY KEY REFERENCES trials, milliseconds REAL NOT NULL
);
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY, environment TEXT NOT NULL, seconds REAL NOT NULL
);
"""

Statement = tuple[str, Sequence[Any]]
"""SQL with the values of its question marks; each changes one row."""

_PROPOSE = f"INSERT INTO trials VALUES ({', '.join('?' * 12)})"
_LATENCY = "INSERT INTO latencies VALUES (?, ?)"
_REJECT = 'INSERT INTO rejections (genotype, "limit", detail) VALUES (?, ?, ?)'
_FINISH = (
    "UPDATE trials SET state = ?, reward = ?, source = ?, failure = ?, detail = ?"
    f" WHERE number = ? AND state = '{PENDING}'"
)
_STAGE = "INSERT INTO stages VALUES (?, ?, ?, ?, ?)"
_TIMING = "INSERT INTO timings VALUES (?, ?, ?)"


def dump(value: Any) -> str:
    """JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True)


def propose(trials: Iterable[Trial], rejections: Iterable[Rejection]) -> list[Statement]:
    """What stores pending trials, and the genotypes that were rejected meanwhile."""
    trials = list(trials)
    measured = [(t.number, t.latency) for t in trials if t.latency is not None]
    return [
        *((_PROPOSE, _row(trial)) for trial in trials),
        *((_LATENCY, pair) for pair in measured),
        *((_REJECT, (to_json(r.genotype), r.limit, r.detail)) for r in rejections),
    ]


def finish(trial: Trial) -> list[Statement]:
    """What stores how a pending trial ended; the first changes nothing if it was not pending."""
    statements: list[Statement] = [(_FINISH, (*_row(trial)[5:10], trial.number))]
    for number, stage in enumerate(trial.stages, 1):
        place = (trial.number, number)
        row = (*place, stage.reward, dump(dict(stage.metrics)), stage.batch_size)
        statements += [(_STAGE, row), (_TIMING, (*place, stage.seconds))]
    return statements


def remember(searcher: Mapping[str, Any]) -> Statement:
    """What stores the searcher's state over the one before."""
    return "INSERT OR REPLACE INTO searcher VALUES (0, ?)", (dump(searcher),)


def spend(seconds: float) -> Statement:
    """What stores how long the session has been going on."""
    latest = "(SELECT max(number) FROM sessions)"
    return f"UPDATE sessions SET seconds = ? WHERE number = {latest}", (seconds,)


def _row(trial: Trial) -> tuple[Any, ...]:
    failure = trial.failure
    return (
        trial.number, trial.batch, to_json(trial.genotype), trial.key, trial.seed, trial.state,
        trial.reward, trial.source, failure and failure.kind, failure and failure.detail,
        trial.parameters, trial.multiply_adds,
    )  # fmt: skip


def read_trials(database: sqlite3.Connection) -> list[Trial]:
    """All trials in order, with their stages."""
    stages: dict[int, list[Stage]] = {}
    joined = (
        "SELECT trial, reward, metrics, seconds, batch_size FROM stages"
        " JOIN timings USING (trial, stage) ORDER BY trial, stage"
    )
    for trial, reward, metrics, *rest in database.execute(joined):
        stages.setdefault(trial, []).append(Stage(reward, json.loads(metrics), *rest))
    rows = database.execute(
        "SELECT trials.*, milliseconds FROM trials"
        " LEFT JOIN latencies ON trial = trials.number ORDER BY trials.number"
    )
    return [_trial(row, tuple(stages.get(row[0], ()))) for row in rows]


def _trial(row: Sequence[Any], stages: tuple[Stage, ...]) -> Trial:
    number, batch, genotype, key, seed, state, reward, source, kind, detail, *cost = row
    failure = None if kind is None else Failure(kind, detail)
    found = parse(genotype).genotype
    return Trial(number, batch, found, key, seed, state, stages, reward, source, failure, *cost)
