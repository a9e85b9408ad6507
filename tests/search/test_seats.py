"""Seats: whatever happens to them, no trial is lost, none ends twice, and all end the same."""

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auxnas.search.errors import SearchError
from auxnas.search.evaluation.two_stages import ignore_progress
from auxnas.search.executors import seats as module
from auxnas.search.executors.attempts import AttemptTable
from auxnas.search.executors.seats import Seats
from auxnas.search.loop.bounds import Until
from auxnas.search.loop.driver import Rules
from auxnas.search.storage.journal import Journal
from auxnas.search.trials.records import FAILED, LOST, SCORED, Failure, Stage, lost
from tests.search.comparing import contents
from tests.search.conftest import make_driver, pretend
from tests.search.contracts import ExecutorContract, Troubled, job, scored
from tests.search.fake_crew import FAULTS, FakeCrew

schedules = st.lists(st.sampled_from((*FAULTS, None)), max_size=25)


def seats_of(crew, places=3, **options):
    return Seats(crew, places, clock=crew.clock, **options)


def evaluated(crew, count, places=3, width=6, most=1000):
    """Outcomes of so many jobs by number, lost ones submitted again; and all ends."""
    seats, found, ends = seats_of(crew, places), {}, []
    waiting, under_way = [job(n) for n in range(count)], 0
    while waiting or under_way:
        while waiting and under_way < width:
            seats.submit(waiting.pop(0), ignore_progress)
            under_way += 1
        number, outcome = seats.next()
        under_way -= 1
        ends.append((number, outcome))
        assert len(ends) < most
        if outcome.state == LOST:
            waiting.append(job(number))
        else:
            assert number not in found
            found[number] = outcome
    return found, ends


def check_schedule(faults, places, width):
    """The law: the outcomes are those of a schedule without a fault, with so many jobs at once."""
    found, _ = evaluated(FakeCrew(Troubled(), faults), 12, places, width)
    assert found == {n: scored(n) for n in range(12)}


@given(schedules, st.integers(3, 9), st.integers(1, 12))
def test_no_trial_is_lost_and_none_ends_twice(faults, places, width):
    check_schedule(faults, places, width)


MUTANTS = {
    "an attempt that had not begun is forgotten": ("_waiting.appendleft(errand)", "_seats"),
    "results of seats that were given up count": (
        "seat.attempt.number == message.attempt",
        "True",
    ),
    "other attempts go on counting": ("other.errand = None", "pass"),
    "silence is never noticed": ("now - seat.heard < patience", "True"),
    "a seat that is never made is waited for": ("else:  # perhaps", "elif False:  #"),
    "one that is made again is made beside it": ("del self._seats[seat.number]", "pass"),
    "a lost attempt is not taken off": ("errand.live.remove(attempt)", "pass"),
}


@settings(max_examples=8)
@given(schedules, st.integers(0, 2**32))
def test_the_journal_tells_nothing_of_the_seats(tmp_path_factory, faults, seed):
    found = []
    for name in ("inline", "seats"):
        folder = tmp_path_factory.mktemp(name)
        crew = FakeCrew(pretend, faults)
        executor = None if name == "inline" else seats_of(crew)
        rules = Rules(seed, batch=4, proceed=0.9, half_life=5, retries=1000)
        with Journal(folder, write=True) as journal:
            make_driver(journal, seed=seed, executor=executor, rules=rules).run(Until(10))
        found.append(contents(folder))
    assert found[0] == found[1]


def test_a_poisonous_trial_has_failed_in_the_end(tmp_path):
    class Poisoned(FakeCrew):
        def give(self, seat, attempt, job):
            self.faults = ["vanish"] if job.number == 1 else []
            super().give(seat, attempt, job)

    crew = Poisoned(pretend)
    with Journal(tmp_path, write=True) as journal:
        seats = seats_of(crew)
        seats.attach(tmp_path, lambda line: None)
        trials = make_driver(journal, executor=seats).run(Until(6))
    assert [trial.number for trial in trials if trial.state not in SCORED] == [1]
    assert trials[1].failure == Failure("crash", "it died, lost 3 times")
    assert trials[1].stages == (Stage(0.5, {}),)
    rows = [row for row in AttemptTable(tmp_path).rows() if row.trial == 2]
    assert [(row.attempt, row.how) for row in rows] == [(n, "lost: it died") for n in (1, 2, 3)]


def test_lack_of_memory_is_said_to_be_that():
    _, ends = evaluated(FakeCrew(Troubled(), ["oom"]), 1)
    assert ends[0][1].failure == Failure("oom", "it died")


def test_an_attempt_that_never_began_is_no_loss():
    _, ends = evaluated(FakeCrew(Troubled(), ["start", "before"]), 4)
    assert {outcome.state for _, outcome in ends} == {"complete"}


