"""Finding genotypes: searchers, the two-stage evaluator, tasks, data, journal, reports.

The package is a function too, which runs a whole search, or goes on with one:

    auxnas.search(data, out, *, preset='small', cache=None, display=None, log=(), **settings)

``data`` is what ``--data`` takes, or the settings ``data.*`` by name; ``out`` the run's folder;
``preset`` one of ``PRESETS``; ``cache`` a folder that runs share; ``display`` the destination of
progress; ``settings`` all that ``nassearch settings`` lists, dotted or nested. It gives the run's
folder, its trials, the best first, and the files of the best network; what it raises is told by
``help(auxnas.nassearch.function.search)``.
"""

import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from auxnas.compiler.tasks import Score, Segmentation
from auxnas.search.errors import JournalError, RunLockedError, SearchError, SettingsError
from auxnas.search.evaluation.two_stages import TwoStages
from auxnas.search.executors.base import Executor
from auxnas.search.executors.inline import Inline
from auxnas.search.executors.processes import Workers
from auxnas.search.loop.bounds import Until
from auxnas.search.loop.context import RunContext
from auxnas.search.loop.driver import Driver
from auxnas.search.loop.run import execute
from auxnas.search.searchers import RandomSearcher, Searcher, make_searcher
from auxnas.search.settings.presets import PRESETS
from auxnas.search.settings.resolving import resolve
from auxnas.search.settings.search import Settings
from auxnas.search.storage.journal import Journal
from auxnas.search.trials.pareto import front
from auxnas.search.trials.records import Failure, Job, Outcome, Stage, Trial, best_of

__all__ = [
    "PRESETS",
    "Driver",
    "Executor",
    "Failure",
    "Inline",
    "Job",
    "Journal",
    "JournalError",
    "Outcome",
    "RandomSearcher",
    "RunContext",
    "RunLockedError",
    "Score",
    "SearchError",
    "Searcher",
    "Segmentation",
    "Settings",
    "SettingsError",
    "Stage",
    "Trial",
    "TwoStages",
    "Until",
    "Workers",
    "best_of",
    "execute",
    "front",
    "make_searcher",
    "resolve",
]


class _Callable(ModuleType):
    """This package as the function of the front door, which is above it."""

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        return self._function(*arguments, **settings)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._function)

    @property
    def _function(self) -> Callable[..., Any]:
        found: Callable[..., Any] = import_module("auxnas.nassearch.function").search
        return found


sys.modules[__name__].__class__ = _Callable
