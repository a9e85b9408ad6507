"""How busy does a batch, or a lag, keep many workers? A simulation of the loop's own rules.

    python bench/search/lag.py --output lag.json

The ledger of a run (``search.loop.ledger``) says what can begin and what can be proposed; workers,
times and the order of ends are played. Half of the trials stop at a third of their time, which is
uniform in 0.35 .. 1.65 before that, so that the longest takes 2.5 times the mean. Stragglers: each
attempt takes five times as long with a probability of 1 %; with repeats a worker that has nothing
to do begins the oldest trial again once it has taken one mean full time, and the first end counts.
Percent of the workers' time, over many times as many trials as workers: the mean of several draws
of all that is random, and its standard error.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from pathlib import Path
from statistics import fmean, stdev

import click

from auxnas.compiler.files import atomic_write
from auxnas.genotype import SearchSpace
from auxnas.search.loop.ledger import Ledger
from auxnas.search.storage.environment import package_versions
from auxnas.search.trials.records import FAILED, Trial

SPACE = SearchSpace.cvpr2019()
GENOTYPE = SPACE.genotype([0] * len(SPACE.layout))
SPREAD, STOPPED = (0.35, 1.65), 1 / 3
STRAGGLING, SLOWER = 0.01, 5.0


@dataclass(frozen=True)
class Plan:
    """What is simulated.

    Attributes:
        workers: how many there are.
        batch: of the search.
        lag: of the search.
        straggling: probability that an attempt is slow.
        repeats: whether idle workers repeat what is late.
    """

    workers: int
    batch: int
    lag: int
    straggling: float = 0.0
    repeats: bool = False


def duration(number: int, seed: int) -> float:
    """Time of a trial, in mean full times."""
    draw = random.Random(f"{seed} {number}")
    whole = draw.uniform(*SPREAD)
    return whole * STOPPED if draw.random() < 0.5 else whole


class Simulation:
    """A run of ``trials`` trials by a plan; everything random derives from ``seed``."""

    def __init__(self, plan: Plan, trials: int, seed: int) -> None:
        self.plan, self.trials, self.seed = plan, trials, seed
        self.ledger = Ledger((), plan.lag, reuse=False)
        self.draw = random.Random(f"{seed} {plan.workers}")
        self.ends: list[tuple[float, int]] = []
        self.begun: dict[int, float] = {}
        self.busy = self.repeated = 0
        self.late: list[int] = []

    def run(self) -> dict[str, float]:
        """Percent of the workers' time that trials took, had none been slow; and of repeats."""
        useful = time = 0.0
        while True:
            self._begin(time)
            if not self.ends:
                break
            time, number = heappop(self.ends)
            self.busy -= 1
            if number not in self.ledger.under_way:
                continue  # another attempt was faster; its worker is free now
            useful += duration(number, self.seed)
            self.ledger.end(replace(self.ledger.trials[number], state=FAILED))
            self.ledger.tell()
            if len(self.ledger.trials) >= self.trials and not self.ledger.under_way:
                break  # what repeats are still going on does not count
        return {
            "busy": 100 * useful / (time * self.plan.workers),
            "repeated": 100 * self.repeated / self.trials,
        }

    def _begin(self, time: float) -> None:
        """Begins what can begin, and repeats what is late."""
        while self.busy < self.plan.workers:
            while self.ledger.ready() is None and self.ledger.open:
                first = len(self.ledger.trials)
                if first >= self.trials:
                    break
                batch = self.ledger.batches
                numbers = range(first, first + self.plan.batch)
                self.ledger.add([Trial(n, batch, GENOTYPE, "", 0) for n in numbers])
                self.ledger.tell()
            trial = self.ledger.ready()
            if trial is None:
                break
            self.ledger.begin()
            self.begun[trial.number] = time
            self.late.append(trial.number)
            self._attempt(trial.number, time)
        if self.plan.repeats:
            self._repeat(time)

    def _attempt(self, number: int, time: float) -> None:
        slow = SLOWER if self.draw.random() < self.plan.straggling else 1.0
        heappush(self.ends, (time + slow * duration(number, self.seed), number))
        self.busy += 1

    def _repeat(self, time: float) -> None:
        """Idle workers begin the oldest trials again that took one mean full time, once."""
        while self.late and self.busy < self.plan.workers:
            number = self.late[0]
            if number in self.ledger.under_way:
                if time - self.begun[number] < 1.0:
                    return
                self.repeated += 1
                self._attempt(number, time)
            self.late.pop(0)


def plans(workers: int) -> dict[str, Plan]:
    """What is compared."""
    steady = {
        "batch of 2": Plan(workers, 2, 0),
        "batch W": Plan(workers, workers, 0),
        **{f"lag {n}W": Plan(workers, 2, n * workers) for n in (1, 2, 3)},
    }
    slow = Plan(workers, 2, 3 * workers, STRAGGLING)
    return {
        **steady,
        "lag 3W, stragglers": slow,
        "lag 3W, stragglers, repeats": replace(slow, repeats=True),
    }


def drawn(plan: Plan, trials: int, draws: int) -> dict[str, float]:
    """Means over some draws, and the standard error of how busy workers are."""
    found = [Simulation(plan, trials, seed).run() for seed in range(draws)]
    busy = [each["busy"] for each in found]
    return {
        "busy": round(fmean(busy), 1),
        "error": round(stdev(busy) / draws**0.5, 2) if draws > 1 else 0.0,
        "repeated": round(fmean(each["repeated"] for each in found), 1),
    }


@click.command(help="Simulates how busy workers are by batch and lag.")
@click.option("--workers", multiple=True, type=int, default=(8, 64, 512, 1000), show_default=True)
@click.option("--rounds", default=40, show_default=True, help="Trials for each worker.")
@click.option("--draws", type=click.IntRange(1), default=5, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(workers: tuple[int, ...], rounds: int, draws: int, output: Path) -> None:
    times = [duration(number, 0) for number in range(10_000)]
    rows = []
    for count in workers:
        for name, plan in plans(count).items():
            trials = 2 * round(rounds * count / 2)
            trials = min(trials, 2000) if name == "batch of 2" else trials
            row = {"workers": count, "plan": name, **drawn(plan, trials, draws)}
            rows.append(row)
            click.echo(json.dumps(row), err=True)
    found = {
        "longest_over_mean": round(max(times) / fmean(times), 2),
        "rounds": rounds,
        "draws": draws,
        "rows": rows,
        "versions": package_versions(),
    }
    with atomic_write(output) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
