"""Full trainings of a run's architectures elsewhere come to what they come to here."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from importlib.util import find_spec

import pytest

from auxnas.backends.progress import Silent
from auxnas.nassearch import correlate
from auxnas.search.evaluation.two_stages import ignore_progress
from auxnas.search.executors.packing import pack_evaluator, unpack_evaluator
from auxnas.search.loop.run import execute
from auxnas.search.storage.checkpoint import Checkpoint, CheckpointFolder
from auxnas.search.storage.lock import run_lock
from auxnas.search.training.jobs import LongTrainings, TrainingJob
from auxnas.search.training.run import long_training, opened_training
from auxnas.search.trials.records import lost
from tests.search.training import came_to, params, tell, training

COMMON = ("--preset", "demo", "--set", "model.agg_size=8", "--set", "threads=1", "--epochs", 4)
MINE = ("--set", f"search.executor={__name__}:Failing")


@pytest.fixture
def searched(place_of, monkeypatch):
    monkeypatch.setattr(correlate, "plot_correlation", lambda found, path: None)
    place = place_of("run", trials=5, search__proceed=1.0)
    execute(place)
    return place.folder


class Gone(BaseException):
    """Ends an attempt as the end of its process would."""


class Failing:
    """Trains as one machine after the other would, on each of which an attempt dies at times.

    Attributes:
        cache: of those machines.
        ends: numbers of steps after which the next attempts die; None for one that does not.
        steps: epochs that were gone through, by job.
    """

    places = 2
    cache, ends, steps = None, [], Counter()

    def __init__(self, evaluate, settings):
        data, stores = pack_evaluator(evaluate, pickle.Pickler)
        assert stores
        assert isinstance(evaluate.training.display, Silent)
        self.evaluate = unpack_evaluator(data, self.cache, {}, lambda reference: None)
        self.jobs = []

    def submit(self, job, progress):
        self.jobs.append((pickle.loads(pickle.dumps(job)), progress))

    def next(self):
        job, progress = self.jobs.pop()
        left = self.ends.pop(0) if self.ends else None

        def step(stage, at, before=None):
            progress(stage, at, before)
            if left is not None and at.step > left:
                raise Gone
            self.steps[job.number] += 1

        try:
            return job.number, pickle.loads(pickle.dumps(self.evaluate(job, step)))
        except Gone:
            return job.number, lost("its process is gone")

    def close(self):
        pass


def test_attempts_that_die_go_on_on_their_machine_to_the_same_networks(
    run, searched, tmp_path, monkeypatch
):
    """Each epoch is gone through once but those after the last checkpoint; nothing is left."""
    tell(monkeypatch)
    monkeypatch.setattr(Failing, "cache", tmp_path / "there")
    monkeypatch.setattr(Failing, "ends", [2, None, 3, None, 1, 2])
    monkeypatch.setattr(Failing, "steps", Counter())
    words = ("correlate", searched, *COMMON, "--count", 3)
    assert run(*words, "--out", tmp_path / "a").exit_code == 0
    result = run(*words, "--out", tmp_path / "b", *MINE)
    assert result.exit_code == 0, result.output
    assert came_to(tmp_path / "a") == came_to(tmp_path / "b")
    assert len(came_to(tmp_path / "a")) == 3
    assert sorted(Failing.steps.values()) == [4, 4, 4]
    left = [path.name for path in (tmp_path / "there" / "checkpoints").glob("*/*")]
    assert "checkpoint.safetensors" not in left


def test_a_machine_that_is_lost_too_often_is_a_failure_which_the_same_command_mends(
    run, searched, tmp_path, monkeypatch
):
    monkeypatch.setattr(Failing, "cache", tmp_path / "there")
    monkeypatch.setattr(Failing, "ends", [1, 1, 1])
    words = ("correlate", searched, *COMMON, "--count", 3, "--out", tmp_path / "b", *MINE)
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)["architectures"]
    assert sorted(str(row["failure"]) for row in rows) == [
        "None",
        "None",
        "crash: its process is gone",
    ]
    mended = json.loads(run(*words, "--json").stdout)["architectures"]
    assert [row["failure"] for row in mended] == [None] * 3


def test_two_processes_train_what_one_does(run, searched, tmp_path):
    words = ("correlate", searched, *COMMON, "--count", 3)
    assert run(*words, "--out", tmp_path / "a").exit_code == 0
    result = run(*words, "--out", tmp_path / "b", "--workers", 2)
    assert result.exit_code == 0, result.output
    one, two = came_to(tmp_path / "a"), came_to(tmp_path / "b")
    assert one == two
    rows = (tmp_path / "b" / "attempts.csv").read_text().splitlines()[1:]
    assert len(rows) >= len(two) > 0
    again = run(*words, "--out", tmp_path / "b", "--cluster", "127.0.0.1:1")
    assert again.exit_code == 0, "nothing is left to train, so nobody is asked for"


def test_an_attempt_that_repeats_another_is_in_nobodys_way(tmp_path, cache, monkeypatch):
    tell(monkeypatch)
    context = training(tmp_path / "own", cache)
    with opened_training(context):
        pass
    made = LongTrainings(long_training(context), CheckpointFolder(tmp_path))
    job = TrainingJob.of(context, 0, context.architecture)
    with run_lock(context.folder):
        repeated = made(job, ignore_progress)
    assert not (context.folder / "checkpoint.safetensors").exists()
    outcome = made(job, ignore_progress)
    assert params(repeated.program) == params(outcome.program) != params(job.start)
    assert repeated.stages == outcome.stages
    assert Checkpoint.load(context.folder, Silent()).epoch == 8


def test_what_cannot_be_is_said_before_anything_is_made(run, searched):
    two = ("--workers", 2)
    refusals = {
        ("--set", "threads=null", *two): "threads: none, with trainings elsewhere, expected a",
        ("--set", "train.processes=2", *two): "train.processes: 2, with trainings elsewhere",
        ("--set", "cluster.cups=2"): "cluster.cups: no such setting, expected perhaps cluster.cpus",
    }
    if find_spec("ray"):
        refusals["--cluster", "127.0.0.1:1"] = "cluster.address: 127.0.0.1:1 ("
    for words, message in refusals.items():
        result = run("correlate", searched, *COMMON, *words)
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
    assert not (searched / "correlate").exists()
