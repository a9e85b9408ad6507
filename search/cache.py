"""Where things that are computed once are kept, and how they are named."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxnas.search.errors import CacheError

VARIABLE = "AUXNAS_CACHE"
_INSTEAD = f"a folder of your own by --cache DIR or ${VARIABLE}"


def cache_dir(given: str | Path | None = None) -> Path:
    """The folder given, else ``$AUXNAS_CACHE``, else ``auxnas`` in the user's caches.

    Those are in ``$XDG_CACHE_HOME`` where that is an absolute path, else in ``~/.cache``.

    Raises:
        CacheError: when there is no such place, or it or a folder in it is closed to this user.
    """
    folder = _chosen(given)
    existing = next((p for p in (folder, *folder.absolute().parents) if os.path.lexists(p)), folder)
    inner = folder.iterdir() if folder.is_dir() and os.access(folder, os.R_OK | os.X_OK) else ()
    for path in (existing, *(path for path in inner if path.is_dir())):
        if path.is_dir() and not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            found = f"belongs to {_owner(path)}, and user {os.geteuid()} cannot read and write it"
            raise CacheError(str(path), found, _INSTEAD)
    return folder


def _chosen(given: str | Path | None) -> Path:
    named = given or os.environ.get(VARIABLE)
    if named:
        return Path(named)
    caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if caches.is_absolute():
        return caches / "auxnas"
    try:
        return Path.home() / ".cache" / "auxnas"
    except RuntimeError:
        found = f"user {os.geteuid()} has no home folder"
        raise CacheError("cache", found, _INSTEAD) from None


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except (KeyError, OSError):
        return f"user {path.stat().st_uid}"


def digest(*parts: Any) -> str:
    """A name (32 hexadecimal digits) for JSON data."""
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def params_digest(params: Mapping[str, NDArray[Any]]) -> str:
    """A name for parameter values: their names, types, shapes and bytes."""
    state = hashlib.sha256()
    for name in sorted(params):
        value = np.ascontiguousarray(params[name])
        state.update(f"{name} {value.dtype.str} {value.shape}\n".encode())
        state.update(value.tobytes())
    return state.hexdigest()[:32]
