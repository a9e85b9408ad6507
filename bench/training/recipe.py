"""What each part of the training recipe is worth on street photographs.

    python bench/training/recipe.py --data list:DATA --encoder WEIGHTS --work RUNS --output OUT

Trains arch0 with the base recipe and with one change after the other, from random weights and from
ImageNet's, WEIGHTS, with every seed, one training at a time, and scores on the validation list.
Interrupted, it goes on where it was, in the middle of a training too; ``--report`` prints what is
there so far. Beside the JSON a table is written as Markdown, with differences from the base of the
same seeds, and their standard error. Needs the extra torch.
"""

from __future__ import annotations

import json
import shlex
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

RARE = ("Pole", "SignSymbol", "Pedestrian", "Bicyclist")
STARTS = ("imagenet", "scratch")
BASE = (
    "train.batch_size=8 train.decoder_rate=0.001 train.epsilon=1e-8 train.beta2=0.999 "
    "train.schedule=poly train.phases=[1] train.auxiliary=[0] train.frozen=0"
)
COLOURS = " ".join(
    f"data.photometric.{each}"
    for each in ("brightness=0.3", "contrast=0.3", "saturation=0.3", "hue=0.05")
)
SHARPNESS = "data.photometric.blur=0.7 data.photometric.jpeg=0.5"
DECAY = "train.decoder_decay=0.01 train.encoder_decay=0.0001"
BALANCE = "loss.balance=0.9"
ADAM = "train.encoder_optimiser=adam train.encoder_rate=0.0005 train.decoder_rate=0.003"
ALIKE = ADAM.replace("0.0005", "0.003")
"""The decoder's rate for the encoder too."""
VARIANTS = {
    "base": "",
    "colours": COLOURS,
    "colours, blur, JPEG": f"{COLOURS} {SHARPNESS}",
    "class balance 0.9": BALANCE,
    "hard pixels": "loss.hard=0.7 loss.kept=0.1",
    "Dice": "loss.dice=1",
    "Lovasz": "loss.lovasz=1",
    "average 0.99": "train.polyak=0.99",
    "cosine, warm-up": "train.schedule=cosine train.warm_up=1",
    "decay": DECAY,
    "encoder's rate times 5": "train.encoder_rate=0.005",
    "auxiliary losses": "train.auxiliary=[0.15]",
    "encoder by Adam": ADAM,
    "balance, Adam": f"{BALANCE} {ADAM}",
    "balance, Adam 0.003": f"{BALANCE} {ALIKE}",
    "balance, Adam, colours": f"{BALANCE} {ADAM} {COLOURS}",
    "balance, Adam, Dice": f"{BALANCE} {ADAM} loss.dice=1",
    "balance, Adam, Lovasz": f"{BALANCE} {ADAM} loss.lovasz=1",
    "balance, Adam, average 0.99": f"{BALANCE} {ADAM} train.polyak=0.99",
    "balance, Adam, cosine, warm-up": f"{BALANCE} {ADAM} train.schedule=cosine train.warm_up=1",
    "balance, Adam, decay": f"{BALANCE} {ADAM} {DECAY}",
    "balance, Adam, auxiliary losses": f"{BALANCE} {ADAM} train.auxiliary=[0.15]",
}
PAPER = "train.batch_size=8"
"""The paper's four phases, rates and Adam, in batches that ten epochs of so few images stand."""


def command(
    variant: str, start: str, seed: int, data: str, encoder: str, size: str, epochs: int, work: Path
) -> list[str]:
    """The command of one training."""
    changes = PAPER if variant == "paper" else f"{BASE} {VARIANTS[variant]}"
    sets = [word for each in ("threads=1", *changes.split()) for word in ("--set", each)]
    folder = work / f"{slug(variant)}-{start}-{seed}"
    return [
        *("nassearch", "train", "--genotype", "arch0", "--preset", "paper"),
        *("--data", data, "--size", size, "--epochs", str(epochs), "--seed", str(seed)),
        *("--encoder-weights", encoder if start == "imagenet" else "none"),
        *("--set", "data.crop=null", "--set", "data.fit=stretch", *sets),
        *("--cache", str(work / "cache"), "--out", str(folder), "--json"),
    ]


def slug(variant: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in variant)


