"""A user's task, searched, trained, scored and compiled by the real commands."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from safetensors import safe_open

from auxnas.compiler.tasks import find_task
from auxnas.genotype.plugins import PluginError
from auxnas.nascompile.cli import main as nascompile
from auxnas.nassearch.cli import main as nassearch
from tests.compiler.test_tasks import TaskContract

OWN = "task:Regression"
WORDS = ["--data", "synthetic:12", "--size", "32x32", "--classes", 12, "--preset", "demo"]
WORDS += ["--set", f"task.name={OWN}", "--set", "latency.measure=false"]
TINY = ["--set", "pretrain.epochs=1", "--set", "pretrain.channels=8", "--set", "stage1.epochs=1"]
TINY += ["--set", "model.width=0.1", "--set", "model.agg_size=4", "--set", "threads=1"]


@pytest.mark.usefixtures("user")
class TestRegression(TaskContract):
    name = OWN


@pytest.mark.usefixtures("user")
def test_it_is_searched_trained_scored_and_compiled(command):
    run = [*WORDS, *TINY, "--trials", 1, "--out", "run"]
    command(nassearch, "run", *run)
    (trial,) = json.loads(command(nassearch, "top", "run", "--json").stdout)
    error = trial["metrics"]["error"]
    assert trial["reward"] == pytest.approx(1 / (1 + error))
    with safe_open("run/best.safetensors", "numpy") as file:
        known = {name: json.loads(text) for name, text in file.metadata().items()}
        assert file.get_slice("decoder.clf.weight").get_shape()[0] == 1
    assert (known["model"]["task"], known["model"]["classes"]) == (OWN, 1)

    scored = command(nassearch, "eval", "run", "--task", OWN, "--json")
    found = json.loads(scored.stdout)
    assert found["error"] == pytest.approx(error, rel=0.2)
    assert found["picture"] is None
    assert "mean error" in command(nassearch, "eval", "run", "--task", OWN).stdout

    long = ["--genotype", "run:best", "--epochs", 4, "--out", "long"]
    trained = command(nassearch, "train", *long, "--set", "train.batch_size=4", "--json")
    result = json.loads(trained.stdout)
    assert 0 < result["reward"] < 1

    files = ["run/best.json", "--weights", "run/best.safetensors", "--task", OWN]
    made = command(nascompile, *files, "--head", "positive", "--output", "a.onnx", "--json")
    report = json.loads(made.stdout)
    assert report["model"]["task"] == OWN
    (verified,) = {tuple(each) for each in report["checks"].values()}
    assert verified[-1] == "mean_shift"


@pytest.mark.usefixtures("user")
def test_the_null_learner_pretends(command):
    command(nassearch, "run", *WORDS, *TINY, "--learner", "null", "--trials", 3, "--out", "run")
    command(nassearch, "resume", "run", "--trials", 4)
    assert "error" in command(nassearch, "top", "run").stdout


@pytest.mark.usefixtures("user")
def test_a_file_alone_does_not_choose_the_code(command):
    command(nassearch, "run", *WORDS, *TINY, "--learner", "null", "--trials", 1, "--out", "run")
    from auxnas.genotype import plugins

    plugins._named_by_user.discard(OWN)
    files = ["run/best.json", "--weights", "run/best.safetensors"]
    failed = command(nascompile, *files, "--output", "a.onnx", fails=True)
    assert f"--task {OWN}, if that code of yours is to run" in failed.output


@pytest.mark.usefixtures("user")
def test_another_task_is_another_run(command):
    run = [*TINY, "--learner", "null", "--trials", 1, "--out", "run"]
    command(nassearch, "run", *WORDS, *run)
    other = [word for word in WORDS if word != f"task.name={OWN}"]
    other.remove("--set")
    failed = command(nassearch, "run", *other, *run, fails=True)
    assert "task.name was 'task:Regression' and is 'segmentation'" in failed.output


FAULTS = """
from auxnas.compiler.tasks import Task
from task import Regression

class Bare(Task): pass
class Silent(Task):
    name, target, metrics = "silent", Regression.target, Regression.metrics
    disagrees, losses = Regression.disagrees, Regression.losses
    def measure(self, output, target): return {}
class Named(Regression): name = 3
class Measured(Regression): metrics = {"error": "mean error"}
class Unmeasured(Regression): metrics = {}
class Targeted(Regression): target = "float32"
class Headless(Regression): heads = {"positive": Regression.heads["positive"]}
class Judged(Regression): measured = "labels"
class Lossless(Regression): losses = None
class Stranger:
    def __init__(self, classes, ignore): pass
class Narrow(Regression):
    def __init__(self): pass
def makes(classes, ignore): return None
number = 3
"""
TOLD = {
    "Bare": "faults:Bare without name, target, metrics, disagrees, disagreement, losses, measure,",
    "Silent": "faults:Silent without disagreement, picture, score, expected a subclass of auxnas",
    "Named": "faults:Named: name 3, expected a str",
    "Measured": "faults:Measured: metrics {'error': 'mean error'}, expected one or more Metric",
    "Unmeasured": "faults:Unmeasured: metrics {}, expected one or more Metric by name",
    "Targeted": "faults:Targeted: target 'float32', expected a TargetFormat",
    "Headless": "faults:Headless: heads ['positive'], expected logits among them",
    "Judged": "faults:Judged: heads ['logits', 'positive'], expected labels among them",
    "Lossless": "faults:Lossless: losses None, expected a str",
    "Stranger": "faults:Stranger is <class 'faults.Stranger'>, expected a subclass of auxnas.comp",
    "Narrow": "faults:Narrow: too many positional arguments, expected a class or function of",
    "makes": "faults:makes makes None, expected a subclass of auxnas.compiler.tasks.Task with name",
    "number": "faults:number is 3, expected a class or function of (classes, ignore)",
}


@pytest.mark.parametrize(("name", "message"), TOLD.items())
def test_what_is_no_whole_task_is_told(user, monkeypatch, name, message):
    (user / "faults.py").write_text(FAULTS)
    monkeypatch.syspath_prepend(str(user))
    with pytest.raises(PluginError, match=f"^task: {re.escape(message)}"):
        find_task(f"faults:{name}")


@pytest.mark.usefixtures("user")
def test_numbers_move_linearly_and_only_where_they_are_labelled():
    task = find_task(OWN)
    target = np.array([[0, 1, np.nan, 3]], np.float32)
    found = task.target.sample(target, np.zeros(1, np.float32), np.float32([0.5, 1.25, 2, 2.75, 9]))
    np.testing.assert_allclose(found, [[0.5, 1, np.nan, 3, np.nan]])
