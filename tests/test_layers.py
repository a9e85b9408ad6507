"""The one dependency rule, seen from outside."""

from __future__ import annotations

import subprocess
import sys

import pytest

FRAMEWORKS = {"torch", "onnx", "onnxruntime", "tensorrt"}


def loaded(code: str) -> set[str]:
    """Top-level modules in a fresh interpreter after ``code``."""
    program = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


@pytest.mark.parametrize(
    ("package", "banned"),
    [
        ("genotype", FRAMEWORKS | {"numpy", "networkx", "compiler", "backends", "search"}),
        ("compiler", FRAMEWORKS | {"backends", "search"}),
        ("backends", FRAMEWORKS | {"search"}),
        ("search", FRAMEWORKS),
        ("search.cli", FRAMEWORKS),
        ("genotype.cli", FRAMEWORKS | {"networkx", "compiler", "backends", "search"}),
    ],
)
def test_importing_a_package_loads_no_framework(package, banned):
    assert not loaded(f"import {package}") & banned


def test_the_check_sees_what_is_loaded():
    assert "onnx" in loaded("import compiler, backends.onnx")


def test_nascompile_needs_no_torch(tmp_path):
    code = (
        "from backends.cli import main\n"
        f"main(['arch0', '--output', {str(tmp_path / 'a.onnx')!r}, '--input-size', '64x64'],"
        " standalone_mode=False)"
    )
    found = loaded(code)
    assert "onnx" in found
    assert "torch" not in found
    assert (tmp_path / "a.onnx").exists()