def test_a_silent_seat_is_given_up_and_what_it_says_later_is_not_heard():
    crew = FakeCrew(Troubled(), ["thaw"])
    found, ends = evaluated(crew, 2, places=1)
    assert ends[0] == (0, lost("nothing was heard for 20s", (Stage(0.5, {}),)))
    assert found == {0: scored(0), 1: scored(1)}


@pytest.mark.parametrize("away", [0, 300])
def test_a_silent_seat_is_not_known_to_take_too_long(away):
    """It is lost, and its trial tried again: nobody knows whether it had ended by then."""
    crew = FakeCrew(Troubled(), ["freeze"], seconds=lambda number: 5)
    seats = seats_of(crew, places=1, timeout=10)
    ahead = [away]
    seats.submit(job(0), lambda *step: setattr(crew, "now", crew.now + ahead.pop()))
    silent = lost("nothing was heard for 20s", (Stage(0.5, {}),))
    assert seats.next() == (0, silent)
    seats.submit(job(0), ignore_progress)
    assert seats.next() == (0, scored(0))


def test_silence_while_the_driver_itself_was_away_is_none():
    crew = FakeCrew(Troubled(), seconds=lambda number: 500)
    seats = seats_of(crew)
    seats.submit(job(0), lambda *step: setattr(crew, "now", crew.now + 300))
    assert seats.next() == (0, scored(0))
    assert crew.gone == set()


def test_a_straggler_is_repeated_and_the_first_result_counts(tmp_path):
    crew = FakeCrew(Troubled(), [None, "slow"], seconds=lambda number: 10)
    seats = seats_of(crew, places=2)
    seats.attach(tmp_path, lambda line: None)
    for number in range(2):
        seats.submit(job(number), ignore_progress)
    assert [seats.next() for _ in range(2)] == [(0, scored(0)), (1, scored(1))]
    assert crew.now < 30
    assert crew.given == {0: 1, 1: 2}
    assert len(crew.dropped) == 1
    rows = [(row.trial, row.attempt, row.how) for row in AttemptTable(tmp_path).rows()]
    assert rows == [(1, 1, "complete"), (2, 1, "complete"), (2, 2, "dropped")]


def test_one_lost_attempt_of_two_is_not_the_trials_end():
    crew = FakeCrew(Troubled(), [None, "slow", "vanish"], seconds=lambda number: 10)
    _, ends = evaluated(crew, 2, places=2)
    assert {outcome.state for _, outcome in ends} == {"complete"}
    assert crew.given[1] >= 2


def test_a_trial_that_ended_is_not_stopped_however_late_that_is_heard():
    crew = FakeCrew(Troubled(), seconds=lambda number: 50)
    seats = seats_of(crew, timeout=90)
    seats.submit(job(0), lambda *step: setattr(crew, "now", crew.now + 200))
    assert seats.next() == (0, scored(0))


@pytest.mark.parametrize("repeated", [False, True])
def test_a_trial_that_takes_too_long_is_stopped_with_its_seat(repeated):
    times = {0: 10, 1: 50 if repeated else 1000}
    crew = FakeCrew(Troubled(), [None, "slow"] if repeated else [], seconds=times.get)
    seats = seats_of(crew, places=2, timeout=120)
    for number in range(2):
        seats.submit(job(number), ignore_progress)
    assert seats.next() == (0, scored(0))
    number, outcome = seats.next()
    if repeated:
        assert (number, outcome) == (1, scored(1))
        return
    assert outcome.failure == Failure("timeout", "stopped after 2m")
    assert (outcome.state, outcome.stages) == (FAILED, (Stage(0.5, {}),))
    assert len(crew.gone) == 2, "it was repeated, once"
    assert crew.now < 140


def test_a_host_that_computes_otherwise_is_left_out_unless_mixed(tmp_path):
    said = []
    host = {0: "a", 1: "b", 2: "a", 3: "b"}.get
    for mixed in (False, True):
        crew = FakeCrew(Troubled(), host=host, seconds=lambda number: 10)
        folder = tmp_path / str(mixed)
        folder.mkdir()
        seats = seats_of(crew, places=4, mixed=mixed)
        seats.attach(folder, said.append)
        for number in range(8):
            seats.submit(job(number), ignore_progress)
        assert dict(seats.next() for _ in range(8)) == {n: scored(n) for n in range(8)}
        assert seats.places == (4 if mixed else 2)
        hosts = {row.host for row in AttemptTable(folder).rows()}
        assert hosts == ({"a", "b"} if mixed else {"a"})
    assert said == [
        "b: computes otherwise than the run's hosts (fingerprint fingerprint of b, expected "
        f"fingerprint of a); --mixed lets it take part: {left} places are left"
        for left in (3, 2)
    ]
    later = seats_of(FakeCrew(Troubled(), host=lambda number: "b"), places=1)
    later.attach(tmp_path / "False", said.append)
    later.submit(job(0), ignore_progress)
    with pytest.raises(SearchError, match="b: computes otherwise"):
        later.next()


