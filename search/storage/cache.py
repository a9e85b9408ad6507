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

from auxnas.compiler import CompilerError
from auxnas.compiler.weights import load_weights, save_weights
from auxnas.search.errors import CacheError

VARIABLE = "AUXNAS_CACHE"
_INSTEAD = f"a folder of your own by --cache DIR or ${VARIABLE}"
PRIVATE = 0o700
"""Mode of folders that are made in it."""


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


def make_private(folder: Path) -> None:
    """Makes a folder that only its owner enters, with the missing ones above it.

    Raises:
        OSError: when that is not possible.
    """
    for each in reversed([folder, *folder.parents]):
        if not each.is_dir():
            each.mkdir(PRIVATE, exist_ok=True)


def shared_with(folder: Path) -> str | None:
    """Who else may write into a cache, in words; None when nobody."""
    try:
        found = folder.stat()
    except OSError:
        return None
    if found.st_uid not in (os.geteuid(), 0):
        return f"it belongs to user {found.st_uid}"
    return "others may write into it" if found.st_mode & 0o022 else None


def save_kept(path: Path, params: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]) -> None:
    """Writes arrays to a safetensors file, with a digest of all that is in it."""
    sealed = digest(params_digest(params), metadata)
    save_weights(path, params, {**metadata, "digest": sealed})


def load_kept(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """What ``save_kept`` wrote.

    Raises:
        CompilerError: when it cannot be read, or was changed since. A file of an older version
            that has no digest is taken as it is.
    """
    params, texts = load_weights(path)
    try:
        metadata = {name: json.loads(text) for name, text in texts.items()}
    except (ValueError, RecursionError) as error:
        raise CompilerError(str(path), f"metadata that is no JSON ({error})", "JSON") from None
    sealed = metadata.pop("digest", None)
    if sealed not in (None, digest(params_digest(params), metadata)):
        raise CompilerError(str(path), "other contents than were written", "its own")
    return params, metadata


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
