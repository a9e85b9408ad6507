"""How many times as fast are two workers as one, with torch and one thread each?

    OMP_NUM_THREADS=1 python bench/cluster/speedup.py FOLDER --output cluster-speedup.json

Two runs on rendered scenes go on by so many trials, one with each number of workers: from the
command's start to its end, its imports and its workers' start among it. Stores, pre-training and
the first two trials are made before. Their journals are compared, row by row.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import click
from runs import rows

from auxnas.compiler.files import atomic_write
from auxnas.search.storage.environment import package_versions

SMALL = (
    "--data synthetic:60 --preset demo --searcher random --batch 2 --trials 2 --size 64x96"
    " --set threads=1 --set search.lag=6 --set latency.measure=false --set pretrain.epochs=2"
)
BEFORE = 2


def nassearch(*words: str) -> float:
    """Seconds that the command takes."""
    start = "from auxnas.nassearch.cli import main; main()"
    began = time.monotonic()
    subprocess.run((sys.executable, "-c", start, *words), check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


@click.command(help="Compares two workers with one, on runs in a folder that may be there.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--trials", default=12, show_default=True)
@click.option("--prepare", is_flag=True, help="Makes the runs, and times nothing.")
@click.option("--output", type=click.Path(path_type=Path))
def main(folder: Path, trials: int, prepare: bool, output: Path | None) -> None:
    runs = {workers: folder / f"workers{workers}" for workers in (1, 2)}
    for run in runs.values():
        if not run.exists():
            nassearch("run", *SMALL.split(), "--out", str(run))
    if prepare or output is None:
        return
    more = ("--trials", str(BEFORE + trials))
    seconds = {n: nassearch("resume", str(runs[n]), *more, "--workers", str(n)) for n in runs}
    value = {
        "versions": package_versions(),
        "settings": SMALL,
        "trials": trials,
        "seconds": {str(n): round(spent, 1) for n, spent in seconds.items()},
        "times_as_fast": round(seconds[1] / seconds[2], 2),
        "identical": rows(runs[1]) == rows(runs[2]),
    }
    click.echo(json.dumps(value))
    with atomic_write(output) as path:
        path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
