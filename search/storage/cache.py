"""Cached files: names, digests, and the check of who else may write them."""

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


def other_writers(folder: Path) -> str | None:
    """Other users that may write into a cache, in words; None when there are none."""
    try:
        found = folder.stat()
    except OSError:
        return None
    if found.st_uid not in (os.geteuid(), 0):
        return f"it belongs to user {found.st_uid}"
    return "others may write into it" if found.st_mode & 0o022 else None


def save_kept(path: Path, params: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]) -> None:
    """Writes arrays to a safetensors file, with a digest of all that is in it."""
    sealed = json_digest(params_digest(params), metadata)
    save_weights(path, params, {**metadata, "digest": sealed})


def load_kept(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays and metadata that ``save_kept`` wrote.

    Raises:
        CompilerError: when it cannot be read, was changed since, or has no digest.
    """
    params, texts = load_weights(path)
    try:
        metadata = {name: json.loads(text) for name, text in texts.items()}
    except (ValueError, RecursionError) as error:
        raise CompilerError(str(path), f"metadata that is no JSON ({error})", "JSON") from None
    sealed = metadata.pop("digest", None)
    if sealed is None:
        expected = "one: it was changed, or an older version wrote it"
        raise CompilerError(str(path), "no digest of its contents", expected)
    if sealed != json_digest(params_digest(params), metadata):
        raise CompilerError(str(path), "other contents than were written", "its own")
    return params, metadata


def json_digest(*parts: Any) -> str:
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
