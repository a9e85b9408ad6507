"""Where a run ends: by trials, by time, and what it has found by then."""

import pytest

from auxnas.search.loop.bounds import RunClock, Until
from auxnas.search.loop.run import execute
from auxnas.search.storage.journal import Journal
from auxnas.search.trials.records import PENDING
from tests.search.comparing import contents


class Time:
    """Stands still but for the seconds that trials take."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def go(folder, driver_of, outcome_of, until, before=0.0, lasting=10.0):
    """A session in which every trial takes ``lasting`` seconds; its trials."""
    folder.mkdir(exist_ok=True)
    time = Time()

    def evaluate(job, progress):
        time.now += lasting
        return outcome_of(job)

    with Journal(folder, write=True) as journal:
        spent = sum(session.seconds for session in journal.sessions())
        assert spent == before
        driver = driver_of(journal, evaluate, clock=RunClock(spent, time, start=0.0))
        return driver.run(until)


def ended(trials):
    return [trial for trial in trials if trial.state != PENDING]


@pytest.mark.parametrize(("budget", "count"), [(1, 1), (10, 1), (10.5, 2), (35, 4), (40, 4)])
def test_the_trial_under_way_at_the_end_of_the_budget_is_finished(
    tmp_path, driver_of, outcome_of, budget, count
):
    found = ended(go(tmp_path, driver_of, outcome_of, Until(seconds=budget)))
    assert [trial.number for trial in found] == list(range(count))


def test_what_a_budget_run_found_is_the_start_of_a_longer_one(tmp_path, driver_of, outcome_of):
    long = go(tmp_path / "long", driver_of, outcome_of, Until(trials=9))
    for budget in (5, 45, 85):
        short = ended(go(tmp_path / str(budget), driver_of, outcome_of, Until(seconds=budget)))
        assert short == long[: len(short)]


def test_a_budget_counts_all_sessions_and_can_be_raised(tmp_path, driver_of, outcome_of):
    folder = tmp_path / "cut"
    assert len(ended(go(folder, driver_of, outcome_of, Until(seconds=25)))) == 3
    again = go(folder, driver_of, outcome_of, Until(seconds=25), before=30)
    assert len(ended(again)) == 3
    more = go(folder, driver_of, outcome_of, Until(seconds=55), before=30)
    assert len(ended(more)) == 6
    go(tmp_path / "whole", driver_of, outcome_of, Until(trials=6))
    assert contents(folder) == contents(tmp_path / "whole")


def test_the_first_bound_counts():
    until = Until(trials=5, seconds=60)
    assert until.begins(4, 59.9)
    assert not until.begins(5, 0)
    assert not until.begins(0, 60)
    assert Until().begins(10**6, 1e9)


def test_a_run_with_a_budget_ends_and_goes_on(place_of):
    short = place_of("cut", trials=None, budget=1e-9)
    assert execute(short) == []
    execute(place_of("cut", trials=4, budget="1h"))
    execute(place_of("whole", trials=4, budget="1h"))
    assert contents(short.folder) == contents(place_of("whole").folder)
    with Journal(short.folder) as journal:
        assert len(journal.sessions()) == 2
        assert all(session.seconds > 0 for session in journal.sessions())
        assert journal.sessions()[0].environment["versions"]["numpy"]
