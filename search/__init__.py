"""Finding genotypes: searchers, the two-stage evaluator, tasks, data, journal, reports."""

from auxnas.search.bounds import Until
from auxnas.search.config import Settings
from auxnas.search.driver import Driver
from auxnas.search.errors import JournalError, RunLockedError, SearchError, SettingsError
from auxnas.search.evaluator import TwoStages
from auxnas.search.executors import Executor, Inline
from auxnas.search.journal import Journal
from auxnas.search.pareto import front
from auxnas.search.presets import PRESETS
from auxnas.search.resolving import resolve
from auxnas.search.run import execute
from auxnas.search.searchers import RandomSearcher, Searcher, make_searcher
from auxnas.search.tasks import Score, Segmentation
from auxnas.search.trials import Failure, Job, Outcome, Stage, Trial, best_of
from auxnas.search.workers import Workers
from auxnas.search.workplace import Workplace

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
