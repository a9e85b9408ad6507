"""Somebody else's run names code: none of it runs until the user's own words name it.

Every command says which option names it. That option is one of the command's own, and when all
of them are given the command works: as in a process that has never seen the code.
"""

from __future__ import annotations

import re
import sys
from functools import partial

import click
import pytest
from click.testing import CliRunner
from PIL import Image

from auxnas.compiler import primitives
from auxnas.compiler.encoders import find_encoder
from auxnas.console import OneLineCommand
from auxnas.genotype import plugins, vocabulary
from auxnas.html.predictions import prediction_picture
from auxnas.html.runs import read_run
from auxnas.nascompile.cli import main as nascompile
from auxnas.nasrun.cli import main as nasrun
from auxnas.nassearch.cli import main as nassearch
from auxnas.nassearch.function import search
from auxnas.nasspace.cli import main as nasspace
from auxnas.search.settings.listing import setting_schemas
from auxnas.search.settings.recorded import CODE, trust_code
from auxnas.search.settings.search import Settings
from auxnas.search.settings.training import TrainingSettings
from auxnas.search.storage.weights import shipped_graph

THEIRS = {
    "--encoder": "encoder:Plain",
    "--vocabulary": "operation:VOCABULARY",
    "--task": "task:Regression",
    "--data": "python:dataset:Discs:24",
    "--searcher": "searcher:HillClimbing",
    "--executor": "executor:Pools",
    "--target": "target:Text",
}
"""A part of the user's own for each option that can name one."""
MODULES = {option: value.removeprefix("python:").split(":")[0] for option, value in THEIRS.items()}
TINY = ["--preset", "demo", "--size", "32x32", "--learner", "null", "--set", "pretrain.epochs=1"]
TINY += ["--set", "model.width=0.5", "--set", "model.agg_size=4"]
SPACE = ["--set", 'space.operations=["softsign3x3","gap"]', "--set", "space.blocks=2"]
SPACE += ["--set", "space.branches=2"]
PLACES = {*CODE.values()} & THEIRS.keys()
NETWORK = {"--encoder", "--vocabulary", "--task"}
LEARNING = NETWORK | {"--data"}
OPENING = {"--target", "--vocabulary"}


def named(*options):
    return [word for option in options for word in (option, THEIRS[option])]


def forget(known):
    """Leaves the process as one that has imported no code of a user's."""
    find_encoder.cache_clear()
    shipped_graph.cache_clear()
    for module in MODULES.values():
        sys.modules.pop(module, None)
    plugins._named_by_user.clear()
    for each, before in known:
        each.clear()
        each.update(before)


@pytest.fixture
def anew(user):
    tables = primitives._known, vocabulary._steps, vocabulary._homes
    return partial(forget, [(each, dict(each)) for each in tables])


@pytest.fixture
def theirs(user, anew, command, monkeypatch):
    """A folder with a run, a training and an artefact whose every part is code of their own."""
    monkeypatch.setattr(plugins, "_named_by_user", set())
    limits = ["--trials", 3, "--set", "latency.measure=false", "--out", "run"]
    run = named(*LEARNING, "--searcher")
    command(nassearch, "run", *TINY, *SPACE, *run, "--executor", "inline", *limits)
    command(nassearch, "resume", "run", *named("--executor"), "--trials", 4)
    words = ["train", "--genotype", "run:best", "--learner", "null", "--epochs", 4]
    command(nassearch, *words, "--out", "trained")
    made = ["run/best.json", "--weights", "run/best.safetensors", "--target", THEIRS["--target"]]
    command(nascompile, *made, "--no-verify", "--output", "a.npz")
    Image.new("RGB", (32, 32), (90, 120, 30)).save("a.png")
    anew()
    return user


