"""Readers of a journal's rows: trials, sessions, searcher; types are checked."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Sequence
from typing import Any

from auxnas.genotype import Genotype
from auxnas.genotype.errors import GenotypeError
from auxnas.genotype.notation import DocumentReader
from auxnas.search.storage.schema import Session, Snapshot
from auxnas.search.trials.records import (
    SCORED,
    STATES,
    Failure,
    Rejection,
    Stage,
    Trial,
    best_of,
)

_LARGEST_STATE = 1 << 28
"""Bytes of a searcher's state in JSON at most: 100 times the largest of ours."""


class RowError(ValueError):
    """A row of a journal is malformed; the message names it."""


def load_cell(place: str, text: str, kind: type = dict) -> Any:
    """Parsed JSON of a row's cell.

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


_KINDS = {"settings": dict, "model": dict, "classes": list, "palette": list}
"""Types of the metadata, by key."""


def read_meta(database: sqlite3.Connection) -> dict[str, Any]:
    """Metadata of the run."""
    rows = database.execute("SELECT name, value FROM meta")
    found = {name: load_cell(f"table meta, row {name}", text, object) for name, text in rows}
    for name, kind in _KINDS.items():
        if not isinstance(found.get(name, kind()), kind):
            raise RowError(f"table meta, row {name}: no {kind.__name__}")
    data = found.get("settings", {}).get("data", {})
    size = data.get("size", [1, 1]) if isinstance(data, dict) else None
    if not (isinstance(size, list) and [type(side) for side in size] == [int, int]):
        raise RowError("table meta, row settings: no data.size")
    return found


def read_sessions(database: sqlite3.Connection) -> list[Session]:
    """Every process's share, in order."""
    rows = database.execute("SELECT number, environment, seconds FROM sessions ORDER BY number")
    return [
        Session(load_cell(f"table sessions, row {number}: environment", text), seconds)
        for number, text, seconds in rows
    ]


def read_rejections(database: sqlite3.Connection) -> list[Rejection]:
    """Rejected proposals, in order."""
    rows = database.execute(
        'SELECT number, genotype, "limit", detail FROM rejections ORDER BY number'
    )
    documents = DocumentReader()
    return [
        Rejection(_genotype(f"table rejections, row {number}", text, documents), *rest)
        for number, text, *rest in rows
    ]


def read_rejected(database: sqlite3.Connection) -> dict[str, int]:
    """Number of rejected proposals by limit, in order of the first ones."""
    select = 'SELECT "limit", count(*) FROM rejections GROUP BY "limit" ORDER BY min(number)'
    return dict(database.execute(select).fetchall())


def read_asks(database: sqlite3.Connection, first: int = 0) -> dict[int, list[int]]:
    """Sizes of the calls of ``ask``, by batch from ``first`` on."""
    rows = database.execute("SELECT number, asks FROM batches WHERE number >= ?", (first,))
    return {number: load_cell(f"table batches, row {number}", text, list) for number, text in rows}


def read_updates(database: sqlite3.Connection, after: int = 0) -> list[dict[str, Any]]:
    """Diagnostics of the searcher's updates, less the first ``after``."""
    select = "SELECT number, figures FROM updates WHERE number > ? ORDER BY number"
    rows = database.execute(select, (after,))
    return [_figures(f"table updates, row {number}", text) for number, text in rows]


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
    return Snapshot(asked, told, trials, load_cell("table searcher, row 0: state", text))


def read_trials(database: sqlite3.Connection) -> list[Trial]:
    """All trials in order, with their stages.

    Raises:
        RowError: naming the first row that is none.
    """
    trials = _read_some(database, "")
    for number, trial in enumerate(trials):
        if trial.number != number:
            raise RowError(f"table trials: no row {number}")
    return trials


_BEST = (
    " WHERE trials.number IN (SELECT number FROM trials WHERE state IN {states}"
    " ORDER BY reward DESC, number LIMIT {count})"
)


def read_best(database: sqlite3.Connection, count: int) -> list[Trial]:
    """The first ``count`` of ``best_of`` all trials.

    Raises:
        RowError: naming the first row that is none.
    """
    return best_of(_read_some(database, _BEST.format(states=SCORED, count=count)))


def read_counts(database: sqlite3.Connection, column: str) -> dict[str, int]:
    """Trials by the value of a column, in order of the first ones; those without are left out."""
    select = (
        f"SELECT {column}, count(*) FROM trials WHERE {column} IS NOT NULL"
        f" GROUP BY {column} ORDER BY min(number)"
    )
    return dict(database.execute(select).fetchall())


def _read_some(database: sqlite3.Connection, where: str) -> list[Trial]:
    """Trials of a condition, in order, with their stages."""
    stages: dict[int, list[Stage]] = {}
    joined = (
        "SELECT trial, stage, stages.reward, metrics, seconds, batch_size FROM stages"
        f" JOIN timings USING (trial, stage){' JOIN trials ON trials.number = trial' * bool(where)}"
        f"{where} ORDER BY trial, stage"
    )
    for trial, stage, reward, metrics, *rest in database.execute(joined):
        known = _figures(f"table stages, row {trial}, {stage}: metrics", metrics)
        stages.setdefault(trial, []).append(Stage(reward, known, *rest))
    rows = database.execute(
        "SELECT trials.*, milliseconds FROM trials"
        f" LEFT JOIN latencies ON trial = trials.number{where} ORDER BY trials.number"
    )
    documents = DocumentReader()
    return [_trial(row, tuple(stages.get(row[0], ())), documents) for row in rows]


def _figures(place: str, text: str) -> Any:
    """Numbers by name.

    Raises:
        RowError: naming ``place``, when it has something else.
    """
    found = load_cell(place, text)
    for name, value in found.items():
        if type(value) not in (int, float):
            raise RowError(f"{place}: {name} is {value!r:.40}, expected a number")
    return found


def _trial(row: Sequence[Any], stages: tuple[Stage, ...], documents: DocumentReader) -> Trial:
    number, batch, genotype, key, seed, state, reward, source, kind, detail, *cost = row
    if state not in STATES:
        raise RowError(f"table trials, row {number}: state {state!r:.40}")
    failure = None if kind is None else Failure(kind, detail)
    found = _genotype(f"table trials, row {number}: genotype", genotype, documents)
    parameters, multiply_adds, _, latency = cost
    return Trial(
        number, batch, found, key, seed, state, stages, reward, source, failure, parameters,
        multiply_adds, latency,
    )  # fmt: skip


def _genotype(place: str, text: str, documents: DocumentReader) -> Genotype:
    """The genotype in a row.

    Raises:
        RowError: naming ``place``, when it is none.
    """
    try:
        return documents.read(text)
    except (GenotypeError, RecursionError) as error:
        raise RowError(f"{place}: {error}") from None


def read_all(database: sqlite3.Connection) -> None:
    """Reads everything.

    Raises:
        RowError: naming the first row that says what no journal says.
    """
    for read in (read_meta, read_sessions, read_trials, read_rejections, read_asks, read_updates):
        read(database)
    read_searcher(database)
