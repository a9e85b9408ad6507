"""A whole run: from settings to a journal, by way of data, encoder, features and trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from time import monotonic
from typing import Any

from auxnas.compiler.temporaries import discard_temporaries
from auxnas.search.errors import JournalError, SettingsError
from auxnas.search.evaluation.evaluator import evaluator_of
from auxnas.search.executors.base import (
    Attachable,
    Evaluate,
    Executor,
    contact_executor,
    executor_name,
)
from auxnas.search.loop.allowance import Allowance
from auxnas.search.loop.bounds import RunClock, Until
from auxnas.search.loop.context import RunContext
from auxnas.search.loop.driver import Driver, Rules
from auxnas.search.loop.phases import remove_phase
from auxnas.search.loop.status import ended_of
from auxnas.search.loop.watching import Unwatched, Watcher
from auxnas.search.seams import EXECUTORS, SEARCHERS
from auxnas.search.searchers import make_searcher
from auxnas.search.settings.durations import duration_text
from auxnas.search.settings.resolving import first_difference
from auxnas.search.settings.toml_file import write_settings
from auxnas.search.storage.cache import other_writers, params_digest
from auxnas.search.storage.environment import environment_lines, run_environment
from auxnas.search.storage.folders import SEARCH, check_folder_kind
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.lock import run_lock
from auxnas.search.storage.rescue import NAME
from auxnas.search.trials.records import Trial

SETTINGS = "settings.toml"
"""The run's settings and environment for people; the journal has them too."""


Watching = Callable[[RunContext, Journal, Until, RunClock], AbstractContextManager[Watcher]]
"""Opens the watcher of a run: where it runs, its journal, its bounds and its clock."""


def unwatched(
    context: RunContext, journal: Journal, until: Until, clock: RunClock
) -> AbstractContextManager[Watcher]:
    """``Watching`` by nobody."""
    return nullcontext(Unwatched())


def execute(context: RunContext, watching: Watching = unwatched) -> list[Trial]:
    """Runs the search to ``settings.trials`` or ``settings.budget``; returns its trials.

    A run that was begun in the same folder with the same settings is continued.

    Args:
        context: of the run.
        watching: opens the watcher that is told of each trial, once the journal is open.

    Raises:
        RunLockedError: when another process runs in this folder.
        SettingsError: naming the first setting that differs from the run's, what else is in the
            folder, or that TensorBoard is asked for and ``watching`` is not given.
        JournalError: when data, encoder or teacher have changed since, or the journal cannot be
            read or written.
        SearchError: when no genotype is within the limits, or a worker cannot work.
        DeviceFailure: when the device that latency is measured on stays away, or cannot.
    """
    start = monotonic()
    if context.settings.tensorboard and watching is unwatched:
        expected = "a watching that writes the figures, as nassearch run and auxnas.search have"
        raise SettingsError("tensorboard", "true, and nothing watches the run", expected)
    check_folder_kind(context.folder, SEARCH)
    contact_executor(context.settings)
    SEARCHERS.find(context.settings.search.searcher)
    begun = (context.folder / NAME).exists()
    if not begun:
        _look_ahead(context)
    context.folder.mkdir(parents=True, exist_ok=True)
    with run_lock(context.folder):
        discard_temporaries(context.folder)
        remove_phase(context.folder)
        with Journal(context.folder, write=True) as journal:
            if journal.salvaged:
                context.display.say(journal.salvaged)
            if begun and not journal.counts("state"):  # without trials, all may have changed
                _look_ahead(context)
            clock = RunClock(sum(session.seconds for session in journal.sessions()), start=start)
            known = _store_or_compare(context, journal)
            journal.begin_session(environment_of(context), clock.session)
            with _time_kept(journal, clock):
                if context.settings.encoder_weights is None:  # else nothing is pre-trained
                    context = context.with_forecast(Allowance(context, journal, clock))
                _store_or_compare_encoder(context, journal, known)
                trials = _search(context, journal, clock, watching)
        remove_phase(context.folder)
        return trials


def _store_or_compare(context: RunContext, journal: Journal) -> Mapping[str, Any]:
    """Compares settings and data with the run's, or stores them for a new run; without the encoder.

    Returns:
        metadata of a run that has trials; else nothing.
    """
    known = journal.meta() if journal.counts("state") else {}
    _check_settings(context, known)
    _check_longer(context, journal)
    for line in _introduction(context):
        context.display.say(line)
    _store(context, journal, known, context.meta())
    return known


def _store_or_compare_encoder(
    context: RunContext, journal: Journal, known: Mapping[str, Any]
) -> None:
    """Compares or stores encoder and teacher, training them first; writes the settings' file."""
    if known.get("encoder"):
        context.model.keep_encoder(known["encoder"])
    _store(context, journal, known, {"encoder": params_digest(context.model.encoder_params)})
    _store(context, journal, known, {"teacher": _given_teacher(context)})
    remarks = [
        "nassearch run --preset paper --config with this file is the same search again",
        *environment_lines(environment_of(context)),
        f"data {context.data.training.key}",
    ]
    write_settings(context.folder / SETTINGS, context.resolved, remarks)