def test_seats_that_never_begin_end_the_run():
    with pytest.raises(SearchError, match="its process is gone before its first trial, 6 times"):
        evaluated(FakeCrew(Troubled(), ["start"] * 100), 2, places=2)


def test_a_place_that_never_comes_is_said_once_after_a_minute(tmp_path):
    crew, said = FakeCrew(Troubled(), ["never"] * 6), []
    seats = seats_of(crew)
    seats.attach(tmp_path, lambda line: said.append((round(crew.now), line)))
    seats.submit(job(0), ignore_progress)
    assert seats.next() == (0, scored(0))
    assert said == [(60, "waiting for a place to evaluate trials: no room")]
    assert crew.gone == set(range(6)), "each was given up, and another asked for"
    minutes = 2 + 4 + 8 + 16 + 16 + 16
    assert 60 * minutes < crew.now < 60 * minutes + 60, "machines may be slow to make one"


def test_a_seat_that_is_given_to_a_host_that_has_gone_is_made_elsewhere_in_the_end():
    crew = FakeCrew(Troubled(), ["never"] * 2)
    seats = seats_of(crew, places=3)
    for number in range(3):
        seats.submit(job(number), ignore_progress)
    assert sorted(seats.next() for _ in range(3)) == [(n, scored(n)) for n in range(3)]
    assert crew.now < 180


def test_a_seat_may_take_long_to_be_made_as_long_as_it_is_heard_of():
    crew = FakeCrew(Troubled())
    crew.start = lambda seat: crew.at(2, module.Beat(seat))
    crew.at(605, module.Readied(0, "a", "f"))
    seats = seats_of(crew, places=1)
    seats.submit(job(0), ignore_progress)
    assert seats.next() == (0, scored(0))
    assert crew.gone == set()


def test_seats_that_are_heard_of_once_end_the_run():
    expected = "nothing was heard for 2m before its first trial, 6 times"
    with pytest.raises(SearchError, match=expected):
        evaluated(FakeCrew(Troubled(), ["stuck"] * 100), 2, places=2)


def test_the_table_is_read_whatever_its_end(tmp_path):
    table = AttemptTable(tmp_path)
    assert list(table.rows()) == []
    rows = [module.AttemptRow(n, 1, "a,b", "f", 'lost: "x"') for n in range(2)]
    for row in rows:
        table.add(row)
    with (tmp_path / "attempts.csv").open("a") as file:
        file.write("3,1,cut")
    assert list(AttemptTable(tmp_path).rows()) == rows


class TestSeatsContract(ExecutorContract):
    @pytest.fixture
    def make(self):
        def made(evaluate):
            return closing(seats_of(InPlace(evaluate)))

        return made


class InPlace(FakeCrew):
    """One whose errors come back as those of seats do."""

    def give(self, seat, attempt, job):
        try:
            super().give(seat, attempt, job)
        except ZeroDivisionError as error:
            self.at(1, module.Raised(seat, attempt, str(error), "trace"))


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_found(mutant, monkeypatch):
    """The law above finds what is wrong in each, with one schedule or another."""
    before, after = MUTANTS[mutant]
    source = Path(module.__file__).read_text("utf-8")
    assert source.count(before) >= 1
    names = {"__name__": module.__name__}
    exec(compile(source.replace(before, after), "mutant", "exec"), names)
    monkeypatch.setitem(globals(), "Seats", names["Seats"])
    hard = [
        ["thaw", "before", "freeze", "slow", "vanish", "start", None, "slow", "before", "thaw"],
        [None, "slow", "slow", "vanish", "thaw", "slow", "vanish", "freeze", "vanish"] * 2,
        ["freeze"] * 5,
        ["never"] * 3,
        [None, None, "slow", None, "slow", "vanish", "slow"],
    ]
    with pytest.raises((AssertionError, SearchError, LookupError, ValueError)):
        [check_schedule(faults, 3, width) for faults in hard for width in (2, 6)]


def test_where_no_seat_starts_its_place_is_named():
    seats = seats_of(FakeCrew(Troubled(), ["start"] * 3), 1, where=", on the cluster at a:1")
    seats.submit(job(0), ignore_progress)
    words = "its process is gone before its first trial, 3 times in a row, on the cluster at a:1"
    with pytest.raises(SearchError, match=words):
        seats.next()
