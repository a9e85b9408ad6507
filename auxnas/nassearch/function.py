"""A whole search as a function, ``auxnas.search``: ``nassearch run`` without its printing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from auxnas.backends.caching import cache_dir
from auxnas.backends.progress import Display, Silent
from auxnas.genotype.plugins import trust_place
from auxnas.nassearch.results import write_best
from auxnas.nassearch.run import watch_run
from auxnas.search.errors import SettingsError
from auxnas.search.loop.context import RunContext
from auxnas.search.loop.phases import RecordingDisplay
from auxnas.search.loop.run import execute
from auxnas.search.settings.presets import DEFAULT, PRESETS
from auxnas.search.settings.recorded import trust_code
from auxnas.search.settings.resolving import flatten, nest, resolve
from auxnas.search.settings.search import with_absolute_paths
from auxnas.search.trials.records import Trial, best_of
from auxnas.trackers.board import run_trackers


@dataclass(frozen=True)
class SearchResult:
    """A run that has ended.

    Attributes:
        folder: the run's own.
        trials: those with a reward of their own, the best first; empty where none has one.
        files: of the best network: ``genotype``, ``weights`` and ``predictions``.
    """

    folder: Path
    trials: tuple[Trial, ...]
    files: Mapping[str, Path]


def search(
    data: str | Mapping[str, Any],
    out: str | PathLike[str],
    *,
    preset: str = DEFAULT,
    cache: str | PathLike[str] | None = None,
    display: Display | None = None,
    log: Sequence[str] = (),
    **settings: Any,
) -> SearchResult:
    """Searches, or goes on with the search in ``out`` when the settings are that run's own.

    Args:
        data: what ``--data`` takes, for example ``list:DIR`` or ``synthetic``; or the settings
            ``data.*`` by name, among them ``source``.
        out: the run's folder.
        preset: a name in ``auxnas.search.PRESETS``.
        cache: folder that runs share; None for ``$AUXNAS_CACHE``, else ``~/.cache/auxnas``.
        display: destination of progress; ``auxnas.progress.display_on_stderr()`` for a terminal.
        log: tools to log to too: ``mlflow``, ``wandb``, ``trackio``, ``tensorboard``, or
            ``package.module:Class``.
        settings: all that ``nassearch settings`` lists, nested (``stage1={"epochs": 3}``) or
            dotted (``**{"stage1.epochs": 3}``), over the preset. With ``workers`` the calling
            script needs ``if __name__ == "__main__":``, since each imports it.

    Raises:
        SettingsError: naming the first setting that is unknown, out of range, or not the run's.
        DataError: for images that cannot be used.
        RunLockedError: when another process runs in this folder.
        JournalError: when data, encoder or teacher changed since the run began.
        SearchError: when no genotype is within the limits, or a worker cannot work.
        BackendUnavailable: when the learner's framework is not installed.
        DeviceFailure: when the device that latency is measured on stays away, or cannot.
        OSError: when a file cannot be read or written.
    """
    if preset not in PRESETS:
        raise SettingsError("preset", repr(preset), f"one of {', '.join(PRESETS)}")
    source = {"source": data} if isinstance(data, str) else data
    given = nest(dict(flatten({"data": source, **settings})))
    resolved = resolve(PRESETS[preset], given)
    trust_code(given)
    folder = Path(out)
    shared = cache_dir(None if cache is None else Path(cache))
    shown = RecordingDisplay(display or Silent(), folder)
    context = RunContext(with_absolute_paths(resolved), folder, shared, shown)
    with run_trackers(context, tuple(map(trust_place, log))) as trackers:
        trials = execute(context, partial(watch_run, trackers=trackers))
        files = {kind: Path(file) for kind, file in write_best(context, trials).items()}
        trackers.log_files(files.values())
    return SearchResult(folder, tuple(best_of(trials)), files)
