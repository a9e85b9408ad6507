"""``nassearch``: what it prints where, its files, its exit statuses."""

import errno
import importlib
import json
import random
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from auxnas.backends.caching import cache_dir
from auxnas.backends.null.learner import NullLearner
from auxnas.backends.registry import backend
from auxnas.compiler import ModelSpec, lower
from auxnas.compiler.weights import fit_params, load_weights
from auxnas.genotype import SearchSpace, read
from auxnas.search.settings.resolving import resolve
from auxnas.search.settings.search import Settings
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.schema import result_rows as rows_of
from auxnas.search.trials.records import FAILED, PENDING, Failure, Trial

TINY = [
    *("--data", "synthetic:12", "--preset", "demo", "--learner", "null", "--size", "32x32"),
    *("--set", "model.width=0.1", "--set", "model.agg_size=8", "--trials", "4"),
    *("--set", "latency.measure=false"),
]


@pytest.fixture
def finished(run, tmp_path):
    result = run("run", *TINY, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    return tmp_path / "run", result


def test_run_prints_a_table_and_leaves_its_files(finished):
    folder, result = finished
    for word in ("reward", "mIoU", "parameters", "multiply-adds", "best.json", "trial 1: [[["):
        assert word in result.stdout
    assert "trial 4/4: reward" in result.stderr
    assert result.stdout.splitlines()[-2:] == [
        f"next: nassearch train --genotype {folder}:best --out {folder}-trained",
        f"or, as it is: nascompile {folder}/best.json --weights {folder}/best.safetensors "
        f"--output {folder}/best.onnx",
    ]
    names = {path.name for path in folder.iterdir()}
    assert {"best.json", "best.safetensors", "predictions.png", "journal.sqlite"} <= names
    assert {"best.classes.json", "pretraining.json"} <= names
    assert not [name for name in names if "part" in name or name.startswith(".")]


def test_the_best_files_fit_together(finished):
    folder, _ = finished
    document = read(folder / "best.json")
    spec = ModelSpec.from_dict(document.extra["model"])
    params, metadata = load_weights(folder / "best.safetensors")
    fit_params(lower(document.genotype, spec), params, "best")
    assert spec.auxiliary == "none"
    assert len(document.extra["classes"]) == spec.classes
    assert (
        json.loads(metadata["genotype"])["cell"]
        == json.loads((folder / "best.json").read_text())["cell"]
    )
    assert 0 < document.extra["result"]["reward"] < 1
    assert document.extra["result"]["parameters"] > 0


def test_json_is_one_document_and_nothing_else(run, finished, tmp_path):
    folder, _ = finished
    whole = json.loads(run("run", *TINY, "--out", folder, "--json").stdout)
    assert whole["trials"] == 4
    assert set(whole["files"]) == {"genotype", "weights", "predictions"}
    best = json.loads(run("top", folder, "--json", "--count", 2).stdout)
    assert best == whole["best"][:2]
    assert [row["reward"] for row in best] == sorted((r["reward"] for r in best), reverse=True)
    status = json.loads(run("status", folder, "--json").stdout)
    assert (status["asked"], status["ended"], status["running"]) == (4, 4, None)
    assert status["best"] == best[0]
    assert sum(status["states"].values()) == 4


def test_trials_that_have_not_ended_are_not_counted(run, tmp_path, monkeypatch):
    """As where the budget is over before all that was proposed is evaluated."""
    draw = random.Random(0)
    genotypes = [SearchSpace.cvpr2019().sample(draw) for _ in range(3)]
    failure = Failure("nan", "")
    trials = [Trial(n, 0, each, each.key(), n) for n, each in enumerate(genotypes)]
    trials[0] = replace(trials[0], state=FAILED, failure=failure)
    module = importlib.import_module("auxnas.nassearch.run")
    monkeypatch.setattr(module, "execute", lambda *_: trials)
    result = run("run", *TINY, "--out", tmp_path / "run", "--json")
    assert json.loads(result.stdout)["trials"] == 1


def test_a_run_whose_budget_is_over_says_how_to_go_on(run, finished, tmp_path):
    folder = shutil.copytree(finished[0], tmp_path / "copy")
    lines = run("resume", folder, "--trials", 9, "--budget", "0.01s").stdout.splitlines()
    assert lines[-1] == (
        f"or, since the budget of 0.01s is over: nassearch resume {folder} --budget 1m"
    )
    lines = run("resume", folder, "--trials", 4, "--budget", "0.01s").stdout.splitlines()
    assert lines[-1].startswith("or, as it is: ")


def test_status_and_top_for_people(run, finished):
    folder, _ = finished
    assert "4 of 4 trials ended, not running" in run("status", folder).stdout
    assert "multiply-adds" in run("top", folder).stdout


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_goes_on(run, tmp_path, monkeypatch):
    calls = []
    inner = NullLearner.fit

    def interrupting(self, *args, **more):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return inner(self, *args, **more)

    command = ("run", *TINY, "--set", "pretrain.seed=3", "--out", tmp_path / "run")
    monkeypatch.setattr(NullLearner, "fit", interrupting)
    result = run(*command)
    assert result.exit_code == 130
    last = result.stderr.splitlines()[-1]
    assert last == (
        "interrupted: what is finished is kept, "
        "the same command or nassearch resume goes on from there"
    )
    assert json.loads(run("status", tmp_path / "run", "--json").stdout)["ended"] == 1
    result = run(*command)
    assert result.exit_code == 0
    assert "trial 1/4" not in result.stderr
    assert "trial 2/4" in result.stderr


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["--data", "elsewhere"], 2, "data.source: 'elsewhere', expected synthetic to try it out"),
        (["--data", "list:/nowhere"], 2, "list:/nowhere: no such file or folder"),
        (["--set", "stage1.epoch=3"], 2, "stage1.epoch: no such setting, expected perhaps"),
        (["--set", "stage1.epochs"], 2, "expected NAME=VALUE"),
        (["--trials", "0"], 2, "trials: 0, expected"),
        (["--size", "32"], 2, "expected HEIGHTxWIDTH"),
        (["--preset", "huge"], 2, "'huge' is none of paper, small, demo"),
        (["--classes", "5"], 2, "classes: 5 asked for"),
        (["--learner", "jax"], 2, "'--learner': 'jax' is not one of"),
        (["--encoder-weights", "/no.safetensors"], 2, "/no.safetensors: no such file"),
        (["--set", 'task.ignore=["sea"]'], 2, "task.ignore: no class 'sea', expected some of"),
    ],
)
def test_errors_are_one_line_and_leave_no_folder(run, tmp_path, args, status, words):
    result = run("run", *TINY, "--out", tmp_path / "run", *args)
    assert result.exit_code == status
    assert not (tmp_path / "run").exists()
    assert result.stdout == ""
    last = result.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert words in last


