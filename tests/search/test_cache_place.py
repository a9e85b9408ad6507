"""Where the cache is, and what is said where it cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from auxnas.backends import caching
from auxnas.backends.caching import CacheError, cache_dir, make_private
from auxnas.search.storage.store import open_store


def test_without_a_home_a_cache_is_asked_for(monkeypatch):
    for name in (caching.VARIABLE, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    with pytest.raises(CacheError, match=r"no home folder, expected .* --cache DIR or \$AUXNAS_"):
        cache_dir()


@pytest.fixture
def close(monkeypatch):
    """Closes a folder to this user (who may be root)."""

    def closing(folder):
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder)

    return closing


def test_a_cache_closed_to_this_user_is_named_with_its_owner(tmp_path, close):
    folder = tmp_path / "pixels"
    make_private(folder)
    close(folder)
    with pytest.raises(CacheError) as caught:
        make_private(folder)
    text = str(caught.value)
    assert text.startswith(f"{folder}: belongs to ")
    assert f"user {os.geteuid()} cannot" in text


def test_a_cache_that_cannot_be_made_is_named_by_the_folder_above(tmp_path, close):
    close(tmp_path)
    with pytest.raises(CacheError, match=f"^{tmp_path}: belongs to"):
        make_private(tmp_path / "a" / "b")


def test_what_keeps_a_cache_from_being_made_is_named_and_that_it_is_the_cache(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match=r"/new: cache: cannot be made \(.*/file\)"):
        make_private(tmp_path / "file" / "new")


def test_a_cache_that_can_only_be_read_is_read(tmp_path, close):
    def opened(name):
        return open_store(tmp_path / name, 3, lambda: [{"a": np.arange(3)}], {}, print)

    opened("kept")
    close(tmp_path)
    assert cache_dir(tmp_path) == tmp_path
    assert opened("kept").read("a", [2]).tolist() == [2]
    with pytest.raises(CacheError, match=f"^{tmp_path}: belongs to"):
        opened("new")
