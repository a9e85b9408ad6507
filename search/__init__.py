"""Finding genotypes: searchers, the two-stage evaluator, tasks, data, journal, reports."""

from search.bounds import Until
from search.config import Settings
from search.driver import Driver
from search.errors import JournalError, RunLockedError, SearchError, SettingsError
from search.evaluator import TwoStages
from search.executors import Executor, Inline
from search.journal import Journal
from search.pareto import front
from search.presets import PRESETS
from search.resolving import resolve
from search.run import execute
from search.searchers import RandomSearcher, Searcher, make_searcher
from search.tasks import Score, Segmentation
from search.trials import Failure, Job, Outcome, Stage, Trial, best_of
from search.workers import Workers
from search.workplace import Workplace

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
    "Workplace",
    "best_of",
    "execute",
    "front",
    "make_searcher",
    "resolve",
]
