"""Examples of each step: orders and random states that depend on the seed alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from auxnas.backends.base import Batch, Examples
from auxnas.compiler.tasks import Task

S = TypeVar("S", list[int], range)

_ORDER, _TRANSFORM = 1, 2
"""Streams of random numbers; a seed sequence would take a missing last number for 0."""


@dataclass(frozen=True)
class Draw:
    """One batch to be made: which examples, and the seed of their transforms."""

    indices: list[int]
    seed: tuple[int, ...] | None = None


def steps_an_epoch(count: int, batch_size: int, least: int = 2) -> int:
    """Batches of an epoch with ``count`` examples.

    A batch of less than ``least`` is left out: 1x1 maps of a single example have no deviation
    for batch norm.

    Raises:
        ValueError: when no batch has so many examples.
    """
    steps = sum(len(chunk) >= least for chunk in _chunks(range(count), batch_size))
    if not steps:
        found = f"{count} examples in batches of {batch_size}"
        raise ValueError(f"training: {found}, expected batches of at least {least}")
    return steps


def training_draws(count: int, epochs: Iterable[int], batch_size: int, seed: int) -> Iterator[Draw]:
    """The batches of some epochs, each epoch in an order of its own.

    A batch of a single example is left out, as in ``steps_an_epoch``.
    """
    for epoch in epochs:
        order = np.random.default_rng((seed, _ORDER, epoch)).permutation(count).tolist()
        for index, chunk in enumerate(_chunks(order, batch_size)):
            if len(chunk) > 1:
                yield Draw(chunk, (seed, _TRANSFORM, epoch, index))


def scoring_draws(count: int, batch_size: int) -> list[Draw]:
    """All examples in order, none transformed, none left out."""
    return [Draw(list(chunk)) for chunk in _chunks(range(count), batch_size)]


def _chunks(items: S, size: int) -> list[S]:
    return [items[start : start + size] for start in range(0, len(items), size)]


@contextmanager
def prefetch(
    examples: Examples, draws: Iterable[Draw], task: Task, outputs: int
) -> Iterator[Iterator[Batch]]:
    """The batches in order, the next one being made in a thread while one is used.

    Raises:
        ValueError: for targets that are none for a network of so many outputs.
    """
    pool = ThreadPoolExecutor(1, "auxnas-batches")
    try:
        yield _ahead(pool, examples, draws, task, outputs)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ahead(
    pool: ThreadPoolExecutor, examples: Examples, draws: Iterable[Draw], task: Task, outputs: int
) -> Iterator[Batch]:
    pending: deque[Future[Batch]] = deque()
    for draw in draws:
        pending.append(pool.submit(_make, examples, draw, task, outputs))
        if len(pending) > 1:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _make(examples: Examples, draw: Draw, task: Task, outputs: int) -> Batch:
    rng = None if draw.seed is None else np.random.default_rng(draw.seed)
    batch = examples.batch(draw.indices, rng)
    fault = task.fault(batch.labels, outputs)
    if fault is not None:
        raise ValueError(fault)
    return batch
