"""Do networks beat the baselines of depth that look at no image?

    nassearch run --preset demo-depth --out demo-depth
    python bench/depth.py demo-depth --output bench/results/depth-demo.json

    nassearch train --genotype arch0 --out arch0 --task depth --data depth:nyu_small --size 64x96 \
        --preset paper-depth --encoder-weights mobilenet_v2_imagenet_tv.safetensors \
        --set data.crop=null --set data.scale=[0.8,1.4] --set train.epochs=10 \
        --set train.poly_epochs=13 --set train.batch_size=8 --set train.decoder_optimiser=adam \
        --set train.decoder_rate=0.003 --set train.encoder_rate=0.01 --set model.agg_size=16 \
        --set model.sep_repeats=1 --set threads=1
    python bench/depth.py arch0 arch1 lwrf --output bench/results/depth-nyu.json

(arch1 likewise, lwrf with --set train.channels=32; 320 of NYUv2's official training images, 40 of
its test images.)

The constant median of the training depths, and their median at each pixel, are scored on the
images that the networks are scored on: those of the data's validation part.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from auxnas.backends.caching import cache_dir
from auxnas.backends.measuring.machine import cores
from auxnas.backends.registry import backend
from auxnas.progress import display_on_stderr
from auxnas.search.evaluation.scoring import Evaluation, scores
from auxnas.search.examples.context import DataContext, Part
from auxnas.search.examples.images import LABEL
from auxnas.search.networks.networks import read_network
from auxnas.search.networks.sources import own_data
from auxnas.search.settings.search import Settings

_CHUNK = 32


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


def score_guess(data: DataContext, guess: np.ndarray[Any, Any]) -> dict[str, Any]:
    """The scores of one guess on all images that are validated on."""
    val, task = data.training_split.val, data.task
    sums: dict[str, Any] = {}
    for start in range(0, len(val), _CHUNK):
        rows = list(val.indices[start : start + _CHUNK])
        truth = val.stored.pixels.read(LABEL, rows)
        output = np.broadcast_to(guess, (len(rows), 1, *guess.shape))
        for name, value in task.measure(output, truth).items():
            sums[name] = sums.get(name, 0) + value
    return scores(task, sums)


def score_network(folder: Path, cache: Path) -> dict[str, Any]:
    """The scores of the network in the folder of a run or of a training."""
    own = own_data(folder)
    trained = read_network(folder)
    work = Evaluation.of(trained, own.settings.source, depth_scale=own.settings.depth_scale)
    learner = backend("learner", "torch")(threads=cores())
    sums, _ = work.run(learner, 16, cache, display_on_stderr())
    return scores(work.task, sums)


@click.command(help="Scores networks of depth, and the baselines on the same images.")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path))
def main(folders: tuple[Path, ...], output: Path | None) -> None:
    display, cache = display_on_stderr(), cache_dir(None)
    own, task = own_data(folders[0]).settings, read_network(folders[0]).network.spec.task
    settings = Settings.model_validate({"data": own.model_dump(), "task": {"name": task}})
    data = DataContext(settings, cache, display)
    found = {name: score_guess(data, guess) for name, guess in baselines(data).items()}
    found |= {str(folder): score_network(folder, cache) for folder in folders}
    text = json.dumps({"data": own.source, "task": task, "scores": found}, indent=1)
    click.echo(text)
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
