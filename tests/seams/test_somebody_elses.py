"""Somebody else's run names code: none of it runs until the user's own words name it."""

from __future__ import annotations

import re
import sys

import pytest

from auxnas.compiler.encoders import find_encoder
from auxnas.genotype import plugins
from auxnas.html.runs import comparison_caveat, read_run
from auxnas.nassearch.cli import main as nassearch
from auxnas.nassearch.function import search
from auxnas.search.settings.listing import setting_schemas
from auxnas.search.settings.recorded import CODE
from auxnas.search.settings.search import Settings
from tests.seams.test_encoder import TINY

THEIRS = {
    "model.encoder": "encoder:Plain",
    "search.searcher": "searcher:HillClimbing",
    "search.executor": "executor:Pools",
    "space.vocabulary": "operation:VOCABULARY",
    "data.source": "python:dataset:Discs:24",
}
SETS = [word for name, value in THEIRS.items() for word in ("--set", f"{name}={value}")]
MODULES = {"encoder", "searcher", "executor", "operation", "dataset"}


def forget():
    find_encoder.cache_clear()
    for module in MODULES:
        sys.modules.pop(module, None)


@pytest.fixture
def theirs(user, command, monkeypatch):
    """A folder with a run whose settings name code for everything; its commands forgotten."""
    small = ["--preset", "demo", "--size", "32x32", *TINY]
    command(nassearch, "run", *small, *SETS, "--set", "search.executor=inline", "--out", "run")
    command(nassearch, "resume", "run", "--executor", THEIRS["search.executor"], "--trials", 3)
    tiny = ["--learner", "null", "--epochs", 4, "--preset", "demo", "--size", "32x32"]
    command(nassearch, "train", "--genotype", "run", *tiny, "--out", "trained")
    forget()
    monkeypatch.setattr(plugins, "_named_by_user", set())
    return user


WAYS = [
    ["resume", "run", "--trials", 4],
    ["train", "--genotype", "run:best", "--learner", "null", "--out", "x"],
    ["train", "--genotype", "arch0", "--run", "run", "--learner", "null", "--out", "x"],
    ["correlate", "run", "--set", "learner=null", "--out", "x"],
    ["eval", "run", "--learner", "null"],
    ["eval", "trained", "--learner", "null"],
    ["export", "run", "--output", "x"],
]


def test_nothing_is_imported_at_a_file_s_word(theirs, command):
    for words in WAYS:
        found = command(nassearch, *words, fails=True)
        assert found.exit_code == 2
        assert "expected" in found.stderr, (words, found.output)
        (line,) = [each for each in found.stderr.splitlines() if "expected" in each]
        asked = re.findall(r"--[a-z-]+", line.partition("expected ")[2])
        assert asked
        known = {o for each in nassearch.commands[words[0]].params for o in each.opts}
        assert set(asked) <= {*known, "--help"}, (words, line)
        assert not MODULES & sys.modules.keys(), words
    for name in ("status", "top", "report"):
        command(nassearch, name, "run")
    assert comparison_caveat(read_run(theirs / "run"), read_run(theirs / "run")) == []
    for name, value in THEIRS.items():  # with all but one named, the last is asked for
        plugins._named_by_user.clear()
        others = [w for n, v in THEIRS.items() if n != name for w in ("--set", f"{n}={v}")]
        found = command(nassearch, "resume", "run", "--trials", 4, *others, fails=True)
        option = f"--data {value}" if name == "data.source" else f"--set {name}={value}"
        assert f"expected {option}, if that code is to run" in found.stderr
    assert not MODULES & sys.modules.keys()
    command(nassearch, "resume", "run", "--trials", 4, *SETS)
    assert MODULES & sys.modules.keys() == MODULES


def test_arguments_of_the_library_name_what_they_are(user, monkeypatch):
    monkeypatch.setattr(plugins, "_named_by_user", set())
    own = {name: value for name, value in THEIRS.items() if name != "data.source"}
    own |= {"learner": "null", "trials": 1, "latency.measure": False, "model.width": 0.5}
    assert search(
        {"source": THEIRS["data.source"], "size": (32, 32)}, "mine", preset="demo", **own
    ).files
    assert plugins.may_run("dataset:Discs")


def test_every_setting_that_takes_code_is_known():
    taking = {
        name for name, schema in setting_schemas(Settings) if "package.module:" in str(schema)
    }
    assert taking == CODE.keys()
