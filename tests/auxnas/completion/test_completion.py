"""Completion: the table is that of the code, values are answered by it, in a real bash too."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from auxnas.compiler.decoders import DECODERS
from auxnas.compiler.encoders import ENCODERS
from auxnas.completion import table
from auxnas.completion.answer import SHELLS, TABLE, WordsBash, answer, command_of, scripts_of
from auxnas.completion.found import timm_names
from auxnas.genotype import zoo
from auxnas.search.seams import SEARCHERS
from auxnas.search.settings.listing import KINDS, range_in_words, setting_schemas
from auxnas.search.settings.presets import PRESETS
from auxnas.search.storage.journal import Journal
from auxnas.search.trials.records import COMPLETE, PENDING, Stage, Trial
from auxnas.trackers.finding import TRACKERS

ROOT = Path(__file__).parents[3]
READ = json.loads(TABLE.read_text("utf-8"))


def test_the_table_is_that_of_the_code():
    """``python -m auxnas.completion.table`` writes it anew."""
    assert table.make_table() == READ


def test_the_table_follows_the_commands(tmp_path, monkeypatch):
    @click.command()
    @click.argument("words", nargs=-1)
    @click.option("--on/--off")
    @click.option("--secret", hidden=True)
    @click.option("--kind", type=click.Choice(["a", "b"]), multiple=True)
    def other(**options): ...

    found = table._command(other, "other")
    assert found == {"params": {"WORDS*": "", "--on --off": None, "--kind*": ["a", "b"]}}
    assert json.loads(table.table_text()) == READ
    table.write_table(tmp_path / "table.json")
    assert (tmp_path / "table.json").read_text() == TABLE.read_text()


def complete(line: str) -> list[str]:
    """Values that click's completion gives for the last word of a line."""
    program, *words = line.split(" ")
    command = command_of(program, READ["programs"][program], READ)
    shell = ShellComplete(command, {}, program, "_X_COMPLETE")
    return [each.value for each in shell.get_completions(words[:-1], words[-1])]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("nassearch re", {"resume", "report"}),
        ("nassearch run --preset ", {*PRESETS}),
        ("nassearch run --searcher ", {*SEARCHERS.names}),
        ("nassearch run --searcher optuna:n", {"optuna:nsgaii", "optuna:nsgaiii"}),
        ("nassearch run --log ", {*TRACKERS}),
        ("nassearch run --cluster ", {"auto"}),
        ("nassearch pareto r --target lit", {"litert"}),
        ("nassearch train --encoder-weights ", {"published", "none"}),
        ("nassearch pretrain --encoder-weights ", {"published"}),
        ("nascompile arch0 --disable-pass fold-b", {"fold-batch-norm"}),
        ("nascompile arch0 --batch ", {"dynamic"}),
        ("nascompile arch0 --device ", {"ssh:"}),
        ("nassearch run --searcher=e", {"evolution"}),
        ("nassearch run --encoder res", {e for e in ENCODERS if e.startswith("res")}),
        ("nassearch run --data coco", {"coco:", "coco-keypoints:", "coco-segments:"}),
        (
            "nassearch run --set search.searcher=p",
            {f"search.searcher={n}" for n in ("ppo", "predictor")},
        ),
        ("nassearch run --set tensor", {"tensorboard="}),
        ("nassearch run --set tensorboard=", {"tensorboard=true", "tensorboard=false"}),
        ("nassearch train --set train.poly_", {"train.poly_epochs="}),
        ("nassearch settings stage1.ep", {"stage1.epochs"}),
        ("nascompile arch0 --precision ", {"fp32", "fp16", "bf16", "int8", "auto"}),
        ("nascompile deep", {name for name in DECODERS if name.startswith("deep")}),
        ("nascompile arch0 --target lit", {"litert"}),
        ("nasspace show arch", {"arch0", "arch1", "arch2"}),
        ("auxnas doctor --js", {"--json"}),
        ("nassearch run --seed 1 --see", set()),
        ("nassearch top --set x", set()),
    ],
)
def test_values(line, found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert set(complete(line)) == found


OPEN = {"--study", "CLASS"}
"""What is called a NAME and can be any: an option, or a metavar."""


def unknown(command: click.Command, name: str, place: str = "") -> list[str]:
    """Parameters of a command, and those in it, that name values which completion does not know.

    Values are named by the metavar NAME, or by a list in the help with three words or more of one
    kind that completion has.
    """
    context, found = click.Context(command), []
    if isinstance(command, click.Group):
        inner = (unknown(each, name, f"{place} {key}") for key, each in command.commands.items())
        return [line for lines in inner for line in lines]
    for each in command.get_params(context):
        takes = table._takes(each, context)
        said = re.findall(r"[\w:-]+(?=,| or |\W*$)", getattr(each, "help", None) or "")
        listed = any(len({*said} & {*values}) > 2 for values in table._VALUES.values())
        option = each.opts[-1]
        is_name = each.make_metavar(context) == "NAME" and option not in OPEN
        if (listed or is_name) and not takes and not getattr(each, "is_flag", False):
            found.append(f"{name}{place} {option}")
    return found


@pytest.mark.parametrize("program", table.PROGRAMS)
def test_every_option_that_names_values_completes_them(program):
    assert unknown(import_module(table.PROGRAMS[program]).main, program) == []


@pytest.mark.parametrize(
    "option",
    [
        {"metavar": "NAME"},
        {"help": f"One of {', '.join(PRESETS)}."},
        {"help": "Log to mlflow, wandb, trackio, tensorboard, or package.module:Class; or not."},
    ],
)
def test_one_that_does_not_complete_is_found(option):
    @click.command()
    @click.option("--new", **option)
    def other(**options): ...

    assert unknown(other, "other") == ["other --new"]


def test_every_setting_of_so_many_values_completes_them():
    for command, kind in KINDS.items():
        for name, schema in setting_schemas(kind):
            if "one of " in range_in_words(schema):
                assert READ["settings"][command][name], name


def test_folders_of_runs_and_paths_of_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("runs/a/journal.sqlite", "runs/b/training.json", "runs/c/x", "r.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert complete("nassearch top r") == ["runs/"]
    assert complete("nassearch top runs/") == ["runs/a", "runs/b", "runs/c/"]
    assert complete("nassearch run --data folder:r") == ["folder:r.txt", "folder:runs/"]
    assert complete("nascompile r") == ["r.txt", "runs/"]
    assert complete("nassearch top nowhere/") == []


def test_trials_of_a_run_are_offered_the_best_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    genotype = zoo.load_published("arch0").genotype
    rewards = {n: 0.01 * (n * 7 % 30) for n in range(30)}
    trials = [
        Trial(n, 0, genotype, str(n), n, COMPLETE, (Stage(reward, {}, 1, 1.0),), reward)
        for n, reward in rewards.items()
    ]
    (tmp_path / "runs/a").mkdir(parents=True)
    (tmp_path / "runs/empty").mkdir()
    with Journal(tmp_path / "runs/a", write=True) as journal:
        journal.propose([replace(trial, state=PENDING, stages=(), reward=None) for trial in trials])
        for trial in trials[:28]:
            journal.finish(trial)
    (tmp_path / "runs/b").mkdir()
    (tmp_path / "runs/b/journal.sqlite").write_bytes(b"no database" * 99)
    words = "nassearch train --genotype runs/"
    best = sorted(range(28), key=lambda n: -rewards[n])[:20]
    files = {path.name for path in (tmp_path / "runs/a").iterdir()}
    for each in words, "nascompile runs/":
        assert complete(f"{each}a") == ["runs/a/", "runs/a:"]
        assert complete(f"{each}a:") == ["runs/a:best", *(f"runs/a:{n + 1}" for n in best)]
    ones = [f"runs/a:{n + 1}" for n in best if str(n + 1).startswith("1")]
    assert complete(f"{words}a:1") == ones
    assert {path.name for path in (tmp_path / "runs/a").iterdir()} == files
    with Journal(tmp_path / "runs/a", write=True) as journal:
        journal.finish(replace(trials[28], reward=1.0))
        assert complete(f"{words}a:29") == ["runs/a:29"]
    for other in "b:", "empty:", "gone:":
        assert complete(words + other) == []
    assert complete("nassearch train --genotype arch") == ["arch0", "arch1", "arch2"]
    assert complete("nasspace show runs/a:") == []  # which takes files


def test_networks_of_timm_are_offered_where_it_is(tmp_path, monkeypatch):
    models = tmp_path / "timm" / "models"
    models.mkdir(parents=True)
    (tmp_path / "timm/__init__.py").write_text("raise SystemExit('imported')")
    (models / "a.py").write_text(
        "@register_model\ndef net_a(pretrained: bool = False):\n  ...\n\n\ndef net_no(): ...\n"
        "@register_model\ndef net_b(\n  **kwargs): ...\n"
    )
    monkeypatch.setattr("auxnas.completion.found.find_spec", lambda name: None)
    assert complete("nassearch run --encoder timm:") == []
    monkeypatch.undo()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert complete("nassearch run --encoder timm:net") == ["timm:net_a", "timm:net_b"]
    assert complete("nascompile arch0 --encoder timm:net_b") == ["timm:net_b"]
    assert complete("nassearch run --set model.encoder=timm:net_b") == ["model.encoder=timm:net_b"]
    assert complete("nassearch run --encoder timm:x") == []
    assert "timm" not in sys.modules


def test_they_are_those_that_timm_itself_lists():
    timm = pytest.importorskip("timm")
    assert sorted(timm_names()) == sorted(timm.list_models())


@pytest.mark.parametrize(
    ("words", "parted", "values"),
    [
        (["run", "--searcher", "ev"], ["run", "--searcher", "ev"], ["evolution"]),
        (["run", "--searcher=ev"], ["run", "--searcher", "=", "ev"], ["evolution"]),
        (["--set", "learner=t"], ["run", "--set", "learner", "=", "t"], ["torch"]),
        (["--set", "learner="], ["run", "--set", "learner", "="], ["torch", "null"]),
        (["--set=learner="], ["run", "--set", "=", "learner", "="], ["torch", "null"]),
        (["--data", "folder:x"], ["run", "--data", "folder", ":", "x"], ["xy/"]),
        (["--set", "a="], ["run", "--set", "a", "=", "--tensorb"], ["--tensorboard"]),
    ],
)
def test_words_that_bash_parts_are_one(words, parted, values, monkeypatch, tmp_path, capsys):
    (tmp_path / "xy").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMP_WORDS", "\n".join(["nassearch", *parted]))
    monkeypatch.setenv("COMP_CWORD", str(len(parted)))
    monkeypatch.setenv("_NASSEARCH_COMPLETE", "bash_complete")
    assert answer("nassearch") == 0
    assert capsys.readouterr().out.split() == [f"plain,{each}" for each in values]


def test_an_unknown_shell_is_a_failure(monkeypatch):
    monkeypatch.setenv("_NASRUN_COMPLETE", "tcsh_complete")
    assert answer("nasrun") == 1


def test_scripts_have_what_they_add_to_click():
    assert scripts_of("bash").count("compopt -o nospace") == len(READ["programs"])
    assert scripts_of("zsh").count("-S ''") == len(READ["programs"])
    assert all(f"--command {each} " in scripts_of("fish") for each in READ["programs"])
    assert SHELLS == ("bash", "zsh", "fish")
    assert WordsBash.name == "bash"


def test_nothing_slow_is_imported():
    code = (
        "import os, sys, auxnas_start\n"
        "os.environ.update(COMP_WORDS='nassearch run --preset ', COMP_CWORD='')\n"
        "os.environ['_NASSEARCH_COMPLETE'] = 'fish_complete'\n"
        "try:\n    auxnas_start.nassearch()\n"
        "except SystemExit as end:\n    print(end.code, *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == [f"plain,{each}" for each in PRESETS]
    status, *modules = done.stderr.split()
    assert status == "0"
    heavy = {"numpy", "pydantic", "networkx", "rich", "torch", "auxnas.genotype", "auxnas.search"}
    assert not heavy & {*modules}


def test_a_real_bash_completes(tmp_path):
    """Keys typed into an interactive shell, and what it puts on its line."""
    program = tmp_path / "nassearch"
    program.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c 'import auxnas_start as s; s.nassearch()' \"$@\"\n"
    )
    program.chmod(0o755)
    (tmp_path / "rc").write_text(f"PS1='> '\nset +o history\n{scripts_of('bash')}")
    paths = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "TERM": "dumb"}
    ours, theirs = pty.openpty()
    bash = subprocess.Popen(
        ["bash", "--rcfile", "rc", "-i"],
        cwd=tmp_path,
        env={**os.environ, **paths},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    try:
        typed_after(ours, "> ", b"nassearch run --searcher ev\t")
        typed_after(ours, "--searcher evolution ", b"--set search.sea\t")
        typed_after(ours, "search.searcher=", b"pp\t")
        typed_after(ours, "ppo ", b"\x15exit\n")
    finally:
        bash.kill()
        bash.wait()
        os.close(ours)
        os.close(theirs)


def typed_after(terminal: int, prompt: str, keys: bytes) -> None:
    """Types keys once the terminal has shown a text; fails where it does not."""
    shown = ""
    while prompt not in shown:
        assert select.select([terminal], [], [], 60)[0], shown
        shown += os.read(terminal, 4096).decode(errors="replace")
    os.write(terminal, keys)
