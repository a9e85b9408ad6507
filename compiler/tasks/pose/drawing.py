"""Skeletons drawn over images: lines between joints, left and right in colours of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from auxnas.compiler.tasks.pose.joints import ABSENT
from auxnas.compiler.tasks.pose.skeletons import Skeleton

Array = np.ndarray[Any, Any]
Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {"left": (0, 170, 255), "right": (255, 110, 0), "": (60, 220, 90)}
"""Of what is on each side of the person, and in the middle; apart in every kind of sight."""
THICKNESS = 1 / 100
"""Of lines, as a part of a crop's longer side."""


def draw_skeleton(
    canvas: Array, joints: Array, skeleton: Skeleton, side: float | None = None
) -> Array:
    """The image with the joints that are not absent and the lines between them.

    Args:
        canvas: uint8 (H, W, 3).
        joints: (K, 3) x, y in its pixels; a third number above 0 for a joint that is there.
        skeleton: of the joints.
        side: pixels that the thickness of lines is a part of; the longer side by default.
    """
    found = canvas.astype(np.float32)
    shown, sides = joints[:, 2] > ABSENT, skeleton.sides
    radius = max(0.8, THICKNESS * (side or max(canvas.shape[:2])))
    for one, other in skeleton.edges:
        if shown[one] and shown[other]:
            colour = COLOURS[sides[one] if sides[one] == sides[other] else ""]
            _stroke(found, joints[one, :2], joints[other, :2], radius, colour)
    for place in np.flatnonzero(shown):
        _stroke(found, joints[place, :2], joints[place, :2], 2 * radius, COLOURS[sides[place]])
    return np.rint(found).astype(np.uint8)


def _stroke(canvas: Array, start: Array, end: Array, radius: float, colour: Colour) -> None:
    """Mixes a line with round ends into the canvas, its border one pixel soft."""
    height, width = canvas.shape[:2]
    low, high = np.minimum(start, end) - radius - 1, np.maximum(start, end) + radius + 2
    left, top = np.clip(low, 0, (width, height)).astype(int)
    right, bottom = np.clip(high, 0, (width, height)).astype(int)
    x, y = np.arange(left, right)[None] - start[0], np.arange(top, bottom)[:, None] - start[1]
    across, down = (float(each) for each in end - start)
    along = np.clip((x * across + y * down) / max(across**2 + down**2, 1e-9), 0, 1)
    apart = np.hypot(x - along * across, y - along * down)
    share = np.clip(radius + 0.5 - apart, 0, 1)[..., None]
    part = canvas[top:bottom, left:right]
    part += share * (np.array(colour, np.float32) - part)
