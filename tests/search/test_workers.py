"""Worker processes: the same outcomes as without, and none that takes the run with it."""

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import closing
from itertools import count
from typing import ClassVar

import pytest

from auxnas.backends.base import TrainingStep
from auxnas.search.errors import SearchError
from auxnas.search.evaluation.two_stages import ignore_progress
from auxnas.search.executors import processes, seats
from auxnas.search.executors.crew import Ended
from auxnas.search.executors.processes import Workers
from auxnas.search.loop.bounds import Until
from auxnas.search.loop.run import execute
from auxnas.search.seams import EXECUTORS
from auxnas.search.storage.journal import Journal
from auxnas.search.trials.records import COMPLETE, FAILED, LOST, REUSED, Failure, Outcome
from tests.search.comparing import contents
from tests.search.conftest import make_settings
from tests.search.contracts import (
    FIRST,
    GENOTYPE,
    ApartContract,
    ExecutorContract,
    Troubled,
    job,
    scored,
)


class Unmakable(Troubled):
    """Cannot be made in another process."""

    def __reduce__(self):
        return os._exit, (7,)


def workers_of(evaluate, places, timeout=None, **options):
    settings = make_settings({"workers": places, "trial_timeout": timeout})
    return closing(Workers(evaluate, settings, **options))


def processes_of(workers):
    return [worker.process for worker in workers._crew._workers.values()]


def finished(workers, count):
    return dict(workers.next() for _ in range(count))


def test_jobs_end_as_they_do_here_and_their_progress_is_told():
    told = []
    with workers_of(Troubled(), 2) as workers:
        for number in range(2):
            workers.submit(job(number), lambda *args, n=number: told.append((n, *args)))
        assert finished(workers, 2) == {n: scored(n) for n in range(2)}
        workers.submit(job(2), ignore_progress)
        assert workers.next() == (2, scored(2))
    for number in range(2):
        mine = [rest for n, *rest in told if n == number]
        assert mine == [[1, TrainingStep(1, 2, 0.5), None], [2, TrainingStep(2, 2, 0.25), FIRST]]


@pytest.mark.parametrize(
    ("trouble", "detail"),
    [
        ("exit", "the worker process ended with status 3"),
        ("kill", "the worker process was ended by SIGKILL, perhaps for lack of memory"),
    ],
)
def test_a_job_is_lost_with_its_worker_and_the_next_one_is_not_touched(trouble, detail):
    with workers_of(Troubled({0: trouble}), 1) as workers:
        workers.submit(job(0), ignore_progress)
        number, outcome = workers.next()
        assert (number, outcome.state) == (0, LOST)
        assert (outcome.failure.kind, outcome.failure.detail) == ("crash", detail)
        workers.submit(job(1), ignore_progress)
        assert workers.next() == (1, scored(1))


def test_a_trial_that_takes_too_long_is_stopped_and_others_go_on():
    """The clock jumps past the deadline as soon as the trial is known to be under way."""
    now = [0.0]

    def jump(*progress):
        now[0] += 1000

    with workers_of(Troubled({0: "hang"}), 1, timeout=90, clock=lambda: now[0]) as workers:
        workers.submit(job(0), jump)
        number, outcome = workers.next()
        assert (number, outcome.failure.kind) == (0, "timeout")
        assert outcome.failure.detail == "stopped after 1m30s"
        workers.submit(job(1), ignore_progress)
        assert workers.next() == (1, scored(1))


def test_a_stage_that_ended_outlives_the_timeout_of_the_next():
    now = [0.0]

    def jump(stage, *progress):
        now[0] += 1000 * (stage == 2)

    with workers_of(Troubled({0: "late"}), 1, timeout=90, clock=lambda: now[0]) as workers:
        workers.submit(job(0), jump)
        _, outcome = workers.next()
        assert (outcome.failure.kind, outcome.stages) == ("timeout", (FIRST,))
        workers.submit(job(1), ignore_progress)
        assert workers.next() == (1, scored(1))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("bug", r"unexpected ZeroDivisionError: a bug"),
        ("end", r"SystemExit in contracts.py, line \d+: 0, expected an exception that says why"),
    ],
)
def test_a_bug_is_raised_here_with_its_traceback(kind, message):
    with workers_of(Troubled({0: kind}), 1) as workers:
        workers.submit(job(0), ignore_progress)
        with pytest.raises(SearchError, match=f"worker process: {message}") as caught:
            workers.next()
    assert "contracts.py" in caught.value.__notes__[0]


