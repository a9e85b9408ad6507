"""A whole run: from settings to a journal, by way of data, encoder, features and trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from time import monotonic
from typing import Any

from auxnas.compiler.temporaries import discard_temporaries
from auxnas.search.errors import JournalError, SettingsError
from auxnas.search.executors.base import Executor, executor_name
from auxnas.search.loop.allowance import Allowance
from auxnas.search.loop.bounds import RunClock, Until
from auxnas.search.loop.driver import Driver, Rules
from auxnas.search.loop.environment import environment_lines
from auxnas.search.loop.phases import remove_phase
from auxnas.search.loop.watching import Unwatched, Watcher
from auxnas.search.loop.workplace import Workplace
from auxnas.search.seams import EXECUTORS, SEARCHERS
from auxnas.search.searchers import make_searcher
from auxnas.search.settings.durations import duration_text
from auxnas.search.settings.resolving import first_difference
from auxnas.search.settings.toml_file import write_settings
from auxnas.search.storage.cache import other_writers, params_digest
from auxnas.search.storage.folders import SEARCH, check_folder_kind
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.lock import run_lock
from auxnas.search.storage.rescue import NAME
from auxnas.search.trials.records import PENDING, Trial

SETTINGS = "settings.toml"
"""The run's settings and environment for people; the journal has them too."""


Watching = Callable[[Workplace, Journal, Until, RunClock], AbstractContextManager[Watcher]]
"""Opens the watcher of a run: where it runs, its journal, its bounds and its clock."""


def unwatched(
    place: Workplace, journal: Journal, until: Until, clock: RunClock
) -> AbstractContextManager[Watcher]:
    """``Watching`` by nobody."""
    return nullcontext(Unwatched())


def execute(place: Workplace, watching: Watching = unwatched) -> list[Trial]:
    """Runs the search to ``settings.trials`` or ``settings.budget``; returns its trials.

    A run that was begun in the same folder with the same settings is continued.

    Args:
        place: the run's settings, folder and what it works with.
        watching: opens the watcher that is told of each trial, once the journal is open.

    Raises:
        RunLockedError: when another process runs in this folder.
        SettingsError: naming the first setting that differs from the run's, or what else is in
            the folder.
        JournalError: when data, encoder or teacher have changed since, or the journal cannot be
            read or written.
        SearchError: when no genotype is within the limits, or a worker cannot work.
    """
    start = monotonic()
    check_folder_kind(place.folder, SEARCH)
    EXECUTORS.find(executor_name(place.settings))
    SEARCHERS.find(place.settings.search.searcher)
    if not (place.folder / NAME).exists():
        _look_ahead(place)
    place.folder.mkdir(parents=True, exist_ok=True)
    with run_lock(place.folder):
        discard_temporaries(place.folder)
        remove_phase(place.folder)
        with Journal(place.folder, write=True) as journal:
            if journal.salvaged:
                place.display.say(journal.salvaged)
            clock = RunClock(sum(session.seconds for session in journal.sessions()), start=start)
            known = _settle(place, journal)
            journal.begin_session(place.environment, clock.session)
            with _time_kept(journal, clock):
                place.forecasts.append(Allowance(place, journal, clock))
                _settle_encoder(place, journal, known)
                trials = _search(place, journal, clock, watching)
        remove_phase(place.folder)
        return trials


def _settle(place: Workplace, journal: Journal) -> Mapping[str, Any]:
    """Compares the run with what it was before, or stores what it is, the encoder apart.

    Returns:
        what is known of a run that has trials.
    """
    known = journal.meta() if journal.trials() else {}
    _check_settings(place, known)
    _check_longer(place, journal)
    for line in _introduction(place):
        place.display.say(line)
    _store(place, journal, known, place.meta())
    return known


def _settle_encoder(place: Workplace, journal: Journal, known: Mapping[str, Any]) -> None:
    """The same for encoder and teacher, which may have to be made; writes the settings' file."""
    _store(place, journal, known, {"encoder": params_digest(place.encoder_params)})
    _store(place, journal, known, {"teacher": _given_teacher(place)})
    remarks = [
        "nassearch run --preset paper --config with this file is the same search again",
        *environment_lines(place.environment),
        f"data {place.meta()['data']}",
    ]
    write_settings(place.folder / SETTINGS, place.resolved, remarks)


