"""What a person sees while a search runs."""

import io

import pytest
from rich.console import Console

from backends.base import Step
from genotype import zoo
from search.bounds import Clock, Until
from search.progress import Live, Plain, clock
from search.trials import COMPLETE, FAILED, PENDING, REUSED, STOPPED, Failure, Stage, Trial
from search.watch import Watch, ending


def trial(number=0, **changes):
    genotype = zoo.load("arch0").genotype
    return Trial(number, 0, genotype, genotype.key(), 1, **changes)


STAGE = Stage(0.4, {"miou": 0.25, "accuracy": 0.5}, 61.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (60, "1:00"), (187, "3:07"), (7509, "2:05:09")],
)
def test_clock(seconds, text):
    assert clock(seconds) == text


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
    assert ending(found) == text


@pytest.mark.parametrize("kind", [Plain, Live])
def test_a_run_is_told_trial_by_trial(kind):
    file = io.StringIO()
    console = Console(file=file, width=200, force_terminal=kind is Live)
    trials = [trial(0), trial(1)]
    ticks = iter(range(0, 1000, 60))
    clock = Clock(now=lambda: next(ticks), start=0)
    with Watch(kind(console), Until(2), clock) as watch:
        for number in range(2):
            progress = watch.started(trials[number])
            progress(1, Step(1, 2, 0.5))
            progress(2, Step(2, 2, 0.25))
            ended = trial(number, state=COMPLETE, reward=0.4, stages=(STAGE, STAGE))
            trials[number] = ended
            watch.finished(ended, trials)
    text = file.getvalue()
    assert "trial 1/2: reward 0.400" in text
    assert "trial 2/2: reward 0.400" in text
    assert "trials/h" in text
    assert text.count("left") == 1 if kind is Plain else True


def test_plain_lines_are_rare_and_carry_share_and_time_left():
    file = io.StringIO()
    with Plain(Console(file=file, width=200), every=0).task("working", 4) as advance:
        advance(1, "loss 0.5")
        advance(4, "")
    lines = file.getvalue().splitlines()
    assert lines[0].startswith("working: 25 %, loss 0.5, ")
    assert lines[0].endswith(" left")
    assert lines[1].startswith("working: done in ")
    file = io.StringIO()
    with Plain(Console(file=file), every=1e9).task("working", 4) as advance:
        for done in range(5):
            advance(done, "")
    assert file.getvalue() == ""