@pytest.mark.parametrize("option", ["--out", "--cache", "--config"])
def test_an_empty_path_is_not_the_current_folder(run, tmp_path, monkeypatch, option):
    monkeypatch.chdir(tmp_path)
    result = run("run", *TINY, "--out", "run", option, "")
    assert result.exit_code == 2
    assert f"{option}': '': expected a path" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("caches", "place"),
    [
        ({"AUXNAS_CACHE": "a", "XDG_CACHE_HOME": "/x"}, "a"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/auxnas"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/auxnas"),
        ({}, "/home/me/.cache/auxnas"),
    ],
)
def test_where_the_cache_is(monkeypatch, caches, place):
    monkeypatch.setenv("HOME", "/home/me")
    for name in ("AUXNAS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in caches.items():
        monkeypatch.setenv(name, value)
    assert cache_dir() == Path(place)
    assert cache_dir("/given") == Path("/given")


def test_the_version_is_the_programs_own(run):
    assert re.fullmatch(r"\w+ \d+\.\d+\.\d+\n", run("--version").stdout)
    assert run("status", "--version").exit_code == 2


def test_other_settings_than_the_runs_are_refused(run, finished):
    folder, _ = finished
    result = run("run", *TINY, "--out", folder, "--seed", "5")
    assert result.exit_code == 2
    assert "begun with other settings: seed was 4 and is 5" in result.stderr


def test_a_folder_without_a_run(run, tmp_path):
    for command in ("status", "top"):
        result = run(command, tmp_path)
        assert result.exit_code == 2
        assert result.stderr == (
            f"error: {tmp_path}: no run here, expected a folder that nassearch run made\n"
        )


def test_a_run_without_any_reward_says_so(run, tmp_path, monkeypatch):
    from auxnas.backends.base import TrialFailure

    inner = NullLearner.measure

    def failing(self, program, *args):
        if program.name == "refinenet":
            return inner(self, program, *args)
        raise TrialFailure("oom", "9 GB wanted")

    monkeypatch.setattr(NullLearner, "measure", failing)
    result = run("run", *TINY, "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "failed (oom: 9 GB wanted)" in result.stderr
    assert result.stderr.endswith("error: no trial has a reward, see nassearch status\n")
    assert "failures: 4 oom" in run("status", tmp_path / "run").stdout


def test_a_missing_framework_is_one_line(run, tmp_path, monkeypatch):
    for name in list(sys.modules):
        if name.split(".")[0] == "torch" or name.startswith("auxnas.backends.torch"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    result = run("run", *TINY, "--learner", "torch", "--out", tmp_path / "run")
    assert result.exit_code == 3
    last = result.stderr.splitlines()[-1]
    assert last == (
        "error: torch: the package 'torch' is not installed, try: pip install \"auxnas[torch]\""
    )
    with pytest.raises(RuntimeError):
        backend("learner", "torch")


def test_the_null_search_needs_no_framework(tmp_path, cache):
    """Everything of search/ is imported and run; no framework is."""
    code = (
        "import sys, pkgutil, importlib, search\n"
        "for m in pkgutil.walk_packages(search.__path__, 'search.'):\n"
        "    importlib.import_module(m.name)\n"
        "from auxnas.nassearch.cli import main\n"
        "try:\n    main()\n"
        "finally:\n"
        "    heavy = {'torch', 'onnx', 'onnxruntime', 'tensorrt'} & set(sys.modules)\n"
        "    print(sorted(heavy))\n"
    )
    command = [sys.executable, "-c", code, "run", *TINY, "--out", str(tmp_path / "run")]
    done = subprocess.run(
        [*command, "--cache", str(cache)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_best_network_compiles(finished):
    from auxnas.nascompile.cli import main as nascompile

    folder, _ = finished
    output = folder / "best.onnx"
    options = ["--input-size", "32x32", "--output", str(output), "--json"]
    command = [str(folder / "best.json"), "--weights", str(folder / "best.safetensors"), *options]
    result = CliRunner().invoke(nascompile, command)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    document = read(folder / "best.json")
    assert found["parameters"] == document.extra["result"]["parameters"]
    assert found["multiply_adds"] == document.extra["result"]["multiply_adds"]
    assert output.is_file()


def test_resume_goes_on_with_the_runs_own_settings(run, finished):
    folder, _ = finished
    result = run("resume", folder, "--trials", 6)
    assert result.exit_code == 0, result.output
    assert "trial 5/6" in result.stderr
    assert "trial 4/" not in result.stderr
    found = json.loads(run("status", folder, "--json").stdout)
    assert (found["asked"], found["ended"], found["sessions"]) == (6, 6, 2)
    assert found["settings"]["model"]["width"] == 0.1


def test_a_run_from_before_a_setting_existed_is_resumed_as_it_was_begun(run, tmp_path, monkeypatch):
    module, found = importlib.import_module("auxnas.nassearch.run"), []
    monkeypatch.setattr(module, "_search", lambda settings, *rest: found.append(settings))
    stored = Settings().model_dump(mode="json")
    del stored["limits"]["constant"]
    with Journal(tmp_path, write=True) as journal:
        journal.set_meta({"settings": stored})
    run("resume", tmp_path, "--trials", 6)
    assert [(each.limits.constant, each.trials) for each in found] == [(False, 6)]


TERMINATES_ITSELF = """
import os, signal, sys
from auxnas.nassearch.options import run_resumable
before = signal.getsignal(signal.SIGTERM)
status = run_resumable(lambda: os.kill(os.getpid(), signal.SIGTERM) or 0, "it goes on")
assert signal.getsignal(signal.SIGTERM) is before
sys.exit(status)
"""


def test_sigterm_ends_as_ctrl_c_does():
    # In a process of its own: the signal would end the tests' where something else holds it.
    ended = subprocess.run(
        [sys.executable, "-c", TERMINATES_ITSELF], capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (143, "terminated: it goes on\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), (None, None, 0)),
        (("--workers", 2), (None, None, 2)),
        (("--cluster", "auto"), ("auto", None, 0)),
        (("--set", "cluster.address=head:6379", "--workers", 8), ("head:6379", None, 8)),
    ],
)
def test_a_run_begun_on_a_cluster_goes_on_where_the_command_says(
    run, tmp_path, monkeypatch, words, expected
):
    module, found = importlib.import_module("auxnas.nassearch.run"), []
    monkeypatch.setattr(module, "_search", lambda settings, *rest: found.append(settings))
    there = {"cluster": {"address": "auto"}, "workers": 64, "search": {"executor": "ray"}}
    with Journal(tmp_path, write=True) as journal:
        journal.set_meta({"settings": resolve(there).model_dump(mode="json")})
    result = run("resume", tmp_path, *words)
    assert result.exit_code == 0, result.output
    ((address, executor, workers),) = [
        (each.cluster.address, each.search.executor, each.workers) for each in found
    ]
    assert (address, executor, workers) == expected


def test_resume_refuses_what_is_no_run_and_what_would_change_it(run, finished, tmp_path):
    folder, _ = finished
    assert "no run here" in run("resume", tmp_path / "nowhere").stderr
    assert run("resume", folder, "--seed", 3).exit_code == 2
    result = run("resume", folder, "--budget", "soon")
    assert result.exit_code == 2
    assert "budget: 'soon', expected a duration like 4h" in result.stderr


def test_a_run_goes_on_from_another_folder_and_with_data_elsewhere(run, tmp_path, monkeypatch):
    where = tmp_path / "photos"
    where.mkdir()
    rows = []
    for index in range(12):
        name = f"{index}.png"
        Image.fromarray(np.full((32, 32, 3), 20 * index, np.uint8)).save(where / name)
        label = np.full((32, 32), index % 2, np.uint8)
        label[0] = 1 - index % 2
        Image.fromarray(label).save(where / f"label{name}")
        rows.append(f"{name}\tlabel{name}")
    (where / "train.lst").write_text("\n".join(rows))
    monkeypatch.chdir(tmp_path)
    data = ("--data", "list:photos", "--classes", "2")
    assert run("run", *TINY, *data, "--trials", 2, "--out", "here").exit_code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run("resume", "../here", "--trials", 3).exit_code == 0
    where.rename(tmp_path / "moved")
    result = run("resume", "../here", "--trials", 4)
    assert result.exit_code == 2
    assert f"list:{where}" in result.stderr
    assert run("resume", "../here", "--trials", 4, "--data", "list:../moved").exit_code == 0
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / "moved" / "3.png")
    result = run("resume", "../here", "--trials", 5)
    assert result.exit_code == 2
    assert "the data changed since it began, expected the same data, or another" in result.stderr


def test_config_files_lie_between_preset_and_options(run, tmp_path):
    config = tmp_path / "mine.toml"
    config.write_text("seed = 7\ntrials = 1\n[search]\nbatch = 1\nsearcher = 'random'\n")
    result = run("run", *TINY, "--config", config, "--seed", 8, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    settings = json.loads(run("status", tmp_path / "run", "--json").stdout)["settings"]
    assert settings["seed"] == 8
    assert settings["search"]["batch"] == 1
    assert settings["trials"] == 4
    config.write_text("[search]\nbatches = 1\n")
    result = run("run", *TINY, "--config", config, "--out", tmp_path / "other")
    assert result.exit_code == 2
    assert "mine.toml, line 2: search.batches: no such setting, expected perhaps" in result.stderr
    assert not (tmp_path / "other").exists()


def test_export_writes_what_nascompile_takes(run, finished, tmp_path):
    from auxnas.nascompile.cli import main as nascompile

    folder, _ = finished
    result = run("export", folder, "--output", tmp_path / "out", "--best", 2)
    assert result.exit_code == 0, result.output
    commands = result.stdout.splitlines()
    assert len(commands) == 2
    assert len(list((tmp_path / "out").iterdir())) == 4
    words = shlex.split(commands[0])
    assert words[0] == "nascompile"
    compiled = CliRunner().invoke(nascompile, [*words[1:], "--no-verify"])
    assert compiled.exit_code == 0, compiled.output
    best = read(folder / "best.json")
    ours = read(tmp_path / "out" / f"trial-{best.extra['result']['trial']:04}.json")
    assert ours.genotype == best.genotype
    assert ours.extra["result"] == best.extra["result"]


def test_export_of_one_trial_with_and_without_weights(run, finished, tmp_path):
    folder, _ = finished
    kept = {int(path.stem[-5:]) + 1 for path in (folder / "weights").iterdir()}
    assert len(kept) == 3
    for number in range(1, 5):
        result = run("export", folder, "--trial", number, "--output", tmp_path, "--json")
        ((found),) = json.loads(result.stdout)
        assert found["trial"] == number
        assert (found["weights"] is not None) == (number in kept)
        assert ("--weights" in found["command"]) == (number in kept)
    result = run("export", folder, "--trial", 9, "--output", tmp_path)
    assert result.exit_code == 2
    assert result.stderr == f"error: {folder}:9: no such trial, expected best, or 1..4\n"
    with Journal(folder, write=True) as journal:
        journal._write(*rows_of(replace(journal.trials()[3], state=PENDING, stages=())))
    result = run("export", folder, "--trial", 4, "--output", tmp_path / "new")
    assert (
        result.stderr == f"error: {folder}:4: a trial that has not ended, expected one that has\n"
    )
    assert not (tmp_path / "new").exists()
    both = run("export", folder, "--trial", 1, "--best", 1, "--output", tmp_path)
    assert both.exit_code == 2


def test_export_onto_a_full_disk_names_the_target(run, finished, tmp_path, monkeypatch):
    """Not the weights that are read."""

    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    result = run("export", finished[0], "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert re.fullmatch(
        rf"error: {tmp_path}/out/trial-\d+\.safetensors: No space left on device\n", result.stderr
    )


def test_pareto_front_of_a_run(run, finished):
    folder, _ = finished
    found = json.loads(run("top", folder, "--pareto", "--json").stdout)
    costs = [trial["multiply_adds"] for trial in found]
    assert costs == sorted(costs)
    rewards = [trial["reward"] for trial in found]
    assert rewards == sorted(rewards)
    best = json.loads(run("top", folder, "--count", 1, "--json").stdout)
    assert best[0] in found
    result = run("top", folder, "--pareto", "--against", "latency")
    assert result.exit_code == 2
    assert "no trial's latency is known, it was not measured, expected --against" in result.stderr
    assert "Pareto front against params" in run("top", folder, "--against", "params").stdout
