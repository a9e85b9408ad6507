"""The budget covers the whole run; its phases can be followed from outside."""

import json
import re
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import pytest
from rich.console import Console

from auxnas import progress
from auxnas.backends.null.learner import NullLearner
from auxnas.backends.progress import Silent
from auxnas.nassearch.look import status_lines
from auxnas.progress import Plain
from auxnas.search.errors import SettingsError
from auxnas.search.loop import phases
from auxnas.search.loop import run as run_module
from auxnas.search.loop.allowance import Allowance
from auxnas.search.loop.bounds import RunClock
from auxnas.search.loop.phases import (
    PRETRAINING,
    SEARCHING,
    STORING,
    RecordingDisplay,
    read_phase,
)
from auxnas.search.loop.run import execute
from auxnas.search.loop.status import run_status
from auxnas.search.networks import course, pretrain
from auxnas.search.storage.folders import PROGRESS
from auxnas.search.storage.journal import Journal
from auxnas.search.training.run import train_network
from tests.search.training import training

TINY = [
    *("--preset", "demo", "--learner", "null", "--size", "32x32", "--trials", "2"),
    *("--set", "model.width=0.1", "--set", "model.agg_size=8", "--set", "latency.measure=false"),
]
EPOCHS, LASTING = 10, 60.0


class Time:
    """Stands still but for the seconds that epochs of pre-training take."""

    def __init__(self, monkeypatch):
        self.now, self.seen = 0.0, []
        for module in (course, pretrain, run_module, phases):
            monkeypatch.setattr(module, "monotonic", lambda: self.now)
        monkeypatch.setattr(RunClock, "session", property(lambda _: self.now))
        inner = NullLearner.fit_part

        def fit_part(learner, *words):
            def told(step):
                self.now += LASTING
                words[-1](step)
                self.seen.append(step.step)
                self.after(step.step)

            return inner(learner, *words[:-1], told)

        monkeypatch.setattr(NullLearner, "fit_part", fit_part)

    def after(self, epoch):
        """To be replaced."""


class Heard(Silent):
    """Remembers lines, and the tasks with what was behind them."""

    def __init__(self):
        self.lines, self.tasks = [], []

    def say(self, line):
        self.lines.append(line)

    @contextmanager
    def task(self, title, total, begun=0):
        self.tasks.append((title, total, begun))
        yield lambda done, text: None


@pytest.fixture
def time(monkeypatch):
    return Time(monkeypatch)


@pytest.fixture
def slow(place_of, tmp_path):
    """A run whose pre-training takes ten minutes, with a cache of its own."""

    def make(budget, **changes):
        place = place_of(budget=budget, pretrain__epochs=EPOCHS, trials=2, **changes)
        return replace(place, cache=tmp_path / "cache", display=Heard())

    return make


@pytest.mark.parametrize("budget", [90, 300, 599, 600])
def test_a_pretraining_that_does_not_fit_ends_the_run_as_soon_as_it_is_known(slow, time, budget):
    with pytest.raises(SettingsError) as caught:
        execute(slow(budget))
    assert time.seen == [1], "the first epoch without its first step says how long the rest takes"
    text = str(caught.value)
    assert re.match(r"budget: \w+, but pre-training ends after about 10:00, expected ", text)
    assert "a --budget of 20m or more, or nassearch run into another --out with " in text
    fitting = int(EPOCHS * budget / 2 / 600)
    assert (f"--set pretrain.epochs={fitting}," in text) == (fitting > 0)
    assert "a smaller --size or --encoder-weights FILE" in text


def test_some_slow_steps_end_no_run_that_fits_at_the_pace_of_others(slow, time, monkeypatch):
    paces = iter([60.0, 60.0, 60.0, 400.0, 400.0, *[60.0] * 20])
    inner = NullLearner.fit_part

    def fit_part(learner, *words):
        def told(step):
            time.now += next(paces) - LASTING
            words[-1](step)

        return inner(learner, *words[:-1], told)

    monkeypatch.setattr(NullLearner, "fit_part", fit_part)
    assert len(execute(slow(2000))) == 2


