"""The one import name: nothing generic is left where a user's own modules are looked for."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from auxnas.console import error_line
from auxnas.hiding import blamed_files, hiding_files
from auxnas.scripts import nasspace

ROOT = Path(__file__).parents[1]
ROOMS = ("genotype", "compiler", "backends", "search")
COMMANDS = ("auxnas", "nasspace", "nascompile", "nasrun", "nassearch")
SHAPES = ("{}.py", "{}/__init__.py")
LINE = re.compile(r"error: (.*): hides the module (\w+) that auxnas needs \(.*\), expected .*\n")
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
    code = f"import sys, auxnas_start as s; sys.argv = [{command!r}, '--help']; s.{command}()"
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


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("auxnas", ""),
        ("auxnas", "raise SystemExit(0)"),
        ("click", "def f(:"),
        ("json", "import nothing_there"),
    ],
)
def test_users_modules_that_hide_what_we_need_are_one_line(module, text, tmp_path):
    path = tmp_path / f"{module}.py"
    path.write_text(text)
    result = run_help("nasspace", tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    found = LINE.fullmatch(result.stderr)
    assert found, result.stderr
    assert found.groups() == (str(path), module)


@pytest.fixture(autouse=True)
def _without_other_tests(monkeypatch):
    """Folders of other tests, which are on the path of a process that runs many."""
    places = [place for place in sys.path if "pytest-of-" not in place]
    monkeypatch.setattr(sys, "path", places)


@pytest.fixture
def hidden(tmp_path, monkeypatch):
    """Makes and imports a module of the user's own in the place of an installed one."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name, text="", shape=SHAPES[0]):
        path = tmp_path / shape.format(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)
        try:
            importlib.import_module(name)
            monkeypatch.setitem(sys.modules, name, sys.modules.pop(name))  # gone afterwards
        except Exception as error:
            return error
        return None

    return make


@pytest.mark.parametrize("name", ["openvino", "sndhdr"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_module_that_hides_another_is_named_once_it_fails(name, shape, hidden, tmp_path):
    assert hiding_files(ImportError()) == []
    hidden(name, shape=shape)
    top = str(tmp_path / shape.format(name)).removesuffix("/__init__.py")
    for error in (AttributeError("no attribute"), ImportError("no module")):
        assert blamed_files(error) == [top]
        outer = ValueError("a library is missing")
        outer.__cause__ = error
        assert blamed_files(outer) == [top]
    assert blamed_files(OSError("the disk is full")) == []


def test_modules_that_load_when_they_are_used_are_left_alone(monkeypatch):
    class Lazy(ModuleType):
        def __getattr__(self, name):
            raise ModuleNotFoundError(f"loaded for {name}")

    for number, module in enumerate((Lazy("lazy"), None, object(), 7)):
        monkeypatch.setitem(sys.modules, f"lazy{number}", module)
    assert blamed_files(ImportError()) == []


def test_an_error_within_it_names_it_whatever_its_type(hidden, tmp_path):
    error = hidden("openvino", "raise OSError('closed')")
    assert blamed_files(error) == [str(tmp_path / "openvino.py")]


def test_a_checkout_before_an_installed_one_is_not_blamed(tmp_path, monkeypatch):
    """``PYTHONPATH`` of a developer: the modules of ours that run are the ones meant."""
    for name in ("auxnas", "auxnas_start"):
        (tmp_path / f"{name}.py").touch()
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path, str(tmp_path)])
    importlib.import_module("auxnas_start")
    assert blamed_files(AttributeError("x")) == []


def test_a_module_of_which_the_user_has_two_hides_nothing(hidden, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a_module_of_mine.py").touch()
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "other")])
    assert hidden("a_module_of_mine") is None
    assert blamed_files(ImportError()) == []


def test_a_library_that_is_installed_twice_hides_nothing(hidden, tmp_path):
    (tmp_path / "numpy-2.0.dist-info").mkdir()
    assert hidden("numpy") is None
    assert blamed_files(ImportError()) == []


def test_modules_of_other_names_are_not_blamed(hidden):
    assert hidden("a_module_of_mine", "") is None
    assert blamed_files(AttributeError("x")) == []
    assert "x" in error_line(AttributeError("x"))


def test_a_command_that_fails_for_it_says_so(hidden, monkeypatch, capfd, tmp_path):
    hidden("openvino")
    from auxnas.nasspace import cli

    def fail(*args, **more):
        raise AttributeError("module 'openvino' has no attribute 'Core'")

    monkeypatch.setattr(cli.main, "invoke", fail)
    monkeypatch.setattr(sys, "argv", ["nasspace", "count"])
    with pytest.raises(SystemExit) as end:
        nasspace()
    assert end.value.code == 2
    found = LINE.fullmatch(capfd.readouterr().err)
    assert found
    assert found.groups() == (str(tmp_path / "openvino.py"), "openvino")
