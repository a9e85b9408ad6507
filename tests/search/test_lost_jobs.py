"""Jobs that the machine loses are done again, and a run's journal tells nothing of it."""

import os
import random
import signal
from collections import Counter
from itertools import count
from typing import ClassVar

import pytest

from auxnas.search.errors import SearchError
from auxnas.search.executors.processes import Workers
from auxnas.search.loop.bounds import RunClock, Until
from auxnas.search.loop.driver import Rules
from auxnas.search.loop.run import execute
from auxnas.search.storage.journal import Journal
from auxnas.search.trials.records import (
    FAILED,
    PENDING,
    SCORED,
    Failure,
    Outcome,
    Stage,
    lost,
)
from tests.search.comparing import contents
from tests.search.conftest import pretend

RULES = {"seed": 0, "batch": 3, "proceed": 0.9, "half_life": 5}


class Losing:
    """Evaluates jobs here, three under way, the last first; ``loses`` says which it loses."""

    places = 3

    def __init__(self, loses, evaluate=pretend):
        self.loses, self.evaluate = loses, evaluate
        self.jobs, self.done = [], []

    def submit(self, job, progress):
        self.jobs.append(job)

    def next(self):
        job = self.jobs.pop()
        self.done.append(job)
        if self.loses(job):
            return job.number, lost("node 7 is gone", (Stage(0.5, {}),))
        return job.number, self.evaluate(job)

    def close(self):
        pass


class Gone(BaseException):
    """Stands for a process that is killed."""


def went(folder, driver_of, executor=None, count=10, **changes):
    folder.mkdir(exist_ok=True)
    rules = Rules(**RULES | changes.pop("rules", {}))
    with Journal(folder, write=True) as journal:
        return driver_of(journal, executor=executor, rules=rules, **changes).run(Until(count))


@pytest.mark.parametrize("seed", range(5))
def test_the_journal_is_that_of_a_run_that_lost_nothing(tmp_path, driver_of, seed):
    rng = random.Random(seed)
    executor = Losing(lambda job: rng.random() < 0.5)
    went(tmp_path / "whole", driver_of)
    went(tmp_path / "lossy", driver_of, executor, rules={"retries": 1000})
    assert len(executor.done) > 10
    assert len(set(executor.done)) == 10, "the same job each time, seed and all"
    assert contents(tmp_path / "lossy") == contents(tmp_path / "whole")


@pytest.mark.parametrize("seed", range(3))
def test_so_it_is_where_the_run_itself_ends_on_the_way_and_goes_on(tmp_path, driver_of, seed):
    rng = random.Random(seed)

    def loses(job):
        if rng.random() < 0.3:
            raise Gone
        return rng.random() < 0.4

    went(tmp_path / "whole", driver_of)
    cuts = 0
    while True:
        try:
            went(tmp_path / "cut", driver_of, Losing(loses), rules={"retries": 1000})
            break
        except Gone:
            cuts += 1
    assert cuts > 0
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_a_job_that_is_lost_every_time_has_failed_at_last(tmp_path, driver_of, retries):
    executor, said = Losing(lambda job: job.number == 4), []
    trials = went(tmp_path, driver_of, executor, rules={"retries": retries}, say=said.append)
    assert Counter(job.number for job in executor.done)[4] == retries + 1
    assert [trial.number for trial in trials if trial.state == FAILED] == [4]
    times = f", lost {retries + 1} times" if retries else ""
    assert trials[4].failure == Failure("crash", f"node 7 is gone{times}")
    assert trials[4].stages == (Stage(0.5, {}),)
    again = "trial 5: lost (node 7 is gone), begun again with the same seed"
    assert said == [again] * retries


