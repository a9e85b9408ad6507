"""Latencies of another machine: asked for once, never made up, and said to be its."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from auxnas.backends.devices import DeviceFailure, ssh
from auxnas.backends.devices.device import PATIENCE, WAITS
from auxnas.backends.measuring import latency
from auxnas.backends.progress import Silent
from auxnas.compiler import ModelSpec
from auxnas.genotype import SearchSpace, plugins, to_json
from auxnas.search.errors import SettingsError
from auxnas.search.loop.run import execute
from auxnas.search.networks.searched import compare_with_search
from auxnas.search.networks.sources import find_source, searched_as, searched_in
from auxnas.search.settings.recorded import check_trusted, trust_code
from auxnas.search.settings.resolving import resolve
from auxnas.search.storage.journal import Journal
from tests.backends.devices import PretendedDevice
from tests.search.comparing import contents

DEVICE = {"latency__device": "ssh:pi@board", "latency__measure": True}


class TextExporter:
    """Writes a graph as text: as different from another's as its network."""

    def export(self, program, path, *rest):
        path.write_text(str(program.graph))


@pytest.fixture
def board(monkeypatch, tmp_path):
    """A device whose latency is a thousandth of an artefact's bytes; nothing waits for it."""
    pretended = PretendedDevice(lambda artefact: len(artefact) / 1000)
    monkeypatch.setattr(ssh.SshTransport, "__call__", lambda self, *job: pretended(*job))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(latency, "backend", lambda role, name: TextExporter)
    monkeypatch.setattr(latency, "run_passes", lambda passes, program: (program, ()))
    monkeypatch.setenv("AUXNAS_CACHE", str(tmp_path / "unused"))
    return pretended


@pytest.fixture
def timed(place_of, tmp_path):
    """Makes a run's context with a device and a cache of this test."""

    def made(name="run", **changes):
        context = place_of(name, **{"trials": 4, **DEVICE, **changes})
        return replace(context, cache=tmp_path / "cache")

    return made


def test_what_a_device_measured_is_not_measured_again(board, timed, tmp_path):
    trials = execute(timed())
    measured = [len(files["network.onnx"]) / 1000 for files in board.jobs]
    assert [trial.latency for trial in trials] == pytest.approx(measured[-len(trials) :])
    assert len({*measured}) == len(measured)
    execute(timed("again"))
    assert len(board.jobs) == len(measured)
    assert contents(tmp_path / "again") == contents(tmp_path / "run")
    assert not (tmp_path / "unused").exists()


def test_a_run_goes_on_once_its_device_is_back(board, timed, tmp_path):
    context, said = timed(), []
    context = replace(context, display=Telling(said.append))

    def leaving(artefact):
        board.away = 1000 * (len(board.jobs) == 4)
        return 1.0

    board.latency = leaving
    with pytest.raises(DeviceFailure, match="No route to host, expected a connection"):
        execute(context)
    waits = [line.rpartition(" in ")[2] for line in said if "; tried again in " in line]
    assert waits == [f"{wait:g} s" for wait in PATIENCE]
    with Journal(tmp_path / "run") as journal:
        assert len(journal.trials()) == 2
    board.away = 0
    trials = execute(context)
    assert [trial.latency for trial in trials] == [1.0] * 4
    assert len(board.jobs) == 5


class Telling(Silent):
    """A display that passes remarks on."""

    def __init__(self, say):
        self.say = say


def test_a_device_that_cannot_be_used_is_found_before_anything_is_made(board, timed, tmp_path):
    board.away = 1000
    with pytest.raises(DeviceFailure, match="No route to host"):
        execute(timed())
    assert board.away == 1000 - len(WAITS) - 1
    board.away, board.latency = 0, lambda artefact: "soon"
    with pytest.raises(DeviceFailure, match="expected a JSON object with latency_ms"):
        execute(timed())
    assert not (tmp_path / "run").exists()


