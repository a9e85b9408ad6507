"""The loop: the same journal however it is cut, failures apart, duplicates shared."""

import random
import re
from dataclasses import replace

import pytest

from auxnas.genotype import SearchSpace
from auxnas.search.errors import SearchError
from auxnas.search.loop import replay
from auxnas.search.loop.bounds import Until
from auxnas.search.loop.ledger import Ledger
from auxnas.search.searchers import RandomSearcher
from auxnas.search.storage.journal import Journal
from auxnas.search.trials.records import (
    COMPLETE,
    FAILED,
    PENDING,
    REUSED,
    Failure,
    Outcome,
    Stage,
    trial_seed,
)
from tests.search.comparing import contents

SPACE = SearchSpace.cvpr2019()


class Killed(BaseException):
    """Stands for a process that is gone from one moment to the next."""


class Mortal:
    """Passes calls on to something, and dies before or after the one that is chosen."""

    def __init__(self, inner, clock):
        self._inner, self._clock = inner, clock

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def call(*args):
            self._clock.tick()
            result = found(*args)
            self._clock.tick()
            return result

        return call

    def __call__(self, *args):
        return self.__getattr__("__call__")(*args)


class Clock:
    """Counts moments, and kills at one of them."""

    def __init__(self, last=None):
        self.now, self.last = 0, last

    def tick(self):
        self.now += 1
        if self.now == self.last:
            raise Killed


class Learning(RandomSearcher):
    """A searcher whose proposals depend on every reward that it was told, in order."""

    def tell(self, trials):
        for trial in trials:
            self._rng.seed(f"{self._rng.random()} {trial.number} {trial.reward}")


def whole(tmp_path, driver_of, count=10, **changes):
    folder = tmp_path / "whole"
    folder.mkdir()
    with Journal(folder, write=True) as journal:
        searcher = Learning(SPACE, 0)
        driver_of(journal, searcher=searcher, **changes).run(Until(count))
    return contents(folder)


def cut(folder, driver_of, evaluate, clock, count=10):
    """Runs until the clock strikes; whether it got to the end."""
    folder.mkdir(exist_ok=True)
    with Journal(folder, write=True) as journal:
        parts = Mortal(journal, clock), Mortal(evaluate, clock), Mortal(Learning(SPACE, 0), clock)
        try:
            driver = driver_of(*parts)
            driver = replace(driver, weights=Mortal(driver.weights, clock))
            driver.run(Until(count))
        except Killed:
            return False
        return True


def test_killed_at_every_moment_and_continued(tmp_path, driver_of, outcome_of):
    expected = whole(tmp_path, driver_of, 5)
    clock = Clock()
    assert cut(tmp_path / "counted", driver_of, outcome_of, clock, 5)
    assert clock.now > 40
    for moment in range(1, clock.now + 1):
        folder = tmp_path / f"cut{moment}"
        assert not cut(folder, driver_of, outcome_of, Clock(moment), 5)
        assert cut(folder, driver_of, outcome_of, Clock(), 5)
        assert contents(folder) == expected


@pytest.mark.parametrize("seed", range(5))
def test_killed_again_and_again(tmp_path, driver_of, outcome_of, seed):
    expected = whole(tmp_path, driver_of)
    rng = random.Random(seed)
    while not cut(tmp_path / "cut", driver_of, outcome_of, Clock(rng.randrange(8, 30))):
        pass
    assert contents(tmp_path / "cut") == expected


def test_the_comparison_sees_a_searcher_that_is_not_restored(
    tmp_path, driver_of, outcome_of, monkeypatch
):
    monkeypatch.setattr(replay, "BYTES_A_TRIAL", 10**9)  # after each batch

    class Forgetful(Learning):
        def restore(self, state):
            pass

    expected = whole(tmp_path, driver_of)
    folder = tmp_path / "cut"
    assert not cut(folder, driver_of, outcome_of, Clock(60))
    with Journal(folder, write=True) as journal:
        driver_of(journal, searcher=Forgetful(SPACE, 0)).run(Until(10))
    assert contents(folder) != expected


