"""How the console scripts end when they are told to."""

from __future__ import annotations

import signal
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from auxnas import scripts
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


def test_every_command_starts_here():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {name: f"auxnas_start:{name}" for name in COMMANDS}
