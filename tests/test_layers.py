"""The one dependency rule, seen from outside."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

FRAMEWORKS = {"torch", "onnx", "onnxruntime", "tensorrt"}
PRINTERS = {"click", "rich"}


def loaded(code: str) -> set[str]:
    """Top-level modules, and rooms of ours, in a fresh interpreter after ``code``."""
    program = (
        f"import sys\n{code}\n"
        "print(*{'.'.join(n.split('.')[: 1 + n.startswith('auxnas.')]) for n in sys.modules})"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


@pytest.mark.parametrize(
    ("package", "banned"),
    [
        (
            "auxnas.genotype",
            FRAMEWORKS
            | PRINTERS
            | {"numpy", "networkx", "auxnas.compiler", "auxnas.backends", "auxnas.search"},
        ),
        ("auxnas.compiler", FRAMEWORKS | PRINTERS | {"PIL", "auxnas.backends", "auxnas.search"}),
        ("auxnas.backends", FRAMEWORKS | PRINTERS | {"auxnas.search"}),
        ("auxnas.search", FRAMEWORKS | PRINTERS),
        ("auxnas.nassearch.cli", FRAMEWORKS),
        (
            "auxnas.nasspace.cli",
            FRAMEWORKS | {"networkx", "auxnas.compiler", "auxnas.backends", "auxnas.search"},
        ),
    ],
)
def test_importing_a_package_loads_no_framework(package, banned):
    assert not loaded(f"import {package}") & banned


def test_the_check_sees_what_is_loaded():
    assert "onnx" in loaded("import auxnas.compiler, auxnas.backends.onnx.build")


def test_nascompile_needs_no_torch(tmp_path):
    code = (
        "from auxnas.nascompile.cli import main\n"
        f"main(['arch0', '--output', {str(tmp_path / 'a.onnx')!r}, '--input-size', '64x64'],"
        " standalone_mode=False)"
    )
    found = loaded(code)
    assert "onnx" in found
    assert "torch" not in found
    assert (tmp_path / "a.onnx").exists()


ROOT = Path(__file__).parents[1]
ROOMS = ("genotype", "compiler", "backends", "search")
"""From the bottom up; auxnas/ is above them all, bench/ and tests/ above that."""
OTHERS = {
    "genotype": set(),
    "genotype/batch.py": {"numpy"},
    "compiler": {"networkx", "numpy", "safetensors"},
    "backends/phones/ncnn_runner.py": {"ncnn", "numpy"},
    "backends/phones/executorch_file.py": {"executorch", "torch"},
    "backends/phones/executorch_runner.py": {"executorch", "numpy", "torch"},
    "backends/phones/litert_file.py": {"ai_edge_litert", "flatbuffers", "numpy"},
    "backends/phones/litert_runner.py": {"ai_edge_litert", "numpy"},
    "backends": {"PIL", "google", "numpy", "onnx", "onnxruntime", "safetensors", "torch"},
    "backends/timm/importing.py": {"timm", "torch"},
    "search/executors/ray_crew.py": {"ray"},
    "search/storage/optuna_errors.py": {"sqlalchemy"},
    "search/storage/optuna_study.py": {"optuna", "sqlalchemy"},
    "search/data/rows/arrow.py": {"numpy", "pyarrow"},
    "search": {"numpy", "pydantic", "h5py", "pycocotools", "scipy"},
}
"""Packages of others that a room, or one of its files, may import."""
COMMANDS = {"doctor", "nascompile", "nasrun", "nassearch", "nasspace"}
FRONT_DOOR = ("__init__.py", "api.py")
"""Of auxnas/: it offers what the commands do, so it is above them."""


def imported(source: str) -> set[str]:
    """Dotted names that ``source`` imports anywhere, of what it takes out of ``auxnas`` too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            whole = module == "auxnas"
            found |= {f"auxnas.{alias.name}" for alias in node.names} if whole else {module}
    return found


def wrong(path: str, source: str) -> set[str]:
    """Imports of a file of ours that its place does not allow; ``path`` is from the root."""
    room, _, rest = path.partition("/")
    return {name for name in imported(source) if not _allowed(room, rest, name)}


