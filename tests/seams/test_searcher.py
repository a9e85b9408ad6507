"""A user's searcher, run and resumed by the real commands."""

from __future__ import annotations

import json
import sys

import pytest

from auxnas.nassearch.cli import main as nassearch
from tests.seams.test_encoder import TINY, WORDS
from tests.search.comparing import contents
from tests.search.conftest import driver_of
from tests.search.contracts import SearcherContract

OWN = "searcher:HillClimbing"

__all__ = ["driver_of"]


@pytest.mark.usefixtures("user")
class TestHillClimbing(SearcherContract):
    name = OWN


def test_it_searches_and_goes_on(user, command):
    run = [*WORDS, *TINY, "--searcher", OWN]
    command(nassearch, "run", *run, "--out", "cut")
    command(nassearch, "resume", "cut", "--trials", 5)
    command(nassearch, "run", *run, "--out", "whole", "--trials", 5)
    cut, whole = contents(user / "cut"), contents(user / "whole")
    assert cut["trials"] == whole["trials"]
    assert cut["searcher"] == whole["searcher"]
    best = json.loads(command(nassearch, "top", "cut", "--json").stdout)
    assert best[0]["reward"] > 0


GRID = """
class Grid:
    def __init__(self, settings, space, seed, framework):
        first = [0] * len(space.layout)
        self.left = [space.genotype([*first[:-1], last]) for last in (1, 2, 3)]

    def ask(self, count):
        return [self.left.pop() for _ in range(min(count, len(self.left)))]

    def tell(self, trials):
        pass

    def state(self):
        return {"left": len(self.left)}

    def restore(self, state):
        del self.left[state["left"] :]
"""


def test_a_searcher_without_more_proposals_ends_the_run(user, command):
    (user / "grid.py").write_text(GRID)
    run = [*WORDS, *TINY, "--searcher", "grid:Grid", "--out", "run", "--trials", 100]
    run += ["--set", "limits.constant=false"]
    for words in (["run", *run], ["resume", "run"]):
        result = command(nassearch, *words)
        assert "search.searcher: no more proposals after 3 trials" in result.stderr
    assert len(json.loads(command(nassearch, "top", "run", "--count", 9, "--json").stdout)) == 3


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "Grid.ask = lambda self, count: []",
            "proposed nothing, expected genotypes, of its first ask",
        ),
        ("Grid.ask = lambda self, count: [None]", "proposed None, expected genotypes"),
        ("Grid.ask = lambda self, count: [0] * 9", "proposed 9 genotypes, expected 2 at most"),
        (
            "from auxnas.genotype import SearchSpace as S\n"
            "def other(self, count, space=S(blocks=1)):\n"
            "    return [space.genotype([0] * len(space.layout))]\n"
            "Grid.ask = other",
            "a genotype that was proposed is none of the run's space: ",
        ),
        ("Grid.state = lambda self: {'left': {1}}", "state cannot be stored (Object of type set"),
        ("Grid = 7", "wrong:Grid is 7, expected a class or function of (settings, space, seed,"),
        ("def Grid(settings): pass", "wrong:Grid: too many positional arguments, expected a class"),
        ("del Grid.ask, Grid.tell", "wrong:Grid makes a Grid without ask, tell, expected one with"),
        ("Gird", "cannot be imported (NameError: name 'Gird' is not defined)"),
        ("1 +", "cannot be imported (SyntaxError: "),
        ("import nowhere", "cannot be imported (No module named 'nowhere')"),
    ],
)
def test_what_is_wrong_with_it_is_one_line(user, command, code, message):
    (user / "wrong.py").write_text(GRID + code + "\n")
    run = [*WORDS, *TINY, "--searcher", "wrong:Grid", "--out", "run"]
    result = command(nassearch, "run", *run, fails=True)
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: search.searcher: ")
    assert message in line
    assert "Traceback" not in result.stderr


def test_a_name_that_there_is_not_is_answered_with_the_nearest(user, command):
    result = command(
        nassearch, "run", *WORDS, "--searcher", "evolutoin", "--out", "run", fails=True
    )
    assert result.exit_code == 2
    assert (
        "search.searcher: 'evolutoin', expected perhaps evolution, or one of ppo, " in result.stderr
    )
    assert not (user / "run").exists()


def test_an_installed_one_is_found_by_its_name(user, command, monkeypatch):
    """A distribution beside the module says where it is, as one that is installed does."""
    known = user / "hill-1.dist-info"
    known.mkdir()
    (known / "METADATA").write_text("Metadata-Version: 2.1\nName: hill\nVersion: 1\n")
    (known / "entry_points.txt").write_text(
        "[auxnas.searchers]\nhill = searcher:HillClimbing\n"
        "[auxnas.executors]\npools = executor:Pools\n"
    )
    monkeypatch.syspath_prepend(str(user))
    run = [*WORDS, *TINY, "--searcher", "hill", "--executor", "pools", "--out", "run"]
    command(nassearch, "run", *run)
    listed = json.loads(command(nassearch, "status", "run", "--json").stdout)["settings"]["search"]
    assert (listed["searcher"], listed["executor"]) == ("hill", "pools")
    near = command(nassearch, "run", *WORDS, "--searcher", "hil", "--out", "x", fails=True)
    assert "'hil', expected perhaps hill, or one of ppo," in near.stderr


def test_what_was_found_is_shown_without_it(user, command):
    command(nassearch, "run", *WORDS, *TINY, "--searcher", OWN, "--out", "run")
    (user / "searcher.py").unlink()
    del sys.modules["searcher"]
    for name in ("status", "top"):
        command(nassearch, name, "run")
