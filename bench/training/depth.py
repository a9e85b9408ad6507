"""Do networks beat the baselines of depth that look at no image?

    nassearch run --preset demo-depth --out demo-depth
    python bench/training/depth.py demo-depth --output bench/results/depth-demo.json

    nassearch train --genotype arch0 --out arch0 --task depth --data depth:nyu_small --size 64x96 \
        --preset paper-depth --encoder-weights mobilenet_v2_imagenet_tv.safetensors \
        --set data.crop=null --set data.scale=[0.8,1.4] --set train.epochs=10 \
        --set train.poly_epochs=13 --set train.batch_size=8 --set train.decoder_optimiser=adam \
        --set train.clip_norm=3 --set train.decoder_rate=0.003 --set train.encoder_rate=0.01 \
        --set model.agg_size=16 --set model.sep_repeats=1 --set threads=1
    python bench/training/depth.py arch0-0 arch0-1 arch0-2 ... --output bench/results/depth-nyu.json

(arch1 and arch2 likewise, lwrf with --set train.channels=32, each with --seed 0, 1, 2; 320 of
NYUv2's official training images, 40 of its test images.)

The constant median of the training depths, and their median at each pixel of the networks' size,
are scored as the networks are: grown to the size of the truth as it is stored, on the images of
the data's validation part. Folders that differ in a number at their names' end, ``arch0-0`` and
``arch0-1``, are seeds of one thing: of their scores mean and standard deviation are given.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
from guesses import Contest, over_seeds

from auxnas.compiler.tasks.depth.errors import ERRORS
from auxnas.compiler.tasks.growing import grown
from auxnas.search.evaluation.scoring import scores
from auxnas.search.examples.context import DataContext, Part
from auxnas.search.examples.images import LABEL

METRICS = ("reward", *ERRORS)


def targets(data: DataContext, part: Part) -> np.ndarray[Any, Any]:
    """The targets of a part, (n, height, width), missing ones NaN."""
    labels = part.stored.pixels.read(LABEL, list(part.indices))
    return np.where(labels > 0, labels, np.nan)


def baselines(data: DataContext) -> dict[str, np.ndarray[Any, Any]]:
    """Depth (height, width) that is guessed for any image, by name."""
    truth = targets(data, data.training_split.train)
    constant = np.float32(np.nanmedian(truth))
    some = ~np.isnan(truth).all(0)
    at_each = np.full(truth.shape[1:], constant, np.float32)
    at_each[some] = np.nanmedian(truth[:, some], 0)
    return {"constant median": np.full_like(at_each, constant), "median map": at_each}


def score_guess(contest: Contest, guess: np.ndarray[Any, Any]) -> dict[str, Any]:
    """The scores of one guess, (height, width), on the images of the validation part."""
    work = contest.judge
    images, _ = work.examples(contest.cache, contest.display)
    sums: dict[str, Any] = {}
    for place in range(len(images)):
        truth = images.batch([place], None).labels
        output = grown(guess[None], (truth.shape[1], truth.shape[2]))[None]
        for name, value in work.task.measure(output, truth).items():
            sums[name] = sums.get(name, 0) + value
    return scores(work.task, sums)


@click.command(help="Scores networks of depth, and the baselines on the same images.")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path))
def main(folders: tuple[Path, ...], output: Path | None) -> None:
    contest = Contest.of(folders)
    guesses = baselines(contest.data)
    found = {name: score_guess(contest, guess) for name, guess in guesses.items()}
    found |= contest.scores()
    where = contest.judge.scored_at
    contest.finish(output, scored_at=where, seeds=over_seeds(found, METRICS), scores=found)


if __name__ == "__main__":
    main()
