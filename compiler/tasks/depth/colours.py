"""Colours of depth: near is light, far is dark."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxnas.compiler.tasks.base import Scale

Array = np.ndarray[Any, Any]
Bytes = NDArray[np.uint8]

Range = tuple[float, float]
"""Metres of the first and of the last colour."""

_TINY = 1e-9
_STEPS = 256
"""Colours of a scale."""
_ROUND = (1, 1.5, 2, 3, 4, 5, 7)
_APART = 0.07
"""Distance of two marks on a scale of length 1, for their texts."""

_ANCHORS = (
    *((255, 247, 196), (254, 205, 118), (250, 150, 82), (228, 92, 92)),
    *((176, 54, 121), (113, 32, 129), (55, 20, 95), (12, 10, 34)),
)
"""From near to far, of falling lightness: readable in grey and for the colour-blind."""


def depth_colours(metres: Array, between: Range) -> Bytes:
    """Depth (...) in metres as uint8 RGB (..., 3), logarithmic; the ends stand for all beyond."""
    place = _share(metres, between) * (len(_ANCHORS) - 1)
    columns = np.array(_ANCHORS, np.float64).T
    mixed = [np.interp(place, np.arange(len(_ANCHORS)), column) for column in columns]
    found: Bytes = np.rint(np.stack(mixed, -1)).astype(np.uint8)
    return found


def colour_scale(between: Range) -> Scale:
    """The colours from near to far; its ends and round depths are marked."""
    metres = np.geomspace(*between, _STEPS)
    places = [(float(_share(mark, between)), f"{mark:.3g} m") for mark in _marks(between)]
    return Scale(depth_colours(metres, between), tuple(places))


def _marks(between: Range) -> list[float]:
    """The ends, and round depths between them that are not too near to another mark."""
    found, end = [between[0]], 1 - _APART
    for step in (part * 10.0**power for power in range(-3, 5) for part in _ROUND):
        place, last = (float(_share(mark, between)) for mark in (step, found[-1]))
        if last + _APART <= place <= end:
            found.append(step)
    return [*found, between[1]]


def _share(metres: Array | float, between: Range) -> Any:
    """Places on the scale, 0 to 1."""
    near, far = np.log(between)
    return np.clip((np.log(np.maximum(metres, _TINY)) - near) / (far - near), 0, 1)
