"""A run that a fault strikes, and what a seed decides of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

from hosts import Host, Lab
from runs import TRIALS, drive

from auxnas.search.executors.attempts import AttemptRow, AttemptTable


@dataclass(frozen=True)
class Draw:
    """What a seed decides.

    Attributes:
        after: trials that have ended when the fault strikes.
        delay: seconds from then on.
        host: position of the host.
        seconds: length of a fault that ends.
        trial: number of the trial that a poison or a hang is in.
    """

    after: int
    delay: float
    host: int
    seconds: float
    trial: int


def draw(number: int, again: int) -> Draw:
    """Draws for a run that is played for the ``again``-th time."""
    rng = Random(f"{number} {again}")
    after, delay, trial = rng.randrange(4, 20), rng.random(), rng.randrange(12, TRIALS - 6)
    return Draw(after, delay, rng.randrange(3), rng.uniform(3, 32), trial)


@dataclass
class Scene:
    """A run that a fault strikes: its folder and its driver.

    A fault that ends lasts ``length`` seconds; ``full`` says whether the object store was.
    """

    lab: Lab
    draw: Draw
    folder: Path
    trouble: str = ""
    driver: Any = None
    length: float = 0.0
    full: bool = False

    @property
    def host(self) -> Host:
        """The host that is struck."""
        return self.lab.hosts[self.draw.host]

    @property
    def log(self) -> Path:
        """What the driver says."""
        return self.folder.with_suffix(".log")

    def drive(self, seconds: float = 1.0) -> None:
        """Starts a driver in a process of its own; ``seconds`` of a trial on average."""
        given = (self.folder, self.log, seconds, self.trouble, self.draw.trial)
        self.driver = get_context("fork").Process(target=drive, args=given)
        self.driver.start()

    def attempts(self) -> list[AttemptRow]:
        """Attempts that are over."""
        return [*AttemptTable(self.folder).rows()]

    def seat(self) -> list[int]:
        """Process of the host's seat that is struck."""
        return self.host.pids("SeatActor")[:1]

    def wait(self, ready: Callable[[], bool]) -> None:
        """Waits until something is so.

        Raises:
            RuntimeError: when the driver ends before.
        """
        while not ready():
            if not self.driver.is_alive():
                raise RuntimeError(self.log.read_text()[-2000:])
            time.sleep(0.05)

    def pause(self, seconds: float) -> None:
        """Lets a fault last, as long as there is a run."""
        self.length = seconds
        self.driver.join(seconds)