BEST = ["run/best.json", "--weights", "run/best.safetensors", "--no-verify", "--output", "b.onnx"]
LONG = ["--learner", "null", "--epochs", 4, "--out"]
COMMANDS = {
    "run": (
        nassearch,
        ["run", *TINY, *named(*PLACES), "--trials", 1, "--out", "new"],
        set(),
    ),
    "pretrain": (
        nassearch,
        ["pretrain", *TINY, *named("--encoder", "--task", "--data"), "--out", "e.safetensors"],
        set(),
    ),
    "ablate": (
        nassearch,
        ["ablate", *TINY, *SPACE, *named(*LEARNING), "--count", 1, "--out", "ablation"],
        set(),
    ),
    "resume": (nassearch, ["resume", "run", "--trials", 5], PLACES),
    "train": (nassearch, ["train", "--genotype", "run:best", *LONG, "long"], LEARNING),
    "train a file": (
        nassearch,
        ["train", "--genotype", "run/best.json", "--data", "synthetic:24", *LONG, "file"],
        NETWORK,
    ),
    "train another": (
        nassearch,
        ["train", "--genotype", "arch0", "--run", "run", *LONG, "other"],
        LEARNING - {"--vocabulary"},
    ),
    "correlate": (nassearch, ["correlate", "run", "--count", 3, *LONG, "ranks"], LEARNING),
    "eval": (nassearch, ["eval", "run", "--learner", "null"], LEARNING),
    "eval a training": (nassearch, ["eval", "trained", "--learner", "null"], LEARNING),
    "eval a file": (
        nassearch,
        ["eval", "trained/model.safetensors", *named("--data"), "--learner", "null"],
        NETWORK,
    ),
    "export": (nassearch, ["export", "run", "--output", "found"], {"--encoder", "--task"}),
    "nascompile": (nascompile, BEST, NETWORK),
    "predict": (nasrun, ["predict", "a.npz", "a.png", "--output", "o"], OPENING | {"--task"}),
    "explain": (nasrun, ["explain", "a.npz"], OPENING),
    "bench": (nasrun, ["bench", "a.npz", "--runs", 1, "--warmup", 0], OPENING),
    "status": (nassearch, ["status", "run"], set()),
    "top": (nassearch, ["top", "run", "--pareto"], set()),
    "report": (nassearch, ["report", "run"], set()),
    "count": (nasspace, ["count", "--level", "raw", *named("--vocabulary")], set()),
    "show": (nasspace, ["show", "run/best.json"], set()),
    "dedupe": (nasspace, ["dedupe", "run/best.json"], set()),
}


def takes(main, words):
    """The options of a command."""
    chosen = main.commands[words[0]] if isinstance(main, click.Group) else main
    return {option for each in chosen.params for option in each.opts}


def asked_for(main, words, anew):
    """The options that a command asks for, one after another, until it works."""
    given = []
    while True:
        anew()
        said = [*map(str, words), *named(*given)]
        found = CliRunner().invoke(main, said)
        imported = {option for option, module in MODULES.items() if module in sys.modules}
        assert imported <= set(said), (said, found.output)
        if found.exit_code == 0:
            return set(given)
        assert found.exit_code == 2, found.output
        (line,) = [each for each in found.stderr.splitlines() if each.startswith("error: ")]
        _, _, advice = line.partition("expected ")
        option, value = re.search(r"(--[a-z]+)(?: (\S*:\S*[^\s,)]))?", advice).groups()
        assert option in takes(main, words), line
        assert value in (None, THEIRS[option]), line
        assert option not in given, line
        given.append(option)


def test_each_command_says_what_it_needs_and_works_with_it(theirs, anew):
    for main, words, expected in COMMANDS.values():
        assert asked_for(main, words, anew) == expected, words
    assert pictured(theirs, anew) == LEARNING
    other = [*named(*PLACES - {"--task"}), "--task", "segmentation"]
    refused = CliRunner().invoke(nassearch, ["resume", "run", *other]).stderr
    assert "task.name was 'task:Regression' and is 'segmentation'" in refused
    assert {*re.findall("--[a-z]+", refused)} <= takes(nassearch, ["resume"])


def pictured(theirs, anew):
    """The options that a page asks for, one after another, until it has a picture made anew."""
    (theirs / "run" / "predictions.png").unlink()
    given = []
    while True:
        anew()
        for option in given:
            trust_code({name: THEIRS[option] for name, each in CODE.items() if each == option})
        data, reason = prediction_picture(read_run(theirs / "run"), theirs / "cache")
        if data:
            return set(given)
        (option,) = re.findall(r"expected (--[a-z]+) ", reason)
        assert option in takes(nassearch, ["report"])
        assert option not in given, reason
        given.append(option)


@click.command(cls=OneLineCommand)
@click.argument("words", nargs=-1)
def careless(words):
    """Asks for an option that it has not."""
    raise click.UsageError("task.name: task:Regression, expected --task task:Regression")


def test_an_option_that_is_not_there_is_seen(anew):
    with pytest.raises(AssertionError):
        asked_for(careless, [], anew)


def test_arguments_of_the_library_name_what_they_are(user, monkeypatch):
    monkeypatch.setattr(plugins, "_named_by_user", set())
    own = {name: THEIRS[option] for name, option in CODE.items() if option in PLACES - {"--data"}}
    own |= {"learner": "null", "trials": 1, "latency.measure": False, "model.width": 0.5}
    assert search(
        {"source": THEIRS["--data"], "size": (32, 32)}, "mine", preset="demo", **own
    ).files
    assert plugins.may_run("dataset:Discs")


def test_every_setting_that_takes_code_is_known():
    kinds = (Settings, TrainingSettings)
    schemas = {pair[0]: pair[1] for kind in kinds for pair in setting_schemas(kind)}
    taking = {name for name, schema in schemas.items() if "package.module:" in str(schema)}
    commands = {name for name, option in CODE.items() if option not in PLACES}
    assert taking == CODE.keys() - commands
