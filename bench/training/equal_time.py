"""The best of two searches that take the same time, after long training.

    python bench/training/equal_time.py --data list:DATA --encoder WEIGHTS --work RUNS --output OUT

With every seed PPO tries 60 genotypes on street photographs. The other searcher goes on for as
long as PPO took, in processor time, so that what else the machine does says nothing. Then the three
best of each are trained longer, with one recipe and ImageNet's WEIGHTS, and scored on the
validation list, which no search sees. Interrupted, it goes on where it was, with a search that was
under way from its start, as nobody knows what it took. Beside the JSON a table
is written as Markdown. Needs the extra torch.
"""

from __future__ import annotations

import json
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from auxnas.search.storage.lock import RunLockedError, run_lock

SEARCH = """--preset small --set threads=1 --set model.width=1.0 --set model.agg_size=48
    --set stage1.epochs=3 --set stage1.batch_size=16 --set stage2.batch_size=16
    --set stage1.auxiliary=0 --set stage2.auxiliary=0 --set search.proceed_half_life=30
    --set latency.measure=false"""
SEARCHERS = {
    "ppo": "--set search.controller.rate=0.001 --set search.controller.update_epochs=4",
    "predictor": "",
}
TRIALS, STEP, BEST = 60, 10, 3
"""Of PPO; of one command; of each that are trained."""
TRAIN = """--preset paper --set threads=1 --set data.crop=null --set data.fit=stretch
    --set train.batch_size=8 --set train.epsilon=1e-8 --set train.beta2=0.999
    --set train.schedule=poly --set train.phases=[1] --set train.auxiliary=[0] --set train.frozen=0
    --set train.encoder_optimiser=adam --set train.encoder_rate=0.0005
    --set train.decoder_rate=0.003 --set loss.balance=0.9"""