@pytest.mark.parametrize(("spent", "ends"), [(9.0, False), (11.0, True)])
def test_a_run_that_has_just_begun_is_not_ended(slow, spent, ends):
    class Spends:
        def spend(self, seconds):
            pass

    place = slow(100.0)
    told = Allowance(place, Spends(), RunClock(before=spent, now=lambda: 0.0, start=0.0))
    told(1000.0, 80.0)
    with pytest.raises(SettingsError) if ends else nullcontext():
        told(1000.0, 95.0)


def test_a_context_that_tells_another_computes_nothing_again(place_of):
    context, told = place_of(), []
    other = context.with_forecast(told.append)
    assert (other.data, other.threads) == (context.data, context.threads)
    assert other.data is context.data
    assert other.model.pretraining.forecast == told.append != context.model.pretraining.forecast
    assert other.model.learner is context.model.learner


@pytest.mark.parametrize(("budget", "warned"), [(601, True), (1199, True), (1201, False)])
def test_one_that_fits_is_told_of_once(slow, time, budget, warned):
    place = slow(budget)
    assert len(execute(place)) == 2
    assert time.seen == list(range(1, EPOCHS + 1))
    (line,) = [one for one in place.display.lines if "of the budget of" in one]
    assert "pre-training ends after about 10:00 of the budget of" in line
    assert line.startswith("warning: ") == warned


def test_a_refused_run_goes_on_with_more(slow, time):
    with pytest.raises(SettingsError):
        execute(slow(300))
    assert len(execute(slow(2400))) == 2
    assert sorted(set(time.seen)) == list(range(1, EPOCHS + 1))


def test_without_a_budget_there_is_no_limit(slow, time):
    place = slow(None)
    assert len(execute(place)) == 2
    assert not [line for line in place.display.lines if "of the budget" in line]


def test_the_time_of_a_pretraining_is_of_the_run(slow, time, tmp_path):
    def interrupt(epoch):
        if epoch == 4:
            raise KeyboardInterrupt

    time.after = interrupt
    with pytest.raises(KeyboardInterrupt):
        execute(slow(2400))
    with Journal(tmp_path / "run") as journal:
        assert [session.seconds for session in journal.sessions()] == [4 * LASTING]
    time.now, time.after = 0.0, lambda epoch: None
    place = slow(2400)
    execute(place)
    (task,) = [task for task in place.display.tasks if task[0].startswith("pre-training")]
    assert task == ("pre-training the encoder", 1000, 300)
    assert "pre-training ends after about 11:00" in str(place.display.lines)
    with Journal(tmp_path / "run") as journal:
        assert sum(session.seconds for session in journal.sessions()) == 11 * LASTING


def test_a_budget_that_is_over_before_the_first_trial_says_so(run, time, tmp_path, monkeypatch):
    monkeypatch.setattr(Allowance, "__call__", lambda self, left, least: None)
    words = ("--data", "synthetic:12", *TINY, "--budget", "1m", "--cache", tmp_path / "cache")
    result = run("run", *words, "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "error: the budget of 1m was over before the first trial; to go on: "
        f"nassearch resume {tmp_path / 'run'} --budget 2m"
    )


def test_status_follows_the_phases(run, time, tmp_path):
    found, folder = [], tmp_path / "run"
    time.after = lambda epoch: found.append(run_status(folder)) if epoch == 4 else None
    inner = RecordingDisplay._write

    def noting(recorded):
        inner(recorded)
        found.append(run_status(folder)) if folder.exists() else None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RecordingDisplay, "_write", noting)
        words = ("--data", "synthetic:12", *TINY, "--set", f"pretrain.epochs={EPOCHS}")
        result = run("run", *words, "--out", folder, "--cache", tmp_path / "cache")
    assert result.exit_code == 0, result.output
    phases = list(dict.fromkeys(one["phase"] for one in found))
    assert phases == [PRETRAINING, STORING, SEARCHING]
    third = next(one for one in found if one["tasks"][0]["share"] == 0.4)
    assert third["running"]
    (task,) = third["tasks"]
    assert task["task"] == "pre-training the encoder"
    assert task["text"] == f"epoch 4/{EPOCHS}, loss 0.250"
    assert task["seconds_left"] == 6 * LASTING
    line = f"now: pre-training the encoder, 40 %, epoch 4/{EPOCHS}, loss 0.250, 6:00 left"
    assert line in status_lines(third)
    assert not (folder / PROGRESS).exists()
    assert run_status(folder)["phase"] is None
    assert "now: " not in run("status", folder).stdout


