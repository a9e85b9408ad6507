"""Do networks beat the median pose, which looks at no image?

    nassearch run --preset demo-pose --out demo-pose
    python bench/pose.py demo-pose --output bench/results/pose-demo.json

The median of each joint's places in the crops that are trained on is scored as the networks are:
on the persons of the data's validation part, in the boxes of the truth.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from auxnas.backends.caching import cache_dir
from auxnas.backends.registry import backend
from auxnas.compiler.tasks.pose import ABSENT
from auxnas.progress import display_on_stderr
from auxnas.search.evaluation.scoring import Evaluation, scores
from auxnas.search.examples.context import DataContext
from auxnas.search.examples.images import LABEL
from auxnas.search.networks.networks import read_network
from auxnas.search.networks.sources import own_data
from auxnas.search.settings.search import Settings


def median_pose(data: DataContext) -> np.ndarray[Any, Any]:
    """Keypoints (joints, 3): the median place of each joint that is trained on, score 1."""
    part = data.training_split.train
    joints = part.stored.pixels.read(LABEL, list(part.indices))[:, :-1]
    places = np.where(joints[..., 2:] > ABSENT, joints[..., :2], np.nan)
    middle = np.nan_to_num(np.nanmedian(places, 0))
    return np.concatenate([middle, np.ones((len(middle), 1))], 1).astype(np.float32)


def score_pose(work: Evaluation, pose: np.ndarray[Any, Any], cache: Path) -> dict[str, Any]:
    """The scores of one pose for every person of an evaluation."""
    images, _ = work.examples(cache, display_on_stderr())
    truth = images.batch(range(len(images)), None).labels
    return scores(work.task, work.task.measure(np.stack([pose] * len(truth)), truth))


@click.command(help="Scores networks of pose, and the median pose on the same persons.")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path))
def main(folders: tuple[Path, ...], output: Path | None) -> None:
    display, cache = display_on_stderr(), cache_dir(None)
    own = own_data(folders[0]).settings
    works = {each.name: Evaluation.of(read_network(each), own.source) for each in folders}
    first = next(iter(works.values()))
    task = first.trained.network.spec.task
    settings = Settings.model_validate({"data": own.model_dump(), "task": {"name": task}})
    found = {
        "median pose": score_pose(first, median_pose(DataContext(settings, cache, display)), cache)
    }
    learner = backend("learner", "torch")(threads=1)
    for name, work in works.items():
        found[name] = scores(work.task, work.run(learner, 16, cache, display).sums)
    rows = {"data": own.source, "task": task, "size": list(first.size), "scores": found}
    text = json.dumps(rows, indent=1)
    click.echo(text)
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
