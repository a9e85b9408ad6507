"""Do networks beat the median pose, which looks at no image?

    nassearch run --preset demo-pose --out demo-pose
    python bench/training/pose.py demo-pose --output bench/results/pose-demo.json

The median of each joint's places in the crops that are trained on is scored as the networks are:
on the persons of the data's validation part, in the boxes of the truth. Networks are scored with
the flip test too, its shift measured on meta-val, a part of what they were trained on.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import click
import numpy as np
from guesses import Contest, over_seeds

from auxnas.backends.registry import backend
from auxnas.compiler.tasks.pose import ABSENT
from auxnas.compiler.tasks.pose.task import HumanPose
from auxnas.search.evaluation.candidates import settled
from auxnas.search.evaluation.scoring import META_VAL, Evaluation, scores
from auxnas.search.examples.context import DataContext
from auxnas.search.examples.images import LABEL
from auxnas.search.settings.search import DataSettings


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


def flip_tests(contest: Contest) -> dict[str, Any]:
    """The scores of every network with the flip test, by the name of its folder."""
    learner, found = backend("learner", "torch")(threads=1), {}
    for name, work in contest.works.items():
        held_out = Evaluation.of(
            work.trained, contest.about["data"], part=META_VAL, meta_train=DataSettings().meta_train
        )
        tested = replace(work, task=replace(cast(HumanPose, work.task), flip="measured"))
        chosen = settled(tested, held_out, learner, 16, contest.cache, contest.display)
        sums = chosen.run(learner, 16, contest.cache, contest.display).sums
        found[name] = scores(chosen.task, sums)
    return found


@click.command(help="Scores networks of pose, and the median pose on the same persons.")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path))
def main(folders: tuple[Path, ...], output: Path | None) -> None:
    contest = Contest.of(folders)
    median = score_pose(contest, median_pose(contest.data))
    plain, flipped = contest.scores(), flip_tests(contest)
    seeds = {
        kind: over_seeds(rows, ("oks", "pck_20"))
        for kind, rows in {"plain": plain, "flip test": flipped}.items()
    }
    contest.finish(output, seeds=seeds, scores={"median pose": median, **plain}, flip_test=flipped)


if __name__ == "__main__":
    main()
