"""Trains every architecture of the tabular benchmark's space once and keeps the rewards.

    OMP_NUM_THREADS=1 python bench/search/tabular.py --work runs/tabular

The reward is that of a search's first stage: the geometric mean of mean IoU,
frequency-weighted IoU and mean pixel accuracy on the meta-val part of 160 synthetic
street scenes (12 classes), brought to 48x64, after three epochs of the decoder (8
channels, Adam 0.03, Polyak 0.9, no auxiliary heads, no distillation) on stored outputs of
an encoder (MobileNet-v2 of width 0.35) that was pre-trained on the same scenes. Each of
the 4,200 functional classes is trained from one seed: the rewards have the noise of a
single training, and two seeds of the same 24 architectures correlate by 0.94.

About twenty minutes on one core. Interrupted, it goes on where it was: rewards are
lines of ``WORK/rewards.jsonl`` until all are there and the table is written.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np

from auxnas.genotype import Genotype
from auxnas.progress import display_on_stderr
from auxnas.search.evaluation.evaluator import evaluator_of
from auxnas.search.evaluation.two_stages import TwoStages
from auxnas.search.loop.context import RunContext
from auxnas.search.settings.resolving import nest, resolve
from auxnas.search.storage.environment import package_versions
from auxnas.search.tabular import TABLE, RewardTable, tabular_space
from auxnas.search.trials.records import Job, trial_seed

SETTINGS = {
    "threads": 1,
    "data.source": "synthetic:160",
    "data.size": [48, 64],
    "data.scale": [1.0, 1.0],
    "model.width": 0.35,
    "model.agg_size": 8,
    "stage1.epochs": 3,
    "stage1.batch_size": 24,
    "stage1.decoder_rate": 0.03,
    "stage1.auxiliary": 0.0,
    "stage1.distillation": 0.0,
    "pretrain.channels": 32,
    "pretrain.epochs": 15,
    "pretrain.batch_size": 8,
}


@click.command(help="Makes the table of the tabular benchmark.")
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option("--output", type=click.Path(path_type=Path), default=TABLE, show_default=True)
def main(work: Path, output: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    display = display_on_stderr()
    context = RunContext(resolve(nest(SETTINGS)), work, work / "cache", display)
    evaluate = evaluator_of(context.model)
    genotypes = list(tabular_space().enumerate("functional"))
    rewards = known(work / "rewards.jsonl")
    with (
        (work / "rewards.jsonl").open("a") as lines,
        display.task("architectures", len(genotypes)) as advance,
    ):
        for number in range(len(rewards), len(genotypes)):
            rewards.append(measured(evaluate, genotypes[number], number))
            lines.write(f"{rewards[-1]!r}\n")
            lines.flush()
            advance(number + 1, f"reward {rewards[-1]:.3f}")
    made = {"settings": SETTINGS, "versions": package_versions()}
    RewardTable(tabular_space(), np.array(rewards), made).save(output)
    display.say(f"{output}: {len(rewards)} rewards, {output.stat().st_size} bytes")


def measured(evaluate: TwoStages, genotype: Genotype, number: int) -> float:
    """Reward of the first stage; the second never follows."""
    job = Job(number, genotype, trial_seed(0, number), baseline=2.0, proceed=0.0)
    outcome = evaluate(job)
    if outcome.failure is not None:
        raise click.ClickException(f"{genotype}: {outcome.failure}")
    return outcome.stages[0].reward


def known(path: Path) -> list[float]:
    """The rewards of an earlier call; a line cut short does not count."""
    if not path.exists():
        return []
    lines = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    path.write_text("".join(lines))
    return [json.loads(line) for line in lines]


if __name__ == "__main__":
    main()