def _search(
    context: RunContext, journal: Journal, clock: RunClock, watching: Watching
) -> list[Trial]:
    """Goes on with the trials."""
    until = Until(context.settings.trials, context.settings.budget)
    evaluate = evaluator_of(context.model)
    with (
        watching(context, journal, until, clock) as watcher,
        open_executor(context, evaluate) as executor,
    ):
        return _driver(context, journal, executor, watcher, clock).run(until)


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
def open_executor(context: RunContext, evaluate: Evaluate) -> Iterator[Executor]:
    """The executor that the settings ask for, until the end of the block."""
    name = executor_name(context.settings)
    executor: Executor = EXECUTORS.make(name, evaluate, context.resolved)
    try:
        if executor.places < 1:
            raise SettingsError("search.executor", f"{name} has no place", "1 at least")
        if isinstance(executor, Attachable):
            executor.attach(context.folder, context.display.say)
        yield executor
    finally:
        executor.close()


def environment_of(context: RunContext) -> dict[str, Any]:
    """Machine, versions and revision of a run's trials."""
    return run_environment(context.model.learner.where, context.threads)


def _look_ahead(context: RunContext) -> None:
    """Finds what is wrong with framework, data and files before a folder is made for them."""
    data, model, profiler = context.data, context.model, context.profiler
    _ = model.encoder_graph, profiler.measures_latency
    profiler.check_device()
    profiler.check_limits_feasible()
    data.check_enough_data(data.search_split)
    if context.settings.encoder_weights is not None:
        _ = model.encoder
    _ = _given_teacher(context)


def _given_teacher(context: RunContext) -> str | None:
    """Names by its content a teacher out of a file of the settings; None where there is none."""
    files = (context.settings.teacher, context.settings.encoder_weights)
    given = any(file is not None for file in files) and context.model.teacher
    return params_digest(given.params) if given else None


def _driver(
    context: RunContext, journal: Journal, executor: Executor, watcher: Watcher, clock: RunClock
) -> Driver:
    settings, search = context.settings, context.settings.search
    return Driver(
        journal=journal,
        searcher=make_searcher(search, context.model.space, settings.seed, settings.learner),
        executor=executor,
        measure=context.profiler.profile,
        rules=Rules(
            seed=settings.seed,
            batch=search.batch,
            proceed=search.proceed,
            half_life=search.proceed_half_life,
            lag=search.lag,
            update_every=search.update_every,
            retries=search.retries,
            reuse=search.reuse,
            limits=settings.limits,
            latency=settings.latency,
        ),
        weights=context.weights,
        watcher=watcher,
        clock=clock,
        say=context.display.say,
    )


def _check_settings(context: RunContext, known: Mapping[str, Any]) -> None:
    found = first_difference(known["settings"], context.resolved) if known else None
    if found is not None:
        expected = "the run's own settings, or another folder"
        raise SettingsError(str(context.folder), f"begun with other settings: {found}", expected)


def _check_longer(context: RunContext, journal: Journal) -> None:
    asked, ended = context.settings.trials, ended_of(journal.counts("state"))
    if asked is not None and asked < ended:
        found = f"{asked}, but {ended} have ended in {context.folder}"
        raise SettingsError("trials", found, f"at least {ended}")


def _store(
    context: RunContext, journal: Journal, known: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    """Stores what the run is as long as it has no trials, and compares it after that."""
    for name in ("data", "encoder", "teacher"):
        if name in now and known and known.get(name) != now[name]:
            expected = f"the same {name}, or another folder"
            raise JournalError(str(context.folder), f"the {name} changed since it began", expected)
    fresh = {name: now[name] for name in now if not known or name == "settings"}
    if any(known.get(name) != value for name, value in fresh.items()):
        journal.set_meta(fresh)


def _introduction(context: RunContext) -> Iterator[str]:
    """Announcement of a run, in lines."""
    dataset, settings = context.data.training.dataset, context.settings
    height, width = settings.data.size
    bounds = [f"{settings.trials} trials"] if settings.trials else []
    bounds += [duration_text(settings.budget)] if settings.budget else []
    what = "classes" if dataset.labels.classes else f"{dataset.labels.element}s"
    classes = f"{len(dataset.classes)} {what}, " if dataset.classes else ""
    yield (
        f"search on {dataset.name}: {len(dataset)} images at {height}x{width}, "
        f"{classes}{' or '.join(bounds)}, "
        f"trained on {context.model.learner.where}"
    )
    others = other_writers(context.cache)
    if others:
        yield f"cache: {context.cache}: {others}, so what is kept there is only as good as they are"
    workers, batch, lag = settings.workers, settings.search.batch, settings.search.lag
    if workers > batch + lag:
        yield (
            f"workers: at most {batch + lag} of {workers} have work, since genotypes are proposed "
            f"{batch} at a time and depend on all but the last {lag} (search.batch, search.lag)"
        )
