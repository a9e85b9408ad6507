"""The body that each pixel of a synthetic scene sees, and its distance.

Rays are cast for all bodies of a kind at once, each within its bounding box on the screen;
the nearest hit of a pixel wins. The same routine, started from the ground towards the sun,
gives the shadows.

A ray is ``origin + t * direction`` with the direction's forward component 1, so that ``t``
is the depth: metres along the camera's axis.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auxnas.search.data.scenes.layout import BOX, CAPSULE, CYLINDER, SPHERE, Camera, Solid

Floats = NDArray[np.float32]
Ints = NDArray[np.intp]

NEAR = 0.2
"""Nothing nearer than this is seen, metres."""

NOTHING = -1
"""Stands for "no body" where the number of one is expected."""

_CORNERS = np.array(
    [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float32
)


@dataclass(frozen=True)
class Bodies:
    """Solids as arrays, one row each.

    Attributes:
        kind, label, thing: integers ``(n,)``.
        centre, half, axis: float32 ``(n, 3)``.
        sine, cosine: float32 ``(n,)``, of the yaw. Round bodies have none.
    """

    kind: Ints
    label: Ints
    thing: Ints
    centre: Floats
    half: Floats
    axis: Floats
    sine: Floats
    cosine: Floats

    @classmethod
    def of(cls, solids: tuple[Solid, ...]) -> Bodies:
        """The arrays of some solids."""
        numbers = np.array([(s.kind, s.label, s.thing) for s in solids], np.intp).reshape(-1, 3)
        places = np.array([(s.centre, s.half, s.axis) for s in solids], np.float32)
        places = places.reshape(-1, 3, 3)
        yaw = np.array([s.yaw if s.kind == BOX else 0 for s in solids], np.float32)
        kind, label, thing = numbers.T
        centre, half, axis = places.swapaxes(0, 1)
        return cls(kind, label, thing, centre, half, axis, np.sin(yaw), np.cos(yaw))

    def corners(self) -> Floats:
        """The corners of the turned bounding boxes, ``(n, 8, 3)``."""
        local = (self.half + np.abs(self.axis))[:, None] * _CORNERS
        sine, cosine = self.sine[:, None], self.cosine[:, None]
        x = local[..., 0] * cosine + local[..., 2] * sine
        z = local[..., 2] * cosine - local[..., 0] * sine
        return np.stack((x, local[..., 1], z), axis=-1) + self.centre[:, None]

    def inward(self, vectors: Floats, owner: Ints) -> Floats:
        """World vectors ``(3, m)`` in the frames of the bodies ``owner``."""
        sine, cosine = self.sine.take(owner), self.cosine.take(owner)
        x, y, z = vectors
        return np.stack(
            (x * cosine - z * sine, np.broadcast_to(y, sine.shape), x * sine + z * cosine)
        )

    def outward(self, vectors: Floats, owner: Ints) -> Floats:
        """Vectors ``(3, m)`` in the frames of the bodies ``owner``, in the world."""
        sine, cosine = self.sine.take(owner), self.cosine.take(owner)
        x, y, z = vectors
        return np.stack((x * cosine + z * sine, y, z * cosine - x * sine))

    def distance(self, kind: int, origin: Floats, direction: Floats, owner: Ints) -> Floats:
        """Distances along rays ``(3, m)``, in their frames, to the bodies ``owner`` of a kind."""
        half = self.half.T.take(owner, 1)
        if kind == CAPSULE:
            return _capsule(origin, direction, half, self.axis.T.take(owner, 1))
        return _DISTANCE[kind](origin, direction, half)

    def from_centre(self, points: Floats, owner: Ints) -> Floats:
        """World points ``(3, m)`` in the frames of the bodies ``owner``."""
        return self.inward(points - self.centre.T.take(owner, 1), owner)


@dataclass(frozen=True)
class CameraView:
    """A pinhole camera and its rays.

    Attributes:
        size: (height, width) of the image.
        focal: focal length in pixels.
        axes: right, up and forward, float32 rows ``(3, 3)``.
        origin: where it stands, float32 ``(3,)``.
        directions: of every pixel's ray, row by row, float32 ``(3, height * width)``.
    """

    size: tuple[int, int]
    focal: float
    axes: Floats
    origin: Floats
    directions: Floats

    @classmethod
    def of(cls, camera: Camera, size: tuple[int, int]) -> CameraView:
        """The view of a camera at an image size."""
        height, width = size
        focal = camera.focal * max(size)
        axes = _axes(camera)
        across = ((np.arange(width) + 0.5 - width / 2) / focal).astype(np.float32)
        upward = ((height / 2 - np.arange(height) - 0.5) / focal).astype(np.float32)
        right, up, forward = axes[:, :, None, None]
        directions = right * across + up * upward[:, None] + forward
        origin = np.array((0, camera.height, 0), np.float32)
        return cls(size, focal, axes, origin, directions.reshape(3, -1))

    def project(self, points: Floats) -> tuple[Floats, Floats, Floats]:
        """Rows, columns (pixel centres at whole numbers) and depths of points ``(..., 3)``.

        Depths below NEAR are taken for NEAR in the division.
        """
        right, up, depth = np.moveaxis((points - self.origin) @ self.axes.T, -1, 0)
        scale = self.focal / np.maximum(depth, NEAR)
        rows = self.size[0] / 2 - 0.5 - up * scale
        columns = self.size[1] / 2 - 0.5 + right * scale
        return rows, columns, depth


def _axes(camera: Camera) -> Floats:
    sine, cosine = math.sin(camera.pitch), math.cos(camera.pitch)
    turn, level = math.sin(camera.roll), math.cos(camera.roll)
    right, up = np.array((1.0, 0, 0)), np.array((0, cosine, sine))
    axes = (level * right + turn * up, level * up - turn * right, (0, -sine, cosine))
    return np.array(axes, np.float32)


def trace(view: CameraView, bodies: Bodies) -> tuple[Floats, Ints]:
    """Depth in metres and number of the body that each pixel sees, ``(pixels,)`` both.

    Where there is none: infinity and NOTHING.
    """
    pixels = view.size[0] * view.size[1]
    depth = np.full(pixels, np.inf, np.float32)
    seen = np.full(pixels, NOTHING, np.intp)
    every = np.arange(len(bodies.kind), dtype=np.intp)
    start = bodies.from_centre(view.origin[:, None], every)
    hits = []
    for kind, pixel, owner in _candidates(view, bodies, bodies.corners()):
        direction = view.directions.take(pixel, 1)
        if kind == BOX:
            direction = bodies.inward(direction, owner)
        distance = bodies.distance(kind, start.take(owner, 1), direction, owner)
        met = np.flatnonzero(distance > NEAR)
        hits.append((pixel[met], owner[met], distance[met]))
    for pixel, _, distance in hits:
        np.minimum.at(depth, pixel, distance)
    for pixel, owner, distance in hits:
        won = distance == depth[pixel]
        seen[pixel[won]] = owner[won]
    return depth, seen


def shade(view: CameraView, bodies: Bodies, sun: Floats, ground: Floats) -> NDArray[np.bool_]:
    """Pixels of bare ground in a body's shadow, ``(pixels,)``.

    Args:
        view: the camera.
        bodies: what casts shadows.
        sun: unit vector towards the light, ``(3,)``.
        ground: depth of the ground where it is seen, infinity elsewhere, ``(pixels,)``.
    """
    dark = np.zeros(ground.shape, np.bool_)
    corners = bodies.corners()
    cast = corners - corners[..., 1:2] / sun[1] * sun
    every = np.arange(len(bodies.kind), dtype=np.intp)
    towards = bodies.inward(sun[:, None], every)
    for kind, pixel, owner in _candidates(view, bodies, cast):
        bare = np.flatnonzero(ground.take(pixel) < np.inf)
        pixel, owner = pixel.take(bare), owner.take(bare)
        point = view.origin[:, None] + ground.take(pixel) * view.directions.take(pixel, 1)
        origin = point - bodies.centre.T.take(owner, 1)
        if kind == BOX:
            origin = bodies.inward(origin, owner)
        dark[pixel[bodies.distance(kind, origin, towards.take(owner, 1), owner) > 0]] = True
    return dark


def _candidates(
    view: CameraView, bodies: Bodies, corners: Floats
) -> Iterator[tuple[int, Ints, Ints]]:
    """For every kind of body: pixels whose ray may hit one, and which one."""
    boxes = _screen_boxes(view, corners)
    for kind in (BOX, SPHERE, CYLINDER, CAPSULE):
        members = np.flatnonzero(bodies.kind == kind).astype(np.intp)
        top, bottom, left, right = boxes[:, members]
        body, row = _runs(top, bottom)
        start = row * np.intp(view.size[1])
        line, pixel = _runs(start + left[body], start + right[body])
        if len(pixel):
            yield kind, pixel, members.take(body.take(line))


def _runs(start: Ints, stop: Ints) -> tuple[Ints, Ints]:
    """All whole numbers of some ranges: which range each is of, and the number itself."""
    count = np.maximum(stop - start, 0)
    which = np.repeat(np.arange(len(count), dtype=np.intp), count)
    offset = start - (np.cumsum(count, dtype=np.intp) - count)
    return which, np.arange(len(which), dtype=np.intp) + np.repeat(offset, count)


def _screen_boxes(view: CameraView, corners: Floats) -> Ints:
    """Rows and columns that enclose the bodies of ``corners (n, k, 3)``.

    Returns:
        first and last (exclusive) row, first and last column: integers ``(4, n)``, cut to
        the image; all of it for a body that reaches behind the camera, nothing for one
        wholly behind.
    """
    rows, columns, depth = view.project(corners)
    reaches, behind = depth.min(axis=1) < NEAR, depth.max(axis=1) < NEAR
    limits = []
    for places, length in ((rows, view.size[0]), (columns, view.size[1])):
        low = np.clip(np.floor(places.min(axis=1)), 0, length)
        high = np.clip(np.ceil(places.max(axis=1)) + 1, 0, length)
        limits += [np.where(reaches, 0, low), np.where(reaches, length * ~behind, high)]
    return np.stack(limits).astype(np.intp)


# The distances below are of rays (origin, direction: float32 (3, m)) to bodies of half
# extents (3, m) at the origin of their own frame; 0 or less where a ray misses.


def _sphere(origin: Floats, direction: Floats, half: Floats) -> Floats:
    a = _dot(direction, direction)
    b = _dot(origin, direction)
    c = _dot(origin, origin) - half[0] * half[0]
    root = b * b - a * c
    return np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, np.float32(0))


def _box(origin: Floats, direction: Floats, half: Floats) -> Floats:
    inverse = 1 / np.where(direction == 0, np.float32(1e-9), direction)
    middle, reach = -origin * inverse, half * np.abs(inverse)
    enter = (middle - reach).max(axis=0)
    leave = (middle + reach).min(axis=0)
    return np.where(enter < leave, enter, np.float32(0))


def _cylinder(origin: Floats, direction: Floats, half: Floats) -> Floats:
    ox, oy, oz = origin
    dx, dy, dz = direction
    a = np.maximum(dx * dx + dz * dz, np.float32(1e-12))
    b = ox * dx + oz * dz
    root = b * b - a * (ox * ox + oz * oz - half[0] * half[0])
    side = (-b - np.sqrt(np.maximum(root, 0))) / a
    on_side = (root > 0) & (np.abs(oy + side * dy) <= half[1])
    top = (half[1] - oy) / np.minimum(dy, np.float32(-1e-9))
    x, z = ox + top * dx, oz + top * dz
    on_top = (dy < 0) & (oy > half[1]) & (x * x + z * z <= half[0] * half[0])
    return np.where(on_side, side, np.where(on_top, top, np.float32(0)))


def _capsule(origin: Floats, direction: Floats, half: Floats, axis: Floats) -> Floats:
    reach: Floats = np.sqrt(_dot(axis, axis))
    unit: Floats = (axis / np.maximum(reach, np.float32(1e-6))).astype(np.float32)
    along, rise = _dot(origin, unit), _dot(direction, unit)
    side: Floats = origin - along * unit
    turn: Floats = direction - rise * unit
    a = np.maximum(_dot(turn, turn), np.float32(1e-12))
    b = _dot(side, turn)
    root = b * b - a * (_dot(side, side) - half[0] * half[0])
    wall = (-b - np.sqrt(np.maximum(root, 0))) / a
    place = along + wall * rise
    end = _sphere(origin - np.clip(place, -reach, reach) * unit, direction, half)
    return np.where(root <= 0, np.float32(0), np.where(np.abs(place) <= reach, wall, end))


def _dot(first: Floats, second: Floats) -> Floats:
    result: Floats = first[0] * second[0] + first[1] * second[1] + first[2] * second[2]
    return result


_DISTANCE = {BOX: _box, SPHERE: _sphere, CYLINDER: _cylinder}