def test_more_trials_later_are_the_same_as_at_once(tmp_path, driver_of):
    expected = whole(tmp_path, driver_of, 11)
    folder = tmp_path / "grown"
    folder.mkdir()
    for count in (1, 4, 5, 11):
        with Journal(folder, write=True) as journal:
            trials = driver_of(journal, searcher=Learning(SPACE, 0)).run(Until(count))
            assert sum(trial.state != PENDING for trial in trials) == count
    assert contents(folder) == expected


def test_another_seed_is_another_journal(tmp_path, driver_of):
    for seed in (0, 1):
        (tmp_path / str(seed)).mkdir()
        with Journal(tmp_path / str(seed), write=True) as journal:
            driver_of(journal, seed=seed).run(Until(4))
    assert contents(tmp_path / "0") != contents(tmp_path / "1")


def test_a_job_depends_on_earlier_batches_only(tmp_path, driver_of, outcome_of):
    """Ending a batch's trials in another order changes no job and no outcome."""
    with Journal(tmp_path, write=True) as journal:
        driver = driver_of(journal)
        trials = driver.run(Until(9))
        for trial in trials:
            others = [replace(t, state=PENDING, stages=()) for t in trials[trial.batch * 3 :]]
            known = Ledger(trials[: trial.batch * 3] + others)
            assert driver.job(trial, known) == driver.job(trial, Ledger(trials))
            assert outcome_of(driver.job(trial, known)).stages == trial.stages


def test_the_baseline_is_the_mean_first_reward_of_the_batches_before(tmp_path, driver_of):
    with Journal(tmp_path, write=True) as journal:
        trials = driver_of(journal).run(Until(9))
    firsts = [trial.stages[0].reward for trial in trials]
    means = [None, sum(firsts[:3]) / 3, sum(firsts[:6]) / 6]
    assert [Ledger(trials).baseline(trials[n]) for n in (0, 3, 6)] == means


class Attentive(RandomSearcher):
    """Remembers what it was told."""

    def __init__(self, space, seed):
        super().__init__(space, seed)
        self.told = []

    def tell(self, trials):
        self.told.append([trial.number for trial in trials])


def test_failures_are_typed_kept_apart_and_never_told(tmp_path, driver_of, outcome_of):
    def evaluate(job, progress):
        if job.number in (1, 3, 4, 5):
            first = (Stage(0.9, {}),) if job.number == 1 else ()
            return Outcome(FAILED, first, Failure("oom", "2 GB wanted"))
        return outcome_of(job)

    searcher = Attentive(SPACE, 0)
    with Journal(tmp_path, write=True) as journal:
        trials = driver_of(journal, evaluate, searcher).run(Until(9))
        assert journal.trials() == trials
    assert searcher.told == [[0, 2], [], [6, 7, 8]]
    assert [t.number for t in trials if t.state == FAILED] == [1, 3, 4, 5]
    assert {t.failure for t in trials if t.state == FAILED} == {Failure("oom", "2 GB wanted")}
    assert all(t.reward is None for t in trials if t.state == FAILED)
    expected = (trials[0].stages[0].reward + trials[2].stages[0].reward) / 2
    assert Ledger(trials).baseline(trials[6]) == expected


@pytest.mark.parametrize("reward", [float("inf"), float("-inf"), float("nan")])
def test_a_reward_that_is_no_number_is_a_failure(tmp_path, driver_of, outcome_of, reward):
    def evaluate(job, progress):
        bad = Outcome(COMPLETE, (Stage(reward, {}), Stage(0.5, {})))
        return bad if job.number == 1 else outcome_of(job)

    with Journal(tmp_path, write=True) as journal:
        trials = driver_of(journal, evaluate).run(Until(3))
        assert journal.trials() == trials
    assert trials[1].failure == Failure("nan", f"rewards {reward}, 0.5")
    assert [trial.reward is None for trial in trials] == [False, True, False]


