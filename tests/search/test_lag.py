"""Lag: what a proposal depends on is fixed by its number, at any width and in any order of ends."""

import hashlib
import random
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auxnas.genotype import CVPR2019, SearchSpace
from auxnas.search.loop.bounds import Until
from auxnas.search.loop.driver import Rules
from auxnas.search.loop.ledger import Ledger
from auxnas.search.searchers import RandomSearcher
from auxnas.search.storage.journal import Journal
from auxnas.search.trials.records import COMPLETE, FAILED, REUSED, Failure, Outcome, Stage, lost
from tests.search.comparing import contents
from tests.search.conftest import make_driver, pretend

SPACE = SearchSpace.cvpr2019()
SMALL = SearchSpace(
    encoder_outputs=1, blocks=1, branches=1, vocabulary=CVPR2019.chosen(["conv1x1", "skip"])
)
"""So small that isomorphic genotypes come often."""


class Learning(RandomSearcher):
    """Proposes by all that it was told, in order and as it was cut; keeps a log of its calls."""

    def __init__(self, space=SPACE):
        super().__init__(space, 0)
        self.calls = []

    def ask(self, count):
        self.calls.append(count)
        return super().ask(count)

    def tell(self, trials):
        self.calls.append([trial.number for trial in trials])
        self._rng.seed(f"{self._rng.random()} {[(t.number, t.reward) for t in trials]}")
        return {"told": len(trials)}


def evaluated(job):
    """An outcome of the job alone; one in seven fails."""
    if job.seed % 7 == 0:
        return Outcome(FAILED, (), Failure("nan", "loss nan"))
    return pretend(job)


class Wide:
    """Evaluates some at a time, ends them in any order; loses some, and dies now and then."""

    def __init__(self, places, draw, lossy=0.0, deadly=0.0):
        self.places, self.draw, self.lossy, self.deadly = places, draw, lossy, deadly
        self.jobs, self.most = [], 0

    def submit(self, job, progress):
        self.jobs.append(job)
        self.most = max(self.most, len(self.jobs))

    def next(self):
        job = self.jobs.pop(self.draw.randrange(len(self.jobs)))
        if self.draw.random() < self.deadly:
            raise Killed
        if self.draw.random() < self.lossy:
            return job.number, lost("gone")
        return job.number, evaluated(job)


class Killed(BaseException):
    """Stands for a process that is gone from one moment to the next."""


def go(folder, count, executor, space=SPACE, **rules):
    """Runs to ``count`` trials, again after each kill; the last session's searcher."""
    folder.mkdir(exist_ok=True)
    while True:
        searcher = Learning(space)
        given = Rules(**{"seed": 0, "proceed": 0.9, "half_life": 5, "retries": 10**6, **rules})
        with Journal(folder, write=True) as journal:
            try:
                make_driver(journal, searcher=searcher, executor=executor, rules=given).run(
                    Until(count)
                )
                return searcher
            except Killed:
                executor.jobs.clear()


def calls_by_rule(count, batch, lag, update_every, failed):
    """The calls that the definition asks for, of a run that is not cut."""
    calls, told = [], 0
    for first in range(0, count + batch, batch):
        due = max(0, first - lag)
        if due > count:
            break
        while told < due:
            end = min(due, told + (update_every or due))
            calls.append([n for n in range(told, end) if n not in failed])
            told = end
        if first < count:
            calls.append(batch)
    return calls


CUTS = st.fixed_dictionaries(
    {
        "batch": st.integers(1, 4),
        "lag": st.integers(0, 9),
        "update_every": st.none() | st.integers(1, 3),
    }
)


def check_width(rules, width, seed, count=11, space=SPACE):
    """The law: told as the definition says; one journal at any width, order, loss and kill."""
    with TemporaryDirectory() as name:
        narrow, wide = Path(name) / "narrow", Path(name) / "wide"
        draw = random.Random(seed)
        searcher = go(narrow, count, Wide(1, draw), space, **rules)
        with Journal(narrow) as journal:
            failed = {trial.number for trial in journal.trials() if trial.state == FAILED}
        assert searcher.calls == calls_by_rule(count, **rules, failed=failed)
        go(wide, count, Wide(width, draw, lossy=0.1, deadly=0.1), space, **rules)
        assert contents(wide) == contents(narrow)


