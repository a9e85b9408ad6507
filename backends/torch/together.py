"""One training in several processes on this machine, by torch's DistributedDataParallel.

Each process has a GPU of its own where there are any, and takes a part of every batch.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import distributed

from auxnas.backends.base import PLACE, Progress, TrialFailure
from auxnas.backends.torch.devices import Array, choose_device
from auxnas.backends.torch.failures import convert_memory_errors
from auxnas.backends.torch.team import Team
from auxnas.backends.torch.training import Work, use_deterministic_algorithms

Done = tuple[dict[str, Array], dict[str, Array]]
"""State and parameters after some work."""

_STEP, _DONE, _FAILED = range(3)
"""Kinds of messages from a process."""


def train_together(
    work: Work, device: str | None, threads: int | None, precision: str, progress: Progress
) -> Done:
    """``work`` done by as many processes as its recipe says; state and parameters then.

    Raises:
        TrialFailure: of the first process that fails; ``crash`` for one that ends.
    """
    context, count = get_context("spawn"), work.recipe.processes
    pipes = [context.Pipe() for _ in range(count)]
    with TemporaryDirectory(prefix="auxnas-team-") as folder:
        same = (str(Path(folder) / "store"), device, threads, precision, work)
        members = [
            context.Process(target=_take_part, args=(Team(rank, count), pipe, *same), daemon=True)
            for rank, (_, pipe) in enumerate(pipes)
        ]
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is ours alone
        try:
            for member in members:
                member.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            for _, theirs in pipes:
                theirs.close()
            done: Done = _followed([ours for ours, _ in pipes], progress)
            return done
        finally:
            for member in members:
                member.kill()
                member.join()


def _followed(pipes: Sequence[Connection], progress: Progress) -> Any:
    """The result of the first process, of whose steps it tells."""
    while True:
        ready = wait(pipes)
        for number, pipe in enumerate(pipes, 1):
            if pipe not in ready:
                continue
            try:
                kind, content = pipe.recv()
            except (EOFError, OSError):
                found = f"process {number} of {len(pipes)} of the training ended"
                raise TrialFailure("crash", found) from None
            if kind == _FAILED:
                raise TrialFailure(*content)
            if kind == _DONE:
                return content
            progress(content)


def _take_part(
    team: Team,
    pipe: Connection,
    store: str,
    device: str | None,
    threads: int | None,
    precision: str,
    work: Work,
) -> None:
    """A member's whole life; the first one says what comes of it."""
    os.environ[PLACE] = str(team.rank)
    own = choose_device(device)
    if threads is not None:
        torch.set_num_threads(threads)
    if own.type == "cuda":
        torch.cuda.set_device(own)
    distributed.init_process_group(
        "nccl" if own.type == "cuda" else "gloo",
        init_method=f"file://{store}",
        rank=team.rank,
        world_size=team.count,
    )

    def told(step: object) -> None:
        if team.rank == 0:
            pipe.send((_STEP, step))

    try:
        with convert_memory_errors(), use_deterministic_algorithms(own):
            found = work.do(own, precision, told, team)
    except TrialFailure as failure:
        pipe.send((_FAILED, (failure.kind, failure.detail)))
    else:
        if team.rank == 0:
            pipe.send((_DONE, found))
    with suppress(EOFError, OSError):  # who leaves early breaks the others' connections
        pipe.recv()
