"""Durations as people write them: ``4h``, ``30m``, ``90s``, ``1h30m``."""

from __future__ import annotations

import re

_UNITS = {"h": 3600, "m": 60, "s": 1}
_PATTERN = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


def seconds(text: str) -> float:
    """The seconds of ``text``: hours, minutes, seconds, in this order, each at most once.

    Raises:
        ValueError: for anything else, and for no time at all.
    """
    match = _PATTERN.fullmatch(text.strip())
    parts = match.groups() if match else ()
    total = sum(float(n) * _UNITS[unit] for n, unit in zip(parts, _UNITS, strict=False) if n)
    if not total:
        raise ValueError("a duration like 4h, 30m, 90s or 1h30m")
    return total


def duration(value: float) -> str:
    """``value`` seconds as the shortest text that ``seconds`` reads back exactly."""
    whole = int(value)
    hours, minutes = whole // 3600, whole // 60 % 60
    rest = value - hours * 3600 - minutes * 60
    text = (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "")
    if rest or not text:
        text += f"{rest:g}s"
    return text if seconds(text) == value else f"{value!r}s"
