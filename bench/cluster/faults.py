"""Faults drawn from a seed, played on three hosts made of namespaces (``hosts.py``).

    python bench/cluster/faults.py --output cluster-faults.json        # as root, with iproute2

Each fault (``kinds.py``) strikes a run of 60 trials of about a second (``runs.py``) on three seats;
its moment, its host and its length are drawn. The run's journal is compared with that of one
process, row by row. ``gap_s`` is the longest time between two results from then on. ``bit`` says
whether the fault was felt: one that was not is played again, with other draws. Runs that the output
has are not made again.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from hosts import Lab, lab
from kinds import FAULTS, MEMORY, RENEWED, memory
from runs import SEATS, TRIALS, alone, ends, rows
from scene import Draw, Scene, draw

from auxnas.compiler.files import atomic_write
from auxnas.search.storage.environment import package_versions

PLAYED = 3
"""Times that a fault is played until it is felt."""


def play(made: Lab, name: str, drawn: Draw, folder: Path) -> dict[str, Any]:
    """Plays a fault, and compares the run with that of one process."""
    fault = FAULTS[name]
    folder.mkdir()
    scene = Scene(made, drawn, folder / "run", fault.trouble)
    start_hosts(scene, name)
    began = time.time()
    scene.drive(fault.seconds)
    after_trials = 5 if fault.trouble else drawn.after / fault.seconds
    try:
        scene.wait(lambda: len(ends(scene.folder)) >= after_trials)
        scene.wait(lambda: fault.late or any(r.host == scene.host.name for r in scene.attempts()))
        time.sleep(drawn.delay)
        struck, before = time.time(), len(scene.attempts())
        left = TRIALS - len(ends(scene.folder))
        fault.strike(scene)
        scene.driver.join(170)
        first = scene.driver.exitcode
        over, after = time.time(), scene.attempts()[before:]
        early = after[: max(0, TRIALS - 2 * SEATS - before)]
        bit = left > 2 * SEATS and fault.felt(scene, early)
        if first != 0:
            scene.drive()
            scene.driver.join(170)
    finally:
        scene.driver.kill()
        scene.driver.join()
        if name in RENEWED:
            scene.host.stop()
    found, wanted = rows(scene.folder), alone(folder / "alone", fault.trouble, drawn.trial)
    log = scene.log.read_text()
    if found != wanted:
        different = [pair for pair in zip(found, wanted, strict=False) if pair[0] != pair[1]][:3]
        click.echo(f"{name}: {different}\n{log[-2000:]}", err=True)
    times = ends(scene.folder)
    results = [struck, *(t for t in times if t > struck)]
    how = [row.how for row in after]
    return {
        "fault": name,
        "bit": bit,
        "identical": found == wanted,
        "trials": sum(hasattr(row, "state") for row in found),
        "left_when_struck": left,
        "host": scene.host.name,
        "length_s": round(scene.length, 1),
        "gap_s": round(max(b - a for a, b in pairwise(results)), 1),
        "seconds": round(times[-1] - began, 1),
        "driver": f"exit {first} after {over - struck:.0f} s" if first else "exit 0",
        "lost": sum(each.startswith("lost") for each in how),
        "dropped": how.count("dropped"),
        "load": round(os.getloadavg()[0], 1),
        "said": sorted({line for line in log.splitlines() if "places are left" in line}),
    }


def start_hosts(scene: Scene, name: str) -> None:
    """Starts the hosts that are down, but a late one; one is told to bear less memory."""
    fault = FAULTS[name]
    if fault.late or name == "memory monitor":
        scene.host.stop()
    for host in scene.lab.hosts:
        if host is not scene.host:
            host.start()
        elif not fault.late:
            share = memory()[1] + 0.8 * MEMORY
            less = f"RAY_memory_usage_threshold={share:.3f}" if name == "memory monitor" else ""
            host.start(variables=less)


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Of each fault: how often it was played, what it cost."""
    kinds = Counter(run["fault"] for run in runs)
    of = {kind: [run for run in runs if run["fault"] == kind] for kind in kinds}
    return {
        kind: {
            "runs": len(some),
            "identical": sum(run["identical"] for run in some),
            "bit": sum(run["bit"] for run in some),
            "longest_gap_s": max(run["gap_s"] for run in some),
            "lost": sum(run["lost"] for run in some),
        }
        for kind, some in of.items()
    }


def keep(runs: list[dict[str, Any]], output: Path) -> None:
    """Writes what is known."""
    value = {
        "versions": package_versions(),
        "seats": SEATS,
        "faults": summary(runs),
        "runs": sorted(runs, key=lambda each: each["number"]),
    }
    with atomic_write(output) as path:
        path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def play_felt(made: Lab, number: int, folder: Path) -> dict[str, Any]:
    """A run whose fault was felt, or the last one of those that were played."""
    kind = list(FAULTS)[number % len(FAULTS)]
    for again in range(PLAYED):
        run = play(made, kind, draw(number, again), folder / f"{number} {again}")
        click.echo(json.dumps(run))
        if run["bit"]:
            break
    return {"number": number, **run, "played": again + 1}


@click.command(help="Plays faults, each kind in turn.")
@click.option("--runs", default=54, show_default=True, help="Of which every 16th has no fault.")
@click.option("--only", type=click.Choice(list(FAULTS)), help="Runs of this kind only.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(runs: int, only: str | None, output: Path) -> None:
    found = json.loads(output.read_text())["runs"] if output.exists() else []
    done = {run["number"] for run in found}
    kinds = list(FAULTS)
    with TemporaryDirectory() as name, lab(Path(name)) as made:
        for number in range(runs):
            if number not in done and only in (None, kinds[number % len(kinds)]):
                found.append(play_felt(made, number, Path(name)))
                keep(found, output)


if __name__ == "__main__":
    main()
