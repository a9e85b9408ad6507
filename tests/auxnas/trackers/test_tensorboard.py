"""Figures of a run for TensorBoard, read back with TensorBoard's own reader."""

import json
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner

from auxnas.backends.progress import Silent
from auxnas.nassearch.cli import main
from auxnas.nassearch.run import watch_run
from auxnas.search.loop.run import execute
from auxnas.search.storage.journal import Journal
from auxnas.search.trials.records import (
    COMPLETE,
    FAILED,
    PENDING,
    STOPPED,
    Failure,
    Stage,
    Trial,
    best_of,
)
from auxnas.trackers.base import TrackedRun
from auxnas.trackers.board import Board
from auxnas.trackers.session import Track
from auxnas.trackers.tensorboard import FOLDER, TensorboardTracker
from tests.search.conftest import TINY

pytest.importorskip("tensorboard")


def board(folder, *rest):
    """A board that writes event files into a run's folder."""
    run = TrackedRun("run", folder, {})
    return Board(Track("tensorboard", TensorboardTracker, run, Silent()), *rest)


def written(folder):
    """What TensorBoard would show: tag -> {step: value}."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    (path,) = (folder / FOLDER).glob("events.out.tfevents.*")
    accumulator = EventAccumulator(str(path), size_guidance={"tensors": 0}).Reload()
    return {
        tag: {e.step: float(make_ndarray(e.tensor_proto)) for e in accumulator.Tensors(tag)}
        for tag in accumulator.Tags()["tensors"]
    }


def scored(number, genotype, *rewards, state=COMPLETE):
    stages = tuple(Stage(r, {"miou": r / 2}, seconds=number + 1.0) for r in rewards)
    return Trial(number, 0, genotype, "key", 7, state, stages, rewards[-1])


@pytest.fixture
def genotype():
    from auxnas.genotype import zoo

    return zoo.load_published("arch0").genotype


class Other:
    """The other watcher."""

    def __init__(self):
        self.told = []

    def started(self, trial):
        self.told.append(trial.number)
        return lambda *progress: None

    def finished(self, trial, trials):
        self.told.append((trial.number, len(trials)))


def test_trials_are_written_in_order_whatever_order_they_end_in(tmp_path, genotype):
    ended = [
        scored(0, genotype, 0.5, 0.25),
        scored(1, genotype, 0.125, state=STOPPED),
        Trial(2, 0, genotype, "key", 7, FAILED, failure=Failure("nan", "in stage 1")),
        scored(3, genotype, 0.5, 0.75),
    ]
    trials, other = [replace(trial, state=PENDING, stages=()) for trial in ended], Other()
    updates = [{"told": 2, "entropy": 4.0}, {"told": 3, "entropy": 3.0}]
    made = board(tmp_path, [], lambda after: updates[after:], lambda n: 0.5**n, other)
    for number in (1, 3, 0, 2):
        made.started(trials[number])
        trials[number] = ended[number]
        made.finished(ended[number], trials)
    assert other.told == [1, (1, 4), 3, (3, 4), 0, (0, 4), 2, (2, 4)]
    assert written(tmp_path) == {
        "reward": {1: 0.25, 2: 0.125, 4: 0.75},
        "best": {1: 0.25, 2: 0.25, 3: 0.25, 4: 0.75},
        "p": {1: 1.0, 2: 0.5, 3: 0.25, 4: 0.125},
        "stage1/reward": {1: 0.5, 2: 0.125, 4: 0.5},
        "stage1/miou": {1: 0.25, 2: 0.0625, 4: 0.25},
        "stage1/seconds": {1: 1.0, 2: 2.0, 4: 4.0},
        "stage2/reward": {1: 0.25, 4: 0.75},
        "stage2/miou": {1: 0.125, 4: 0.375},
        "stage2/seconds": {1: 1.0, 4: 4.0},
        "controller/entropy": {2: 4.0, 3: 3.0},
    }


def test_of_a_long_run_that_goes_on_some_are_written_again(tmp_path, genotype, monkeypatch):
    monkeypatch.setattr("auxnas.trackers.board.SHOWN", 3)
    trials = [scored(n, genotype, 0.5, 0.25 * (n % 3)) for n in range(9)]
    updates = [{"told": n, "entropy": float(n)} for n in range(1, 8)]
    made = board(tmp_path, trials[:7], lambda after: updates[after:], lambda n: 0.5, Other())
    made.finished(trials[7], trials[:8])
    made.finished(trials[8], trials)
    found = written(tmp_path)
    assert list(found["reward"]) == [1, 3, 5, 7, 8, 9]
    assert found["best"] == {1: 0.0, 3: 0.5, 5: 0.5, 7: 0.5, 8: 0.5, 9: 0.5}
    assert list(found["controller/entropy"]) == [1, 3, 5, 7]


def test_a_continued_run_is_written_whole(place_of):
    given = {"tensorboard": True, "latency__measure": False, "search__controller__update_every": 2}
    execute(place_of(trials=3, **given), watch_run)
    assert set(written(place_of().folder)["reward"]) == {1, 2, 3}
    trials = execute(place_of(trials=6, **given), watch_run)
    found = written(place_of().folder)
    assert found["reward"] == {t.number + 1: pytest.approx(t.reward) for t in trials if t.reward}
    assert found["best"][6] == pytest.approx(best_of(trials)[0].reward)
    with Journal(place_of().folder) as journal:
        updates = journal.updates()
    entropies = {update["told"]: pytest.approx(update["entropy"]) for update in updates}
    assert found["controller/entropy"] == entropies
    assert len(entropies) == 3


def asked_for(folder, cache, *option):
    """``nassearch run`` with an option, into a folder."""
    words = ["run", *option, "--trials", "1", "--out", folder, "--cache", cache]
    sets = [f"{name}={json.dumps(value)}" for name, value in TINY.items() if name != "trials"]
    options = [word for text in sets for word in ("--set", text)]
    return CliRunner().invoke(main, [*map(str, words), *options])


@pytest.mark.parametrize("option", [("--tensorboard",), ("--log", "tensorboard")])
def test_the_option(option, tmp_path, cache):
    done = asked_for(tmp_path / "run", cache, *option)
    assert done.exit_code == 0, done.stderr
    assert set(written(tmp_path / "run")["best"]) == {1}


def test_nothing_is_written_unasked(place_of):
    execute(place_of(trials=2), watch_run)
    assert not (place_of().folder / FOLDER).exists()


def test_a_missing_package_is_named_before_a_folder_is_made(tmp_path, cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    done = asked_for(tmp_path / "fresh", cache, "--tensorboard")
    assert 'pip install "auxnas[tensorboard]"' in done.stderr
    assert done.exit_code == 3
    assert not (tmp_path / "fresh").exists()


def test_event_files_of_others_stay(tmp_path):
    own = tmp_path / FOLDER
    own.mkdir()
    (own / "events.out.tfevents.1.host.1.0").write_bytes(b"mine")
    (own / "sessions.json").write_text('[["x"], "../other"]')
    for _ in range(3):
        TensorboardTracker(TrackedRun("run", tmp_path, {})).finish()
    assert (own / "events.out.tfevents.1.host.1.0").read_bytes() == b"mine"
    assert len(list(own.glob("events.out.tfevents.*"))) == 2


def test_event_files_behind_a_link_stay(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / FOLDER).symlink_to(tmp_path / "theirs")
    for _ in range(2):
        TensorboardTracker(TrackedRun("run", tmp_path, {})).finish()
        before = set((tmp_path / "theirs").glob("events*"))
    assert len(before) == 2
