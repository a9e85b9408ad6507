"""Which examples a step sees: orders and random states that depend on the seed alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from backends.base import IGNORE, Batch, Examples

_ORDER, _TRANSFORM = 1, 2
"""Streams of random numbers; a seed sequence would take a missing last number for 0."""


@dataclass(frozen=True)
class Draw:
    """One batch to be made: which examples, and the seed of their transforms."""

    indices: list[int]
    seed: tuple[int, ...] | None = None


def training_draws(count: int, epochs: int, batch_size: int, seed: int) -> list[Draw]:
    """The batches of a whole training, each epoch in an order of its own.

    A batch of a single example is left out: its 1x1 maps have no deviation for batch norm.

    Raises:
        ValueError: when no batch has two examples.
    """
    draws = []
    for epoch in range(epochs):
        order = np.random.default_rng((seed, _ORDER, epoch)).permutation(count)
        chunks = [chunk for chunk in _chunks(order.tolist(), batch_size) if len(chunk) > 1]
        draws += [Draw(c, (seed, _TRANSFORM, epoch, i)) for i, c in enumerate(chunks)]
    if epochs and not draws:
        found = f"{count} examples in batches of {batch_size}"
        raise ValueError(f"training: {found}, expected batches of at least 2")
    return draws


def scoring_draws(count: int, batch_size: int) -> list[Draw]:
    """All examples in order, none transformed, none left out."""
    return [Draw(chunk) for chunk in _chunks(list(range(count)), batch_size)]


def _chunks(items: list[int], size: int) -> list[list[int]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


@contextmanager
def prefetched(
    examples: Examples, draws: Iterable[Draw], classes: int
) -> Iterator[Iterator[Batch]]:
    """The batches in order, the next one being made in a thread while one is used.

    Raises:
        ValueError: for a label that is none of the classes.
    """
    pool = ThreadPoolExecutor(1, "auxnas-batches")
    try:
        yield _ahead(pool, examples, draws, classes)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ahead(
    pool: ThreadPoolExecutor, examples: Examples, draws: Iterable[Draw], classes: int
) -> Iterator[Batch]:
    pending: deque[Future[Batch]] = deque()
    for draw in draws:
        pending.append(pool.submit(_make, examples, draw, classes))
        if len(pending) > 1:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _make(examples: Examples, draw: Draw, classes: int) -> Batch:
    rng = None if draw.seed is None else np.random.default_rng(draw.seed)
    batch = examples.batch(draw.indices, rng)
    wrong = batch.labels[(batch.labels >= classes) & (batch.labels != IGNORE)]
    if wrong.size:
        raise ValueError(f"labels: {wrong[0]}, expected 0..{classes - 1} or {IGNORE}")
    return batch
