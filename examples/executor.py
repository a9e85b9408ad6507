"""An executor of your own: one class that says where trials are evaluated.

    nassearch run --data synthetic --preset demo --executor executor:Pools --workers 2 --out pools

from this folder, or with it on PYTHONPATH. Futures are what dask, mpi4py and submitit give too.
"""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from auxnas.search.evaluation.two_stages import StageProgress, ignore_progress
from auxnas.search.executors.base import Evaluate, no_job_error
from auxnas.search.settings.search import Settings
from auxnas.search.trials.records import Job, Outcome, lost


class Pools:
    """A pool of one process for each place, so that one that dies loses its own job only."""

    def __init__(self, evaluate: Evaluate, settings: Settings) -> None:
        self.places = max(1, settings.workers)
        self._evaluate = evaluate
        self._idle: list[ProcessPoolExecutor] = []
        self._busy: dict[Future[Outcome], tuple[int, ProcessPoolExecutor]] = {}

    def submit(self, job: Job, progress: StageProgress) -> None:
        """Hands the job to a pool that is idle, or to a new one."""
        pool = self._idle.pop() if self._idle else ProcessPoolExecutor(1, get_context("spawn"))
        try:
            self._busy[pool.submit(self._evaluate, job, ignore_progress)] = job.number, pool
        except BrokenProcessPool:  # its process died as it was idle
            self.submit(job, progress)

    def next(self) -> tuple[int, Outcome]:
        """Waits for a job to end."""
        if not self._busy:
            raise no_job_error()
        future = wait(self._busy, return_when=FIRST_COMPLETED).done.pop()
        number, pool = self._busy.pop(future)
        try:
            outcome = future.result()
        except BrokenProcessPool:
            return number, lost("its process is gone")
        self._idle.append(pool)
        return number, outcome

    def close(self) -> None:
        """Waits for the jobs under way."""
        for pool in [*self._idle, *(pool for _, pool in self._busy.values())]:
            pool.shutdown(cancel_futures=True)
