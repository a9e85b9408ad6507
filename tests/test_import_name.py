"""The one import name: nothing generic is left where a user's own modules are looked for."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("genotype", "compiler", "backends", "search")
COMMANDS = ("nasspace", "nascompile", "nasrun", "nassearch")
SHAPES = ("{}.py", "{}/__init__.py")
SOURCES = sorted(
    path for top in (*ROOMS, "auxnas", "bench", "tests") for path in (ROOT / top).rglob("*.py")
)


def bare_imports(source: str) -> list[str]:
    """Modules of ours that ``source`` imports by a name other than ``auxnas``."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append(node.module or "")
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return [name for name in found if name.partition(".")[0] in ROOMS]


def test_no_source_imports_by_a_bare_name():
    assert len(SOURCES) > 150
    found = {str(path): bare_imports(path.read_text("utf-8")) for path in SOURCES}
    assert {place: names for place, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "line", ["import search.data", "from compiler import lower", "import genotype"]
)
def test_the_check_sees_a_bare_import(line):
    assert bare_imports(f"def f():\n    {line}\n")
    assert bare_imports("from auxnas.search import data\nfrom . import search\n") == []


def test_every_room_is_reached_through_the_package():
    linked = {path.name for path in (ROOT / "auxnas").iterdir() if path.is_symlink()}
    assert linked == set(ROOMS)
    assert all((ROOT / "auxnas" / room).resolve() == (ROOT / room).resolve() for room in ROOMS)


def run_help(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command's help, asked for in a folder whose modules come before ours."""
    code = f"import sys, auxnas.scripts as s; sys.argv = [{command!r}, '--help']; s.{command}()"
    paths = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", ""), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_users_modules_of_the_same_names_hide_nothing(command, tmp_path):
    for place, name in enumerate(ROOMS, start=COMMANDS.index(command)):
        path = tmp_path / SHAPES[place % 2].format(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text('raise SystemExit("imported")\n')
    result = run_help(command, tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("Usage: ")
