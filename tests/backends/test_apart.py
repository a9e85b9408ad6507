"""Artefacts timed in processes of their own: where they run, what becomes of those that fail."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from auxnas.backends.measuring import timing
from auxnas.backends.measuring.apart import side_by_side_apart

FEED = {"image": np.ones((1, 2), np.float32)}
ARTEFACT = """
import os, time
from pathlib import Path

import numpy as np

from auxnas.backends.target import Target


class Kind(Target):
    runtime, suffix = "none", ".none"

    def export(self, program, path, options, metadata):
        pass

    def open(self, path):
        with Path(path).open("a") as file:
            print(os.getpid(), file=file)
        print("something on standard output")

        def run(inputs):
            assert inputs["image"].sum() == 2
            exec(SAYS[Path(path).name])
            return {}

        return run


SAYS = {
    "fast": "time.sleep(0.001)",
    "slow": "time.sleep(0.01)",
    "dies": "os._exit(7)",
    "raises": "raise ValueError('no\\\\nroom')",
    "talks": "os.write(1, b'more')",
}
"""


@pytest.fixture
def times(tmp_path, monkeypatch):
    (tmp_path / "kinds_of_test.py").write_text(ARTEFACT)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(timing, "APART", 0)
    monkeypatch.setattr(timing, "LONGEST", 0)

    def timed(*names: str):
        return side_by_side_apart({n: ("kinds_of_test:Kind", tmp_path / n) for n in names}, FEED)

    return timed


def processes(folder: Path, name: str) -> list[int]:
    return [int(line) for line in (folder / name).read_text().split()]


def test_each_is_opened_once_in_a_process_of_its_own_which_ends(times, tmp_path):
    found, refused = times("fast", "slow", "talks")
    assert refused == {}
    assert found["fast"] < found["slow"]
    numbers = [number for name in found for number in processes(tmp_path, name)]
    assert len({*numbers, os.getpid()}) == len(found) + 1
    for number in numbers:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)


def test_those_that_fail_leave_the_others_their_turns(times):
    found, refused = times("dies", "fast", "raises")
    assert found.keys() == {"fast"}
    assert refused.keys() == {"dies", "raises"}
    assert "its process ended with status 7" in refused["dies"]
    assert "ValueError: no room" in refused["raises"]
    assert times("dies")[0] == {}