def test_the_command_stops_with_one_line_and_says_whose_latencies(
    board, run, tmp_path, monkeypatch
):
    words = ["--data", "synthetic:12", "--preset", "demo", "--learner", "null", "--size", "32x32"]
    words += ["--set", "model.width=0.1", "--set", "model.agg_size=8", "--out", tmp_path / "run"]
    words += ["--device", "ssh:pi@board", "--device-command", "./timed", "--cache", tmp_path]
    done = run("run", *words, "--trials", "2")
    assert done.exit_code == 0, done.output
    assert "latency: of ssh:pi@board" in done.stdout.splitlines()
    (best, *_) = json.loads(run("top", tmp_path / "run", "--json").stdout)
    assert best["latency_device"] == "ssh:pi@board"
    assert f"{best['latency_ms']:.2f} ms on ssh:pi@board" in run("status", tmp_path / "run").stdout
    document = json.loads((tmp_path / "run" / "best.json").read_text())
    assert document["latency"] == {"device": "ssh:pi@board", "command": "./timed"}
    monkeypatch.setattr(plugins, "_named_by_user", set())
    more = ["--trials", "9", "--cache", tmp_path]
    alone = run("resume", tmp_path / "run", *more)
    assert (alone.exit_code, "--device-command ./timed, if that" in alone.stderr) == (2, True)
    board.away = 1000
    gone = run("resume", tmp_path / "run", *more, "--device-command", "./timed")
    assert (gone.exit_code, gone.stdout) == (3, "")
    last = gone.stderr.splitlines()[-1]
    assert last.startswith("error: ssh:pi@board: ssh: connect to host board port 22: No route")
    assert last.endswith("; what is finished is kept, the same command or nassearch resume goes "
                         "on from there")  # fmt: skip
    other = run("resume", tmp_path / "run", *more, "--device", "ssh:b", "--device-command", "./t")
    assert (other.exit_code, "latency.command was './timed'" in other.stderr) == (2, True)


def test_a_training_measures_where_the_search_did(board, timed, tmp_path):
    execute(timed(limits__latency_ms=1e6, trials=1))
    asked = len(board.jobs)
    found = searched_in(tmp_path / "run")
    genotype, limits = SearchSpace.cvpr2019().genotype([0] * 19), found.limits
    found = replace(found, limits=limits.model_copy(update={"latency_ms": 1.0}))
    words = genotype, ModelSpec(), (32, 32), 1, tmp_path / "cache"
    (over,) = compare_with_search(found, *words)["over"]
    assert over.startswith("latency_ms ")
    assert len(board.jobs) == asked + 1
    board.away = 1000
    other = ModelSpec(width=0.5)
    (over,) = compare_with_search(found, genotype, other, *words[2:])["over"]
    assert "latency_ms unknown (ssh:pi@board: ssh: connect to host" in over
    theirs = found.latency.model_copy(update={"command": "rm -rf x"})
    (over,) = compare_with_search(replace(found, latency=theirs), *words)["over"]
    assert "code that a file alone asks for" in over
    assert board.away == 1000 - len(WAITS) - 1


def test_the_file_of_a_genotype_says_where_it_was_timed(tmp_path):
    genotype, known = SearchSpace.cvpr2019().genotype([0] * 19), {"model": {"width": 0.5}}
    for more, told in (({"latency": {"device": "ssh:b"}}, "ssh:b"), ({}, None)):
        (tmp_path / "x.json").write_text(to_json(genotype, **known, **more))
        assert searched_as(find_source(str(tmp_path / "x.json")), None).latency.device == told


@pytest.mark.parametrize(
    ("latency", "found"),
    [
        ({"device": "board"}, "latency.device: 'board', expected ssh:USER@HOST"),
        ({"command": "x"}, "latency.command: 'x', expected a command of latency.device"),
        ({"device": "ssh:b", "command": " "}, "latency.command: ' ', expected a command"),
    ],
)
def test_settings_that_name_no_device_are_refused(latency, found):
    with pytest.raises(SettingsError, match=found):
        resolve({"latency": latency})


def test_a_command_out_of_a_file_is_not_run():
    named, others = "taskset 1,2 ./a", ["taskset 1,3 ./b", "taskset 1"]
    trust_code({"latency": {"command": named}})
    check_trusted({"latency": {"command": named}})
    for each in others:
        with pytest.raises(SettingsError, match="expected --device-command"):
            check_trusted({"latency": {"command": each}})
