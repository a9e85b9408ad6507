"""The one dependency rule, seen from outside."""

from __future__ import annotations

import subprocess
import sys

import pytest

FRAMEWORKS = {"torch", "onnx", "onnxruntime", "tensorrt"}


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
            | {"numpy", "networkx", "auxnas.compiler", "auxnas.backends", "auxnas.search"},
        ),
        ("auxnas.compiler", FRAMEWORKS | {"auxnas.backends", "auxnas.search"}),
        ("auxnas.backends", FRAMEWORKS | {"auxnas.search"}),
        ("auxnas.search", FRAMEWORKS),
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
