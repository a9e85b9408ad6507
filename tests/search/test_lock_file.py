"""Locks on a file system without flock."""

from __future__ import annotations

import errno
import fcntl
import json
import os

import pytest

from auxnas.search.errors import RunLockedError
from auxnas.search.storage import lock_file
from auxnas.search.storage.lock import exclusive_lock, holder, run_lock


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
    path.write_text(json.dumps({**json.loads(path.read_text()), **other}))


@pytest.mark.parametrize(
    ("other", "stale"),
    [
        ({}, False),
        ({"pid": 2**22 + 1}, True),
        ({"boot": "another"}, True),
        ({"host": "elsewhere", "pid": 2**22 + 1, "boot": "another"}, False),
        ({"pid": "?"}, False),
    ],
)
def test_only_a_lock_known_to_be_left_over_is_taken(other, stale, tmp_path):
    signed(tmp_path / "a", **other)
    assert lock_file.held(tmp_path / "a") is not stale
    assert lock_file.acquire(tmp_path / "a") is stale
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_lock_of_another_is_not_released(tmp_path):
    signed(tmp_path / "a", pid=1)
    lock_file.release(tmp_path / "a")
    assert (tmp_path / "a").exists()
