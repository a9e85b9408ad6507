"""Restoring a searcher: its last snapshot, then the calls of ask and tell since.

A searcher is deterministic, so its state follows from the batches that the journal has. Storing
it after each batch would write more than all else together: the paper's controller with the
moments of its optimiser takes 2 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from auxnas.genotype import Genotype
from auxnas.search.errors import JournalError
from auxnas.search.searchers import Searcher
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.schema import Snapshot
from auxnas.search.trials.records import FAILED, PENDING, Trial

BYTES_A_TRIAL = 1_000
"""Of snapshots, on average; each is written four times, to both files and their logs."""


@dataclass
class AskRecorder:
    """Wrapper of a searcher that records the size of each ``ask``."""

    searcher: Searcher
    counts: list[int] = field(default_factory=list)

    def ask(self, count: int) -> list[Genotype]:
        """The searcher's proposals."""
        self.counts.append(count)
        return self.searcher.ask(count)


def restore_searcher(
    searcher: Searcher,
    journal: Journal,
    trials: Sequence[Trial],
    say: Callable[[str], None],
    lag: int = 0,
    update_every: int | None = None,
) -> None:
    """Brings a searcher to where the journal's left off; stores it where the journal has none.

    Args:
        searcher: of the same settings.
        journal: of the run, open for writing.
        trials: those in it.
        say: is told where the searcher proposes otherwise than it did.
        lag: of the run.
        update_every: of the run.

    Raises:
        JournalError: when what was stored is no state of such a searcher.
    """
    kept = journal.searcher()
    if kept is None:
        kept = Snapshot(0, 0, 0, searcher.state())
        journal.remember(kept)
    else:
        _restore(searcher, kept, journal.path)
    asks, same, told = journal.asks(kept.asked), True, 0
    for batch, found in groupby(trials, key=lambda trial: trial.batch):
        members = list(found)
        due = max(told, members[-1].number + 1 - lag)
        news, told = trials[told:due], due
        if batch < kept.told:
            continue
        if batch >= kept.asked:
            drawn = [each for count in asks.get(batch, ()) for each in searcher.ask(count)]
            same = same and all(trial.genotype in drawn for trial in members)
        if all(trial.state != PENDING for trial in news):
            tell_searcher(searcher, news, update_every)
    if not same:
        say("the searcher proposes otherwise than it did: another machine, or other versions?")


def _restore(searcher: Searcher, kept: Snapshot, path: Path) -> None:
    try:
        searcher.restore(kept.state)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        found = f"table searcher, row 0: no state of this searcher ({error!r:.100})"
        raise JournalError(str(path), found, "the settings that the run began with") from None


def tell_searcher(
    searcher: Searcher, news: Sequence[Trial], update_every: int | None = None
) -> list[dict[str, float]]:
    """Tells a searcher of trials, some at a time; the diagnostics of the updates that it made.

    Failed trials are not told: a failure says nothing of how good a genotype is.
    """
    step, updates = update_every or max(1, len(news)), []
    for first in range(0, len(news), step):
        piece = news[first : first + step]
        update = searcher.tell([trial for trial in piece if trial.state != FAILED])
        updates += [] if update is None else [dict(update)]
    return updates


def due_snapshot(
    journal: Journal, searcher: Searcher, batches: int, trials: int
) -> Snapshot | None:
    """The searcher as it is, when it is to be stored: seldom where it is large.

    Args:
        journal: of the run.
        searcher: told of all that was due behind the last batch.
        batches: how many it proposed.
        trials: how many there are.
    """
    behind, size = journal.stored_searcher()
    if (trials - behind) * BYTES_A_TRIAL < size:
        return None
    return Snapshot(batches, batches, trials, searcher.state())
