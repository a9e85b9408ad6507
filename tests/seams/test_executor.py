"""A user's executor, run and resumed by the real commands: the journal is that of any other."""

from __future__ import annotations

import sys

import pytest

from auxnas.nassearch.cli import main as nassearch
from tests.seams.test_encoder import TINY, WORDS
from tests.search.comparing import contents
from tests.search.conftest import driver_of, settings_of
from tests.search.contracts import ApartContract

OWN = "executor:Pools"

__all__ = ["driver_of", "settings_of"]


@pytest.mark.usefixtures("user")
class TestPools(ApartContract):
    name = OWN


LOSING = """
from auxnas.search.executors.inline import Inline
from auxnas.search.trials.records import lost

class Losing(Inline):
    turn = 0

    def __init__(self, evaluate, settings):
        super().__init__(evaluate)

    def next(self):
        Losing.turn += 1
        number, outcome = super().next()
        return number, lost("out of luck") if Losing.turn % 3 == 0 else outcome
"""


def journal(folder):
    """All tables but the settings, where the executor is named."""
    found = contents(folder)
    del found["meta"]
    return found


def test_the_journal_is_the_same_whatever_executes(user, command):
    (user / "losing.py").write_text(LOSING)
    run = ["run", *WORDS, *TINY, "--trials", 5, "--set", "threads=1"]
    command(nassearch, *run, "--out", "inline")
    losing = command(nassearch, *run, "--out", "losing", "--executor", "losing:Losing")
    assert "lost (out of luck), begun again with the same seed" in losing.stderr
    command(nassearch, *run, "--out", "cut", "--trials", 2, "--executor", OWN, "--workers", 2)
    command(nassearch, "resume", "cut", "--trials", 5, "--executor", "losing:Losing")
    assert journal(user / "losing") == journal(user / "inline")
    assert journal(user / "cut") == journal(user / "inline")


def test_an_executor_that_is_not_here_any_more_is_named_and_another_goes_on(user, command):
    (user / "losing.py").write_text(LOSING)
    run = ["run", *WORDS, *TINY, "--executor", "losing:Losing", "--out", "run"]
    command(nassearch, *run)
    (user / "losing.py").write_text("")
    del sys.modules["losing"]
    gone = command(nassearch, "resume", "run", "--trials", 3, fails=True)
    assert gone.exit_code == 2
    assert "error: search.executor: 'losing:Losing' cannot be imported (module" in gone.stderr
    command(nassearch, "resume", "run", "--trials", 3, "--executor", "inline")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--executor", "inlin"], "search.executor: 'inlin', expected perhaps inline, or one of "),
        (["--executor", "inline", "--workers", 2], "search.executor: inline, which has no workers"),
        (
            ["--executor", "inline", "--trial-timeout", "1m", "--workers", 2],
            "inline, which has no workers and no trial_timeout, expected processes, or none of",
        ),
        (["--executor", "executor:get_context"], "executor:get_context: too many positional"),
        (["--executor", "nowhere:Pools"], "cannot be imported (No module named 'nowhere')"),
    ],
)
def test_what_is_wrong_is_one_line(user, command, words, message):
    run = ["run", *WORDS, *TINY, *words, "--out", "run"]
    result = command(nassearch, *run, fails=True)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (user / "run").exists()
