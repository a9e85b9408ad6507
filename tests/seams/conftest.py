"""A user's own folder: the examples, which are no part of the package, and a command line."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def user(tmp_path, monkeypatch):
    """The current directory, with a copy of every example in it."""
    for path in EXAMPLES.glob("*.py"):
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUXNAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def command():
    """Runs a command; its result, which has to be a success unless ``fails``."""

    def run(main, *words, fails=False):
        result = CliRunner().invoke(main, [*map(str, words)], catch_exceptions=False)
        assert (result.exit_code != 0) == fails, result.output
        return result

    return run
