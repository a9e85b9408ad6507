"""A run ended at any moment and continued is the run that was left alone."""

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager

import pytest
from hypothesis import settings

from auxnas.search.storage.journal import Journal
from auxnas.search.storage.rescue import DAMAGED, NAME, fault_of
from auxnas.search.trials.records import PENDING, best_of
from tests.search import killing
from tests.search.comparing import contents
from tests.search.conftest import make_place

POINTS = 24 if settings.get_current_profile_name() == "explore" else 8
NULL = {
    "trials": 5,
    "search__controller__rate": 0.05,
    "search__controller__hidden": 4,
    "search__controller__update_every": 1,
}


@contextmanager
def reaper(*modules):
    """A function that gives an order to a process of its own: see ``killing``."""
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, killing.__file__, *modules]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes, env=environment) as process:

        def give(place, fork=True, **moment):
            order = {"folder": str(place.folder), "cache": str(place.cache)}
            order["settings"] = place.settings.model_dump(mode="json")
            order |= {"fork": fork, "reaper": moment}
            process.stdin.write(f"{json.dumps(order)}\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        yield give
        process.stdin.close()


@pytest.fixture(scope="module")
def whole_of(tmp_path_factory, cache):
    """A run left alone, and how many moments of each kind it has.

    Another run fills the caches before it, of the folder and of the process that forks, so
    that the next ones pass the same moments.
    """

    def make(give, changes, kinds):
        folder = tmp_path_factory.mktemp("whole")
        assert give(make_place(folder / "first", cache, changes), fork=False) == 0
        counts = {}
        for kind in kinds:
            place = make_place(folder / kind, cache, changes)
            assert give(place, where=kind) == 0
            counts[kind] = int((place.folder / "moments").read_text())
        with Journal(place.folder) as journal:
            assert journal.updates(), "a policy that has not learnt proves little"
        return place, counts

    return make


@pytest.fixture(scope="module")
def null(whole_of):
    """What gives orders for runs without a framework, a run left alone and its moments."""
    with reaper() as give:
        yield give, *whole_of(give, NULL, ("any", "transaction"))


def check_same(cut, whole):
    """The same journal, searcher included; every trial once; the best networks there."""
    assert contents(cut.folder) == contents(whole.folder)
    assert not (cut.folder / DAMAGED).exists()
    with Journal(cut.folder) as journal:
        trials = journal.trials()
    ended = [trial for trial in trials if trial.state != PENDING]
    assert [trial.number for trial in ended] == list(range(whole.settings.trials))
    kept = {path.name for path in (cut.folder / "weights").iterdir()}
    assert kept == {cut.weights.path(trial).name for trial in best_of(trials)[:3]}


def test_killed_anywhere_and_continued(place_of, null):
    give, whole, counts = null
    assert counts["transaction"] > 300
    rng, found = random.Random(0), Counter()
    for point in range(POINTS):
        where = ("any", "transaction")[point % 2]
        cut = place_of(f"cut{point}", **NULL)
        last = rng.randrange(1, counts[where])
        assert give(cut, where=where, last=last) == -signal.SIGKILL
        found[progress(cut.folder)] += 1
        assert give(cut) == 0
        check_same(cut, whole)
    assert len(found) > 3, "the points should be spread over the run"


def progress(folder):
    """How many trials had ended in a journal that is sound; None before there was one."""
    assert fault_of(folder / NAME) in (None, "missing", "empty")
    if not (folder / NAME).exists():
        return None
    with Journal(folder, write=True) as journal:
        return sum(trial.state != PENDING for trial in journal.trials())


def test_killed_again_and_again(place_of, null):
    give, whole, counts = null
    cut, kills, rng = place_of("cut", **NULL), 0, random.Random(1)
    total = counts["transaction"]
    while status := give(cut, where="transaction", last=rng.randrange(total // 4, total // 2)):
        assert status == -signal.SIGKILL
        progress(cut.folder)
        kills += 1
        assert kills < 20
    assert kills > 1
    check_same(cut, whole)


def test_interrupted_anywhere_and_continued(place_of, null):
    give, whole, counts = null
    rng = random.Random(2)
    for point in range(POINTS // 2):
        cut, last = place_of(f"cut{point}", **NULL), rng.randrange(1, counts["any"])
        assert give(cut, where="any", last=last, number=signal.SIGINT) == 130
        assert not [path for path in cut.folder.rglob(".*") if path.is_file()]
        progress(cut.folder)
        assert give(cut) == 0
        check_same(cut, whole)


def test_the_comparison_sees_one_trial_less(place_of, null):
    give, whole, _ = null
    cut = place_of("cut", **NULL | {"trials": 4})
    assert give(cut) == 0
    with pytest.raises(AssertionError):
        check_same(cut, whole)


def test_killed_with_torch_and_continued(place_of, whole_of):
    pytest.importorskip("torch")
    changes = {
        "learner": "torch",
        "trials": 2,
        "threads": 1,
        "data__source": "synthetic:8",
        "data__scale": [1.0, 1.0],
        "model__auxiliary": "none",
        "search__batch": 1,
        "search__controller__hidden": 8,
        "search__controller__update_every": 1,
        "search__controller__rate": 0.05,
        "stage1__epochs": 1,
    }
    with reaper("torch", "auxnas.backends.torch", "auxnas.backends.torch.policy") as give:
        whole, counts = whole_of(give, changes, ("step",))
        steps = counts["step"]
        moments = [("step", steps // 3), ("transaction", 120), ("step", steps)]
        for point, (where, last) in enumerate(moments):
            cut = place_of(f"cut{point}", **changes)
            assert give(cut, where=where, last=last) == -signal.SIGKILL
            progress(cut.folder)
            assert give(cut) == 0
            check_same(cut, whole)
