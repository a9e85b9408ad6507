"""Data for which an answer is right that looks at no image: they make every reward trivial."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from auxnas.compiler.tasks import Task
from auxnas.search.examples.images import IMAGE, LABEL
from auxnas.search.storage.store import Array, Store

Images = tuple[Store, Sequence[int]]
"""A store with ``image`` and ``label``, and the places of some images in it."""
_CLOSE = 1e-6
"""By how much less a reward is the truth's all the same."""


def one_number(task: Task, images: Images) -> str:
    """The number that is as right everywhere as the labels are; "" where there is none.

    Images are read up to the first that tells. Of classes ``check_variety`` knows more.
    """
    middle = None
    for truth, best in _truths(task, images) if not task.labels.classes else ():
        middle = _middle(task, truth) if middle is None else middle
        if not _is_right(task, np.broadcast_to(middle, truth.shape), truth, best):
            return ""
    return "" if middle is None else ", ".join(f"{each:.4g}" for each in middle)


def is_one_map(task: Task, train: Images, val: Images) -> bool:
    """Whether the labels of the first image of ``train`` are right for each one of ``val``."""
    first = next(_truths(task, train), None)
    found = (first and _is_right(task, first[0], *each) for each in _truths(task, val))
    return first is not None and all(found)


def _truths(task: Task, images: Images) -> Iterator[tuple[Array, float]]:
    """Compared numbers, and their own reward, of each image in which anything counts.

    They are the target where outputs are in its unit, else the label.
    """
    pixels, rows = images
    for row in rows:
        label, image = (partial(_read, pixels, name, row) for name in (LABEL, IMAGE))
        if task.starts_at_mean:
            truth = task.target_of(label(), image)
            best = _reward(task, truth, truth)
        else:
            truth = label()
            best = 1.0 if task.labels.known(truth).any() else None
        if best is not None:
            yield truth, best


def _read(pixels: Store, name: str, row: int) -> Array:
    return np.asarray(pixels.read(name, [row])[0])


def _middle(task: Task, truth: Array) -> Array:
    """The median of the numbers that count, for each channel of an output."""
    if not task.starts_at_mean:
        return np.array([np.median(truth[task.labels.known(truth)])])
    rows, known = (each.reshape(-1, task.outputs).T for each in (truth, task.target.known(truth)))
    pairs = zip(rows, known, strict=True)
    return np.array([np.median(row[counts]) if counts.any() else 0 for row, counts in pairs])


def _is_right(task: Task, answer: Array, truth: Array, best: float) -> bool:
    """Whether an answer scores as the truth does, or where that is no output, is the same."""
    if task.starts_at_mean:
        reward = _reward(task, answer, truth)
        return reward is not None and reward >= best - _CLOSE
    known = task.labels.known(truth)
    return answer.shape == truth.shape and bool(np.array_equal(answer[known], truth[known]))


def _reward(task: Task, answer: Array, truth: Array) -> float | None:
    """The reward of an answer to one image; None where nothing in it counts."""
    channels = answer[None] if answer.ndim == 2 else np.moveaxis(answer, -1, 0)
    try:
        return task.score(task.measure(channels[None].astype(np.float32), truth[None])).reward
    except ValueError:
        return None
