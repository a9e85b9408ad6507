"""What a person sees while a search runs."""

import io
import threading
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxnas import progress as progress_module
from auxnas.backends.base import TrainingStep
from auxnas.backends.progress import Forecast, Silent, ToldOnce, format_duration
from auxnas.genotype import zoo
from auxnas.nassearch.watch import Pace, Watch
from auxnas.progress import Live, Plain
from auxnas.search.loop.bounds import RunClock, Until
from auxnas.search.loop.phases import SEARCHING, RecordingDisplay, read_phase
from auxnas.search.trials.records import (
    COMPLETE,
    FAILED,
    PENDING,
    REUSED,
    STOPPED,
    Failure,
    Stage,
    Trial,
)
from auxnas.search.trials.rows import ending_text
from auxnas.terminal import Terminal


def test_what_several_works_begin_with_is_said_once(monkeypatch):
    said = []
    monkeypatch.setattr(Silent, "say", lambda self, line: said.append(line))
    told = ToldOnce(Silent())
    for line in ("encoder: from a", "trial 1", "encoder: from a", "trial 2"):
        told.say(line)
    assert said == ["encoder: from a", "trial 1", "trial 2"]
    with told.task("training", 3) as advance:
        advance(1)


def trial(number=0, **changes):
    genotype = zoo.load_published("arch0").genotype
    return Trial(number, 0, genotype, genotype.key(), 1, **changes)


STAGE = Stage(0.4, {"miou": 0.25, "accuracy": 0.5}, 61.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (60, "1:00"), (187, "3:07"), (7509, "2:05:09")],
)
def test_clock(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (trial(state=PENDING), "pending"),
        (trial(state=FAILED, failure=Failure("nan", "loss nan")), "failed (nan: loss nan)"),
        (
            trial(state=REUSED, reward=0.4, source=1),
            "reward 0.400, the same architecture as trial 2",
        ),
        (
            trial(state=STOPPED, reward=0.4, stages=(STAGE,)),
            "reward 0.400 (miou 0.250, accuracy 0.500), stopped after stage 1, 1:01",
        ),
        (
            trial(state=COMPLETE, reward=0.4, stages=(STAGE, STAGE)),
            "reward 0.400 (miou 0.250, accuracy 0.500), two stages, 2:02",
        ),
    ],
)
def test_ending(found, text):
    assert ending_text(found) == text


def test_a_line_shows_a_few_of_many_metrics():
    stage = Stage(0.5, dict.fromkeys("abcdefg", 0.25), 1.0)
    found = trial(state=COMPLETE, reward=0.5, stages=(stage, stage))
    assert "(a 0.250, b 0.250, c 0.250, d 0.250, ...)" in ending_text(found)


@pytest.mark.parametrize("kind", [Plain, Live])
def test_a_run_is_told_trial_by_trial(kind):
    file = io.StringIO()
    console = Terminal(file=file, width=200, force_terminal=kind is Live)
    trials = [trial(0), trial(1)]
    ticks = iter(range(0, 1000, 60))
    clock = RunClock(now=lambda: next(ticks), start=0)
    with Watch(kind(console), Until(2), clock) as watch:
        for number in range(2):
            progress = watch.started(trials[number])
            progress(1, TrainingStep(1, 2, 0.5))
            progress(2, TrainingStep(2, 2, 0.25))
            ended = trial(number, state=COMPLETE, reward=0.4, stages=(STAGE, STAGE))
            trials[number] = ended
            watch.finished(ended, trials)
    text = file.getvalue()
    assert "trial 1/2: reward 0.400" in text
    assert "trial 2/2: reward 0.400" in text
    assert "trials/h" in text
    assert text.count("left") == 1 if kind is Plain else True


def test_a_trial_that_has_ended_is_not_under_way_and_one_that_was_cut_off_is(tmp_path):
    display = RecordingDisplay(Silent(), tmp_path)
    ended = trial(0, state=COMPLETE, reward=0.4, stages=(STAGE, STAGE))
    with suppress(KeyboardInterrupt), Watch(display, Until(2), RunClock()) as watch:
        watch.started(trial(0))(1, TrainingStep(1, 2, 0.5))
        assert [task["task"] for task in read_phase(tmp_path)[1]] == ["trial 1/2"]
        watch.finished(ended, [ended])
        assert read_phase(tmp_path) == (SEARCHING, [])
        watch.started(trial(1))
        raise KeyboardInterrupt
    assert [task["task"] for task in read_phase(tmp_path)[1]] == ["trial 2/2"]


@pytest.mark.parametrize(
    ("pace", "until", "left"),
    [
        (Pace(4, 3600), Until(10), 5400.0),  # six are missing, a quarter of an hour each
        (Pace(4, 3600), Until(seconds=10_000), 6400.0),
        (Pace(4, 3600), Until(10, 10_000), 5400.0),
        (Pace(4, 3600), Until(100, 10_000), 6400.0),
        (Pace(4, 3600), Until(3), 0.0),
        (Pace(4, 3600), Until(), None),
    ],
)
def test_time_left_is_that_to_the_first_bound(pace, until, left):
    assert pace.left(4, 3600, until) == left