def _allowed(room: str, rest: str, name: str) -> bool:
    top, _, inner = name.partition(".")
    if top in ("bench", "tests", ""):
        return False
    inner = inner.partition(".")[0]
    if room == "auxnas" and rest in FRONT_DOOR:
        return True
    if room == "auxnas":
        return not (top == "auxnas" and inner in COMMANDS - {rest.partition("/")[0]})
    if top == "auxnas":
        return inner in ROOMS[: ROOMS.index(room) + 1]
    return top in sys.stdlib_module_names or top in OTHERS.get(f"{room}/{rest}", OTHERS[room])


def sources() -> dict[str, str]:
    """Our files by path from the root; those behind the links once."""
    found = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    found += [path for path in (ROOT / "auxnas").rglob("*.py") if path.resolve() == path]
    names = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in found}
    return {name: text for name, text in names.items() if name.split("/")[1] not in ROOMS}


def test_no_arrow_runs_back_up():
    files = sources()
    assert len(files) > 250
    assert {path: found for path, text in files.items() if (found := wrong(path, text))} == {}


@pytest.mark.parametrize(
    ("path", "line", "name"),
    [
        ("genotype/space.py", "from auxnas.compiler import lower", "auxnas.compiler"),
        ("genotype/space.py", "import numpy as np", "numpy"),
        ("genotype/batch.py", "import networkx", "networkx"),
        ("compiler/ir.py", "def f():\n    import auxnas.backends.base", "auxnas.backends.base"),
        ("compiler/drawing/scene.py", "from PIL import Image", "PIL"),
        ("backends/base.py", "from auxnas import search", "auxnas.search"),
        ("backends/int8/choosing.py", "from auxnas.progress import Live", "auxnas.progress"),
        ("backends/int8/choosing.py", "from auxnas import console, genotype", "auxnas.console"),
        ("search/loop/run.py", "if TYPE_CHECKING:\n    from rich.table import Table", "rich.table"),
        ("search/loop/run.py", "import click, json", "click"),
        ("search/loop/run.py", "import torch.nn", "torch.nn"),
        ("search/loop/run.py", "from ..data import base", "..data"),
        (
            "search/loop/run.py",
            "from auxnas.nassearch.watch import Watch",
            "auxnas.nassearch.watch",
        ),
        ("auxnas/nasrun/text.py", "from auxnas.nasspace.cli import main", "auxnas.nasspace.cli"),
        ("auxnas/console.py", "from tests import strategies", "tests"),
    ],
)
def test_the_check_sees_each_arrow(path, line, name):
    good = "import json\nfrom auxnas.genotype.errors import InputError\n"
    assert wrong(path, good) == set()
    assert wrong(path, f"{good}{line}\n") == {name}


def bars(files: dict[str, str]) -> set[str]:
    """Files with progress bars of their own."""
    makers = ("tqdm", "rich.progress", "rich.live", "rich.status")
    names = {path: {f"{name}." for name in imported(source)} for path, source in files.items()}
    return {
        path
        for path, found in names.items()
        if any(name.startswith(f"{maker}.") for name in found for maker in makers)
    }


def test_progress_has_one_home():
    assert bars(sources()) == {"auxnas/progress.py"}
    mutants = {"a.py": "def f():\n    from rich.progress import track", "b.py": "import tqdm.auto"}
    assert bars(mutants) == set(mutants)


def banned(room: str) -> set[str]:
    """What lint refuses to a room."""
    rules = tomllib.loads((ROOT / room / "ruff.toml").read_text("utf-8"))
    return set(rules["lint"]["flake8-tidy-imports"]["banned-api"])


@pytest.mark.parametrize("room", ROOMS)
def test_lint_knows_all_that_is_above_a_room(room):
    files = {path.stem for path in (ROOT / "auxnas").glob("*.py")} - {"__init__"}
    folders = {path.parent.name for path in (ROOT / "auxnas").glob("*/__init__.py")}
    above = (files | folders) - set(ROOMS[: ROOMS.index(room) + 1])
    assert {f"auxnas.{name}" for name in above} | {"click", "rich"} <= banned(room)


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize(
    ("line", "status"), [("from auxnas.console import note", 1), ("from auxnas import genotype", 0)]
)
def test_lint_refuses_an_arrow_back_up(room, line, status):
    pytest.importorskip("ruff")
    words = [sys.executable, "-m", "ruff", "check", "-q", "--no-cache", "--select", "TID251"]
    words += ["--stdin-filename", f"{room}/new.py", "-"]
    done = subprocess.run(words, cwd=ROOT, input=f"{line}\n", capture_output=True, text=True)
    assert done.returncode == status, done.stdout + done.stderr