def _search(place: Workplace, journal: Journal, clock: RunClock, watching: Watching) -> list[Trial]:
    """Goes on with the trials."""
    until = Until(place.settings.trials, place.settings.budget)
    with watching(place, journal, until, clock) as watcher, _executor(place) as executor:
        return _driver(place, journal, executor, watcher, clock).run(until)


@contextmanager
def _time_kept(journal: Journal, clock: RunClock) -> Iterator[None]:
    """Notes at the end, whichever it is, how long the session has been going on."""
    try:
        yield
    except BaseException:
        with suppress(JournalError):  # the error under way says more
            journal.spend(clock.session)
        raise
    journal.spend(clock.session)


@contextmanager
def _executor(place: Workplace) -> Iterator[Executor]:
    """The executor that the settings ask for, until the end of the block."""
    name = executor_name(place.settings)
    executor: Executor = EXECUTORS.make(name, place.evaluator, place.resolved)
    try:
        if executor.places < 1:
            raise SettingsError("search.executor", f"{name} has no place", "1 at least")
        yield executor
    finally:
        executor.close()


def _look_ahead(place: Workplace) -> None:
    """Finds what is wrong with framework, data and files before a folder is made for them."""
    _ = place.learner, place.task, place.encoder_graph, place.times_networks
    place.refuse_hopeless()
    _ = place.pixels
    place.check_enough_data()
    if place.settings.encoder_weights is not None:
        _ = place.encoder
    _ = _given_teacher(place)


def _given_teacher(place: Workplace) -> str | None:
    """Names by its content a teacher out of a file of the settings; None where there is none."""
    files = (place.settings.teacher, place.settings.encoder_weights)
    given = any(file is not None for file in files) and place.teacher
    return params_digest(given.params) if given else None


def _driver(
    place: Workplace, journal: Journal, executor: Executor, watcher: Watcher, clock: RunClock
) -> Driver:
    settings, search = place.settings, place.settings.search
    return Driver(
        journal=journal,
        searcher=make_searcher(search, place.space, settings.seed, settings.learner),
        executor=executor,
        measure=place.figures,
        rules=Rules(
            seed=settings.seed,
            batch=search.batch,
            proceed=search.proceed,
            half_life=search.proceed_half_life,
            retries=search.retries,
            reuse=search.reuse,
            limits=settings.limits,
            latency=settings.latency,
        ),
        weights=place.weights,
        watcher=watcher,
        clock=clock,
        say=place.display.say,
    )


def _check_settings(place: Workplace, known: Mapping[str, Any]) -> None:
    found = first_difference(known["settings"], place.resolved) if known else None
    if found is not None:
        expected = "the run's own settings, or another --out"
        raise SettingsError(str(place.folder), f"begun with other settings: {found}", expected)


def _check_longer(place: Workplace, journal: Journal) -> None:
    asked, ended = place.settings.trials, sum(t.state != PENDING for t in journal.trials())
    if asked is not None and asked < ended:
        found = f"{asked}, but {ended} have ended in {place.folder}"
        raise SettingsError("trials", found, f"at least {ended}")


def _store(
    place: Workplace, journal: Journal, known: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    """Stores what the run is as long as it has no trials, and compares it after that."""
    for name in ("data", "encoder", "teacher"):
        if name in now and known and known.get(name) != now[name]:
            expected = f"the same {name}, or another --out"
            raise JournalError(str(place.folder), f"the {name} changed since it began", expected)
    fresh = {name: now[name] for name in now if not known or name == "settings"}
    if any(known.get(name) != value for name, value in fresh.items()):
        journal.set_meta(fresh)


def _introduction(place: Workplace) -> Iterator[str]:
    """Announcement of a run, in lines."""
    dataset, settings = place.dataset, place.settings
    height, width = settings.data.size
    bounds = [f"{settings.trials} trials"] if settings.trials else []
    bounds += [duration_text(settings.budget)] if settings.budget else []
    yield (
        f"search on {dataset.name}: {len(dataset)} images at {height}x{width}, "
        f"{len(dataset.classes)} classes, {' or '.join(bounds)}, "
        f"trained on {place.learner.where}"
    )
    others = other_writers(place.cache)
    if others:
        yield f"cache: {place.cache}: {others}, so what is kept there is only as good as they are"
    workers, batch = settings.workers, settings.search.batch
    if workers > batch:
        yield (
            f"workers: at most {batch} of {workers} have work, since genotypes are proposed "
            f"{batch} at a time (search.batch)"
        )