FINE, GONE = Stage(0.5, {}), Failure("crash", "gone")
MALFORMED = {
    "NoneType, expected Outcome": None,
    "state 'done'": Outcome("done", (FINE,)),
    "state 'pending'": Outcome(PENDING, (FINE,)),
    "state 'reused'": Outcome(REUSED, (FINE,)),
    "complete without a stage": Outcome(COMPLETE),
    "failed without a failure": Outcome(FAILED),
    "failure Failure(kind=None": Outcome(FAILED, (), Failure(None, "gone")),
    "stage 0.5, expected Stage": Outcome(COMPLETE, (0.5,)),
    "stage Stage(reward=None": Outcome(COMPLETE, (Stage(None, {}),)),
    "stage Stage(reward=0.5, metrics={'miou': True}": Outcome(
        COMPLETE, (Stage(0.5, {"miou": True}),)
    ),
    "stage Stage(reward=0.5, metrics={}, seconds=nan": Outcome(
        FAILED, (Stage(0.5, {}, float("nan")),), GONE
    ),
}


@pytest.mark.parametrize("fault", MALFORMED)
def test_an_end_that_no_journal_can_have_is_refused_and_the_run_goes_on(
    tmp_path, driver_of, outcome_of, fault
):
    with Journal(tmp_path, write=True) as journal:
        match = re.escape(f"search.executor: trial 1 ended as {fault}")
        with pytest.raises(SearchError, match=match):
            driver_of(journal, lambda job, progress: MALFORMED[fault]).run(Until(2))
        assert {trial.state for trial in journal.trials()} == {PENDING}
        trials = driver_of(journal, outcome_of).run(Until(2))
        assert journal.trials() == trials


@pytest.mark.parametrize("reward", [float("inf"), float("nan")])
def test_a_failed_trial_keeps_the_stages_before_the_one_without_a_number(
    tmp_path, driver_of, reward
):
    ended = Outcome(FAILED, (FINE, Stage(reward, {}), FINE), GONE)
    with Journal(tmp_path, write=True) as journal:
        trials = driver_of(journal, lambda job, progress: ended).run(Until(1))
        assert journal.trials() == trials
    assert (trials[0].stages, trials[0].failure) == ((FINE,), GONE)


class Repeating(RandomSearcher):
    """Proposes one architecture over and over, written in two ways."""

    def ask(self, count):
        genotype = SPACE.sample(random.Random(7))
        (left, right), *rest = genotype.connections
        turned = replace(genotype, connections=((right, left), *rest))
        assert turned != genotype
        return [genotype, turned, genotype][:count]


def test_isomorphic_genotypes_share_a_reward(tmp_path, driver_of, outcome_of):
    trained = []

    def evaluate(job, progress):
        trained.append(job.number)
        return outcome_of(job)

    with Journal(tmp_path, write=True) as journal:
        trials = driver_of(journal, evaluate, Repeating(SPACE, 0)).run(Until(6))
    assert trained == [0]
    assert [trial.state for trial in trials] == [COMPLETE] + [REUSED] * 5
    assert {(trial.reward, trial.source) for trial in trials[1:]} == {(trials[0].reward, 0)}


def test_a_failure_is_not_shared(tmp_path, driver_of, outcome_of):
    def evaluate(job, progress):
        if job.number == 0:
            return Outcome(FAILED, (), Failure("crash", "gone"))
        return outcome_of(job)

    with Journal(tmp_path, write=True) as journal:
        trials = driver_of(journal, evaluate, Repeating(SPACE, 0)).run(Until(3))
    assert [trial.state for trial in trials] == [FAILED, COMPLETE, REUSED]
    assert trials[2].source == 1


def test_reuse_can_be_switched_off(tmp_path, driver_of):
    with Journal(tmp_path, write=True) as journal:
        driver = driver_of(journal, searcher=Repeating(SPACE, 0))
        driver = replace(driver, rules=replace(driver.rules, reuse=False))
        assert {trial.state for trial in driver.run(Until(3))} == {COMPLETE}


def test_trial_seeds_are_distinct_and_fixed():
    seeds = {trial_seed(run, number) for run in range(20) for number in range(200)}
    assert len(seeds) > 3990
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert trial_seed(0, 0) == 2583227231
