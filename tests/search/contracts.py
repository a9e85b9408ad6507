"""Contracts: promises of every searcher and of every executor, ours and a user's.

A class that derives from a contract names its implementation, and has the tests.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from auxnas.backends.base import TrainingStep
from auxnas.genotype import SearchSpace
from auxnas.search.errors import SearchError
from auxnas.search.evaluation.two_stages import ignore_progress
from auxnas.search.executors.base import outcome_fault
from auxnas.search.loop.bounds import Until
from auxnas.search.seams import EXECUTORS
from auxnas.search.searchers import make_searcher
from auxnas.search.settings.search import SearchSettings
from auxnas.search.storage.journal import Journal
from auxnas.search.trials.records import COMPLETE, FAILED, LOST, Failure, Job, Outcome, Stage, Trial
from tests.search.comparing import contents
from tests.search.conftest import pretend

SPACE = SearchSpace.cvpr2019()
GENOTYPE = SPACE.genotype([0] * len(SPACE.layout))


def told(genotypes, first=0):
    """Trials of these genotypes, with made-up rewards."""
    return [
        Trial(n, 0, g, g.key(), n, COMPLETE, (Stage(0.1 * (n % 7), {}),), 0.1 * (n % 7))
        for n, g in enumerate(genotypes, first)
    ]


def rounds(searcher, count, first=0):
    found = []
    for number in range(count):
        batch = searcher.ask(3)
        searcher.tell(told(batch, first + 3 * number))
        found.append(batch)
    return found


class Gone(BaseException):
    """Stands for a process that is killed."""


class SearcherContract:
    """Promises of a searcher.

    Attributes:
        name: the implementation's.
        settings: of the search, so that a few batches change what is proposed.
        random: whether another seed proposes otherwise.
    """

    name: str
    settings: Mapping[str, Any] = {}
    random = True

    def make(self, space=SPACE, seed=0, framework="null"):
        settings = SearchSettings.model_validate({"searcher": self.name, **self.settings})
        return make_searcher(settings, space, seed, framework)

    @pytest.mark.parametrize(
        "space",
        [SPACE, SearchSpace(encoder_outputs=2, blocks=1, branches=1)],
        ids=["paper", "small"],
    )
    def test_proposes_members_of_the_space(self, space):
        proposals = self.make(space).ask(5)
        assert 1 <= len(proposals) <= 5
        assert {space.violation(genotype) for genotype in proposals} == {None}

    def test_same_seed_same_proposals_whatever_is_random_elsewhere(self):
        found = []
        for seed, elsewhere in ((1, 1), (1, 2), (2, 1)):
            random.seed(elsewhere)
            np.random.seed(elsewhere)
            found.append(rounds(self.make(seed=seed), 3))
        assert found[0] == found[1]
        assert (found[0] != found[2]) == self.random

    @pytest.mark.parametrize("after", [0, 1, 2])
    def test_a_restored_searcher_goes_on_the_same_way(self, after):
        whole = rounds(self.make(seed=3), 4)
        searcher = self.make(seed=3)
        rounds(searcher, after)
        state = json.loads(json.dumps(searcher.state()))
        fresh = self.make(seed=99)
        rounds(fresh, 1)
        fresh.restore(state)
        assert rounds(fresh, 4 - after, 3 * after) == whole[after:]

    def test_reading_the_state_changes_nothing(self):
        one, other = self.make(seed=4), self.make(seed=4)
        one.state()
        assert one.ask(2) == other.ask(2)

    def test_it_is_told_of_fewer_than_it_proposed(self):
        """Rejected genotypes and failed trials are not told of, if need be none of a batch."""
        searcher = self.make()
        searcher.tell([])
        batch = [*searcher.ask(3), *searcher.ask(1)]
        update = searcher.tell(told(batch[1:3]))
        assert update is None or all(isinstance(value, float | int) for value in update.values())
        assert searcher.ask(2)

    @pytest.mark.parametrize("seed", range(2))
    def test_a_run_cut_anywhere_comes_to_the_same_journal(self, tmp_path, driver_of, seed):
        rng = random.Random(seed)

        def go(folder, chance):
            def evaluate(job, progress):
                if rng.random() < chance:
                    raise Gone
                return pretend(job)

            folder.mkdir(exist_ok=True)
            with Journal(folder, write=True) as journal:
                driver_of(journal, evaluate, self.make()).run(Until(trials=8))

        go(tmp_path / "whole", 0.0)
        cuts = 0
        while True:
            try:
                go(tmp_path / "cut", 0.4)
                break
            except Gone:
                cuts += 1
        assert cuts > 0
        assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def job(number):
    return Job(number, GENOTYPE, seed=number)


def scored(number):
    return Outcome(COMPLETE, (Stage(number / 10, {}),))


FIRST = Stage(0.125, {})


class Troubled:
    """Evaluates jobs; what happens to those whose number is given is said there."""

    def __init__(self, trouble=()):
        self.trouble = dict(trouble)

    def __call__(self, job, progress):
        progress(1, TrainingStep(1, 2, 0.5))
        kind = self.trouble.get(job.number)
        if kind == "nan":
            return Outcome(FAILED, (), Failure("nan", "loss nan"))
        if kind == "bug":
            raise ZeroDivisionError("a bug")
        if kind == "end":
            sys.exit(0)
        if kind == "hang":
            threading.Event().wait()
        if kind == "exit":
            os._exit(3)
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        progress(2, TrainingStep(2, 2, 0.25), FIRST)
        if kind == "late":
            threading.Event().wait()
        return scored(job.number)


class Poisoned(Troubled):
    """Evaluates jobs as tests of the driver do, but for some that end their process."""

    def __call__(self, job, progress):
        super().__call__(job, progress)
        return pretend(job)


class ExecutorContract:
    """Promises of an executor.

    Attributes:
        name: the implementation's.
        settings: of the run.
    """

    name: str
    settings: Mapping[str, Any] = {}

    @pytest.fixture
    def make(self, settings_of):
        def made(evaluate):
            return closing(EXECUTORS.make(self.name, evaluate, settings_of(self.settings)))

        return made

    def test_every_job_ends_once_as_it_is_evaluated(self, make):
        with make(Troubled({1: "nan"})) as executor:
            waiting, ended = [job(n) for n in range(7)], {}
            under_way = 0
            while waiting or under_way:
                while waiting and under_way < executor.places:
                    executor.submit(waiting.pop(0), ignore_progress)
                    under_way += 1
                assert under_way > 0
                number, outcome = executor.next()
                under_way -= 1
                if outcome.state == LOST:
                    waiting.insert(0, job(number))
                    continue
                assert number not in ended
                ended[number] = outcome
        assert ended.pop(1).failure == Failure("nan", "loss nan")
        assert ended == {n: scored(n) for n in (0, 2, 3, 4, 5, 6)}

    def test_every_end_is_well_formed(self, make):
        with make(Troubled({0: "nan"})) as executor:
            for number in range(2):
                executor.submit(job(number), ignore_progress)
                assert outcome_fault(executor.next()[1]) is None

    def test_next_with_nothing_under_way_is_an_error(self, make):
        with make(Troubled()) as executor:
            with pytest.raises(SearchError, match="no job is under way"):
                executor.next()
            executor.submit(job(0), ignore_progress)
            assert executor.next() == (0, scored(0))
            with pytest.raises(SearchError, match="no job is under way"):
                executor.next()

    def test_a_bug_is_an_error_and_no_outcome(self, make):
        with make(Troubled({0: "bug"})) as executor:
            executor.submit(job(0), ignore_progress)
            with pytest.raises(Exception, match="a bug"):
                executor.next()

    def test_it_is_closed_with_a_job_under_way_or_none(self, make):
        with make(Troubled()):
            pass
        with make(Troubled()) as executor:
            executor.submit(job(0), ignore_progress)

    def test_a_run_has_the_journal_of_any_other_executor(self, make, tmp_path, driver_of):
        found = []
        for name in ("inline", "mine"):
            (tmp_path / name).mkdir()
            with Journal(tmp_path / name, write=True) as journal, make(pretend) as executor:
                executor = executor if name == "mine" else None
                driver_of(journal, batch=4, executor=executor).run(Until(10))
            found.append(contents(tmp_path / name))
        assert found[0] == found[1]


class ApartContract(ExecutorContract):
    """Promises of an executor whose jobs run in processes of their own, which may end."""

    def test_a_job_that_ends_its_process_fails_and_the_run_goes_on(self, make, tmp_path, driver_of):
        said = []
        with Journal(tmp_path, write=True) as journal, make(Poisoned({1: "kill"})) as executor:
            trials = driver_of(journal, executor=executor, say=said.append).run(Until(4))
        assert [trial.number for trial in trials if trial.state == FAILED] == [1]
        assert trials[1].failure.kind == "crash"
        assert len([line for line in said if line.startswith("trial 2: lost (")]) == 2