def test_workers_that_cannot_start_are_an_error_rather_than_failed_trials():
    with workers_of(Unmakable(), 1) as workers:
        workers.submit(job(0), ignore_progress)
        with pytest.raises(
            SearchError, match="ended with status 7 before its first trial, 3 times in a row"
        ):
            workers.next()


def test_a_job_whose_worker_is_lost_before_it_begins_goes_to_another():
    with workers_of(Troubled(), 2) as workers:
        for _ in range(2):  # more losses than one job may have in a row, but not in a row
            for process in processes_of(workers):
                os.kill(process.pid, signal.SIGSTOP)  # so that it begins nothing
            for number in range(2):
                workers.submit(job(number), ignore_progress)
            for process in processes_of(workers):
                process.kill()
            assert finished(workers, 2) == {n: scored(n) for n in range(2)}


def test_a_process_that_there_is_no_room_for_is_started_again(monkeypatch):
    refusals = [OSError(11, "Resource temporarily unavailable")] * 2

    with workers_of(Troubled(), 1) as workers:
        spawn = workers._crew._spawn

        def refused(seat):
            if refusals:
                raise refusals.pop()
            return spawn(seat)

        monkeypatch.setattr(workers._crew, "_spawn", refused)
        workers.submit(job(0), ignore_progress)
        assert workers.next() == (0, scored(0))
        refusals += [OSError(11, "Resource temporarily unavailable")] * 3
        (process,) = processes_of(workers)
        process.kill()
        workers.submit(job(1), ignore_progress)
        with pytest.raises(SearchError, match=r"unavailable\) before its first trial, 3 times"):
            workers.next()


class TestProcesses(ApartContract):
    name = "processes"
    settings: ClassVar = {"workers": 2}


class TestInline(ExecutorContract):
    name = "inline"


def test_each_of_ours_keeps_the_contract():
    seats = {"ray"}  # what it does is that of Seats, in test_seats; test_ray has a cluster
    assert {TestInline.name, TestProcesses.name} | seats == set(EXECUTORS.table)


class Large(Troubled):
    """More than a pipe takes at a time."""

    def __init__(self):
        super().__init__()
        self.weights = bytes(1 << 20)


class Deaf:
    """A process that never reads: its end of the pipe is open until it is killed."""

    exitcode = -signal.SIGKILL

    def __init__(self, target, args, daemon):
        self.end = args[0]

    def start(self):
        self.end = os.dup(self.end.fileno())

    def kill(self):
        os.close(self.end)

    def join(self):
        pass

    close = is_alive = join


@pytest.mark.parametrize("timeout", [None, 90])
def test_workers_that_hang_as_they_start_are_an_error_too(monkeypatch, timeout):
    context = processes.get_context("spawn")
    monkeypatch.setattr(context, "Process", Deaf)
    monkeypatch.setattr(seats, "_LOOK", 0.0)
    with workers_of(Large(), 1, timeout=timeout, clock=count().__next__) as workers:
        workers.submit(job(0), ignore_progress)
        expected = "nothing was heard for 5m before its first trial, 3"
        with pytest.raises(SearchError, match=expected):
            workers.next()
        assert processes_of(workers) == []


def test_an_idle_worker_that_died_is_replaced():
    with workers_of(Troubled(), 1) as workers:
        workers.submit(job(0), ignore_progress)
        workers.next()
        (process,) = processes_of(workers)
        process.kill()
        process.join()
        workers.submit(job(1), ignore_progress)
        assert workers.next() == (1, scored(1))


def same_but_for_settings(first, second):
    found = [contents(folder) for folder in (first, second)]
    metas = [dict(tables.pop("meta")) for tables in found]
    for meta in metas:
        settings = json.loads(meta.pop("settings"))
        meta["settings"] = {n: v for n, v in settings.items() if n not in ("workers", "trials")}
    return found[0] == found[1] and metas[0] == metas[1]


