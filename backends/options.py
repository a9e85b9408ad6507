"""Kinds of options that our command lines share."""

from __future__ import annotations

import re
from typing import Any

import click


class SizeType(click.ParamType[tuple[int, int] | None]):
    """``HxW``: two positive numbers, height first; or ``dynamic`` where that is allowed."""

    name = "HxW"

    def __init__(self, dynamic: bool = False) -> None:
        self.dynamic = dynamic

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int] | None:
        """(height, width), or None for dynamic."""
        if isinstance(value, tuple):
            return value
        if self.dynamic and value == "dynamic":
            return None
        match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", value)
        if match is None:
            self.fail(f"{value!r}: expected HEIGHTxWIDTH, for example 512x512", param, ctx)
        return int(match[1]), int(match[2])


class BatchType(click.ParamType[int | None]):
    """A positive number, or ``dynamic``."""

    name = "N"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | None:
        """The number, or None for dynamic."""
        if isinstance(value, int) or value == "dynamic":
            return value if isinstance(value, int) else None
        if not re.fullmatch(r"[1-9]\d{0,3}", value):
            self.fail(f"{value!r}: expected a number from 1 to 9999, or dynamic", param, ctx)
        return int(value)
