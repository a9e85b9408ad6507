"""Which of the genotypes that searches evaluated are best for their latency.

    peers/bin/python bench/deploy/front.py RUN... --data list:DATA --work RUNS --output front.json

Takes the genotypes that came through both stages, the best by reward first, compiles each as
``peers.py`` does, with a training's 64 channels, random weights and logits of the image's size,
times it through OpenVINO with its defaults, in turns with the others of its dozen, and keeps those
than which none is both faster and better; with ``--known`` they come after those of an earlier
front, which keep their places. Rewards are of images that the searches held back of the training
list. The machine is to be idle. ``peers.py`` trains what is kept. Needs the extras torch and
openvino.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from contenders import Contender, race
from peer_networks import main_program, ours_compiled
from peer_tables import undominated
from peers import Bench, sides
from rivals import openvino_defaults

from auxnas.compiler.files import atomic_write
from auxnas.genotype.formats import parse

TURNS, ROUNDS, REPEATS = 12, 7, 10


def evaluated(runs: Sequence[Path], count: int) -> dict[str, float]:
    """Genotypes as text, by the best reward that each had, the best first."""
    rewards: dict[str, float] = {}
    for run in runs:
        for trial in nassearch("top", str(run), "--count", "1000", "--json"):
            text = str(parse(json.dumps(trial["genotype"])).genotype.canonical())
            if trial["state"] == "complete":
                rewards[text] = max(trial["reward"], rewards.get(text, 0.0))
    return dict(sorted(rewards.items(), key=lambda pair: -pair[1])[:count])


def described(run: Path) -> dict[str, Any]:
    """A search's settings, and how many trials it had by now."""
    made = nassearch("status", str(run), "--json")
    settings = (run / "settings.toml").read_text()
    return {"name": run.name, "trials": made["ended"], "settings": tomllib.loads(settings)}


def nassearch(*words: str) -> Any:
    """JSON that a command prints."""
    program = Path(sys.executable).with_name("nassearch")
    made = subprocess.run([program, *words], stdout=subprocess.PIPE, check=False)
    if made.returncode:
        raise click.ClickException(f"nassearch ended with {made.returncode}, see above")
    return json.loads(made.stdout)


def timed(bench: Bench, texts: Sequence[str], size: str) -> dict[str, float]:
    """Milliseconds of each."""
    folder = bench.work / "front"
    folder.mkdir(parents=True, exist_ok=True)
    image, times = folder / "image.npy", {}
    rng = np.random.default_rng(0)
    np.save(image, rng.normal(size=(1, 3, *sides(size))).astype(np.float32))
    for begin in range(0, len(texts), TURNS):
        some = {}
        for number, text in enumerate(texts[begin : begin + TURNS], begin):
            path = folder / f"{number}.onnx"
            context = bench.context(text, "scratch", size)
            ours_compiled(context, main_program(context), path)
            some[text] = Contender(openvino_defaults, path, image, os.cpu_count() or 1)
        found = race(some, ROUNDS, REPEATS)
        times |= {text: each.summary["median"] for text, each in found.items()}
        click.echo(f"{len(times)} of {len(texts)}", err=True)
    return times


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--data", required=True)
@click.option("--size", default="96x128", show_default=True)
@click.option("--known", type=click.Path(path_type=Path, exists=True), help="Earlier front.")
@click.option(
    "--count",
    default=48,
    show_default=True,
    type=click.IntRange(1),
    help="Genotypes, the best by reward.",
)
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(
    runs: tuple[Path, ...],
    data: str,
    size: str,
    known: Path | None,
    count: int,
    work: Path,
    output: Path,
) -> None:
    before: dict[str, list[Any]] = {"searches": [], "front": [], "timed": []}
    if known is not None:
        before = json.loads(known.read_text())
    rewards = evaluated(runs, count)
    times = timed(Bench(data, "none", 1, 0, (), work), list(rewards), size)
    rows = [
        {"genotype": json.loads(text), "reward": rewards[text], "ms": spent}
        for text, spent in times.items()
    ]
    had = [row["genotype"] for row in before["front"]]
    kept = [rows[n] for n in undominated([(row["ms"], row["reward"]) for row in rows])]
    kept = [row for row in kept if row["genotype"] not in had]
    made = {
        "size": size,
        "searches": [*before["searches"], *map(described, runs)],
        "front": [*before["front"], *kept],
        "timed": [*before["timed"], *rows],
    }
    with atomic_write(output) as temporary:
        temporary.write_text(json.dumps(made, indent=1) + "\n")
    for row in kept:
        click.echo(f"{row['ms']:.2f} ms, reward {row['reward']:.3f}, {row['genotype']}")


if __name__ == "__main__":
    main()
