"""Do networks beat the median pose, which looks at no image?

    nassearch run --preset demo-pose --out demo-pose
    python bench/pose.py demo-pose --output bench/results/pose-demo.json

The median of each joint's places in the crops that are trained on is scored as the networks are:
on the persons of the data's validation part, in the boxes of the truth.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
from guesses import Contest

from auxnas.compiler.tasks.pose import ABSENT
from auxnas.search.evaluation.scoring import scores
from auxnas.search.examples.context import DataContext
from auxnas.search.examples.images import LABEL


def median_pose(data: DataContext) -> np.ndarray[Any, Any]:
    """Keypoints (joints, 3): the median place of each joint that is trained on, score 1."""
    part = data.training_split.train
    joints = part.stored.pixels.read(LABEL, list(part.indices))[:, :-1]
    places = np.where(joints[..., 2:] > ABSENT, joints[..., :2], np.nan)
    middle = np.nan_to_num(np.nanmedian(places, 0))
    return np.concatenate([middle, np.ones((len(middle), 1))], 1).astype(np.float32)


def score_pose(contest: Contest, pose: np.ndarray[Any, Any]) -> dict[str, Any]:
    """The scores of one pose for every person of the validation part."""
    work = contest.judge
    images, _ = work.examples(contest.cache, contest.display)
    truth = images.batch(range(len(images)), None).labels
    return scores(work.task, work.task.measure(np.stack([pose] * len(truth)), truth))


@click.command(help="Scores networks of pose, and the median pose on the same persons.")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path))
def main(folders: tuple[Path, ...], output: Path | None) -> None:
    contest = Contest.of(folders)
    median = score_pose(contest, median_pose(contest.data))
    contest.finish(output, scores={"median pose": median, **contest.scores()})


if __name__ == "__main__":
    main()