@settings(max_examples=15)
@given(CUTS, st.integers(2, 6), st.integers(0, 2**32))
@example({"batch": 2, "lag": 5, "update_every": 1}, 5, 0)
def test_the_journal_is_the_same_at_any_width_in_any_order_after_any_kill(rules, width, seed):
    check_width(rules, width, seed)


@settings(max_examples=10)
@given(st.integers(1, 4), st.integers(0, 9), st.integers(2, 6), st.integers(0, 2**32))
def test_so_it_is_where_many_wait_for_isomorphic_ones(batch, lag, width, seed):
    rules = {"batch": batch, "lag": lag, "update_every": None}
    check_width(rules, width, seed, space=SMALL)


class OneMore(Ledger):
    """Mutant that waits for one trial fewer than it should, and tells one more."""

    @property
    def _due(self):
        return min(len(self.trials), super()._due + (len(self.trials) > 0))


class AllThatEnded(Ledger):
    """Mutant whose baseline depends on whatever has ended."""

    def baseline(self, trial):
        found = [t.stages[0].reward for t in self.trials if t.stages]
        return sum(found) / len(found) if found else None


class Unwaiting(Ledger):
    """Mutant in which isomorphic trials do not wait for each other."""

    def add(self, members):
        self._reuse = False
        super().add(members)
        self._reuse = True


@pytest.mark.parametrize("mutant", [OneMore, AllThatEnded, Unwaiting])
def test_the_law_finds_a_ledger_that_breaks_it(monkeypatch, mutant):
    monkeypatch.setattr("auxnas.search.loop.driver.Ledger", mutant)
    rules = {"batch": 2, "lag": 6, "update_every": None}
    with pytest.raises(AssertionError):
        check_width(rules, 6, 0, 14, SMALL)


@pytest.mark.parametrize("update_every", [None, 4])
def test_without_lag_it_is_the_journal_of_versions_that_had_none(tmp_path, update_every):
    go(tmp_path, 20, Wide(1, random.Random(0)), SMALL, batch=3, update_every=update_every)
    found = contents(tmp_path)
    assert len(found["trials"]) == 21
    del found["searcher"]  # compressed, by one version of zlib or another
    digest = hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()
    assert digest == BEFORE_LAG


BEFORE_LAG = "fa6b4ff19f79ff94310280a07e58ca6b592fa07aaf3ca65ce1942763c89c90d9"
"""Of the journal that was written before there was a lag, by the same run."""


@pytest.mark.parametrize(("lag", "most"), [(0, 2), (1, 3), (4, 6), (20, 12)])
def test_a_batch_and_the_lag_are_under_way_at_most(tmp_path, lag, most):
    executor = Wide(50, random.Random(0))
    go(tmp_path, 12, executor, batch=2, lag=lag)
    assert executor.most == most


def test_trials_behind_one_that_waits_begin(tmp_path):
    """An isomorphic one waits; the others do not wait for it."""
    first, other = (SPACE.sample(random.Random(seed)) for seed in (7, 8))

    class Given(RandomSearcher):
        def ask(self, count):
            return [first, first, other, first, first]

    begun = []

    class Backward(Wide):
        def submit(self, job, progress):
            begun.append(job.number)
            super().submit(job, progress)

        def next(self):
            job = self.jobs.pop(0)
            failed = Outcome(FAILED, (), Failure("nan", "loss nan"))
            return job.number, failed if job.number == 0 else Outcome(COMPLETE, (Stage(1, {}),))

    with Journal(tmp_path, write=True) as journal:
        rules = Rules(0, 5, 0.9, 5)
        executor = Backward(3, random.Random(0))
        driver = make_driver(journal, searcher=Given(SPACE, 0), executor=executor, rules=rules)
        trials = driver.run(Until(5))
    assert begun == [0, 2, 1]
    assert [trial.state for trial in trials] == [FAILED, COMPLETE, COMPLETE, REUSED, REUSED]
    assert Counter(trial.source for trial in trials) == {None: 3, 1: 2}


def test_a_searcher_that_has_no_more_is_asked_once(tmp_path):
    class Ending(Learning):
        def ask(self, count):
            found = super().ask(count)
            return found if len(self.calls) < 4 else []

    searcher = Ending()
    with Journal(tmp_path, write=True) as journal:
        rules = Rules(0, 2, 0.9, 5, lag=20)
        executor = Wide(9, random.Random(0))
        driver = make_driver(journal, searcher=searcher, executor=executor, rules=rules)
        assert len(driver.run(Until(50))) == 6
    assert searcher.calls == [2, 2, 2, 2]
