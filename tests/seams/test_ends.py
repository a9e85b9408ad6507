"""Code of a user's that ends the process: one line, whatever it stands for, and status 2."""

from __future__ import annotations

import pytest

from auxnas.compiler.encoders import find_encoder
from auxnas.nascompile.cli import main as nascompile
from auxnas.nassearch.cli import main as nassearch
from tests.seams.test_encoder import TINY

CODE = """
import sys
import encoder
import target
from auxnas.compiler.tasks import Segmentation

class Ends:
    def __init__(self, *arguments):
        sys.exit(0)

class EndingTask(Segmentation):
    def __init__(self, *arguments):
        sys.exit(0)

class EndingTarget(target.Text):
    def __init__(self):
        sys.exit(0)

class Later(encoder.Plain):
    def lower(self, builder, image):
        exit(3)
"""
RUN = (nassearch, "run", "--preset", "demo", "--size", "32x32", *TINY, "--out", "run")
SYNTHETIC = ("--data", "synthetic:12")
COMPILE = (nascompile, "arch0", "--dry-run")
WAYS = {
    "dataset": (*RUN, "--data", "python:ends:Ends"),
    "searcher": (*RUN, *SYNTHETIC, "--searcher", "ends:Ends"),
    "executor": (*RUN, *SYNTHETIC, "--executor", "ends:Ends"),
    "encoder": (*COMPILE, "--encoder", "ends:Ends"),
    "task": (*COMPILE, "--task", "ends:EndingTask"),
    "target": (*COMPILE, "--target", "ends:EndingTarget"),
    "later": (*COMPILE, "--encoder", "ends:Later"),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_one_line(user, command, way):
    (user / "ends.py").write_text(CODE)
    find_encoder.cache_clear()
    main, *words = WAYS[way]
    found = command(main, *words, fails=True)
    assert found.exit_code == 2
    *_, line = found.stderr.strip().splitlines()
    ends = "3" if way == "later" else "0"
    assert line.startswith("error: ends:")
    assert ": SystemExit in ends.py, line " in line
    assert line.endswith(f": {ends}, expected an exception that says why")
