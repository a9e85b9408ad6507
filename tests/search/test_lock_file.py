"""Locks on a file system without flock."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import socket
from contextlib import suppress
from itertools import combinations
from pathlib import Path

import pytest

from auxnas.compiler.processes import boot_id, namespace
from auxnas.search.errors import RunLockedError
from auxnas.search.storage import lock, lock_file
from auxnas.search.storage.lock import exclusive_lock, holder, run_lock

DEAD = 2**22 + 1
"""Beyond the largest number of a process on Linux."""


@pytest.fixture(params=lock_file.UNSUPPORTED)
def no_flock(request, monkeypatch):
    def flock(file, how):
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.usefixtures("no_flock")
def test_one_writer_at_a_time_without_flock(tmp_path):
    assert holder(tmp_path) is None
    with run_lock(tmp_path):
        assert holder(tmp_path) == f"process {os.getpid()} on {os.uname().nodename}"
        with (
            pytest.raises(RunLockedError, match=r"or delete .*lock\.held where that process"),
            run_lock(tmp_path),
        ):
            raise AssertionError("entered twice")
    assert holder(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    with run_lock(tmp_path):
        pass


@pytest.mark.usefixtures("no_flock")
def test_what_is_made_once_leaves_no_lock(tmp_path):
    with exclusive_lock(tmp_path / "a", lambda line: None):
        assert (tmp_path / ".a.lock.held").exists()
    assert not list(tmp_path.iterdir())


def test_another_error_of_flock_names_the_file(tmp_path, monkeypatch):
    def flock(file, how):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="Input/output error") as caught, run_lock(tmp_path):
        raise AssertionError("entered")
    assert caught.value.filename == str(tmp_path / "lock")


def signed(path, **other):
    assert lock_file.acquire(path)
    file = path / "owner" if path.is_dir() else path
    file.write_text(json.dumps({**json.loads(file.read_text()), **other}))


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@pytest.mark.usefixtures("links")
@pytest.mark.parametrize(
    ("other", "stale"),
    [
        ({}, False),
        ({"pid": 2**22 + 1}, True),
        ({"boot": "another"}, True),
        ({"host": "elsewhere", "pid": 2**22 + 1, "boot": "another"}, False),
        ({"pid": "?"}, False),
        ({"start": "1"}, True),
        ({"spaces": ["of another container", "of another container"]}, False),
        ({"spaces": ["of a sandbox", namespace("uts")], "pid": 2**22 + 1}, False),
        ({"start": "", "spaces": ["", ""]}, False),
        ({"spaces": 3}, False),
    ],
)
def test_only_a_lock_known_to_be_left_over_is_taken(other, stale, tmp_path):
    signed(tmp_path / "a", **other)
    assert lock_file.held(tmp_path / "a") is not stale
    assert lock_file.acquire(tmp_path / "a") is stale
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_lock_of_a_version_that_told_less_is_judged_by_its_process(tmp_path):
    path = tmp_path / "a"
    for pid, stale in ((os.getpid(), False), (DEAD, True)):
        path.write_text(json.dumps({"pid": pid, "host": socket.gethostname(), "boot": boot_id()}))
        assert lock_file.held(path) is not stale
    path.write_text("")
    assert lock_file.acquire(path)


class Killed(BaseException):
    """The end of a process: nothing that it would have done follows."""


@pytest.fixture
def before_step(monkeypatch, tmp_path):
    """Makes something happen before steps of ``lock_file``, given by their numbers from now on.

    A step reads or changes something in the folder.
    """
    happens, step = {}, [0]

    def noting(inner):
        def noted(*args, **keywords):
            if str(args[0]).startswith(str(tmp_path)):
                step[0] += 1
                happens.get(step[0], lambda: None)()
            return inner(*args, **keywords)

        return noted

    for name in ("open", "fdopen", "link", "rename", "mkdir", "rmdir"):
        monkeypatch.setattr(os, name, noting(getattr(os, name)))
    for name in ("unlink", "write_text", "read_text"):
        monkeypatch.setattr(Path, name, noting(getattr(Path, name)))

    def schedule(numbers=(), what=None):
        step[0] = 0
        happens.clear()
        happens.update(dict.fromkeys(numbers, what))

    return schedule


@pytest.fixture(params=[None, errno.EPERM])
def links(request, monkeypatch):
    """A file system with hard links, and one without."""

    def link(*paths):
        raise OSError(request.param, os.strerror(request.param))

    if request.param is not None:
        monkeypatch.setattr(os, "link", link)


STEPS = 27
PAIRS = [pair for pair in combinations(range(1, STEPS), 2) if pair[1] - pair[0] < 3]


@pytest.mark.usefixtures("links")
def test_of_takers_of_a_stale_lock_one_gets_it_whatever_the_moment(before_step, tmp_path):
    path, won = tmp_path / "a", []
    for moments in PAIRS:
        before_step()
        remove(path)
        signed(path, pid=DEAD)
        won.clear()
        before_step(moments, lambda: won.append(lock_file.acquire(path)))
        won.append(lock_file.acquire(path))
        assert won.count(True) == 1, moments


@pytest.mark.usefixtures("links")
@pytest.mark.parametrize("stale", [False, True])
def test_a_taker_that_is_killed_holds_nobody_up_whatever_the_moment(before_step, tmp_path, stale):
    def die():
        raise Killed

    for last in range(1, STEPS):
        before_step()
        path = tmp_path / f"{last}"
        if stale:
            signed(path, pid=DEAD)
        with pytest.MonkeyPatch.context() as patch, suppress(Killed):
            patch.setattr(os, "getpid", lambda: DEAD)
            before_step(range(last, 99), die)
            lock_file.acquire(path)
        before_step()
        assert lock_file.acquire(path), last


def test_a_lock_of_another_is_not_released(tmp_path):
    signed(tmp_path / "a", pid=1)
    lock_file.release(tmp_path / "a")
    assert (tmp_path / "a").exists()


@pytest.mark.usefixtures("no_flock")
def test_who_waited_for_a_lock_that_was_removed_goes_on(tmp_path, monkeypatch):
    """It kept the marker that it had taken, and waited for itself."""
    real, calls = os.path.samefile, []

    def samefile(*files):
        calls.append(files)
        if len(calls) == 1:
            raise FileNotFoundError  # as the last holder has just removed it
        return real(*files)

    def pause(seconds):
        raise AssertionError("waits for itself")

    monkeypatch.setattr(os.path, "samefile", samefile)
    monkeypatch.setattr(lock, "sleep", pause)
    with exclusive_lock(tmp_path / "a", lambda line: None):
        assert len(calls) == 2


@pytest.mark.usefixtures("links")
def test_of_takers_of_a_lock_that_is_free_one_gets_it_whatever_the_moment(before_step, tmp_path):
    """Without links the first had an empty lock for an instant, which the next took for stale."""
    path, won = tmp_path / "a", []
    for moments in combinations(range(1, 9), 2):
        before_step()
        remove(path)
        won.clear()
        before_step(moments, lambda: won.append(lock_file.acquire(path)))
        won.append(lock_file.acquire(path))
        assert won.count(True) == 1, moments


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_without_hard_links_there_is_one_holder(number, tmp_path, monkeypatch):
    def link(*paths):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", link)
    assert lock_file.acquire(tmp_path / "a")
    assert not lock_file.acquire(tmp_path / "a")
    assert lock_file.held(tmp_path / "a")
    lock_file.release(tmp_path / "a")
    assert not list(tmp_path.iterdir())
    (tmp_path / "a").mkdir()  # one who was killed as it was released
    assert not lock_file.held(tmp_path / "a")
    assert lock_file.acquire(tmp_path / "a")
    (tmp_path / "b").write_text("a file that is not ours")
    assert not lock_file.acquire(tmp_path / "b")
    assert (tmp_path / "b").read_text() == "a file that is not ours"


@pytest.mark.usefixtures("no_flock")
def test_who_waits_is_told_what_to_delete_where_the_holder_is_gone(tmp_path, monkeypatch):
    said, pauses = [], []
    signed(tmp_path / ".a.lock.held", host="elsewhere")
    monkeypatch.setattr(
        lock, "sleep", lambda seconds: pauses.append((tmp_path / ".a.lock.held").unlink())
    )
    with exclusive_lock(tmp_path / "a", said.append):
        assert len(pauses) == 1
    (line,) = said
    assert line.endswith(f", or delete {tmp_path / '.a.lock.held'} where that process is gone")
