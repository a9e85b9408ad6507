"""How the console scripts end when they are told to."""

from __future__ import annotations

import signal
import sys
import tomllib
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from auxnas import scripts
from auxnas.backends.base import TrainingWarning
from auxnas.compiler.files import atomic_write

COMMANDS = ("auxnas", "nasspace", "nascompile", "nasrun", "nassearch")


@pytest.fixture(autouse=True)
def _signals():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_interruption_of_the_imports_is_one_line(command, monkeypatch, capfd):
    def interrupted(name: str):
        raise KeyboardInterrupt

    monkeypatch.setattr(scripts, "import_module", interrupted)
    with pytest.raises(SystemExit) as end:
        getattr(scripts, command)()
    assert end.value.code == 130
    assert capfd.readouterr() == ("", "error: interrupted\n")


@pytest.mark.parametrize("command", ["nascompile", "nasrun"])
def test_termination_removes_what_is_half_written(command, monkeypatch, capfd, tmp_path):
    def main() -> None:
        with atomic_write(tmp_path / "a.onnx") as path:
            path.write_text("half")
            signal.getsignal(signal.SIGTERM)(signal.SIGTERM, None)

    monkeypatch.setattr(scripts, "import_module", lambda name: SimpleNamespace(main=main))
    with pytest.raises(SystemExit) as end:
        getattr(scripts, command)()
    assert end.value.code == 143
    assert capfd.readouterr() == ("", "error: terminated\n")
    assert list(Path(tmp_path).iterdir()) == []


def test_a_warning_of_ours_is_one_line_and_anothers_has_its_place(monkeypatch, capfd):
    def main() -> None:
        for category, place in (TrainingWarning, "a.py"), (UserWarning, "b.py"):
            sys.stderr.write(warnings.formatwarning("in fp32", category, place, 7))

    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(scripts, "import_module", lambda name: SimpleNamespace(main=main))
    with pytest.raises(SystemExit):
        scripts.nassearch()
    told = capfd.readouterr().err.splitlines()
    assert told[0] == "warning: in fp32"
    assert told[1].startswith("b.py:7: UserWarning: in fp32")


def test_every_command_starts_here():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {name: f"auxnas_start:{name}" for name in COMMANDS}
