"""Seats in processes of this machine, which may hang or die without taking the run with them.

Each is a process of its own (spawned, so that it may use a GPU) that serves jobs over a pipe, one
after the other. What it trains on is memory-mapped, so they share it. It ends when the pipe's other
end does: nothing is left behind a driver that was killed.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from math import inf
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from queue import SimpleQueue
from time import monotonic
from typing import Any

from auxnas.backends.base import PLACE, TrainingStep
from auxnas.search.executors.base import Evaluate, check_no_cluster
from auxnas.search.executors.crew import (
    Advanced,
    Beat,
    Began,
    Dropped,
    Ended,
    Message,
    Raised,
    Readied,
    Vanished,
    bug_text,
)
from auxnas.search.executors.seats import Seats
from auxnas.search.settings.search import Settings
from auxnas.search.trials.records import Job, Stage

_MAKING = 300.0
"""Seconds that a process may take until it is ready, or until it begins a job."""


class Workers(Seats):
    """Implements ``Executor`` with processes, as many as the settings say, one at least.

    Args:
        evaluate: function from a job to its outcome; it is pickled.
        settings: of the run.
        clock: tells the seconds.
    """

    def __init__(
        self, evaluate: Evaluate, settings: Settings, clock: Callable[[], float] = monotonic
    ) -> None:
        places, timeout = max(1, settings.workers), settings.trial_timeout
        crew = ProcessCrew(evaluate)
        super().__init__(crew, places, timeout, silence=inf, making=_MAKING, clock=clock)

    @staticmethod
    def suits(settings: Settings) -> bool:
        """Whether workers or a time limit are asked for, and no cluster."""
        asked = settings.workers or settings.trial_timeout
        return settings.cluster.address is None and bool(asked)

    @staticmethod
    def check(settings: Settings) -> None:
        """Checks that no cluster is asked for."""
        check_no_cluster(settings)


@dataclass
class _Worker:
    """A worker process as the driver sees it.

    Attributes:
        process: the process.
        pipe: our end.
        place: its number among those of its time, which chooses its GPU.
        letters: messages to it, pickled; None is the last.
    """

    process: BaseProcess
    pipe: Connection
    place: int
    letters: SimpleQueue[Any] = field(default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        """Starts the thread that writes to the pipe, which blocks until the process reads."""
        arguments = (self.pipe, self.letters)
        self.sender = threading.Thread(target=_send, args=arguments, daemon=True)
        self.sender.start()

    def send(self, message: Any) -> None:
        """Begins to send; what the process never reads ends with it."""
        self.letters.put(ForkingPickler.dumps(message))

    def end(self) -> None:
        """Kills the process, whatever it is at."""
        self.process.kill()
        self.process.join()
        self.letters.put(None)
        self.sender.join()
        self.pipe.close()
        self.process.close()


def _send(pipe: Connection, letters: SimpleQueue[Any]) -> None:
    """Sends; there is nobody to hear it once the process is gone."""
    while (letter := letters.get()) is not None:
        with suppress(OSError):
            pipe.send_bytes(letter)


class ProcessCrew:
    """Implements ``Crew`` with processes, which send its messages themselves.

    Args:
        evaluate: function from a job to its outcome; it is pickled.
    """

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate
        self._workers: dict[int, _Worker] = {}
        self._heard: list[Message] = []

    def start(self, seat: int) -> None:
        """Starts a process."""
        try:
            worker = self._workers[seat] = self._spawn(seat)
        except OSError as error:  # there is no room for one
            how = f"the worker process could not be started ({error})"
            self._heard.append(Vanished(seat, how))
            return
        worker.send(self._evaluate)
        self._heard.append(Beat(seat))

    def _spawn(self, seat: int) -> _Worker:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        taken = {worker.place for worker in self._workers.values()}
        place = next(number for number in count() if number not in taken)
        process = context.Process(target=_serve, args=(theirs, seat, place), daemon=True)
        try:
            with _interrupts_held():
                process.start()
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return _Worker(process, ours, place)

    def give(self, seat: int, attempt: int, job: Job) -> None:
        """Sends the job."""
        self._workers[seat].send((attempt, job))

    def drop(self, seat: int) -> None:
        """Sends that, too; the process looks at each step."""
        self._workers[seat].send(None)

    def end(self, seat: int) -> None:
        """Kills the process."""
        if seat in self._workers:
            self._workers.pop(seat).end()

    def hear(self, seconds: float) -> Sequence[Message]:
        """All that has come."""
        found, self._heard = self._heard, []
        pipes: dict[Any, int] = {worker.pipe: seat for seat, worker in self._workers.items()}
        for pipe in wait(pipes, 0.0 if found else seconds):
            found += self._received(pipes[pipe])
        return found

    def _received(self, seat: int) -> Iterator[Message]:
        """The messages of a process, or the end of it."""
        worker = self._workers[seat]
        try:
            while worker.pipe.poll():
                yield worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            yield Vanished(seat, f"the worker process {_how(worker.process.exitcode)}")

    def lack(self) -> str:
        """Nothing is known of it."""
        return "the worker processes take long to start"

    def close(self) -> None:
        """Kills the processes."""
        for seat in list(self._workers):
            self.end(seat)


def _how(status: int | None) -> str:
    """The end of a process in words, from its exit status."""
    if status is None or status >= 0:
        return f"ended with status {status}"
    name = signal.Signals(-status).name
    perhaps = ", perhaps for lack of memory" if name == "SIGKILL" else ""
    return f"was ended by {name}{perhaps}"


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C reaches us after the block, and a process started in it never."""
    resource_tracker.ensure_running()  # it would let Ctrl-C through again when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, seat: int, place: int) -> None:
    """Serves jobs until the driver is gone: the main function of a worker process."""
    os.environ[PLACE] = str(place)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):  # the driver is gone
        evaluate = pipe.recv()
        pipe.send(Readied(seat, socket.gethostname(), ""))
        while True:
            task = pipe.recv()
            if task is not None:  # else the attempt that is dropped has ended
                attempt, job = task
                pipe.send(Began(seat, attempt))
                pipe.send(_end(pipe, seat, attempt, evaluate, job))


def _end(pipe: Connection, seat: int, attempt: int, evaluate: Evaluate, job: Job) -> Ended | Raised:
    """Evaluates a job; progress is told."""

    def progress(stage: int, step: TrainingStep, before: Stage | None = None) -> None:
        with suppress(OSError):
            pipe.send(Advanced(seat, attempt, stage, step, before))
            if pipe.poll():
                raise Dropped

    try:
        return Ended(seat, attempt, evaluate(job, progress))
    except Dropped:
        return Ended(seat, attempt, None)
    except (Exception, SystemExit) as error:
        return Raised(seat, attempt, *bug_text(error))


def _end_with_parent() -> None:
    """Ends this process as soon as the one that started it has, in the midst of a step too."""
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
