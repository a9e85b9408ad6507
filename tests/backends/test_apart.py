"""Artefacts timed in processes of their own: where they run, what becomes of those that fail."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from auxnas.backends.measuring import apart, timing
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
    "says": "os.write(2, b'first\\\\nno  memory\\\\n\\\\n'); os._exit(7)",
    "ends": "raise EOFError('half a file')",
    "later": "Path('ran').touch() if not Path('ran').exists() else os._exit(9)",
    "hangs": "time.sleep(1e6)",
}
"""


@pytest.fixture
def times(tmp_path, monkeypatch):
    (tmp_path / "kinds_of_test.py").write_text(ARTEFACT)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
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


def test_one_that_fails_in_a_later_round_is_refused_and_the_others_are_timed(times):
    found, refused = times("fast", "later", "slow")
    assert found.keys() == {"fast", "slow"}
    assert found["fast"] < found["slow"]
    assert refused.keys() == {"later"}
    assert "later: its process ended with status 9" in refused["later"]


def test_a_refusal_has_the_last_line_of_standard_error(times):
    _, refused = times("says", "ends")
    assert "its process ended with status 7: no memory, expected" in refused["says"]
    assert "EOFError: half a file" in refused["ends"]


def test_one_that_does_not_answer_is_refused(times, monkeypatch):
    monkeypatch.setattr(apart, "LIMIT", 0.01)
    found, refused = times("hangs")
    assert found == {}
    assert "hangs: no answer in 0.01 s" in refused["hangs"]


def test_modules_of_the_folder_and_words_at_start_up_are_no_part_of_it(
    times, tmp_path, monkeypatch
):
    (tmp_path / "struct.py").write_text("raise RuntimeError('the one in this folder')")
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "sitecustomize.py").write_text("print('a word', flush=True)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hooks"))
    monkeypatch.setattr("sys.path", [*sys.path[1:], str(tmp_path)])
    found, refused = times("fast")
    assert (found.keys(), refused) == ({"fast"}, {})


def test_inputs_that_cannot_be_sent_start_no_process(tmp_path, monkeypatch):
    monkeypatch.setattr(apart.subprocess, "Popen", pytest.fail)
    with pytest.raises((AttributeError, pickle.PicklingError)):
        side_by_side_apart({"a": ("onnx", tmp_path)}, {"image": lambda: None})
