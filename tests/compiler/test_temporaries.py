"""What a killed process left is removed by the next one; nothing of a user's ever is."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from auxnas.compiler import processes, temporaries
from auxnas.compiler.files import atomic_write
from auxnas.compiler.temporaries import discard_once, discard_temporaries, temporary_name

DEAD = 4_194_305
"""Beyond the largest number of a process on Linux."""


def name_of(monkeypatch, process: int, host: str | None = None, **place: str) -> str:
    with monkeypatch.context() as patch:
        patch.setattr(temporaries.os, "getpid", lambda: process)
        for name, value in place.items():
            patch.setattr(temporaries, name, lambda *_, value=value: value)
        if host:
            patch.setattr(temporaries.socket, "gethostname", lambda: host)
        return temporary_name("a.onnx")


def test_a_file_under_way_that_is_killed_goes_with_the_next_write(tmp_path):
    code = (
        "import os, signal\nfrom auxnas.compiler.files import atomic_write\n"
        "with atomic_write('a.onnx') as path:\n"
        "    path.write_bytes(bytes(1000))\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path)
    assert done.returncode == -signal.SIGKILL
    assert len([*tmp_path.iterdir()]) == 1
    with atomic_write(tmp_path / "a.onnx") as path:
        path.write_bytes(b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


def test_only_what_is_called_so_and_whose_process_is_gone_is_removed(tmp_path, monkeypatch):
    stale = name_of(monkeypatch, DEAD)
    kept = [
        ".deadbeef.notes", ".gitignore", "a.onnx", temporary_name("a.onnx"),
        name_of(monkeypatch, os.getppid()), name_of(monkeypatch, DEAD, "another machine"),
        name_of(monkeypatch, DEAD, boot_id="of another of this name"),
        name_of(monkeypatch, DEAD, namespace="another container's"),
        stale[1:], f"{stale}"[: stale.rindex(".a.onnx")], f"x{stale}",
        f".auxnas-0123abcd-{DEAD}-cafe.a", f".auxnas-zzzzzzzz-{DEAD}-01234567.a",
    ]  # fmt: skip
    for name in (*kept, stale):
        (tmp_path / name).write_text("x")
    (tmp_path / name_of(monkeypatch, DEAD)).mkdir()
    (tmp_path / "far").write_text("x")
    (tmp_path / name_of(monkeypatch, DEAD)).symlink_to("far")
    before = {path.name for path in tmp_path.iterdir()}
    discard_temporaries(tmp_path)
    assert before - {path.name for path in tmp_path.iterdir()} == {stale}
    discard_temporaries(tmp_path / "absent")


@pytest.mark.parametrize(
    "place",
    [
        {"boot_id": "of before this machine was started"},
        {"host": "another machine"},
        {"namespace": "another container's"},
    ],
)
def test_what_another_place_has_left_goes_after_a_week(tmp_path, monkeypatch, place):
    """Its processes cannot be asked for: those of before a restart left files for ever."""
    now, day = time.time(), 24 * 3600
    for process in (DEAD, os.getpid()):
        for days in (0, 6, 8, -8):
            path = tmp_path / name_of(monkeypatch, process, **place)
            path.write_text(str(days))
            os.utime(path, (now, now - days * day))
    mine = tmp_path / temporary_name("of this process")
    mine.write_text("mine")
    os.utime(mine, (now, now - 99 * day))
    discard_temporaries(tmp_path)
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == [
        "-8",
        "-8",
        "0",
        "0",
        "6",
        "6",
        "mine",
    ]


def test_one_that_another_process_removes_meanwhile_is_gone(tmp_path, monkeypatch):
    (tmp_path / name_of(monkeypatch, DEAD)).touch()
    inner = processes.is_running

    def removing(process):
        for path in tmp_path.iterdir():
            path.unlink()
        return inner(process)

    monkeypatch.setattr(temporaries, "is_running", removing)
    discard_temporaries(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_is_looked_through_once(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(temporaries, "discard_temporaries", seen.append)
    discard_once.cache_clear()
    for name in "abc":
        with atomic_write(tmp_path / name) as path:
            path.write_text("x")
    assert seen == [Path(os.path.realpath(tmp_path))]


def test_without_what_linux_tells_names_are_of_the_machine(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "PROC", tmp_path)
    assert (processes.boot_id(), processes.namespace("pid"), processes.start_time(1)) == (
        "",
        "",
        "",
    )
    (tmp_path / name_of(monkeypatch, DEAD)).touch()
    (tmp_path / temporary_name("a")).touch()
    discard_temporaries(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("process_of", [lambda: 1, os.getpid, os.getppid])
def test_a_process_that_may_not_be_asked_is_there(process_of, monkeypatch):
    def refuse(*_):
        raise PermissionError

    assert processes.is_running(process_of())
    monkeypatch.setattr(processes.os, "kill", refuse)
    assert processes.is_running(process_of())
