"""Metadata of a file: texts that are mostly JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def decode_metadata(texts: Mapping[str, str]) -> dict[str, Any]:
    """Metadata as decoded values; a text that is no JSON is kept as text."""
    return {key: _decoded(text) for key, text in texts.items()}


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
