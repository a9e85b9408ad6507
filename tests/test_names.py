"""Two things never share a public name."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("genotype", "compiler", "backends", "search", "auxnas")


@cache
def sources() -> dict[str, str]:
    """Text of each file of the package, by its path: of a link's target once."""
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in {path.resolve(): path for path in reversed(files)}.values()
    }


@cache
def definitions(source: str) -> list[ast.stmt]:
    """The statements of a module."""
    return ast.parse(source).body


def types(source: str) -> Iterator[tuple[str, bool]]:
    """The public classes and aliases of types in a module: name, and whether it is a class."""
    for node in definitions(source):
        match node:
            case ast.ClassDef(name=name):
                yield name, True
            case ast.Assign(targets=[ast.Name(id=name)]) if (
                name[0].isupper() and not name.isupper()
            ):
                yield name, False


def shared_names(modules: Mapping[str, str]) -> dict[str, list[str]]:
    """Names of classes that another module gives to a class or a type of its own."""
    homes: dict[str, list[str]] = defaultdict(list)
    classes = set()
    for place, source in modules.items():
        for name, is_class in types(source):
            if not name.startswith("_"):
                homes[name].append(place)
                classes |= {name} if is_class else set()
    return {name: homes[name] for name in sorted(classes) if len(homes[name]) > 1}


ALIKE = [
    {"compiler/semantics.py", "backends/torch/functions.py"},  # a primitive in numpy and in torch
    {"compiler/published.py", "compiler/decoders/resnet_refinenet.py"},  # of two checkpoints
]
"""Modules that have functions of one name and one meaning."""


def functions(source: str) -> set[str]:
    """The public functions of a module that its Python names; a command's own is for click."""
    return {
        node.name
        for node in definitions(source)
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and not any("command" in ast.unparse(each) for each in node.decorator_list)
    }


def shared_functions(modules: Mapping[str, str]) -> dict[str, list[str]]:
    """Names of functions that modules give which are not ``ALIKE``."""
    homes: dict[str, list[str]] = defaultdict(list)
    for place, source in modules.items():
        for name in functions(source) - {"main"}:
            homes[name].append(place)
    return {
        name: places
        for name, places in sorted(homes.items())
        if len(places) > 1 and not any(alike.issuperset(places) for alike in ALIKE)
    }


def test_no_class_shares_its_name():
    found = sources()
    assert len(found) > 150
    assert shared_names(found) == {}


def test_no_function_shares_its_name():
    assert shared_functions(sources()) == {}


def test_a_name_given_twice_is_found():
    one, other = "class Trial:\n    pass\nArray = list[int]\n", "Array = list[int]\n"
    assert shared_names({"a": one, "b": other}) == {}
    assert shared_names({"a": one, "b": "class Trial:\n    pass\n"}) == {"Trial": ["a", "b"]}
    assert shared_names({"a": one, "b": "Trial = list[int]\n"}) == {"Trial": ["a", "b"]}
    assert shared_names({"a": one, "b": "class _Trial:\n    class Trial:\n        pass\n"}) == {}
    assert shared_functions({"a": "def f(): ...", "b": "def g(): ..."}) == {}
    assert shared_functions({"a": "def f(): ...", "b": "def f(): ..."}) == {"f": ["a", "b"]}
    assert shared_functions({"a": "def f(): ...", "b": "@click.command()\ndef f(): ..."}) == {}
    both = sorted(ALIKE[0])
    assert shared_functions(dict.fromkeys(both, "def add(): ...")) == {}
    assert shared_functions(dict.fromkeys([*both, "c"], "def add(): ...")) == {"add": [*both, "c"]}