def test_two_workers_give_the_journal_of_none(place_of):
    changes = {"search__batch": 3, "trials": 7}
    execute(place_of("none", **changes))
    execute(place_of("two", **changes | {"trials": 5}, workers=2))
    execute(place_of("two", **changes))
    assert same_but_for_settings(place_of("none").folder, place_of("two").folder)


class Parallel:
    """An executor in this process whose jobs end in the opposite order."""

    places = 3

    def __init__(self, evaluate):
        self.evaluate, self.jobs, self.most = evaluate, [], 0

    def submit(self, job, progress):
        self.jobs.append(job)
        self.most = max(self.most, len(self.jobs))

    def next(self):
        job = self.jobs.pop()
        return job.number, self.evaluate(job, ignore_progress)


def test_the_order_in_which_trials_end_changes_nothing(tmp_path, driver_of, outcome_of):
    found = []
    for name in ("in turn", "at once"):
        (tmp_path / name).mkdir()
        executor = Parallel(outcome_of) if name == "at once" else None
        with Journal(tmp_path / name, write=True) as journal:
            driver_of(journal, batch=4, executor=executor).run(Until(10))
        found.append(contents(tmp_path / name))
    assert executor.most == 3
    assert found[0] == found[1]


def test_isomorphic_trials_of_a_batch_wait_for_one_another(tmp_path, driver_of, outcome_of):
    class Repeating:
        def ask(self, count):
            return [GENOTYPE] * count

        def tell(self, trials):
            pass

        def state(self):
            return {}

    executor = Parallel(outcome_of)
    with Journal(tmp_path, write=True) as journal:
        trials = driver_of(journal, searcher=Repeating(), executor=executor).run(Until(3))
    assert executor.most == 1
    assert [trial.state for trial in trials] == [COMPLETE, REUSED, REUSED]


DRIVER = """
from auxnas.search.evaluation.two_stages import ignore_progress
from tests.search.contracts import Troubled, job
from tests.search.test_workers import processes_of, workers_of

if __name__ == "__main__":
    with workers_of(Troubled({0: "hang", 1: "hang"}), 2) as workers:
        for number in range(2):
            workers.submit(job(number), ignore_progress)
        print(*[process.pid for process in processes_of(workers)], flush=True)
        workers.next()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_is_left_behind_a_driver_that_ends(tmp_path, number):
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    command = [sys.executable, str(script)]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes, env=environment, start_new_session=True) as driver:
        handles = [os.pidfd_open(int(pid)) for pid in driver.stdout.readline().split()]
        assert len(handles) == 2
        if number == signal.SIGINT:
            os.killpg(driver.pid, number)  # as a terminal does
        else:
            driver.send_signal(number)
        try:
            said = driver.communicate(timeout=60)[1]
        finally:
            driver.kill()
        for handle in handles:
            assert select.select([handle], [], [], 60)[0]
            os.close(handle)
    assert said.count("Traceback") == (number == signal.SIGINT)


def test_a_worker_killed_as_it_starts_is_not_waited_for(monkeypatch):
    context = processes.get_context("spawn")
    start, kills = context.Process.start, [1]

    def killed(process):
        start(process)
        if kills:
            kills.pop()
            process.kill()

    monkeypatch.setattr(context.Process, "start", killed)
    with workers_of(Large(), 1) as workers:
        workers.submit(job(0), ignore_progress)
        assert workers.next() == (0, scored(0))


class Placed:
    """Says as a failure's detail which place its process has."""

    def __call__(self, job, progress=None):
        return Outcome(FAILED, failure=Failure("invalid", os.environ["LOCAL_RANK"]))


def test_workers_have_places_of_their_own_which_choose_a_gpu():
    with closing(processes.ProcessCrew(Placed())) as crew:

        def places(*seats):
            for attempt, seat in enumerate(seats):
                crew.give(seat, attempt, job(attempt))
            found = {}
            while len(found) < len(seats):
                ended = (each for each in crew.hear(60) if isinstance(each, Ended))
                found |= {each.seat: each.outcome.failure.detail for each in ended}
            return found

        for seat in (0, 1):
            crew.start(seat)
        assert places(0, 1) == {0: "0", 1: "1"}
        crew.end(0)
        crew.start(2)
        assert places(1, 2) == {1: "1", 2: "0"}, "the place of the one that is gone"