@given(
    step=st.floats(0.01, 100),
    first=st.floats(0, 1000),
    steps=st.integers(2, 300),
    total=st.integers(300, 1000),
    begun=st.integers(0, 50),
)
def test_a_forecast_is_right_from_the_second_step_on_however_long_the_first_took(
    step, first, steps, total, begun
):
    forecast = Forecast()
    for number in range(1, steps + 1):
        assert number > 2 or forecast.left(1) is None
        forecast.note(begun + number, first + number * step)
        forecast.note(begun + number, first + number * step)  # the same again tells nothing
    assert forecast.least(total - steps) == pytest.approx((total - steps) * step, rel=1e-6)
    assert forecast.left(total - steps) == pytest.approx((total - steps) * step, rel=1e-6)


def test_a_forecast_follows_a_pace_that_changes():
    forecast, now = Forecast(), 0.0
    for number in range(200):
        now += 9 if number < 20 else 1
        forecast.note(number, now)
    assert forecast.left(100) == 100


def test_pace():
    assert str(Pace(4, 3600)) == "4.0 trials/h"
    assert str(Pace(1, 10)) == "360 trials/h"


def test_a_line_says_how_the_run_stands():
    file, now = io.StringIO(), [0.0]
    clock = RunClock(before=1000.0, now=lambda: now[0], start=-50.0)  # pre-training took 50 s
    trials = [trial(n) for n in range(4)]
    with Watch(Plain(Terminal(file=file, width=300)), Until(4), clock) as watch:
        for number, state in enumerate((COMPLETE, STOPPED, FAILED)):
            watch.started(trials[number])
            now[0] += 60
            reward = None if state == FAILED else 0.4 - 0.1 * number
            failure = Failure("nan", "loss nan") if state == FAILED else None
            trials[number] = trial(
                number, state=state, reward=reward, stages=(STAGE,), failure=failure
            )
            watch.finished(trials[number], trials)
    first, second, third = file.getvalue().splitlines()
    assert first.endswith("best 0.400, 60 trials/h, whole run 3:00 left")
    assert second.endswith("best 0.400, 60 trials/h, 1 stopped after stage 1, whole run 2:00 left")
    assert third == (
        "trial 3/4: failed (nan: loss nan), best 0.400, 60 trials/h, "
        "1 stopped after stage 1, whole run 1:00 left"
    )


class Bars:
    """A display that remembers what bars say."""

    def __init__(self):
        self.texts, self.open = [], []

    def say(self, line):
        pass

    @contextmanager
    def task(self, title, total):
        self.open.append(title)
        yield lambda done, text: self.texts.append((title, done / total, text))
        self.open.remove(title)


def test_bars_of_trials_under_way_at_once():
    bars = Bars()
    with Watch(bars, Until(), RunClock()) as watch:
        one, two = watch.started(trial(0)), watch.started(trial(1))
        one(1, TrainingStep(1, 4, 0.5))
        two(2, TrainingStep(4, 4, 0.25), Stage(0.375, {}))
        assert bars.open == ["trial 1", "trial 2"]
        ended = trial(1, state=COMPLETE, reward=0.5, stages=(STAGE, STAGE))
        watch.finished(ended, [trial(0), ended])
        assert bars.open == ["trial 1"]
        one(1, TrainingStep(2, 4, 0.5))
    assert bars.open == []
    assert bars.texts[:2] == [
        ("trial 1", 0.125, "stage 1, loss 0.500"),
        ("trial 2", 1.0, "stage 2 after 0.375, loss 0.250"),
    ]
    assert bars.texts[2][2].startswith("stage 1, loss 0.500, best 0.500, ")


def test_live_bars_share_one_display():
    file = io.StringIO()
    live = Live(Terminal(file=file, width=120, force_terminal=True))
    with live.task("one", 2) as one, live.task("two", 2) as two:
        one(1, "first")
        two(2, "second")
        live.say("a line")
    assert "a line" in file.getvalue()
    with live.task("three", 2):
        pass


def test_bars_are_drawn_when_told_and_by_no_thread(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress_module, "monotonic", lambda: now[0])
    file, threads = io.StringIO(), threading.active_count()
    with Live(Terminal(file=file, width=120, force_terminal=True)).task("timing", 4) as advance:
        assert threading.active_count() == threads
        begun = len(file.getvalue())
        advance(1)
        assert len(file.getvalue()) == begun
        now[0] += 1
        advance(2)
        assert "50%" in file.getvalue()[begun:]


def test_a_line_on_stdout_has_no_bar_in_its_way(capsys):
    live = Live(Terminal(stderr=True, force_terminal=True))
    with live.task("predicting", 4) as advance:
        for done in (1, 2, 3):
            advance(done)
        with live.aside():
            print("a.png")
    found = capsys.readouterr()
    assert found.out == "a.png\n"
    assert "75%" in found.err


def test_an_interrupted_task_is_not_done():
    file = io.StringIO()
    with Plain(Terminal(file=file, width=200), every=0).task("working", 4) as advance:
        advance(1, "")
    assert "done" not in file.getvalue()


def test_plain_lines_are_rare_and_carry_share_and_time_left():
    file = io.StringIO()
    with Plain(Terminal(file=file, width=200), every=0).task("working", 4) as advance:
        advance(1)
        advance(2, "loss 0.5")
        advance(4, "")
    lines = file.getvalue().splitlines()
    assert lines[0] == "working: 25 %"
    assert lines[1].startswith("working: 50 %, loss 0.5, ")
    assert lines[1].endswith(" left")
    assert lines[2].startswith("working: done in ")
    file = io.StringIO()
    with Plain(Terminal(file=file), every=1e9).task("working", 4) as advance:
        for done in range(5):
            advance(done, "")
    assert file.getvalue() == ""
