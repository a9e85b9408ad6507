"""CPU time and memory that the driver of a search takes for a trial, in a long run.

    python bench/search/driver.py random --trials 100000 --output driver-random.json
    python bench/search/driver.py ppo --trials 20000 --batch 64 --output driver-ppo.json

Trials take no time: their outcome is the reward in closed form of ``controllers.py``, given
by an executor of this process that ends them in any order. All else is as in a run: proposals,
their networks' costs, the journal with its second file, the searcher and its snapshots, the line
that is shown of each trial. CPU time of this process, not of the disk; a row a tenth of the run.
"""

from __future__ import annotations

import json
import random
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import click
from controllers import formula

from auxnas.backends.progress import Silent
from auxnas.compiler import ModelSpec, Program
from auxnas.compiler.files import atomic_write
from auxnas.genotype import SearchSpace
from auxnas.nassearch.watch import Watch
from auxnas.search.evaluation.two_stages import StageProgress
from auxnas.search.loop.bounds import RunClock, Until
from auxnas.search.loop.driver import Driver, Rules
from auxnas.search.loop.profiler import Profiler
from auxnas.search.searchers import make_searcher
from auxnas.search.settings.resolving import nest, resolve
from auxnas.search.storage.environment import package_versions
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.rescue import NAME
from auxnas.search.trials.records import COMPLETE, STOPPED, Job, Outcome, Stage, Trial


class Instant:
    """Executor whose jobs end at once, in any order, ``places`` at a time."""

    def __init__(self, places: int) -> None:
        self.places = places
        self._jobs: list[Job] = []
        self._draw = random.Random(0)

    def submit(self, job: Job, progress: StageProgress) -> None:
        """Keeps the job."""
        self._jobs.append(job)

    def next(self) -> tuple[int, Outcome]:
        """Ends one of the jobs."""
        place = self._draw.randrange(len(self._jobs))
        self._jobs[place], self._jobs[-1] = self._jobs[-1], self._jobs[place]
        job = self._jobs.pop()
        reward = formula(job.genotype)
        metrics = {"miou": reward, "fwiou": reward, "accuracy": reward}
        stages = (Stage(0.9 * reward, metrics, 1.0, 64), Stage(reward, metrics, 1.0, 32))
        if job.baseline is not None and 0.9 * reward < job.baseline:
            return job.number, Outcome(STOPPED, stages[:1])
        return job.number, Outcome(COMPLETE, stages)

    def close(self) -> None:
        """Nothing is held."""


class Unkept:
    """Store that keeps no network."""

    def keep(self, trial: Trial, program: Program) -> None:
        """Nothing."""

    best = 3

    def prune(self, best: Sequence[Trial], count: int) -> None:
        """Nothing."""


class Meter(Watch):
    """The watch of a run, that also notes time and memory now and then."""

    def __init__(self, every: int, until: Until, clock: RunClock) -> None:
        super().__init__(Silent(), until, clock)
        self.every, self.rows = every, list[dict[str, Any]]()
        self._last = process_time(), perf_counter()

    def finished(self, trial: Trial, trials: list[Trial]) -> None:
        """Notes the trials since the last note."""
        super().finished(trial, trials)
        if self._ended % self.every:
            return
        before, self._last = self._last, (process_time(), perf_counter())
        cpu, wall = (now - then for now, then in zip(self._last, before, strict=True))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        row = {
            "trials": self._ended,
            "cpu_ms": round(1000 * cpu / self.every, 3),
            "wall_ms": round(1000 * wall / self.every, 3),
            "peak_mib": round(peak, 1),
        }
        self.rows.append(row)
        click.echo(json.dumps(row), err=True)


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with TemporaryDirectory() as name:
        yield Path(name)


@click.command(help="Measures the driver's time and memory a trial.")
@click.argument("searcher", type=click.Choice(["random", "ppo", "evolution"]))
@click.option("--trials", default=100_000, show_default=True)
@click.option("--batch", default=2, show_default=True)
@click.option("--lag", default=0, show_default=True)
@click.option("--places", default=1, show_default=True, help="Trials under way.")
@click.option("--run", type=click.Path(path_type=Path), help="Keep the run in this folder.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(
    searcher: str, trials: int, batch: int, lag: int, places: int, run: Path | None, output: Path
) -> None:
    own = {"trials": trials, "search.searcher": searcher, "search.batch": batch, "search.lag": lag}
    settings = resolve(nest({**own, "latency.measure": False, "threads": 1}))
    space, spec = SearchSpace.cvpr2019(), ModelSpec(classes=19)
    search, clock, until = settings.search, RunClock(), Until(trials)
    rules = Rules(
        settings.seed, batch, search.proceed, search.proceed_half_life, lag, search.update_every
    )
    with _folder(run) as folder, Journal(folder, write=True) as journal:
        journal.set_meta(
            {
                "settings": settings.model_dump(mode="json"),
                "classes": [f"class {number}" for number in range(19)],
                "model": spec.to_dict(),
            }
        )
        journal.begin_session({}, 0.0)
        with Meter(max(1, trials // 10), until, clock) as meter:
            Driver(
                journal,
                make_searcher(search, space, settings.seed),
                Instant(places),
                Profiler(settings, space, spec, 1, Silent()).profile,
                rules,
                Unkept(),
                meter,
                clock,
            ).run(until)
        size = (folder / NAME).stat().st_size
    found = {
        "searcher": searcher,
        "batch": batch,
        "lag": lag,
        "places": places,
        "rows": meter.rows,
        "journal_bytes": size,
        "versions": package_versions(),
    }
    with atomic_write(output) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
