"""``nassearch pareto``: the front trained, compiled, verified, timed, and nothing of it twice."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from auxnas.backends.base import TrialFailure
from auxnas.backends.null.learner import NullLearner
from auxnas.backends.owned import OwnedTarget
from auxnas.backends.progress import Silent
from auxnas.backends.target import TargetUnavailable
from auxnas.compiler import CompilerError
from auxnas.genotype import zoo
from auxnas.genotype.errors import InputError
from auxnas.nassearch import finalists as forms
from auxnas.nassearch.finalists import ArtefactForm, forms_here, shown_error
from auxnas.nassearch.pareto import finalists, remarks, table_rows
from auxnas.search.errors import RequestError
from auxnas.search.loop.run import execute
from auxnas.search.trials.pareto import COSTS, front
from auxnas.search.trials.records import COMPLETE, Stage, Trial

PLAN = ("--preset", "demo", "--set", "model.agg_size=8", "--epochs", 4, "--target", "onnx")


@pytest.fixture
def searched(place_of):
    """A run of which more than one trial is on the front."""
    place = place_of("run", trials=4, search__proceed=1.0)
    trials = execute(place)
    assert len(front(trials, COSTS["madds"])) > 0
    return place.folder, trials


def test_the_front_becomes_artefacts_once(run, searched, monkeypatch):
    folder, trials = searched
    first = run("pareto", folder, *PLAN, "--count", 2, "--json")
    assert first.exit_code == 0, first.stderr
    found = json.loads(first.stdout)
    members = {trial.number + 1 for trial in front(trials, COSTS["madds"])}
    assert {row["trial"] for row in found["finalists"]} <= members
    for row in found["finalists"]:
        assert [(form["target"], form["precision"]) for form in row["forms"]] == [
            ("onnx", "fp32"),
            ("onnx", "fp16"),
        ]
        for form in row["forms"]:
            assert Path(form["output"]).is_file()
            assert form["failure"] is None
            assert form["latency_ms"] > 0
            assert form["max_relative_error"] <= form["allowed"]
    page = Path(found["files"]["page"]).read_text("utf-8")
    assert page.count("<svg") == 1 + len(found["finalists"])
    assert json.loads(Path(found["files"]["data"]).read_text()) == found
    said = [*remarks({**found, "asked": found["front"] + 1})]
    assert f"{found['front']} trained: {found['front'] + 1} were asked for" in said[0]
    assert said[1] == "trained on synthetic:12 at 32x32, 4 epochs each"
    assert said[1] in page

    made = []
    monkeypatch.setattr(forms, "compile", lambda *given, **options: made.append(given))
    again = run("pareto", folder, *PLAN, "--count", 2)
    assert json.loads(Path(found["files"]["data"]).read_text()) == found
    assert made == []
    assert re.search(r"onnx fp16 +│ +\d+\.\d\d ms", again.stdout), again.stdout


def form(precision, written_in, **more):
    """A form's facts; the float network that all are made of errs by 9e-07."""
    facts = {"target": "onnx", "precision": precision, "written_in": written_in, "failure": None}
    return facts | {"latency_ms": 1.0, "bytes": 1, "max_relative_error": 9e-07, "int8": None} | more


JUDGED = {"disagreement": "0.420% of pixels change label", "reason": "int8 is not faster"}


@pytest.mark.parametrize(
    ("facts", "name", "error"),
    [
        (form("fp32", "fp32"), "onnx fp32", "9.0e-07"),
        (form("fp16", "fp16"), "onnx fp16", "9.0e-07"),
        (form("fp16", "fp16", disagreement="0.1 m"), "onnx fp16", "0.1 m"),
        (form("int8", "int8", int8=JUDGED), "onnx int8", JUDGED["disagreement"]),
        (
            form("int8", "fp32", int8=JUDGED),
            "onnx int8 (kept fp32: int8 is not faster)",
            "9.0e-07",
        ),
    ],
)
def test_the_error_of_a_form_is_its_own(facts, name, error):
    row = {"trial": 1, "reward": 0.5, "miou": 0.5, "parameters": 1, "multiply_adds": 1}
    found = {"metric": {"name": "miou"}, "finalists": [{**row, "forms": [facts]}]}
    (cells,) = table_rows(found)
    assert (cells[5], cells[7]) == (name, error)


def photographs(folder: Path) -> Path:
    folder.mkdir()
    for seed in range(9):
        some = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
        Image.fromarray(some).resize((40, 40)).save(folder / f"{seed}.png")
    return folder


def test_on_photographs_the_disagreement_is_told(run, searched, tmp_path):
    """Of all but fp32, in the task's own words."""
    folder, _ = searched
    images = ("--images", photographs(tmp_path / "photographs"))
    values = np.random.default_rng(0).integers(0, 9, (40, 40), dtype=np.uint8)
    Image.fromarray(values).save(images[1] / "9.png")
    done = run("pareto", folder, *PLAN, "--count", 1, *images, "--json")
    assert done.exit_code == 0, done.stderr
    assert "1 of 10 look like label images" in done.stderr
    (row,) = json.loads(done.stdout)["finalists"]
    shown = {form["precision"]: shown_error(form) for form in row["forms"]}
    written = {form["precision"]: form["written_in"] for form in row["forms"]}
    assert set(shown) == {"fp32", "fp16", "int8"}
    for precision, text in shown.items():
        assert text.endswith("% of pixels change label") == (written[precision] != "fp32")


