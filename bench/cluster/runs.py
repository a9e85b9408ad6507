"""A run of random search whose trials sleep, on whatever executor; and its journal's rows."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hosts import CACHE, NET, PORT

from auxnas.backends.base import TrainingStep
from auxnas.genotype import SearchSpace
from auxnas.search.examples.images import PixelStore
from auxnas.search.executors.inline import Inline
from auxnas.search.loop.bounds import Until
from auxnas.search.loop.driver import Driver, Rules
from auxnas.search.loop.watching import Unwatched
from auxnas.search.searchers import RandomSearcher
from auxnas.search.settings.resolving import nest, resolve
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.store import Rows, open_store
from auxnas.search.trials.records import COMPLETE, FAILED, STOPPED, Failure, Figures, Outcome, Stage

SEATS = 3
TRIALS = 60
HANG = 20.0
"""Seconds after which a trial that hangs is stopped."""
WEIGHTS = 200_000
IMAGES = 300
"""In the store that each host is sent, of 10 kB each."""


@dataclass(frozen=True)
class Slow:
    """Evaluates jobs in about ``seconds``, from the job alone.

    Attributes:
        seconds: of a trial on average.
        trouble: of the trial ``struck``: ``poison`` kills its process, ``hang`` never ends.
        struck: its number.
        pixels: a store, sent to each host.
        weights: bytes of each network: with 100,000 or more Ray has them in its object store.
    """

    seconds: float = 1.0
    trouble: str = ""
    struck: int = -1
    pixels: PixelStore | None = None
    weights: int = 0

    def __call__(self, job: Any, progress: Any) -> Outcome:
        """Sleeps, with progress."""
        for step in range(10):
            progress(1, TrainingStep(step + 1, 10, 0.5))
            time.sleep(self.seconds * (0.5 + job.seed % 100 / 100) / 10)
            if step == 3 and job.number == self.struck and self.trouble == "poison":
                os.kill(os.getpid(), signal.SIGKILL)
            if job.number == self.struck and self.trouble == "hang":
                threading.Event().wait()
        if self.pixels is not None:
            self.pixels.read("image", [0])
        network: Any = np.zeros(self.weights, np.uint8) if self.weights else None
        reward = job.seed % 1000 / 1000
        stages = (Stage(reward, {"miou": reward}),)
        if job.baseline is not None and reward < job.baseline:
            return Outcome(STOPPED, stages, program=network)
        return Outcome(COMPLETE, (*stages, Stage(reward, {"miou": reward})), program=network)


@dataclass(frozen=True)
class Reference:
    """Evaluates as ``Slow`` does, at once; the struck trial ends as it has to."""

    trouble: str = ""
    struck: int = -1

    def __call__(self, job: Any, progress: Any) -> Outcome:
        """An outcome."""
        if job.number == self.struck and self.trouble == "poison":
            detail = "its process or its machine is gone, lost 3 times"
            return Outcome(FAILED, (), Failure("crash", detail))
        if job.number == self.struck and self.trouble == "hang":
            return Outcome(FAILED, (), Failure("timeout", "stopped after 20s"))
        return Slow(0.0)(job, progress)


class Unkept:
    """Store that keeps no network."""

    best = 1

    def keep(self, trial: Any, program: Any) -> None:
        """Nothing."""

    def prune(self, best: Any, count: Any = 0) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Clocked(Unwatched):
    """Watcher that notes when each trial ends."""

    path: Path

    def finished(self, trial: Any, trials: Any) -> None:
        """A line for each."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{time.time()}\n")


def search(folder: Path, executor: Any, trials: int, batch: int, lag: int) -> None:
    """Goes on with a run of random search to so many trials."""
    folder.mkdir(parents=True, exist_ok=True)
    with Journal(folder, write=True) as journal:
        journal.begin_session({}, 0.0)
        Driver(
            journal=journal,
            searcher=RandomSearcher(SearchSpace.cvpr2019(), 0),
            executor=executor,
            measure=lambda genotype: Figures(genotype.tokens[0], genotype.tokens[1]),
            rules=Rules(0, batch, proceed=0.9, half_life=5, lag=lag),
            weights=Unkept(),
            watcher=Clocked(folder / "ends.txt"),
            say=_say,
        ).run(Until(trials))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def alone(folder: Path, trouble: str = "", struck: int = -1) -> list[Any]:
    """Rows of the run of one process."""
    search(folder, Inline(Reference(trouble, struck)), TRIALS, SEATS, 2 * SEATS)
    return rows(folder)


def rows(folder: Path) -> list[Any]:
    """What the journals are compared by."""
    with Journal(folder) as journal:
        return [*journal.trials(), *journal.rejections(), *journal.asks().items()]


def ends(folder: Path) -> list[float]:
    """Times at which trials ended."""
    path = folder / "ends.txt"
    return [float(line) for line in path.read_text().splitlines()] if path.exists() else []


def _pixels() -> PixelStore:
    """A store of noise, in the run's cache."""

    def noise() -> Iterator[Rows]:
        rng = np.random.default_rng(0)
        yield {"image": rng.integers(256, size=(IMAGES, 10_000), dtype=np.uint8)}

    store = open_store(CACHE / "pixels" / "noise", IMAGES, noise, {}, _say)
    return PixelStore(store.folder, store.rows)


def drive(folder: Path, log: Path, seconds: float, trouble: str, struck: int) -> None:
    """Goes on with a run on the cluster, as a process of its own; what is said goes to ``log``."""
    from auxnas.search.executors.cluster import Cluster

    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    given = {"cluster.address": f"{NET}.1:{PORT}", "workers": SEATS, "threads": 1}
    timeout = HANG if trouble == "hang" else 120.0
    settings = resolve(nest({**given, "trial_timeout": timeout, "learner": "null"}))
    executor = Cluster(Slow(seconds, trouble, struck, _pixels(), WEIGHTS), settings)
    try:
        folder.mkdir(exist_ok=True)
        executor.attach(folder, _say)
        search(folder, executor, TRIALS, SEATS, 2 * SEATS)
    finally:
        executor.close()
