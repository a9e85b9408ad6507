"""Options of a task that are measured on meta-val before a network is scored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from auxnas.backends.base import Learner
from auxnas.backends.progress import Display
from auxnas.search.evaluation.scoring import Evaluation


def settled(
    work: Evaluation, held_out: Evaluation, learner: Learner, batch: int, cache: Path, show: Display
) -> Evaluation:
    """``work`` with the candidate of its task that has the best reward on meta-val.

    Args:
        work: what is to be scored; its task has candidates.
        held_out: the same network on meta-val.
        learner: scores.
        batch: images at once.
        cache: folder that runs share.
        show: is told the rewards.
    """
    images, _ = held_out.examples(cache, show)
    program, tasks = work.trained.program, work.task.candidates
    rewards = {
        name: task.score(learner.measure(program, images, task, batch)).reward
        for name, task in tasks.items()
    }
    best = max(rewards, key=lambda name: rewards[name])
    found = ", ".join(f"{name} {reward:.4f}" for name, reward in rewards.items())
    show.say(f"reward on {len(images)} images of meta-val: {found}; {best} is taken")
    return replace(work, task=tasks[best])
