"""Contenders of a benchmark, each in a process of its own, taking turns.

A runtime's waiting threads, allocator and caches would slow down whoever comes after it
in the same process; so every contender gets its own, is started once, warmed up, and
answers with its times when it is its turn. Turns are shuffled in every round, so that none
always comes after the same other.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click
import numpy as np

Array = np.ndarray[Any, Any]
Call = Callable[[], Array]
WARM_UP = 3


@dataclass(frozen=True)
class Contender:
    """What is timed.

    Attributes:
        open: module-level function that gives a call, from the other fields.
        source: file that it opens.
        image: .npy file with its input.
        threads: within an operation.
    """

    open: Callable[[Path, Array, int], Call]
    source: Path
    image: Path
    threads: int


@dataclass(frozen=True)
class Times:
    """What a contender took.

    Attributes:
        rounds: median milliseconds of every round.
        output: what it computed.
    """

    rounds: Sequence[float]
    output: Array

    @property
    def summary(self) -> dict[str, Any]:
        """Milliseconds: median and quartiles over the rounds."""
        return {"median": statistics.median(self.rounds), "quartiles": quartiles(self.rounds)}


def race(contenders: Mapping[str, Contender], rounds: int, repeats: int) -> dict[str, Times]:
    """Times by name: in every round each contender runs ``repeats`` times, in turns."""
    context = multiprocessing.get_context("spawn")
    ends: dict[str, Connection] = {}
    processes = []
    for name, contender in contenders.items():
        ends[name], theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, contender), daemon=True)
        process.start()
        theirs.close()
        processes.append(process)
    outputs = {name: end.recv() for name, end in ends.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    turns, shuffle = list(ends.items()), random.Random(0).shuffle
    for _ in range(rounds):
        shuffle(turns)
        for name, end in turns:
            end.send(repeats)
            times[name].append(1e3 * statistics.median(end.recv()))
    for end, process in zip(ends.values(), processes, strict=True):
        end.close()
        process.join()
    return {name: Times(times[name], outputs[name]) for name in contenders}


def _serve(end: Connection, contender: Contender) -> None:
    call = contender.open(contender.source, np.load(contender.image), contender.threads)
    for _ in range(WARM_UP):
        output = call()
    end.send(output)
    while True:
        try:
            repeats = end.recv()
        except EOFError:
            return
        call()
        end.send([_timed(call) for _ in range(repeats)])


def _timed(call: Call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def quartiles(values: Sequence[float]) -> list[float]:
    """The three quartiles, rounded for a file that people read."""
    return [round(q, 4) for q in statistics.quantiles(values, n=4)]


def speedup(rival: Times, ours: Times) -> dict[str, Any]:
    """How many times as fast as ``rival`` we are, within rounds."""
    ratios = [theirs / our for theirs, our in zip(rival.rounds, ours.rounds, strict=True)]
    return {"median": round(statistics.median(ratios), 4), "quartiles": quartiles(ratios)}


def add_to(output: Path, setting: dict[str, Any], part: str, found: dict[str, Any]) -> None:
    """Write ``found`` under ``part``, beside what earlier calls of the same setting left there."""
    before: dict[str, Any] = {"setting": setting, part: {}}
    if output.exists():
        before = json.loads(output.read_text())
        if before["setting"] != setting:
            raise click.ClickException(f"{output}: of another setting: {before['setting']}")
    whole = {"setting": setting, part: dict(sorted((before[part] | found).items()))}
    output.write_text(json.dumps(whole, indent=2) + "\n")
