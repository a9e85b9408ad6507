"""A seat as a process elsewhere has it: evaluates jobs, and tells of itself meanwhile."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from auxnas.backends.base import TrainingStep
from auxnas.backends.caching import cache_dir
from auxnas.compiler import Program
from auxnas.search.executors.base import Evaluate
from auxnas.search.executors.crew import Dropped, bug_text
from auxnas.search.executors.fingerprint import host_fingerprint
from auxnas.search.executors.packing import Chunks, lacking, unpack_evaluator
from auxnas.search.storage.environment import package_versions
from auxnas.search.trials.records import Job, Outcome, Stage

Progressed = tuple[int, int, TrainingStep, Stage | None]
"""Number of an attempt, and the arguments of its latest ``StageProgress``."""


class SeatActor:
    """Seat: ``evaluate`` and ``news`` are called from outside, each by a thread of its own.

    Args:
        threads: within an operation; numerical libraries are not imported yet.
    """

    def __init__(self, threads: int) -> None:
        os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
        self._evaluate: Evaluate | None = None
        self._changed = threading.Condition()
        self._attempt, self._dropped = -1, -1
        self._job: Job | None = None
        self._latest: Progressed | None = None
        self._told: Stage | None = None

    def lacks(self, places: Sequence[tuple[str, int]]) -> tuple[str, dict[str, str], list[str]]:
        """Host, versions, and those of the stores, (folder, rows), that are not there."""
        return socket.gethostname(), package_versions(), lacking(places, cache_dir())

    def prepare(
        self, data: bytes, chunks: Mapping[str, Chunks], get: Callable[[Any], Any]
    ) -> tuple[str, str]:
        """Takes the function that evaluates, and stores that were lacking; host and fingerprint."""
        self._evaluate = unpack_evaluator(data, cache_dir(), chunks, get)
        return socket.gethostname(), host_fingerprint(self._evaluate)

    def accept(self, attempt: int, job: Job) -> None:
        """Takes a job: an attempt has begun once the caller knows that this has ended."""
        self._attempt, self._job, self._latest = attempt, job, None

    def evaluate(self) -> tuple[Outcome | tuple[str, str] | None, Program | None]:
        """The outcome, and by itself its program, which is large.

        Instead of an outcome, line and trace of an error that is a bug; None where it was dropped.
        """
        if self._evaluate is None or self._job is None:
            raise RuntimeError("no job was accepted")
        try:
            outcome = self._evaluate(self._job, self._progress)
            return replace(outcome, program=None), outcome.program
        except Dropped:
            return None, None
        except (Exception, SystemExit) as error:
            return bug_text(error), None
        finally:
            self._latest = None

    def _progress(self, stage: int, step: TrainingStep, before: Stage | None = None) -> None:
        """Keeps the latest progress; the end of a stage is told at once.

        Raises:
            Dropped: when the attempt is not needed any more.
        """
        with self._changed:
            self._latest = self._attempt, stage, step, before
            if before != self._told:
                self._changed.notify()
        if self._attempt == self._dropped:
            raise Dropped

    def news(self, patience: float, dropped: int) -> Progressed | None:
        """The latest progress, if an attempt is under way; waits so long for a stage's end.

        Args:
            patience: seconds.
            dropped: an attempt that is not needed any more.
        """
        self._dropped = dropped
        with self._changed:
            self._changed.wait_for(self._stage_ended, patience)
            if self._latest is not None:
                self._told = self._latest[-1]
            return self._latest

    def _stage_ended(self) -> bool:
        return self._latest is not None and self._latest[-1] != self._told