def test_a_killed_run_says_where_it_was_left(run, time, tmp_path):
    def interrupt(epoch):
        if epoch == 4:
            raise KeyboardInterrupt

    time.after, folder = interrupt, tmp_path / "run"
    words = ("--data", "synthetic:12", *TINY, "--set", f"pretrain.epochs={EPOCHS}")
    command = ("run", *words, "--out", folder, "--cache", tmp_path / "cache")
    assert run(*command).exit_code == 130
    assert "left at: pre-training the encoder, 40 %, epoch 4/10" in run("status", folder).stdout
    found = json.loads(run("status", folder, "--json").stdout)
    assert (found["phase"], found["tasks"][0]["share"]) == (PRETRAINING, 0.4)


def test_status_says_where_nothing_has_begun(run, time, tmp_path):
    words = ("--data", "synthetic:12", *TINY, "--out", tmp_path / "run")
    assert run("run", *words, "--cache", tmp_path / "cache").exit_code == 0
    found = {**run_status(tmp_path / "run"), "running": "somebody"}
    assert "now: no trial is under way" in status_lines(found)
    task = {"task": "trial 1/2", "share": 0.0, "text": "", "seconds_left": None}
    assert "now: trial 1/2, no step yet" in status_lines({**found, "tasks": [task]})


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"phase": 1}', '{"phase": "a", "tasks": [1]}'])
def test_a_damaged_record_of_phases_is_none(tmp_path, text):
    (tmp_path / PROGRESS).write_text(text)
    assert read_phase(tmp_path) == (None, [])


def test_the_time_left_is_from_what_was_done_in_this_process(monkeypatch, capsys):
    ticks = iter([0.0, 5.0, 10.0, 20.0])
    monkeypatch.setattr(progress, "monotonic", lambda: next(ticks))
    said = []
    plain = Plain(Console(), every=0)
    monkeypatch.setattr(plain, "say", said.append)
    with plain.task("working", 1000, 900) as advance:
        advance(925, "")
        advance(950, "")
    assert said == ["working: 92 %", "working: 95 %, 10 s left"]


def test_a_resumed_training_counts_from_there(tmp_path, monkeypatch):
    """The first part of all is the pre-training's."""
    inner, calls, cache = NullLearner.fit_part, [], tmp_path / "cache"

    def interrupting(self, *words):
        calls.append(words)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return inner(self, *words)

    monkeypatch.setattr(NullLearner, "fit_part", interrupting)
    with pytest.raises(KeyboardInterrupt):
        train_network(training(tmp_path / "t", cache))
    place = replace(training(tmp_path / "t", cache), display=Heard())
    train_network(place)
    assert ("training", 8000, 2000) in place.display.tasks


@pytest.mark.parametrize(
    "command",
    [["run"], ["run", "--trials", "3"], ["pretrain"], ["ablate"], ["train", "--genotype", "arch0"]],
)
def test_data_are_asked_for(run, tmp_path, command):
    result = run(*command, "--learner", "null", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "--data: not given, which would take rendered scenes; expected --data" in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_preset_alone_is_said_to_be_on_rendered_scenes(run, tmp_path):
    words = (*TINY, "--set", "data.source=synthetic:12")
    result = run("run", *words, "--out", tmp_path / "named")
    assert result.exit_code == 0, result.output
    assert "since there is no --data" not in result.stderr
    result = run("run", *TINY, "--set", "data.size=[31,1]", "--out", tmp_path / "preset")
    assert "data: rendered scenes, since there is no --data" in result.stderr
    (tmp_path / "t.toml").write_text('[data]\nsource = "synthetic:12"\n')
    result = run("run", *TINY[2:], "--config", tmp_path / "t.toml", "--out", tmp_path / "file")
    assert result.exit_code == 0, result.output