def test_what_a_trial_does_itself_is_not_done_again(tmp_path, driver_of):
    kinds = ("nan", "oom", "timeout", "invalid")

    def evaluate(job):
        if job.number < len(kinds):
            return Outcome(FAILED, (), Failure(kinds[job.number], "so it is"))
        return pretend(job)

    executor = Losing(lambda job: False, evaluate)
    trials = went(tmp_path, driver_of, executor, count=6)
    assert sorted(job.number for job in executor.done) == list(range(6))
    assert tuple(t.failure.kind for t in trials if t.state == FAILED) == kinds


def test_a_job_lost_when_the_budget_is_over_waits_for_the_next_session(tmp_path, driver_of):
    now = [0.0]

    def loses(job):
        now[0] = 100.0
        return job.number == 1

    executor, clock = Losing(loses), RunClock(now=lambda: now[0], start=0.0)
    went(tmp_path / "whole", driver_of, count=3)
    (tmp_path / "cut").mkdir()
    with Journal(tmp_path / "cut", write=True) as journal:
        driver = driver_of(journal, executor=executor, rules=Rules(**RULES), clock=clock)
        trials = driver.run(Until(seconds=50))
    assert [trial.state == PENDING for trial in trials] == [False, True, False]
    went(tmp_path / "cut", driver_of, count=3)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_what_never_was_under_way_cannot_end(tmp_path, driver_of):
    class Repeating(Losing):
        def next(self):
            found = super().next()
            self.next = lambda: found
            return found

    with pytest.raises(SearchError, match="executor: trial 3 ended, which is not under way"):
        went(tmp_path, driver_of, Repeating(lambda job: False))


# Worker processes -----------------------------------------------------------------------


class Fragile:
    """Evaluates jobs in processes that end on the way, every other once, at one step or another."""

    def __init__(self, inner, folder):
        self.inner, self.folder = inner, folder

    def __call__(self, job, progress):
        with open(os.path.join(self.folder, str(job.number)), "ab+") as attempts:
            attempts.write(b".")
            attempt = attempts.tell()
        draw = random.Random(f"{job.seed} {attempt}")
        moment = draw.randrange(8) if attempt <= job.number % 2 else -1
        told = count()

        def mortal(*step):
            if next(told) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            progress(*step)

        return self.inner(job, mortal)


class Battered(Workers):
    """Worker processes that are killed as they start, under way, and as they wait."""

    folder: ClassVar[str] = ""
    kills: ClassVar[Counter] = Counter()

    def __init__(self, evaluate, settings):
        super().__init__(Fragile(evaluate, self.folder), settings)
        self.rng = random.Random(settings.workers)

    def strike(self, where, chance):
        """Kills one, but none that takes the place of one that had not begun."""
        workers = list(self._crew._workers.values())
        if workers and not self._unbegun and self.rng.random() < chance:
            self.kills[where] += 1
            self.rng.choice(workers).process.kill()

    def submit(self, job, progress):
        def told(*step):
            self.strike("under way", 0.02)
            progress(*step)

        super().submit(job, told)
        self.strike("starting", 0.2)

    def next(self):
        found = super().next()
        self.strike("waiting", 0.2)
        return found


def test_the_journal_is_the_same_whichever_workers_are_killed(place_of, tmp_path, monkeypatch):
    monkeypatch.setattr(Battered, "folder", str(tmp_path))
    monkeypatch.setattr(Battered, "kills", Counter())
    changes = {"search__batch": 3, "search__controller__update_every": 1, "trials": 6}
    whole = place_of("whole", **changes)
    execute(whole)
    own = {"search__executor": f"{__name__}:Battered", "search__retries": 1000}
    battered = place_of("battered", **changes, **own, workers=2)
    trials = execute(battered)
    attempts = [os.path.getsize(tmp_path / str(trial.number)) for trial in trials[:6]]
    assert sum(attempts) > 6, "some jobs ended their process"
    assert Battered.kills
    assert {trial.state for trial in trials} <= set(SCORED)
    found = [contents(place.folder) for place in (whole, battered)]
    for tables in found:
        tables.pop("meta")
    assert found[0] == found[1]
