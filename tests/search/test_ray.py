"""A cluster of two nodes on one machine: the journal is that of one process, whatever dies."""

from __future__ import annotations

import json
import os
import signal
import socket
import warnings
from contextlib import closing
from time import monotonic

import pytest
from hypothesis import settings

from auxnas.genotype import SearchSpace
from auxnas.nassearch import correlate
from auxnas.search.errors import SearchError
from auxnas.search.evaluation.two_stages import ignore_progress
from auxnas.search.executors.attempts import AttemptTable
from auxnas.search.executors.inline import Inline
from auxnas.search.loop.bounds import Until
from auxnas.search.loop.driver import Rules
from auxnas.search.seams import EXECUTORS
from auxnas.search.searchers import make_searcher
from auxnas.search.settings.search import SearchSettings
from auxnas.search.storage.journal import Journal
from auxnas.search.trials.records import Failure
from tests.search.comparing import contents
from tests.search.conftest import make_driver, make_settings, pretend
from tests.search.contracts import FIRST, Troubled, job, scored
from tests.search.training import came_to

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.filterwarnings("default")

NULL = ["--learner", "null", "--data", "synthetic:12", "--size", "32x32"]
NODE = {"num_cpus": 2, "object_store_memory": 80 << 20, "include_dashboard": False}


@pytest.fixture(scope="module")
def cluster():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ray.cluster_utils import Cluster

        made = Cluster(initialize_head=True, head_node_args=NODE)
        made.nodes = [made.add_node(**{k: v for k, v in NODE.items() if k[0] != "i"})]
        yield made
        ray.shutdown()
        made.shutdown()


@pytest.fixture
def seats_on(cluster):
    made = []

    def make(evaluate, **changes):
        given = {"cluster.address": cluster.address, "workers": 4, **changes}
        made.append(EXECUTORS.make("ray", evaluate, make_settings(given)))
        return made[-1]

    yield make
    for executor in made:
        executor.close()


class Deadly(Troubled):
    """Evaluates jobs; of some the first attempt kills its process, and one kills a node."""

    def __init__(self, folder, raylet):
        super().__init__({})
        self.folder, self.raylet = folder, raylet

    def begun(self, number):
        """Processes that have begun a job."""
        return [*self.folder.glob(f"{number}-*")]

    def __call__(self, job, progress):
        first = not self.begun(job.number)
        (self.folder / f"{job.number}-{os.getpid()}").touch()
        super().__call__(job, progress)
        if first and job.number == 20:
            os.kill(self.raylet, signal.SIGKILL)
        if first and job.number in (3, 23):
            os.kill(os.getpid(), signal.SIGKILL)
        return pretend(job)


def test_forty_trials_with_a_node_killed_have_the_journal_of_one_process(
    cluster, seats_on, tmp_path
):
    (raylet,) = [each.process for each in cluster.nodes[0].all_processes["raylet"]]
    found = []
    for name in ("inline", "ray"):
        folder = tmp_path / name
        folder.mkdir()
        (tmp_path / "begun").mkdir(exist_ok=True)
        deadly = Deadly(tmp_path / "begun", raylet.pid)
        executor = seats_on(deadly) if name == "ray" else None
        if executor:
            executor.attach(folder, print)
        rules = Rules(0, batch=8, proceed=0.9, half_life=5)
        with Journal(folder, write=True) as journal:
            make_driver(journal, executor=executor, rules=rules).run(Until(40))
        found.append(contents(folder))
    assert found[0] == found[1]
    ends = [row.how for row in AttemptTable(tmp_path / "ray").rows()]
    assert len(ends) > 40
    assert min(len(deadly.begun(number)) for number in (3, 23)) >= 2
    assert raylet.wait(60) == -signal.SIGKILL
    cluster.remove_node(cluster.nodes[0])
    cluster.wait_for_nodes(60)  # others look at nodes that are alive


