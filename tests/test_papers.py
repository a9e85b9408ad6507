"""Documents beside the code say what there is: contributing, changes, citation, examples."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import auxnas
from auxnas.backends.targets import TARGETS
from auxnas.compiler.encoders import ENCODERS
from auxnas.compiler.tasks import TASKS
from auxnas.search.seams import DATASETS, EXECUTORS, SEARCHERS
from auxnas.trackers.finding import TRACKERS

ROOT = Path(__file__).parents[1]
SEAMS = {
    "An operation": (),
    "A pass": (),
    "An encoder": ENCODERS,
    "A task": TASKS,
    "A target": TARGETS,
    "A searcher": SEARCHERS.table,
    "An executor": EXECUTORS.table,
    "A tracker": TRACKERS,
    "A dataset format": DATASETS.table,
}
LINES = 15
"""Of a section at most."""


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def sections(text: str) -> dict[str, str]:
    """Bodies by second-level heading."""
    parts = re.split(r"^## (.*)\n", text, flags=re.M)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def missing(text: str) -> list[str]:
    """What stands in backquotes as a path, a test or a dotted name of ours, and is not there."""
    words = re.findall(r"`([^`\n]+)`", text)
    return [word for word in words if not _is_there(word)]


def _is_there(word: str) -> bool:
    if re.fullmatch(r"[\w.-]+(/[\w.-]+)*(/|::\w+|\.(py|md|toml))|\w+/[\w/]+", word):
        path, _, name = word.partition("::")
        if not (ROOT / path).exists():
            return False
        return not name or bool(re.search(rf"^(class|def) {name}\b", read(path), re.M))
    if re.fullmatch(r"auxnas(\.\w+)+", word):
        return _imports(word) or word.removeprefix("auxnas.") in GROUPS
    return True


GROUPS = {
    "vocabularies",
    "encoders",
    "tasks",
    "targets",
    "searchers",
    "executors",
    "datasets",
    "trackers",
}
"""Of entry points."""


def _imports(word: str) -> bool:
    module, _, name = word.rpartition(".")
    try:
        return hasattr(import_module(module), name) or find_spec(word) is not None
    except ImportError:
        return False


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "CHANGELOG.md"])
def test_what_a_document_mentions_is_there(name):
    assert missing(read(name)) == []


@pytest.mark.parametrize(
    "word",
    [
        "tests/none.py",
        "compiler/none",
        "tests/compiler/test_passes.py::none",
        "auxnas.compiler.none",
        "auxnas.none.Encoder",
        "auxnas.compiler.passes.Passs",
        "NONE.md",
        "auxnas.pictures_of_others",
    ],
)
def test_the_check_sees_what_is_not_there(word):
    assert missing(f"see `{word}`, or `README.md`") == [word]


@pytest.mark.parametrize("heading", SEAMS)
def test_a_part_of_ones_own_is_described(heading):
    body = sections(read("CONTRIBUTING.md"))[heading].strip()
    assert len(body.splitlines()) <= LINES
    for word in ("* Class: ", "* Contract: ", "Example:", "* Named "):
        assert word in body
    contract = body[body.index("* Contract: ") :]
    assert "`tests/" in contract
    assert [name for name in SEAMS[heading] if f"`{name}`" not in body] == []


def test_commands_in_the_text_are_there():
    targets = re.findall(r"^([\w-]+):", read("Makefile"), re.M)
    wanted = re.findall(r"\bmake ([\w-]+)", read("CONTRIBUTING.md") + read("CHANGELOG.md"))
    assert wanted
    assert set(wanted) <= set(targets)


def test_every_example_has_a_line_with_its_command():
    rows = re.findall(
        r"^\| `(\w+\.py)` \| [^|]+ \| `([^`]+)` \|$", read("examples/README.md"), re.M
    )
    files = sorted((ROOT / "examples").glob("*.py"))
    assert [name for name, _ in rows] == [path.name for path in files]
    for path, (_, command) in zip(files, rows, strict=True):
        text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        assert command in " ".join(text.replace("\\\n", " ").split())
        assert f"`examples/{path.name}`" in read("CONTRIBUTING.md")


def fields(text: str) -> dict[str, str]:
    """Top-level scalars of a YAML mapping without anchors, quotes inside or blocks."""
    pairs = re.findall(r"^([a-z-]+): *(.+)$", text, re.M)
    return {name: value.strip('"') for name, value in pairs}


def test_the_versions_agree():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    released = re.findall(r"^## \[(\d[\d.]*)\] - (\d{4}-\d\d-\d\d)$", read("CHANGELOG.md"), re.M)
    cited = fields(read("CITATION.cff"))
    assert auxnas.__version__ == project["version"] == cited["version"] == released[0][0]
    assert cited["date-released"] == released[0][1]
    assert cited["license"] == project["license"]


def test_the_citation_has_what_the_format_asks_for():
    text = read("CITATION.cff")
    found = fields(text)
    assert found["cff-version"] == "1.2.0"
    assert found["message"]
    assert found["title"].startswith("auxnas")
    for name in ("authors:", "references:"):
        assert f"\n{name}\n  - " in text
    family = re.findall(r"family-names: (\w+)", text)
    assert family == ["Nekrasov", "Chen", "Shen", "Reid"]
    paper = text[text.index("references:") :]
    assert "type: conference-paper" in paper
    assert re.search(r"^    year: 2019$", paper, re.M)
    for line in text.splitlines():  # no scalar that YAML would read otherwise
        _, colon, value = line.strip().removeprefix("- ").partition(": ")
        assert not colon or value.startswith('"') or not re.search(r": |\s#|^[&*!|>%@`{\[]", value)


SHIPPED = {"auxnas", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in", "auxnas_start.py"}
"""What setuptools takes by itself; ``genotype`` and its like are folders of ``auxnas`` there."""
ROOMS = {"genotype", "compiler", "backends", "search"}


def unshipped(tracked: list[str], manifest: str) -> set[str]:
    """Files and folders of the repository that the source distribution lacks."""
    return {path.partition("/")[0] for path in tracked} - SHIPPED - ROOMS - {*manifest.split()}


def test_the_source_distribution_has_everything():
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("this is no checkout")
    tracked = done.stdout.splitlines()
    assert unshipped(tracked, read("MANIFEST.in")) == set()
    assert {path for path in tracked if Path(path).name == "ruff.toml"} == {
        f"{room}/ruff.toml" for room in (*ROOMS, "auxnas")
    }
    assert "recursive-include auxnas ruff.toml" in read("MANIFEST.in")
    assert unshipped(["more/a.py", "tests/b.py", "c.md"], read("MANIFEST.in")) == {"more", "c.md"}
