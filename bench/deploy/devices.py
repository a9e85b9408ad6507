"""Whether latencies measured by ``--device`` agree with those measured here.

    nassearch run --preset demo --trials 12 --set threads=1 --device ssh:USER@127.0.0.1 --out there
    python bench/deploy/devices.py there --output devices.json

For each network of a search whose device is this very machine, by its own sshd: the latency in
the journal, one measured here and one more by ssh, right after each other: load comes and goes.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

import click

from auxnas.backends.devices import parse_device
from auxnas.backends.measuring.latency import compiled_latency
from auxnas.backends.measuring.machine import timing_environment
from auxnas.compiler import ModelSpec
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.weights import shipped_graph


def agreement(ratios: list[float]) -> dict[str, float]:
    """Median and quartiles of ratios, and the lowest and highest."""
    low, middle, high = quantiles(ratios, n=4)
    return {"median": middle, "quartiles": [low, high], "all": [min(ratios), max(ratios)]}


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(run: Path, output: Path) -> None:
    with Journal(run) as journal:
        meta, trials = journal.meta(), journal.trials()
    spec, size = ModelSpec.from_dict(meta["model"]), tuple(meta["settings"]["data"]["size"])
    device = parse_device(meta["settings"]["latency"]["device"])
    rows = []
    with TemporaryDirectory() as fresh:
        for trial in {trial.key: trial for trial in trials if trial.latency}.values():
            graph = shipped_graph(trial.genotype, spec)
            here = compiled_latency(graph, size)
            there = compiled_latency(graph, size, device=device, cache=Path(fresh))
            row = {"trial": trial.number + 1, "search": trial.latency}
            rows.append(row | {"here": 1e3 * here, "there": 1e3 * there})
            rows[-1] |= {"spread_here": here.spread, "spread_there": there.spread}
            print(rows[-1], flush=True)
    found = {
        "device": device.name,
        "size": size,
        "there/here": agreement([row["there"] / row["here"] for row in rows]),
        "search/here": agreement([row["search"] / row["here"] for row in rows]),
        "networks": rows,
        "environment": timing_environment("ort", None, ["CPU"]),
    }
    output.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps({name: found[name] for name in ("there/here", "search/here")}))


if __name__ == "__main__":
    main()
