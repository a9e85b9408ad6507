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

VARIABLE = "AUXNAS_CACHE"


def cache_dir(given: str | Path | None = None) -> Path:
    """The folder given, else ``$AUXNAS_CACHE``, else ``auxnas`` in the user's caches.

    Those are in ``$XDG_CACHE_HOME`` where that is an absolute path, else in ``~/.cache``.
    """
    named = given or os.environ.get(VARIABLE)
    if named:
        return Path(named)
    caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (caches if caches.is_absolute() else Path.home() / ".cache") / "auxnas"


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
