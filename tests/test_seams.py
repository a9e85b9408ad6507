"""Nothing outside a seam asks which implementation it has: it asks the implementation."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from auxnas.backends.registry import TABLE
from auxnas.backends.target import Target
from auxnas.backends.targets import TARGETS
from auxnas.compiler.architecture import Architecture, GenotypeBlueprint
from auxnas.compiler.encoders import ENCODERS
from auxnas.compiler.tasks import TASKS, TargetFormat, Task
from auxnas.search.data import BaseDataset
from auxnas.search.data.views import DatasetView
from auxnas.search.seams import DATASETS, EXECUTORS, SEARCHERS

ROOT = Path(__file__).parents[1]
NAMES = {
    *ENCODERS,
    *TASKS,
    *TARGETS,
    *(name for role, name in TABLE if role in ("runner", "exporter", "learner", "policy")),
    *DATASETS.table,
    *SEARCHERS.table,
    *EXECUTORS.table,
}
SEAMS = {
    "compiler/architecture.py": {"HandMade"},
    "compiler/tasks/pose/joints.py": {"Joints"},
    # arguments, and values of somebody else's, which may be anything
    "genotype/dedupe.py": {"Genotype"},
    "genotype/notation.py": {"Genotype"},
    "genotype/space.py": {"Genotype"},
    "search/loop/proposals.py": {"Genotype"},
    "backends/compiling/request.py": {"HandMade"},
    "backends/artefacts/profile.py": {"ort"},  # by that runtime's own profiler
    "search/executors/ray_crew.py": {"ray"},  # the package's name
}
"""Files of one implementation, or of a seam itself, and the names that they may ask for."""


def subclasses(kind: type) -> Iterator[type]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


PLACES = (
    *(place for table in (ENCODERS, SEARCHERS.table, EXECUTORS.table) for place in table.values()),
    *(place for place, _, _ in TABLE.values()),
)
CLASSES = {
    *(
        each.__name__
        for kind in (Task, Target, TargetFormat, BaseDataset)
        for each in subclasses(kind)
        if each.__module__.startswith("auxnas.") and not issubclass(each, DatasetView)
    ),
    *(each.__name__ for each in (*get_args(Architecture), GenotypeBlueprint)),
    *(place.rpartition(":")[2].partition(".")[0] for place in PLACES),
}


def classes(node: ast.AST) -> list[str]:
    """Last parts of all names in an expression."""
    names = [getattr(each, "attr", getattr(each, "id", "")) for each in ast.walk(node)]
    return [name for name in names if name]


def asked(text: str) -> list[str]:
    """Names of implementations that code compares with, and classes that it looks for."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Compare):
            inside = ast.walk(node)
            words = [each.value for each in inside if isinstance(each, ast.Constant)]
            found += [word for word in words if word in NAMES]
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance":
            found += [kind for kind in classes(node.args[1]) if kind in CLASSES]
        if isinstance(node, ast.MatchClass):
            found += [kind for kind in classes(node.cls) if kind in CLASSES]
    return found


@pytest.mark.parametrize("folder", ["genotype", "compiler", "backends", "search", "auxnas"])
def test_no_implementation_is_asked_for_by_name(folder):
    files = [f for f in (ROOT / folder).rglob("*.py") if not any(p.is_symlink() for p in f.parents)]
    assert files
    for file in files:
        place = file.relative_to(ROOT).as_posix()
        assert set(asked(file.read_text())) <= SEAMS.get(place, set()), place


@pytest.mark.parametrize(
    "code",
    [
        "kind in ('ort', 'trt-bundle')",
        "[n for n in names if n != 'trt-bundle']",
        "isinstance(source, FileDataset)",
        "isinstance(task, Depth | Segmentation)",
        "settings.executor == 'inline'",
        "isinstance(labels, Joints)",
        "isinstance(labels, pose.Joints)",
        "isinstance(architecture, Genotype | HandMade)",
        "isinstance(searcher, EvolutionSearcher)",
        "match encoder:\n    case ResNet50(): pass",
    ],
)
def test_the_check_sees_a_question(code):
    assert asked(code)
