"""Results a second of many virtual seats through Ray on this machine, some in each process.

    python bench/cluster/rate.py --output cluster-rate.json

A trial sleeps. What is left is what Ray and the driver take: proposals, messages, the journal. The
run's journal is compared with that of one process, row by row.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from dataclasses import dataclass
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import click
import ray
from runs import Slow, ends, rows, search

from auxnas.compiler.files import atomic_write
from auxnas.search.executors.actor import SeatActor
from auxnas.search.executors.inline import Inline
from auxnas.search.executors.ray_crew import RayCrew
from auxnas.search.executors.seats import Seats
from auxnas.search.settings.resolving import nest, resolve
from auxnas.search.storage.environment import package_versions


class ManySeats:
    """Seats in one process."""

    def __init__(self, threads: int) -> None:
        self._seats: dict[int, Any] = defaultdict(lambda: SeatActor(threads))

    def call(self, seat: int, name: str, *arguments: Any) -> Any:
        """Calls a method of a seat."""
        return getattr(self._seats[seat], name)(*arguments)


@dataclass
class VirtualHandle:
    """Handle of a seat among many in one process."""

    many: Any
    seat: int

    def __getattr__(self, name: str) -> Any:
        def method(**options: Any) -> Any:
            call = self.many.call.options(**options)
            return SimpleNamespace(remote=lambda *more: call.remote(self.seat, name, *more))

        return SimpleNamespace(options=method, remote=method().remote)


@click.command(help="Results a second of 1,000 virtual seats through Ray, on this machine.")
@click.option("--seats", default=1000, show_default=True)
@click.option("--processes", default=8, show_default=True)
@click.option("--trials", default=5000, show_default=True)
@click.option("--seconds", default=6.0, show_default=True, help="Of a trial on average.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(seats: int, processes: int, trials: int, seconds: float, output: Path) -> None:
    ray.init("local", num_cpus=processes, include_dashboard=False, log_to_driver=False)
    many = ray.remote(ManySeats).options(max_concurrency=2 * seats // processes + 8, num_cpus=1)
    homes = [many.remote(1) for _ in range(processes)]

    class VirtualCrew(RayCrew):
        """Crew whose seats share processes."""

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self._class = SimpleNamespace(remote=self._handle)

        def _handle(self, threads: int) -> VirtualHandle:
            number = len(self._actors)
            return VirtualHandle(homes[number % processes], number)

        def end(self, seat: int) -> None:
            """Forgets the seat."""
            self._actors.pop(seat)

    settings = resolve(nest({"threads": 1, "learner": "null"}))
    with TemporaryDirectory() as name:
        folder, reference = Path(name) / "run", Path(name) / "reference"
        crew = VirtualCrew(Slow(seconds), settings)
        crew.patience = max(2.0, seats / 100)
        started = time.time()
        search(
            folder,
            Seats(crew, seats, silence=10 * crew.patience, making=inf),
            trials,
            50,
            3 * seats,
        )
        search(reference, Inline(Slow(0.0)), trials, 50, 3 * seats)
        times = ends(folder)
        some = times[seats : -2 * seats]
        value = {
            "versions": package_versions(),
            "seats": seats,
            "processes": processes,
            "trials": len(times),
            "seconds_a_trial": seconds,
            "identical": rows(folder) == rows(reference),
            "results_a_second": round(len(some) / (some[-1] - some[0]), 1),
            "seconds": round(times[-1] - started, 1),
            "cpu_ms_a_result": round(1000 * time.process_time() / len(times), 2),
        }
    click.echo(json.dumps(value))
    with atomic_write(output) as path:
        path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
