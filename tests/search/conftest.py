"""What tests of the search share: tiny settings, a stand-in evaluator, a whole tiny run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from auxnas.backends.progress import Silent
from auxnas.genotype import SearchSpace
from auxnas.nassearch.cli import main
from auxnas.search.executors.base import Evaluate, Executor
from auxnas.search.executors.inline import Inline
from auxnas.search.loop.context import RunContext
from auxnas.search.loop.driver import Driver, Rules
from auxnas.search.loop.watching import Unwatched
from auxnas.search.searchers import RandomSearcher, Searcher
from auxnas.search.settings.resolving import nest, resolve
from auxnas.search.settings.search import Settings
from auxnas.search.storage.journal import Journal
from auxnas.search.trials.records import COMPLETE, STOPPED, Figures, Job, Outcome, Stage, Trial

TINY: dict[str, Any] = {
    "learner": "null",
    "threads": 1,
    "trials": 6,
    "data.source": "synthetic:12",
    "data.size": [32, 32],
    "model.width": 0.1,
    "model.agg_size": 8,
    "search.batch": 2,
    "latency.measure": False,
    "pretrain.channels": 8,
    "pretrain.epochs": 1,
    "stage1.batch_size": 4,
    "stage2.batch_size": 4,
}


class Unweighted:
    """Keeps no weights, but notes what it was asked to."""

    def __init__(self) -> None:
        self.kept: list[int] = []

    def keep(self, trial: Trial, program: object) -> None:
        self.kept.append(trial.number)

    best = 3

    def prune(self, best: list[Trial], count: int) -> None:
        pass


def pretend(job: Job, progress: object = None) -> Outcome:
    """An outcome that depends on all of the job, and on nothing else."""
    first = (job.seed % 1000) / 1000
    stages = (Stage(first, {"miou": first}),)
    if job.baseline is not None and first <= job.baseline:
        return Outcome(STOPPED, stages)
    second = first + 0.1 * job.proceed
    return Outcome(COMPLETE, (*stages, Stage(second, {"miou": second})))


def make_driver(
    journal: Journal,
    evaluate: Evaluate = pretend,
    searcher: Searcher | None = None,
    batch: int = 3,
    seed: int = 0,
    executor: Executor | None = None,
    **more: Any,
) -> Driver:
    journal.begin_session({}, 0.0)
    parts = {
        "measure": lambda genotype: Figures(genotype.tokens[0], 2 * genotype.tokens[1]),
        "rules": Rules(seed, batch, proceed=0.9, half_life=5),
        "weights": Unweighted(),
        "watcher": Unwatched(),
    }
    return Driver(
        journal=journal,
        searcher=searcher or RandomSearcher(SearchSpace.cvpr2019(), seed),
        executor=executor or Inline(evaluate),
        **{**parts, **more},
    )


@pytest.fixture
def driver_of() -> Callable[..., Driver]:
    return make_driver


@pytest.fixture
def outcome_of() -> Evaluate:
    return pretend


def make_settings(changes: Mapping[str, Any] | None = None) -> Settings:
    return resolve(nest({**TINY, **(changes or {})}))


@pytest.fixture
def settings_of() -> Callable[..., Settings]:
    return make_settings


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(cache: Path) -> Callable[..., Result]:
    """``nassearch`` with these words."""

    def call(*words: object) -> Result:
        return CliRunner().invoke(
            main, [str(word) for word in words], env={"AUXNAS_CACHE": str(cache)}
        )

    return call


def make_place(folder: Path, cache: Path, changes: Mapping[str, Any]) -> RunContext:
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    return RunContext(make_settings(dotted), folder, cache, Silent())


@pytest.fixture
def place_of(tmp_path: Path, cache: Path) -> Callable[..., RunContext]:
    def make(name: str = "run", **changes: Any) -> RunContext:
        return make_place(tmp_path / name, cache, changes)

    return make