def found(variant: str, start: str, seed: int, work: Path) -> dict[str, Any] | None:
    """Scores of a training; None where it has not ended."""
    path = work / f"{slug(variant)}-{start}-{seed}" / "result.json"
    if not path.is_file():
        return None
    result = json.loads(path.read_text())
    return {
        "miou": result["miou"],
        "rare": {name: result["iou"][name] for name in RARE},
        "seconds": result["seconds"],
    }


def rows(variants: Sequence[str], seeds: int, work: Path) -> list[dict[str, Any]]:
    """A row for each variant and start that has results, with its differences from the base."""
    made = []
    for start in STARTS:
        base = {seed: found("base", start, seed, work) for seed in range(seeds)}
        for variant in variants:
            known = {seed: found(variant, start, seed, work) for seed in range(seeds)}
            runs = {seed: run for seed, run in known.items() if run is not None}
            if not runs:
                continue
            row = {"variant": variant, "start": start, "seeds": sorted(runs)}
            row["miou"] = [100 * run["miou"] for run in runs.values()]
            row["rare"] = {
                name: [100 * (run["rare"][name] or 0.0) for run in runs.values()] for name in RARE
            }
            row["seconds"] = statistics.median(run["seconds"] for run in runs.values())
            pairs = [(runs[seed], base[seed]) for seed in runs if base[seed] is not None]
            row["gain"] = [100 * (run["miou"] - before["miou"]) for run, before in pairs]
            made.append(row)
    return made


def table(made: Sequence[dict[str, Any]]) -> str:
    """Markdown, one line a row."""
    lines = [
        f"| recipe | encoder | mIoU, % | against base | {' | '.join(RARE)} | minutes |",
        f"|---|---|---|---|{'---|' * (len(RARE) + 1)}",
    ]
    for row in made:
        rare = " | ".join(f"{statistics.mean(row['rare'][name]):.1f}" for name in RARE)
        lines.append(
            f"| {row['variant']} | {row['start']} | {spread(row['miou'])} | "
            f"{'' if row['variant'] == 'base' else spread(row['gain'], sign='+')} | {rare} | "
            f"{row['seconds'] / 60:.1f} |"
        )
    return "\n".join(lines) + "\n"


def spread(values: Sequence[float], sign: str = "") -> str:
    """Mean and, of several, its standard error."""
    if not values:
        return "-"
    mean = f"{statistics.mean(values):{sign}.1f}"
    if len(values) == 1:
        return f"{mean} (one seed)"
    return f"{mean} ± {statistics.stdev(values) / len(values) ** 0.5:.1f}"


def write(variants: Sequence[str], seeds: int, work: Path, output: Path, settings: Any) -> None:
    made = rows(variants, seeds, work)
    known = {**settings, "base": BASE, "variants": {**VARIANTS, "paper": PAPER}, "rows": made}
    output.write_text(json.dumps(known, indent=2) + "\n")
    output.with_suffix(".md").write_text(table(made))


@click.command()
@click.option("--data", required=True)
@click.option("--encoder", required=True, help="Weights of MobileNet-v2.")
@click.option("--size", default="96x128", show_default=True)
@click.option("--epochs", default=10, show_default=True)
@click.option("--seeds", default=3, show_default=True)
@click.option("--only", multiple=True, type=click.Choice([*VARIANTS, "paper"]), metavar="VARIANT")
@click.option("--start", multiple=True, type=click.Choice(STARTS), help="[default: both]")
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.option("--report", is_flag=True, help="Train nothing.")
def main(
    data: str,
    encoder: str,
    size: str,
    epochs: int,
    seeds: int,
    only: tuple[str, ...],
    start: tuple[str, ...],
    work: Path,
    output: Path,
    report: bool,
) -> None:
    work.mkdir(parents=True, exist_ok=True)
    variants = only or (*VARIANTS, "paper")
    settings = {
        "command": shlex.join(["python", "bench/training/recipe.py", *sys.argv[1:]]),
        "size": size,
        "epochs": epochs,
    }
    plan = [(v, s, n) for n in range(seeds) for s in start or STARTS for v in variants]
    for variant, begin, seed in () if report else plan:
        if found(variant, begin, seed, work) is None:
            wish = command(variant, begin, seed, data, encoder, size, epochs, work)
            click.echo(shlex.join(wish), err=True)
            if status := subprocess.run(wish, stdout=subprocess.DEVNULL, check=False).returncode:
                raise click.ClickException(f"nassearch ended with {status}, see above")
            write(variants, seeds, work, output, settings)
    write(variants, seeds, work, output, settings)
    click.echo(output.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