def test_all_mistakes_are_told_at_once_and_nothing_is_made(run, searched):
    folder, _ = searched
    wrong = (
        "--preset",
        "paper",
        "--epochs",
        1,
        "--target",
        "nope",
        "--images",
        folder / "none",
        "--count",
        2,
    )
    done = run("pareto", folder, *wrong, "--out", folder / "journal.sqlite/x", "--cache", "/proc/x")
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    for said in (
        "train.epochs: 1, expected at least 4, one for each of train.phases",
        "target: no 'nope', expected",
        "none: no such directory, expected a directory of images",
        "journal.sqlite/x: nothing can be made there",
        "/proc/x: cache: cannot be made",
    ):
        assert said in line
    assert not (folder / "pareto").exists()


def test_data_are_looked_at_before_the_first_training(run, searched, monkeypatch):
    folder, _ = searched
    monkeypatch.setattr(NullLearner, "fit_part", lambda *given: pytest.fail("trained"))
    done = run("pareto", folder, *PLAN, "--data", f"list:{folder}")
    assert done.exit_code == 2
    assert "no .lst file, expected train.lst" in done.stderr


def test_what_is_gone_or_of_other_weights_is_made_again(tmp_path, monkeypatch):
    made = []

    def compiled(folder, form, options):
        made.append(str(form))
        (folder / "a.onnx").touch()
        return {"output": str(folder / "a.onnx"), "failure": None}

    monkeypatch.setattr(forms, "_compiled", compiled)
    (tmp_path / "model.safetensors").write_bytes(b"1")
    form = ArtefactForm("onnx", "fp32")

    def ask(images=None):
        return forms.compile_forms(tmp_path, [form], images, None, Silent())

    first = ask()
    assert ask() == first
    assert len(made) == 1
    (tmp_path / "a.onnx").unlink()
    assert ask() == first
    assert len(made) == 2
    ask(tmp_path)
    assert len(made) == 3
    (tmp_path / "model.safetensors").write_bytes(b"2")
    ask(tmp_path)
    assert len(made) == 4


def test_failures_are_lines(run, searched, monkeypatch):
    folder, _ = searched

    def refused(*given, **options):
        raise CompilerError("onnx", "too much", "less")

    monkeypatch.setattr(forms, "compile", refused)
    done = run("pareto", folder, *PLAN, "--count", 1)
    assert done.exit_code == 1, done.stderr
    assert "no artefact could be made" in done.stderr
    assert "onnx fp32: onnx: too much, expected less" in done.stdout
    done = run("pareto", folder, *PLAN, "--images", folder / "none", "--out", folder / "third")
    assert (done.exit_code, "none: no such directory" in done.stderr) == (2, True), done.stderr
    assert not (folder / "third").exists()

    def failing(self, program, *given):
        raise TrialFailure("nan", "loss nan")

    monkeypatch.setattr(NullLearner, "fit_part", failing)
    done = run("pareto", folder, *PLAN, "--count", 1, "--out", folder / "other")
    assert done.exit_code != 0
    assert "every training failed" in done.stderr


def test_forms_are_those_of_this_machine(monkeypatch):
    names = {form.precision for form in forms_here(["onnx"], photographs=True)}
    assert names == {"fp32", "fp16", "int8"}
    assert "int8" not in {form.precision for form in forms_here(["onnx"], photographs=False)}
    monkeypatch.setattr(
        OwnedTarget, "missing_precision", lambda self, p: "no" if p == "fp16" else None
    )
    assert [str(form) for form in forms_here(["onnx"], photographs=False)] == ["onnx fp32"]
    monkeypatch.setattr(OwnedTarget, "missing", lambda self: "no library")
    with pytest.raises(InputError, match="--target onnx: no library"):
        list(forms_here(["onnx"], photographs=False))
    assert list(forms_here([], photographs=False)) == []

    def missing(self):
        raise TargetUnavailable("onnx", "no runtime")

    monkeypatch.setattr(OwnedTarget, "opener", missing)
    with pytest.raises(TargetUnavailable):
        list(forms_here(["onnx"], photographs=False))


def test_the_best_of_the_front_are_taken_in_its_order():
    genotype = zoo.load_published("arch0").genotype
    members = [
        Trial(n, 0, genotype, str(n), 0, COMPLETE, (Stage(reward, {}),), reward)
        for n, reward in enumerate((0.1, 0.2, 0.3, 0.4))
    ]
    assert finalists(Path("r"), members, 2) == members[2:]
    assert finalists(Path("r"), members, 9) == members
    with pytest.raises(RequestError, match="no trial has a reward"):
        finalists(Path("r"), [], 2)


def test_the_missing_extra_is_named_before_the_work(run, searched, monkeypatch):
    folder, _ = searched
    monkeypatch.setitem(sys.modules, "auxnas.html.pareto_page", None)
    done = run("pareto", folder, *PLAN)
    assert done.exit_code == 3
    assert 'pip install "auxnas[report]"' in done.stderr
    assert not (folder / "pareto").exists()