def test_the_journal_is_the_same_at_any_width(seats_on, tmp_path):
    """Here, in two processes, and on the cluster with 2, 8 and, in ``make explore``, 32 seats."""
    widths = (2, 8, 32) if settings.get_current_profile_name() == "explore" else (2, 8)
    settled = SearchSettings(searcher="evolution")
    makers = {
        "inline": lambda: Inline(pretend),
        "processes": lambda: EXECUTORS.make("processes", pretend, make_settings({"workers": 2})),
        **{
            f"ray {n}": lambda n=n: seats_on(pretend, **{"workers": n, "cluster.cpus": 2 / n})
            for n in widths
        },
    }
    found = {}
    for name, make in makers.items():
        folder = tmp_path / name
        folder.mkdir()
        with Journal(folder, write=True) as journal, closing(make()) as executor:
            searcher = make_searcher(settled, SearchSpace.cvpr2019(), 0, "null")
            rules = Rules(0, batch=4, proceed=0.9, half_life=5, lag=40, update_every=4)
            make_driver(journal, searcher=searcher, executor=executor, rules=rules).run(Until(60))
        found[name] = contents(folder)
    assert len(found["inline"]["trials"]) == 60
    assert [name for name in found if found[name] != found["inline"]] == []


def test_a_run_on_the_cluster_has_the_journal_of_one_here(cluster, seats_on, run, tmp_path):
    words = [*NULL, "--trials", 4, "--set", "threads=1", "--set", "model.width=0.1"]
    words += ["--set", "latency.measure=false", "--batch", 3, "--set", "keep=1"]
    seats_on(Troubled())  # so that the connection outlives the run
    on = ["--cluster", cluster.address, "--workers", 2, "--attempts", 2]
    found = []
    for name, more in ("here", []), ("there", on):
        result = run("run", *words, "--out", tmp_path / name, *more, "--json")
        assert result.exit_code == 0, result.output
        found.append(contents(tmp_path / name))
        found[-1].pop("meta")
        weights = sorted((tmp_path / name / "weights").iterdir())
        found[-1]["weights"] = [(path.name, path.read_bytes()) for path in weights]
        assert len(weights) == 1
    assert found[0] == found[1]
    rows = list(AttemptTable(tmp_path / "there").rows())
    assert sorted(row.trial for row in rows if row.how != "dropped") == [1, 2, 3, 4]
    assert len({row.fingerprint for row in rows}) == 1


def test_full_trainings_on_the_cluster_come_to_what_they_do_here(
    cluster, seats_on, run, tmp_path, monkeypatch
):
    monkeypatch.setattr(correlate, "plot_correlation", lambda found, path: None)
    words = [*NULL, "--trials", 4, "--set", "model.width=0.1", "--set", "latency.measure=false"]
    assert run("run", *words, "--out", tmp_path / "run").exit_code == 0
    seats_on(Troubled())  # so that the connection outlives the command
    words = ["correlate", tmp_path / "run", "--preset", "demo", "--set", "threads=1"]
    words += ["--set", "model.agg_size=8", "--count", 3, "--epochs", 4]
    for name, more in ("a", []), ("b", ["--cluster", cluster.address, "--workers", 2]):
        result = run(*words, "--out", tmp_path / name, *more)
        assert result.exit_code == 0, result.output
    assert came_to(tmp_path / "a") == came_to(tmp_path / "b")
    assert len(came_to(tmp_path / "a")) == 3
    assert len(list(AttemptTable(tmp_path / "b").rows())) >= 3


def test_what_takes_too_long_is_stopped_and_what_is_a_bug_is_raised(seats_on):
    executor = seats_on(Troubled({0: "late", 2: "bug"}), workers=1, trial_timeout=3.0)
    executor.submit(job(0), ignore_progress)
    number, outcome = executor.next()
    assert (number, outcome.failure) == (0, Failure("timeout", "stopped after 3s"))
    assert outcome.stages == (FIRST,)
    executor.submit(job(1), ignore_progress)
    assert executor.next() == (1, scored(1))
    executor.submit(job(2), ignore_progress)
    with pytest.raises(SearchError, match="unexpected ZeroDivisionError: a bug") as caught:
        executor.next()
    assert "contracts.py" in caught.value.__notes__[0]


