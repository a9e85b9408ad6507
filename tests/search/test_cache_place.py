"""Where the cache is, and what is said where it cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from auxnas.search.errors import CacheError
from auxnas.search.storage import cache


def test_without_a_home_a_cache_is_asked_for(monkeypatch):
    for name in (cache.VARIABLE, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    with pytest.raises(CacheError, match=r"no home folder, expected .* --cache DIR or \$AUXNAS_"):
        cache.cache_dir()


@pytest.mark.parametrize("closed", ["", "pixels"])
def test_a_cache_closed_to_this_user_is_named_with_its_owner(closed, tmp_path, monkeypatch):
    (tmp_path / "pixels").mkdir()
    assert cache.cache_dir(tmp_path) == tmp_path

    def access(path, mode):
        return Path(path) != tmp_path / closed

    monkeypatch.setattr(os, "access", access)
    with pytest.raises(CacheError) as caught:
        cache.cache_dir(tmp_path)
    text = str(caught.value)
    assert text.startswith(f"{tmp_path / closed}: belongs to ")
    assert f"user {os.geteuid()} cannot" in text


def test_a_cache_that_cannot_be_made_is_named_by_the_folder_above(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(CacheError, match=f"^{tmp_path}: belongs to"):
        cache.cache_dir(tmp_path / "a" / "b")
