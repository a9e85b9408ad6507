"""Trials in worker processes, which may hang or die without taking the run with them.

A worker is a process of its own (spawned, so that it may use a GPU) that serves jobs over
a pipe, one after the other. What it trains on is memory-mapped, so workers share it. It
ends when the pipe's other end does: nothing is left behind a driver that was killed.
"""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from time import monotonic
from typing import Any

from auxnas.backends.base import TrainingStep
from auxnas.genotype.errors import describe_error
from auxnas.search.errors import SearchError
from auxnas.search.evaluation.two_stages import StageProgress
from auxnas.search.executors.base import Evaluate, no_job_error
from auxnas.search.settings.durations import duration_text
from auxnas.search.settings.search import Settings
from auxnas.search.trials.records import FAILED, Failure, Job, Outcome, Stage, lost

_BEGAN, _PROGRESS, _ENDED, _RAISED = range(4)
"""Kinds of messages from a worker."""

_START = 300.0
"""Seconds that a worker may take to begin a job, beyond what a job may take if that is limited."""

_STARTS = 3
"""Workers in a row that may be lost before one has begun a job; the last ends the run."""


@dataclass
class _Worker:
    """A worker process as the driver sees it.

    Attributes:
        process: the process.
        pipe: our end.
        job: the job under way; None when it waits.
        progress: callback of that job's progress.
        before: its first stage, once that has ended.
        deadline: when it is to be stopped.
        began: whether it has begun the job.
        sender: thread that writes to the pipe, which blocks until the process reads.
    """

    process: BaseProcess
    pipe: Connection
    job: Job | None = None
    progress: StageProgress | None = None
    before: Stage | None = None
    deadline: float | None = None
    began: bool = False
    sender: threading.Thread | None = None

    def send(self, *messages: Any) -> None:
        """Begins to send; one that the process never reads ends with it."""
        pickled = [ForkingPickler.dumps(message) for message in messages]
        self.sender = threading.Thread(target=_send, args=(self.pipe, pickled), daemon=True)
        self.sender.start()

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the job that have ended."""
        return () if self.before is None else (self.before,)

    def end(self) -> None:
        """Kills the process, whatever it is at."""
        self.process.kill()
        self.process.join()
        if self.sender is not None:
            self.sender.join()
        self.pipe.close()
        self.process.close()


class Workers:
    """Implements ``Executor`` with processes. Use it in ``with``, which ends them.

    Args:
        evaluate: function from a job to its outcome; it is pickled.
        places: how many there are at most; each is started when it is first needed.
        timeout: seconds after which a job is stopped and its worker replaced; a worker that
            does not even begin one within five minutes more is lost.
        clock: tells the seconds.

    A job is lost with its worker. One that the worker had not begun goes to another worker;
    where that happens three times in a row, none can be started, which is an error.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        places: int,
        timeout: float | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.places = places
        self._evaluate, self._timeout, self._clock = evaluate, timeout, clock
        self._workers: list[_Worker] = []
        self._ended: deque[tuple[int, Outcome]] = deque()
        self._unbegun: Counter[int] = Counter()

    @classmethod
    def make(cls, evaluate: Evaluate, settings: Settings) -> Workers:
        """As many as the settings say, one at least, and their timeout."""
        return cls(evaluate, max(1, settings.workers), settings.trial_timeout)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Kills the workers."""
        while self._workers:
            self._workers.pop().end()

    def submit(self, job: Job, progress: StageProgress) -> None:
        """Hands the job to a worker that waits, or to a new one."""
        worker = next(self._free(), None)
        messages = (job,) if worker else (self._evaluate, job)
        try:
            worker = worker or self._start()
        except OSError as error:  # there is no room for one
            self._submit_again(job, progress, f"could not be started ({error})")
            return
        worker.job, worker.progress, worker.began = job, progress, False
        worker.deadline = self._clock() + (self._timeout or 0.0) + _START
        worker.send(*messages)

    def next(self) -> tuple[int, Outcome]:
        """Waits for a job to end."""
        while not self._ended:
            busy: dict[Any, _Worker] = {w.pipe: w for w in self._workers if w.job is not None}
            if not busy:
                raise no_job_error()
            for pipe in wait(busy, self._patience()):
                self._receive_all(busy[pipe])
            self._stop_overdue()
        return self._ended.popleft()

    def _free(self) -> Iterator[_Worker]:
        """The workers that wait; those that died meanwhile are removed."""
        for worker in [worker for worker in self._workers if worker.job is None]:
            if worker.process.is_alive():
                yield worker
            else:
                self._workers.remove(worker)
                worker.end()

    def _start(self) -> _Worker:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,), daemon=True)
        try:
            with _interrupts_held():
                process.start()
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _patience(self) -> float | None:
        """Seconds until the first deadline."""
        deadlines = [w.deadline for w in self._workers if w.deadline is not None]
        return max(0.0, min(deadlines) - self._clock()) if deadlines else None

    def _receive_all(self, worker: _Worker) -> None:
        """Deals with what has come: an end that is among it is no longer overdue."""
        while worker.job is not None and worker.pipe.poll():
            self._receive(worker)

    def _receive(self, worker: _Worker) -> None:
        """Deals with one message, or with the end of the process."""
        try:
            kind, content = worker.pipe.recv()
        except (EOFError, OSError):
            self._lost(worker)
            return
        if kind == _BEGAN:
            worker.began = True
            worker.deadline = None if self._timeout is None else self._clock() + self._timeout
            self._unbegun.clear()
        elif kind == _PROGRESS and worker.progress is not None:
            worker.before = content[-1]
            worker.progress(*content)
        elif kind == _ENDED:
            self._finish_job(worker, content)
        elif kind == _RAISED:
            line, trace = content
            error = SearchError("worker process", line)
            error.add_note(trace)
            raise error

    def _finish_job(self, worker: _Worker, outcome: Outcome) -> None:
        """The worker's job has ended."""
        if worker.job is not None:
            self._ended.append((worker.job.number, outcome))
        worker.job = worker.progress = worker.before = worker.deadline = None

    def _lost(self, worker: _Worker) -> None:
        """The process is gone, and with it what it was at."""
        worker.process.join()
        how = _how(worker.process.exitcode)
        self._end(worker, lost(f"the worker process {how}", worker.stages), how)

    def _stop_overdue(self) -> None:
        """Ends the workers whose job takes too long, or that take too long to begin it."""
        now, limit = self._clock(), duration_text(self._timeout or 0)
        beyond = f" beyond the trial timeout of {limit}" if self._timeout else ""
        unready = f"not ready {duration_text(_START)}{beyond},"
        for worker in list(self._workers):
            if worker.deadline is not None and worker.deadline <= now:
                failure = Failure("timeout", f"stopped after {limit}")
                self._end(worker, Outcome(FAILED, worker.stages, failure), unready)

    def _end(self, worker: _Worker, outcome: Outcome, unready: str) -> None:
        """Ends the worker and its job, which another worker gets where it had not begun."""
        job, progress, worker.job = worker.job, worker.progress, None
        self._workers.remove(worker)
        worker.end()
        if job is None or progress is None:
            return
        if worker.began:
            self._ended.append((job.number, outcome))
        else:
            self._submit_again(job, progress, unready)

    def _submit_again(self, job: Job, progress: StageProgress, how: str) -> None:
        """Hands a job that was not begun to another worker.

        Raises:
            SearchError: when that has happened too often.
        """
        self._unbegun[job.number] += 1
        if self._unbegun[job.number] == _STARTS:
            found = f"{how} before its first trial, {_STARTS} times in a row"
            raise SearchError("worker process", found, "one that starts, or fewer --workers")
        self.submit(job, progress)


