"""The cache: its place, folders that only their owner enters, files that carry a digest."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from auxnas.genotype.errors import InputError

VARIABLE = "AUXNAS_CACHE"
PRIVATE = 0o700
"""Mode of folders that are made in it."""
_INSTEAD = f"expected a folder of your own by --cache DIR or ${VARIABLE}"
_DIGEST = hashlib.sha256


class CacheError(InputError):
    """There is no cache that this user can read and write."""


def cache_dir(given: str | Path | None = None) -> Path:
    """The folder given, else ``$AUXNAS_CACHE``, else ``auxnas`` in the user's caches.

    Those are in ``$XDG_CACHE_HOME`` where that is an absolute path, else in ``~/.cache``.
    Whether it may be written is a question of ``make_private``: reading needs less.

    Raises:
        CacheError: when there is no such place.
    """
    named = given or os.environ.get(VARIABLE)
    if named:
        return Path(named)
    caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if caches.is_absolute():
        return caches / "auxnas"
    try:
        return Path.home() / ".cache" / "auxnas"
    except RuntimeError:
        found = f"cache: user {os.geteuid()} has no home folder"
        raise CacheError(f"{found}, {_INSTEAD}") from None


def make_private(folder: Path) -> None:
    """Makes a folder that only its owner enters, with the missing ones above it.

    Raises:
        CacheError: when it, or the one above that would hold it, is closed to this user, or it
            cannot be made for another reason.
    """
    above = (folder, *folder.absolute().parents)
    existing = next((path for path in above if os.path.lexists(path)), folder)
    if os.path.isdir(existing) and not os.access(existing, os.R_OK | os.W_OK | os.X_OK):
        found = f"belongs to {_owner(existing)}, and user {os.geteuid()} cannot read and write it"
        raise CacheError(f"{existing}: {found}, {_INSTEAD}")
    try:
        for each in reversed([folder, *folder.parents]):
            if not each.is_dir():
                each.mkdir(PRIVATE, exist_ok=True)
    except OSError as error:
        found = f"cache: cannot be made ({error.strerror}: {error.filename})"
        raise CacheError(f"{folder}: {found}, {_INSTEAD}") from None


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except (KeyError, OSError):
        return f"user {path.stat().st_uid}"


def seal(name: str, data: bytes) -> bytes:
    """``data`` behind a digest of itself and of the name that it is kept under."""
    return _DIGEST(name.encode() + data).digest() + data


def unseal(name: str, kept: bytes) -> bytes | None:
    """The data that ``seal`` was given; None where they or the name have changed since."""
    data = kept[_DIGEST().digest_size :]
    return data if seal(name, data) == kept else None