def nassearch(words: str) -> tuple[Any, float]:
    """What a command prints as JSON, and the processor time that it takes, in seconds."""
    click.echo(f"nassearch {' '.join(words.split())}", err=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["nassearch", *shlex.split(words), "--json"]
    made = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if made.returncode:
        raise click.ClickException(f"nassearch ended with {made.returncode}, see above")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(made.stdout or "null"), took


def search(name: str, seed: int, common: str, work: Path, limit: float | None) -> dict[str, Any]:
    """A search's best, its trials and its processor time: ``TRIALS`` of them, or within a limit.

    Trials of the command that goes beyond the limit do not count.
    """
    path = work / f"{name}-{seed}.json"
    known: dict[str, Any] = {"trials": 0, "seconds": 0.0, "best": []}
    if path.is_file():
        known = json.loads(path.read_text())
    folder = work / f"{name}-{seed}"
    if known.get("running"):
        shutil.rmtree(folder, ignore_errors=True)
        known = {"trials": 0, "seconds": 0.0, "best": []}
    while not known.get("ended"):
        path.write_text(json.dumps(known | {"running": True}))
        wish = f"--set search.searcher={name} {SEARCHERS[name]} --seed {seed} --out {folder}"
        trials = known["trials"] + STEP
        _, took = nassearch(f"run {common} {SEARCH} {wish} --trials {trials}")
        seconds = known["seconds"] + took
        if limit is not None and seconds > limit:
            known["ended"] = True
        else:
            best, _ = nassearch(f"top {folder} --count {trials}")
            ended = limit is None and trials >= TRIALS
            known = {"trials": trials, "seconds": seconds, "ended": ended, "best": best}
        path.write_text(json.dumps(known))
    return known


def begin(setting: Any, common: str, work: Path) -> None:
    """Refuses a folder of other settings; fills the cache of a new one, in nobody's time."""
    path = work / "setting.json"
    if not path.is_file():
        wish = "--set search.searcher=random --trials 1"
        nassearch(f"run {common} {SEARCH} {wish} --out {work / 'first'}")
        path.write_text(json.dumps(setting))
    if json.loads(path.read_text()) != setting:
        raise click.UsageError(f"--work {work}: results of other settings, expected another folder")


def train(
    genotype: Any, name: str, seed: int, common: str, encoder: str, epochs: int, work: Path
) -> float:
    """mIoU in percent of a genotype after long training."""
    path = work / "trained" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    if not path.is_file():
        architecture = path.with_suffix(".genotype.json")
        architecture.write_text(json.dumps(genotype))
        wish = f"train --genotype {architecture} {common} {TRAIN} --epochs {epochs} --seed {seed}"
        out = path.with_suffix("")
        found, _ = nassearch(f"{wish} --encoder-weights {encoder} --out {out}")
        path.write_text(json.dumps(found))
    miou: float = json.loads(path.read_text())["miou"]
    return 100 * miou


def summary(found: Mapping[int, dict[str, Any]], miou: Mapping[int, list[float]]) -> dict[str, Any]:
    """Figures of one searcher, a value a seed."""
    return {
        "trials": [each["trials"] for each in found.values()],
        "minutes": [each["seconds"] / 60 for each in found.values()],
        "reward": [
            max((trial["reward"] for trial in each["best"]), default=0.0) for each in found.values()
        ],
        "rewards": [[t["reward"] for t in each["best"][:BEST]] for each in found.values()],
        "genotypes": [[t["genotype"] for t in each["best"][:BEST]] for each in found.values()],
        "miou": {seed: some for seed, some in miou.items() if len(some) == BEST},
    }


def table(found: Mapping[str, dict[str, Any]]) -> str:
    """Markdown, one line a searcher, and the difference."""
    lines = [
        "| searcher | trials | minutes | best reward | mIoU of the best three, % | mean |",
        "|---|---|---|---|---|---|",
    ]
    means: dict[str, dict[int, float]] = {}
    for name, each in found.items():
        means[name] = {seed: statistics.mean(some) for seed, some in each["miou"].items()}
        cells = [listed(each["trials"], "d"), listed(each["minutes"], ".1f")]
        cells += [listed(each["reward"], ".3f")]
        cells += ["; ".join(listed(some, ".1f") for some in each["miou"].values())]
        cells += [f"{statistics.mean(means[name].values()):.1f}" if means[name] else "-"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    first, second = means.values()
    gains = [second[seed] - first[seed] for seed in first if seed in second]
    names = list(found)
    said = f"{names[1]} over {names[0]}, seed by seed: {', '.join(f'{g:+.1f}' for g in gains)}"
    return "\n".join(lines) + f"\n\n{said}.\n"


def listed(values: Sequence[float], form: str) -> str:
    return ", ".join(format(value, form) for value in values)


@click.command()
@click.option("--data", required=True)
@click.option("--encoder", required=True, help="Weights of MobileNet-v2.")
@click.option("--size", default="96x128", show_default=True)
@click.option("--epochs", default=10, show_default=True, type=click.IntRange(1))
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(
    data: str, encoder: str, size: str, epochs: int, seeds: int, work: Path, output: Path
) -> None:
    work.mkdir(parents=True, exist_ok=True)
    try:
        with run_lock(work):
            compare(data, encoder, size, epochs, seeds, work, output)
    except RunLockedError as error:
        raise click.ClickException(str(error)) from None
    click.echo(output.with_suffix(".md").read_text())


def compare(
    data: str, encoder: str, size: str, epochs: int, seeds: int, work: Path, output: Path
) -> None:
    """Searches, trains and writes what is known, seed after seed."""
    common = f"--data {data} --size {size} --cache {work / 'cache'}"
    setting = {"size": size, "epochs": epochs, "search": SEARCH, "train": TRAIN}
    begin(setting, f"{common} --encoder-weights {encoder}", work)
    searched: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in SEARCHERS}
    scores: dict[str, dict[int, list[float]]] = {name: {} for name in SEARCHERS}
    for seed in range(seeds):
        limit = None
        for name in SEARCHERS:
            begun = f"{common} --encoder-weights {encoder}"
            searched[name][seed] = search(name, seed, begun, work, limit)
            limit = searched[name][seed]["seconds"]
        for name in SEARCHERS:
            scores[name][seed] = [
                train(t["genotype"], f"{name}-{seed}-{n}", seed, common, encoder, epochs, work)
                for n, t in enumerate(searched[name][seed]["best"][:BEST])
            ]
        found = {name: summary(searched[name], scores[name]) for name in SEARCHERS}
        known = {
            "command": shlex.join(["python", "bench/training/equal_time.py", *sys.argv[1:]]),
            "setting": setting,
            "searchers": SEARCHERS,
            "found": found,
        }
        output.write_text(json.dumps(known, indent=2) + "\n")
        output.with_suffix(".md").write_text(table(found))


if __name__ == "__main__":
    main()