class Nowhere(Troubled):
    """Cannot be had on another machine."""

    def __reduce__(self):
        return open, ("/nowhere/at/all",)


def test_a_node_that_cannot_evaluate_is_named(seats_on):
    executor = seats_on(Nowhere(), workers=1)
    executor.submit(job(0), ignore_progress)
    with pytest.raises(SearchError) as caught:
        executor.next()
    assert f"{socket.gethostname()}: cannot evaluate trials (FileNotFoundError" in str(caught.value)


def test_each_node_says_what_it_has(cluster, seats_on, run):
    seats_on(Troubled())  # so that the connection outlives the command
    result = run("cluster", "check", cluster.address, "--learner", "null", "--json")
    assert result.exit_code == 0, result.output
    nodes = json.loads(result.stdout)
    assert {node["cpus"] for node in nodes} == {2.0}
    assert {node["fault"] for node in nodes} == {""}
    assert len({node["fingerprint"] for node in nodes}) == 1


def test_the_cluster_is_named_and_sigterm_is_left_to_the_command(cluster, seats_on):
    before = signal.getsignal(signal.SIGTERM)
    crew = seats_on(Troubled())._crew
    assert crew.where == f", on the cluster at {cluster.address}"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_node_without_room_for_a_seat_is_not_asked_but_says_so(cluster, run):
    result = run("cluster", "check", cluster.address, "--threads", 64, "--json")
    assert result.exit_code == 1, result.output
    found = [(node["fault"], node["room"]) for node in json.loads(result.stdout)]
    assert found
    assert {*found} == {("each seat needs 64 CPUS, this node has 2 CPUS, 0 GPUS", None)}


def test_seats_that_are_being_made_are_told_from_such_as_others_are_in_the_way_of(seats_on):
    crew = seats_on(Troubled(), workers=1)._crew
    assert crew.lack().endswith(": others use them")
    crew.start(0)
    deadline = monotonic() + 60
    while not crew.hear(1.0):
        assert monotonic() < deadline
    assert crew.lack().endswith(": 1 of 1 are being made")


def test_what_no_node_has_is_said(seats_on):
    lack = seats_on(Troubled(), **{"cluster.cpus": 64})._crew.lack()
    assert lack.startswith("each needs 64 CPUS, the ")
    assert lack.endswith("none can ever meet that, nassearch goes on waiting")


def refusal(run, out, *words):
    """The message of a run that ends before it has made its folder."""
    result = run("run", *NULL, "--set", "threads=1", "--out", out, *words)
    assert result.exit_code == 2
    assert not out.exists()
    return result.output


def test_what_no_node_has_is_found_before_anything_is_trained(cluster, run, tmp_path):
    words = ["--cluster", cluster.address, "--set", "cluster.cpus=64"]
    said = refusal(run, tmp_path / "a", *words)
    assert "cluster: each seat needs 64 CPUS, the nodes have 2 CPUS, 0 GPUS" in said


def test_an_address_where_nobody_answers_is_found_at_once(run, tmp_path):
    said = refusal(run, tmp_path / "a", "--cluster", "127.0.0.1:1")
    assert "cluster.address: 127.0.0.1:1 ([Errno 111] Connection refused), expected" in said


def test_another_version_of_ray_is_found_at_once(cluster, run, tmp_path, monkeypatch):
    monkeypatch.setattr(ray._private.utils, "compute_version_info", lambda: ("2.1.0", "3.9.1"))
    said = " ".join(refusal(run, tmp_path / "a", "--cluster", cluster.address).split())
    assert f"Version mismatch: The cluster was started with: Ray: {ray.__version__} Python" in said


def test_threads_are_given_with_a_cluster(run, tmp_path):
    result = run("run", *NULL, "--out", tmp_path / "a", "--cluster", "auto")
    assert result.exit_code == 2
    assert "threads: none, with a cluster, expected a number" in result.output