def _send(pipe: Connection, messages: Sequence[bytes]) -> None:
    """Sends until the process is gone, which its end of the pipe tells."""
    with suppress(OSError):
        for message in messages:
            pipe.send_bytes(message)


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


def _serve(pipe: Connection) -> None:
    """Serves jobs until the driver is gone: the main function of a worker process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):  # the driver is gone
        evaluate = pipe.recv()
        while True:
            job = pipe.recv()
            pipe.send((_BEGAN, None))
            pipe.send(_result(pipe, evaluate, job))


def _result(pipe: Connection, evaluate: Evaluate, job: Job) -> tuple[int, Any]:
    def progress(stage: int, step: TrainingStep, before: Stage | None = None) -> None:
        with suppress(OSError):
            pipe.send((_PROGRESS, (stage, step, before)))

    try:
        return _ENDED, evaluate(job, progress)
    except Exception as error:
        return _RAISED, (describe_error(error), traceback.format_exc())
    except SystemExit as error:  # a user's code that ends the process
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"SystemExit in {Path(frame.filename).name}, line {frame.lineno}: {error}"
        return _RAISED, (f"{where}, expected an exception that says why", traceback.format_exc())


def _end_with_parent() -> None:
    """Ends this process as soon as the one that started it has, in the midst of a step too."""
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
