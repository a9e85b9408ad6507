"""Durations as people write them: ``4h``, ``30m``, ``90s``, ``1h30m``."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {"h": 3600, "m": 60, "s": 1}
_PATTERN = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


def parse_duration(text: str) -> float:
    """The seconds of ``text``: hours, minutes, seconds, in this order, each at most once.

    Raises:
        ValueError: for anything else, and for no time at all.
    """
    total = _sum(text.strip())
    if not total:
        raise ValueError("a duration like 4h, 30m, 90s or 1h30m")
    return total


def _sum(text: str) -> float:
    """The seconds of ``text``; 0 where it is no duration."""
    match = _PATTERN.fullmatch(text)
    parts = match.groups() if match else ()
    return sum(float(n) * _UNITS[unit] for n, unit in zip(parts, _UNITS, strict=False) if n)


def duration_text(value: float) -> str:
    """``value`` seconds as the shortest text that ``parse_duration`` reads back exactly."""
    whole = int(value)
    hours, minutes = whole // 3600, whole // 60 % 60
    rest = _plain(round(value - hours * 3600 - minutes * 60, 6))
    text = (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "")
    text += f"{rest}s" if rest != "0" or not text else ""
    return text if value and _sum(text) == value else f"{_plain(value)}s"


def _plain(value: float) -> str:
    """The shortest decimal that is ``value``, without an exponent."""
    text = f"{Decimal(repr(value)):f}"
    return text.removesuffix(".0")
