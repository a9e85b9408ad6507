"""Stores: whole or absent, checked, rebuilt when damaged."""

import errno
import os
import threading

import numpy as np
import pytest

from auxnas.search.storage.store import MANIFEST, _Column, open_store

VALUES = np.random.default_rng(0).normal(size=(11, 3, 4)).astype(np.float32)
LABELS = np.arange(11, dtype=np.uint8)


class Computation:
    """Yields the rows and counts how often it was asked to."""

    def __init__(self, fail_after=99, values=VALUES):
        self.calls, self.fail_after, self.values = 0, fail_after, values

    def __call__(self):
        self.calls += 1
        for number, start in enumerate(range(0, 11, 4)):
            if number == self.fail_after:
                raise KeyboardInterrupt
            yield {"a.b": self.values[start : start + 4], "label": LABELS[start : start + 4]}


def open_it(folder, compute, dtype="float32", say=None):
    return open_store(folder, 11, compute, {"a.b": dtype}, say)


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def test_reads_back_any_rows_and_computes_once(tmp_path):
    compute = Computation()
    for _ in range(2):
        store = open_it(tmp_path / "s", compute)
        np.testing.assert_array_equal(store.read("a.b", [7, 0, 7]), VALUES[[7, 0, 7]])
        np.testing.assert_array_equal(store.read("label", range(11)), LABELS)
    assert (compute.calls, store.rebuilt) == (1, "")
    assert store.read("label", [1]).dtype == np.uint8


def test_what_is_read_can_be_written_to(tmp_path):
    store = open_it(tmp_path / "s", Computation())
    store.read("a.b", [0])[:] = 9
    np.testing.assert_array_equal(store.read("a.b", [0]), VALUES[[0]])


def test_half_precision(tmp_path):
    found = open_it(tmp_path / "s", Computation(), "float16").read("a.b", range(11))
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, VALUES.astype(np.float16))


def test_a_value_too_large_for_half_precision_is_refused(tmp_path):
    compute = Computation(values=VALUES * 1e6)
    with pytest.raises(ValueError, match=r"a\.b: values that float16 cannot hold, try float32"):
        open_it(tmp_path / "s", compute, "float16")
    assert listing(tmp_path) == []


@pytest.mark.parametrize("after", [0, 1, 2])
def test_an_interrupted_one_leaves_nothing(tmp_path, after):
    with pytest.raises(KeyboardInterrupt):
        open_it(tmp_path / "s", Computation(fail_after=after))
    assert listing(tmp_path) == []
    assert open_it(tmp_path / "s", Computation()).rebuilt == ""


def flip(path):
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)


DAMAGE = {
    "a flipped bit": lambda folder: flip(folder / "a.b.npy"),
    "a truncated file": lambda folder: (folder / "a.b.npy").write_bytes(b"\x93NUMPY"),
    "a missing file": lambda folder: (folder / "label.npy").unlink(),
    "a missing manifest": lambda folder: (folder / MANIFEST).unlink(),
    "a broken manifest": lambda folder: (folder / MANIFEST).write_text("{"),
    "a foreign manifest": lambda folder: (folder / MANIFEST).write_text("[1]"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_noticed_and_repaired(tmp_path, damage):
    folder = tmp_path / "s"
    open_it(folder, Computation())
    damage(folder)
    store = open_it(folder, Computation())
    assert "damaged" in store.rebuilt
    np.testing.assert_array_equal(store.read("a.b", range(11)), VALUES)
    assert listing(tmp_path) == ["s"]


class Waiting(Computation):
    """Starts a second process, so to say, that wants the same store, and waits until it waits."""

    def __init__(self, folder, other):
        super().__init__()
        self.folder, self.other, self.said, self.waits = folder, other, [], threading.Event()
        self.found = []

    def __call__(self):
        thread = threading.Thread(target=self.second)
        thread.start()
        assert self.waits.wait(60)
        yield from super().__call__()

    def second(self):
        self.found.append(open_it(self.folder, self.other, say=self.say))

    def say(self, line):
        self.said.append(line)
        self.waits.set()


@pytest.mark.parametrize("damaged", [False, True])
def test_two_that_want_the_same_compute_it_once(tmp_path, damaged):
    """Locks are of open files, so that two threads are to each other as two processes."""
    folder = tmp_path / "s"
    if damaged:
        open_it(folder, Computation())
        flip(folder / "a.b.npy")
    first = Waiting(folder, Computation())
    open_it(folder, first)
    for thread in set(threading.enumerate()) - {threading.current_thread()}:
        thread.join(60)
    ((second,), (line,)) = first.found, first.said
    assert (first.calls, first.other.calls) == (1, 0)
    assert line.startswith(f"waiting for process {os.getpid()} on ")
    assert line.endswith(f", which makes {folder}")
    np.testing.assert_array_equal(second.read("a.b", range(11)), VALUES)
    assert listing(tmp_path) == ["s"]


def test_one_that_waited_in_vain_computes_it(tmp_path):
    first = Waiting(tmp_path / "s", Computation())
    first.fail_after = 1
    with pytest.raises(KeyboardInterrupt):
        open_it(tmp_path / "s", first)
    for thread in set(threading.enumerate()) - {threading.current_thread()}:
        thread.join(60)
    ((second,),) = (first.found,)
    np.testing.assert_array_equal(second.read("a.b", range(11)), VALUES)
    assert (first.other.calls, listing(tmp_path)) == (1, ["s"])


def test_what_killed_builds_left_is_removed_and_other_stores_are_not(tmp_path):
    for name in (".s.part", ".s.0a1b.part", ".t.part", "s2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.b.npy").write_bytes(b"half")
    (tmp_path / ".s.lock").write_text("{}")
    open_it(tmp_path / "s", Computation())
    assert listing(tmp_path) == [".s.0a1b.part", ".t.part", "s", "s2"]


def test_a_sound_store_needs_no_lock(tmp_path):
    """As in a cache that cannot be written."""
    open_it(tmp_path / "s", Computation())
    (tmp_path / ".s.lock").mkdir()
    assert open_it(tmp_path / "s", Computation()).rebuilt == ""


def test_another_number_of_rows_is_not_the_same_store(tmp_path):
    open_it(tmp_path / "s", Computation())
    with pytest.raises(ValueError, match="has not 12 rows"):
        open_store(tmp_path / "s", 12, Computation(), {}, None)
    assert open_it(tmp_path / "s", Computation()).rebuilt == ""


def test_the_files_are_plain_npy(tmp_path):
    open_it(tmp_path / "s", Computation())
    np.testing.assert_array_equal(np.load(tmp_path / "s" / "a.b.npy"), VALUES)


def test_a_full_disk_is_named_by_the_stores_folder(tmp_path, monkeypatch):
    def full(self, name, values):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_Column, "append", full)
    with pytest.raises(OSError, match="No space left") as caught:
        open_it(tmp_path / "s", Computation())
    assert caught.value.filename == str(tmp_path / "s")
    assert listing(tmp_path) == []


def test_what_cannot_be_read_is_named_itself(tmp_path):
    def compute():
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "image.png")

    with pytest.raises(FileNotFoundError) as caught:
        open_it(tmp_path / "s", compute)
    assert caught.value.filename == "image.png"
