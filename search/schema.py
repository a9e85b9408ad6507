"""The tables of a journal, and what of them makes a trial.

Every row ends with a digest of its table and values; see ``search.sealing``. No table has an
index beside it, so that a file is nothing but rows.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auxnas.genotype import parse, to_json
from auxnas.genotype.errors import GenotypeError
from auxnas.search.trials import STATES, Failure, Rejection, Stage, Trial

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

_LARGEST_STATE = 1 << 28
"""Bytes of a searcher's state in JSON at most: 100 times the largest of ours."""


@dataclass(frozen=True, slots=True)
class Row:
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
class Snapshot:
    """A searcher between two batches.

    Attributes:
        asked: batches that it had proposed.
        told: batches that it had been told of.
        trials: how many trials there were.
        state: what it is restored to.
    """

    asked: int
    told: int
    trials: int
    state: Mapping[str, Any]


class RowError(ValueError):
    """A row of a journal says what no journal says; the message names it."""


def dump(value: Any) -> str:
    """JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True)


def load(place: str, text: str, kind: type = dict) -> Any:
    """The JSON in a row.

    Raises:
        RowError: naming ``place``, when it is none or of another kind.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RowError(f"{place}: no JSON ({error})") from None
    if not isinstance(value, kind):
        raise RowError(f"{place}: {type(value).__name__}, expected {kind.__name__}")
    return value


def proposed(trials: Sequence[Trial], rejections: Iterable[Rejection], after: int) -> list[Row]:
    """What stores pending trials, and the genotypes that were rejected: from number ``after``."""
    return [
        *(Row("trials", _values(trial)) for trial in trials),
        *(Row("latencies", (t.number, t.latency)) for t in trials if t.latency is not None),
        *(
            Row("rejections", (number, to_json(each.genotype), each.limit, each.detail))
            for number, each in enumerate(rejections, after)
        ),
    ]


def finished(trial: Trial) -> list[Row]:
    """What stores how a pending trial ended."""
    rows = [Row("trials", _values(trial), replaces=True)]
    for number, stage in enumerate(trial.stages, 1):
        place, metrics = (trial.number, number), dump(dict(stage.metrics))
        rows.append(Row("stages", (*place, stage.reward, metrics, stage.batch_size)))
        rows.append(Row("timings", (*place, stage.seconds)))
    return rows


def remembered(searcher: Snapshot) -> Row:
    """What stores a searcher over the one before."""
    state = zlib.compress(dump(searcher.state).encode(), 1)
    values = (0, searcher.asked, searcher.told, searcher.trials, state)
    return Row("searcher", values, replaces=True)


def _values(trial: Trial) -> tuple[Any, ...]:
    failure = trial.failure
    return (
        trial.number, trial.batch, to_json(trial.genotype), trial.key, trial.seed, trial.state,
        trial.reward, trial.source, failure and failure.kind, failure and failure.detail,
        trial.parameters, trial.multiply_adds,
    )  # fmt: skip


def read_searcher(database: sqlite3.Connection) -> Snapshot | None:
    """The searcher as it was stored last; None where it never was.

    Raises:
        RowError: when it is not one.
    """
    row = database.execute("SELECT asked, told, trials, state FROM searcher").fetchone()
    if row is None:
        return None
    asked, told, trials, packed = row
    inflate = zlib.decompressobj()
    try:
        text = inflate.decompress(packed, _LARGEST_STATE).decode()
    except (zlib.error, UnicodeError) as error:
        raise RowError(f"table searcher, row 0: state: {error}") from None
    return Snapshot(asked, told, trials, load("table searcher, row 0: state", text))


def read_trials(database: sqlite3.Connection) -> list[Trial]:
    """All trials in order, with their stages.

    Raises:
        RowError: naming the first row that is none.
    """
    stages: dict[int, list[Stage]] = {}
    joined = (
        "SELECT trial, stage, reward, metrics, seconds, batch_size FROM stages"
        " JOIN timings USING (trial, stage) ORDER BY trial, stage"
    )
    for trial, stage, reward, metrics, *rest in database.execute(joined):
        known = load_figures(f"table stages, row {trial}, {stage}: metrics", metrics)
        stages.setdefault(trial, []).append(Stage(reward, known, *rest))
    rows = database.execute(
        "SELECT trials.*, milliseconds FROM trials"
        " LEFT JOIN latencies ON trial = trials.number ORDER BY trials.number"
    )
    trials = [_trial(row, tuple(stages.get(row[0], ()))) for row in rows]
    for number, trial in enumerate(trials):
        if trial.number != number:
            raise RowError(f"table trials: no row {number}")
    return trials


def load_figures(place: str, text: str) -> Any:
    """Numbers by name.

    Raises:
        RowError: naming ``place``, when it has something else.
    """
    found = load(place, text)
    for name, value in found.items():
        if type(value) not in (int, float):
            raise RowError(f"{place}: {name} is {value!r:.40}, expected a number")
    return found


def _trial(row: Sequence[Any], stages: tuple[Stage, ...]) -> Trial:
    number, batch, genotype, key, seed, state, reward, source, kind, detail, *cost = row
    if state not in STATES:
        raise RowError(f"table trials, row {number}: state {state!r:.40}")
    failure = None if kind is None else Failure(kind, detail)
    found = load_genotype(f"table trials, row {number}: genotype", genotype)
    parameters, multiply_adds, _, latency = cost
    return Trial(
        number, batch, found, key, seed, state, stages, reward, source, failure, parameters,
        multiply_adds, latency,
    )  # fmt: skip


def load_genotype(place: str, text: str) -> Any:
    """The genotype in a row.

    Raises:
        RowError: naming ``place``, when it is none.
    """
    try:
        return parse(text).genotype
    except (GenotypeError, RecursionError) as error:
        raise RowError(f"{place}: {error}") from None
