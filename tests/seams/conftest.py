"""A user's own folder: the examples, which are no part of the package, and a command line."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from auxnas.compiler import primitives
from auxnas.genotype import vocabulary

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def user(tmp_path, monkeypatch):
    """The current directory, with a copy of every example in it."""
    for path in EXAMPLES.glob("*.py"):
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUXNAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = primitives._known, vocabulary._steps, vocabulary._homes
    before = [dict(each) for each in known]
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]
    for each, own in zip(known, before, strict=True):
        each.clear()
        each.update(own)


@pytest.fixture
def command():
    """Runs a command; its result, which has to be a success unless ``fails``."""

    def run(main, *words, fails=False):
        result = CliRunner().invoke(main, [*map(str, words)], catch_exceptions=False)
        assert (result.exit_code != 0) == fails, result.output
        return result

    return run
