"""Content of a run's page, read from its journal; the run may be under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from auxnas.compiler.tasks import Metric, headline
from auxnas.genotype.plugins import may_run
from auxnas.search.data.spec import reader_of, sources
from auxnas.search.errors import SettingsError
from auxnas.search.settings.recorded import recorded_settings
from auxnas.search.settings.search import Settings
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.lock import holder
from auxnas.search.storage.schema import Session
from auxnas.search.trials.records import PENDING, SCORED, Rejection, Trial, best_of


@dataclass(frozen=True)
class Run:
    """A run at one moment.

    Attributes:
        folder: the run's.
        label: name beside another run.
        meta: its metadata, from the journal; empty when it ended before it had settings.
        trials: all of them, in order.
        rejections: proposals that were over a limit.
        sessions: the processes that went on with it.
        updates: how each of the controller's updates went; empty without a controller.
        writer: the process that goes on with it now, if one does.
        salvaged: reason that another file than the journal was read; empty when none was.
    """

    folder: Path
    label: str
    meta: Mapping[str, Any]
    trials: Sequence[Trial]
    rejections: Sequence[Rejection]
    sessions: Sequence[Session]
    updates: Sequence[Mapping[str, float]]
    writer: str | None
    salvaged: str

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    @property
    def settings(self) -> Mapping[str, Any]:
        """The run's settings, as plain data."""
        found: Mapping[str, Any] = self.meta.get("settings", {})
        return found

    @property
    def metric(self) -> tuple[str, Metric]:
        """Name and meaning of the metric to show."""
        return headline(self.meta)

    @property
    def searcher(self) -> str:
        """Name of the searcher."""
        return str(self.settings.get("search", {}).get("searcher", "unknown"))

    @cached_property
    def ended(self) -> list[Trial]:
        """The trials that have ended."""
        return [trial for trial in self.trials if trial.state != PENDING]

    @cached_property
    def scored(self) -> list[Trial]:
        """The trials that were trained and have a reward of their own."""
        return [trial for trial in self.trials if trial.state in SCORED and trial.stages]

    @cached_property
    def best(self) -> list[Trial]:
        """The same, the best first."""
        return best_of(self.scored)

    @property
    def seconds(self) -> float:
        """Seconds that it has been running, all sessions together."""
        return sum(session.seconds for session in self.sessions)


def read_run(folder: Path) -> Run:
    """The run in ``folder``, which is only read.

    Raises:
        JournalError: when there is none, or its journal cannot be read.
    """
    with Journal(folder) as journal, journal.snapshot():
        meta = journal.meta()
        return Run(
            folder=folder,
            label=str(meta.get("settings", {}).get("search", {}).get("searcher", folder.name)),
            meta=meta,
            trials=journal.trials(),
            rejections=journal.rejections(),
            sessions=journal.sessions(),
            updates=journal.updates(),
            writer=holder(folder),
            salvaged=journal.salvaged,
        )


def comparison_caveat(run: Run, other: Run) -> list[str]:
    """In words, why rewards of the two runs say nothing of each other; empty where they do.

    Data are compared by content, whatever they are called.
    """
    try:
        first, second = (recorded_settings(each.settings, Settings) for each in (run, other))
    except SettingsError as error:
        return [f"settings of another version ({error})"]
    reasons = []
    if (
        None not in (found := [each.meta.get("data") for each in (run, other)])
        and found[0] != found[1]
    ):
        reasons.append(_other_data(run, other))
    pairs = {
        "data.meta_train": (first.data.meta_train, second.data.meta_train),
        "task.ignore": (_ignored(first), _ignored(second)),
        "latency.target_ms": (first.latency.target_ms, second.latency.target_ms),
        "latency.exponent": (first.latency.exponent, second.latency.exponent),
        "latency.device": (first.latency.device, second.latency.device),
    }
    if first.latency.target_ms is None and second.latency.target_ms is None:
        del pairs["latency.exponent"], pairs["latency.device"]
    return reasons + [f"{name} {one} and {two}" for name, (one, two) in pairs.items() if one != two]


def _ignored(settings: Settings) -> list[str]:
    """Classes that count in no score; of a reader that nobody named here, its place instead."""
    readers = [reader_of(each) for each in sources(settings.data.source)]
    if settings.task.ignore is None and not all(map(may_run, readers)):
        return readers
    return list(settings.ignored)


def _other_data(run: Run, other: Run) -> str:
    """Differences of the two runs' data, as far as the journals record them."""
    data = [each.settings.get("data", {}) for each in (run, other)]
    sizes = ["x".join(map(str, found.get("size", ()))) for found in data]
    counts = [len(each.meta.get("classes", ())) for each in (run, other)]
    sources = [str(found.get("source")) for found in data]
    if sources[0] != sources[1]:
        return f"data {sources[0]} and {sources[1]}"
    if sizes[0] != sizes[1]:
        return f"images at {sizes[0]} and {sizes[1]}"
    if counts[0] != counts[1]:
        return f"{counts[0]} and {counts[1]} classes"
    return f"{sources[0]}, which changed in between"


def with_distinct_labels(run: Run, other: Run) -> list[Run]:
    """Two runs under labels of their own: their searchers, else folders, else paths."""
    pairs = [
        (run.searcher, other.searcher),
        (run.name, other.name),
        (str(run.folder), str(other.folder)),
    ]
    labels = next((pair for pair in pairs if pair[0] != pair[1]), pairs[-1])
    return [replace(each, label=label) for each, label in zip((run, other), labels, strict=True)]
