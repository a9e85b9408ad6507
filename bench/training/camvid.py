"""Found decoders against Light-Weight RefineNet on real photographs.

    python bench/training/camvid.py --data list:DIR --classes 11 --work RUNS --output camvid.json

One search by PPO and one at random, of equal budget, with one pre-trained encoder; then
the three best architectures that PPO found and the Light-Weight RefineNet decoder (256
channels, as its authors have it) are trained longer, with the same encoder, images,
schedule and seeds, on the whole training list, and scored on the validation list.
Beside the JSON, tables of the networks and of both searches are written as Markdown.
Interrupted, it goes on where it was; what is in ``--work`` already is not done again. Needs
the extras torch and ort.
"""

from __future__ import annotations

import json
import shlex
import statistics
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click

SEARCH = """--set threads=1 --set stage1.epochs=3 --set stage1.batch_size=16
    --set stage2.batch_size=16 --set pretrain.epochs=40 --set pretrain.batch_size=16
    --set pretrain.channels=64 --set search.proceed_half_life=30 --trials {trials}"""
SEARCHERS = {
    "ppo": "--set search.controller.rate=0.001 --set search.controller.update_epochs=4",
    "random": "",
}
TRAIN = """--set threads=1 --epochs {epochs} --set train.batch_size=8
    --set train.decoder_rate=0.001 --set train.epsilon=1e-8 --set train.beta2=0.999
    --set train.schedule=poly --set train.phases=[1] --set train.auxiliary=[0.15]
    --set train.frozen=0"""
RIVAL = "lwrf"
SEEDS = (0, 1, 2)


def call(arguments: str | Sequence[str], output: Path) -> Any:
    """What ``nassearch`` prints as JSON, kept in ``output``."""
    if not output.exists():
        words = shlex.split(arguments) if isinstance(arguments, str) else list(arguments)
        click.echo(shlex.join(["nassearch", *words]), err=True)
        made = subprocess.run(["nassearch", *words, "--json"], stdout=subprocess.PIPE, check=True)
        output.write_bytes(made.stdout)
    return json.loads(output.read_text())


def search(name: str, common: str, work: Path, trials: int) -> list[dict[str, Any]]:
    """All trials that have a reward of their own, the best first."""
    folder = work / name
    if not (work / f"{name}.json").exists():
        wish = f"{SEARCH.format(trials=trials)} {SEARCHERS[name]} --set search.searcher={name}"
        call(f"run {common} {wish} --out {folder}", work / f"{name}.run.json")
    return call(f"top {folder} --count {trials}", work / f"{name}.json")


def train(name: str, seed: int, common: str, work: Path, epochs: int) -> dict[str, Any]:
    """Scores of one long training, with the compiled network's latency apart."""
    genotype = name if name == RIVAL else work / f"{name}.json"
    folder = work / f"{name}-{seed}"
    encoder = f"--encoder-weights {work / 'ppo' / 'encoder.safetensors'}"
    wish = f"{TRAIN.format(epochs=epochs)} {encoder} --seed {seed} --out {folder}"
    return call(f"train --genotype {genotype} {common} {wish}", work / f"{name}-{seed}.train.json")


def best_of(trials: Sequence[dict[str, Any]], count: int, work: Path) -> list[str]:
    """Names of the best trials, whose genotypes are in files of that name."""
    names = []
    for number, trial in enumerate(trials[:count], 1):
        names.append(f"best{number}")
        (work / f"best{number}.json").write_text(json.dumps(trial["genotype"]))
    return names


def row(name: str, common: str, work: Path, epochs: int) -> dict[str, Any]:
    """A network's figures over the seeds."""
    runs = [train(name, seed, common, work, epochs) for seed in SEEDS]
    wish = f"--data {shlex.split(common)[1]} --latency --threads 1"
    timed = call(f"eval {work / f'{name}-0'} {wish}", work / f"{name}.eval.json")
    mious = [100 * run["miou"] for run in runs]
    return {
        "miou": mious,
        "mean": statistics.mean(mious),
        "deviation": statistics.stdev(mious),
        "parameters": runs[0]["parameters"],
        "multiply_adds": runs[0]["multiply_adds"],
        "latency_ms": timed["latency_ms"],
    }


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Markdown, one line a network."""
    lines = [
        "| decoder | mIoU, % (3 seeds) | mean ± sd | madds, M | parameters, M | ms |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in rows.items():
        seeds = ", ".join(f"{value:.1f}" for value in found["miou"])
        lines.append(
            f"| {name} | {seeds} | {found['mean']:.1f} ± {found['deviation']:.1f} | "
            f"{found['multiply_adds'] / 1e6:.0f} | {found['parameters'] / 1e6:.2f} | "
            f"{found['latency_ms']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def searches_table(searches: dict[str, dict[str, float]]) -> str:
    """Markdown, one line a search."""
    lines = [
        "| search | trials | best reward | mean | mean of the first half | of the second half |",
        "|---|---|---|---|---|---|",
    ]
    names = ("best", "mean", "mean_of_first_half", "mean_of_second_half")
    for name, found in searches.items():
        rewards = " | ".join(f"{found[key]:.3f}" for key in names)
        lines.append(f"| {name} | {found['trials']} | {rewards} |")
    return "\n".join(lines) + "\n"


def tables(found: dict[str, Any]) -> str:
    """Networks and searches of what was found, as Markdown."""
    return f"{table(found['networks'])}\n{searches_table(found['searches'])}"


def summary(trials: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Rewards of a search."""
    rewards = [trial["reward"] for trial in sorted(trials, key=lambda trial: trial["trial"])]
    half = len(rewards) // 2
    return {
        "trials": len(rewards),
        "best": max(rewards),
        "mean": statistics.mean(rewards),
        "mean_of_first_half": statistics.mean(rewards[:half]),
        "mean_of_second_half": statistics.mean(rewards[half:]),
    }


@click.command()
@click.option("--data", required=True)
@click.option("--classes", default=11, show_default=True)
@click.option("--size", default="96x128", show_default=True)
@click.option("--trials", default=60, show_default=True)
@click.option("--epochs", default=10, show_default=True)
@click.option("--jobs", default=2, show_default=True, help="Processes at once.")
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(
    data: str,
    classes: int,
    size: str,
    trials: int,
    epochs: int,
    jobs: int,
    work: Path,
    output: Path,
) -> None:
    work.mkdir(parents=True, exist_ok=True)
    common = f"--data {data} --classes {classes} --size {size} --cache {work / 'cache'}"
    searches = {name: search(name, common, work, trials) for name in SEARCHERS}
    names = [RIVAL, *best_of(searches["ppo"], 3, work)]
    with ThreadPoolExecutor(jobs) as pool:
        trainings = [
            pool.submit(train, name, seed, common, work, epochs) for seed in SEEDS for name in names
        ]
        for training in trainings:
            training.result()
    rows = {name: row(name, common, work, epochs) for name in names}
    commands = shlex.join(["python", "bench/training/camvid.py", *sys.argv[1:]])
    found = {
        "command": commands,
        "setting": {
            "size": size,
            "epochs": epochs,
            "search": SEARCH,
            "searchers": SEARCHERS,
            "train": TRAIN,
        },
        "searches": {name: summary(trials) for name, trials in searches.items()},
        "networks": rows,
        "genotypes": {n: json.loads((work / f"{n}.json").read_text()) for n in names[1:]},
    }
    output.write_text(json.dumps(found, indent=2) + "\n")
    output.with_suffix(".md").write_text(tables(found))
    click.echo(tables(found))


if __name__ == "__main__":
    main()
