"""Draws a synthetic scene: who is seen, then colours, then where things are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auxnas.search.data.scenes import paint
from auxnas.search.data.scenes.layout import SKY, SceneLayout
from auxnas.search.data.scenes.rays import (
    NEAR,
    NOTHING,
    Bodies,
    CameraView,
    Floats,
    Ints,
    shade,
    trace,
)

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Keypoint:
    """A point of a body in the image.

    Attributes:
        label: the body's class.
        thing: the object that the body is a part of; a person has a body and a head.
        part: ``centre`` (the middle) or ``base`` (the middle of the lower end).
        row, column: where it is seen; pixel centres are whole numbers.
        depth: metres along the camera's axis; 0 or less is behind the camera.
        visible: whether it is in the image and its pixel shows that very object.
    """

    label: int
    thing: int
    part: str
    row: float
    column: float
    depth: float
    visible: bool


@dataclass(frozen=True)
class RenderedScene:
    """A rendered scene.

    Attributes:
        image: uint8 RGB ``(height, width, 3)``.
        label: classes, uint8 ``(height, width)``.
        depth: metres along the camera's axis, float32 ``(height, width)``; infinite in the sky.
        keypoints: two of every body, hidden ones included.
        things: number of the thing that each pixel shows, ``(height, width)``; NOTHING elsewhere.
    """

    image: Bytes
    label: Bytes
    depth: Floats
    keypoints: tuple[Keypoint, ...]
    things: Ints


def draw_scene(
    layout: SceneLayout, size: tuple[int, int], rng: np.random.Generator
) -> RenderedScene:
    """A given layout at (height, width); ``rng`` makes its textures and noise."""
    canvas = _Canvas(layout, size, paint.noise_tile(rng))
    canvas.paint_bodies()
    canvas.paint_ground()
    canvas.paint_sky()
    image = paint.develop(layout.look, canvas.colours, size, rng)
    label, depth = canvas.label.astype(np.uint8), np.minimum(canvas.depth, canvas.plain)
    points = _keypoints(layout, canvas.view, canvas.bodies, canvas.seen)
    things = np.append(canvas.bodies.thing, NOTHING)[canvas.seen].reshape(size)
    return RenderedScene(image, label.reshape(size), depth.reshape(size), points, things)


class _Canvas:
    """A picture in the making; every pixel is painted once, by what it sees.

    Attributes:
        layout, view, bodies: the scene, its camera, its solids as arrays.
        tile: for the noise of textures.
        depth, seen: distance and number of each pixel's body, ``(pixels,)``.
        plain: distance of the ground where no body hides it, else infinity, ``(pixels,)``.
        colours: light of each pixel, ``(3, pixels)``.
        label: class of each pixel, ``(pixels,)``.
    """

    def __init__(self, layout: SceneLayout, size: tuple[int, int], tile: Floats) -> None:
        self.layout, self.tile = layout, tile
        self.view, self.bodies = CameraView.of(layout.camera, size), Bodies.of(layout.solids)
        self.depth, self.seen = trace(self.view, self.bodies)
        self.plain = _ground_depth(self.view, self.seen)
        self.colours = np.empty((3, self.depth.size), np.float32)
        self.label = np.full(self.depth.size, SKY, np.intp)

    def paint_bodies(self) -> None:
        """Surfaces in sun and shade, seen through the air."""
        where = np.flatnonzero(self.seen != NOTHING)
        if not where.size:
            return
        look, owner, depth = self.layout.look, self.seen[where], self.depth[where]
        points = self._points(where, depth)
        surface, normal = paint.surfaces(self.layout.solids, self.bodies, owner, points, self.tile)
        surface *= paint.light(look, normal, points[1])
        self.label[where] = self.bodies.label[owner]
        self._put(where, paint.haze(look, surface, depth))

    def paint_ground(self) -> None:
        """Ground, road and pavement, with the bodies' shadows on them."""
        where = np.flatnonzero(np.isfinite(self.plain))
        look, depth = self.layout.look, self.plain[where]
        x, _, z = self._points(where, depth)
        spans = depth * depth / (self.view.focal * self.view.origin[1])
        ground = paint.ground(look, self.layout.street, self.tile, x, z, spans)
        surface, self.label[where] = ground
        dark = shade(self.view, self.bodies, np.array(look.sun, np.float32), self.plain)[where]
        surface *= paint.ground_light(look, dark)
        self._put(where, paint.haze(look, surface, depth))

    def paint_sky(self) -> None:
        """All the rest."""
        where = np.flatnonzero(self.label == SKY)
        rays = self.view.directions.take(where, 1)
        self._put(where, paint.sky(self.layout.look, self.tile, rays))

    def _points(self, where: NDArray[np.intp], depth: Floats) -> Floats:
        """Points that the pixels ``where`` see, world coordinates ``(3, m)``."""
        return self.view.origin[:, None] + depth * self.view.directions.take(where, 1)

    def _put(self, where: NDArray[np.intp], colours: Floats) -> None:
        for channel, values in zip(self.colours, colours, strict=True):
            channel[where] = values


def _ground_depth(view: CameraView, seen: Ints) -> Floats:
    """Depth of the ground plane where nothing stands before it, infinity elsewhere."""
    down = view.directions[1]
    bare = (down < -1e-4) & (seen == NOTHING)
    depth = -view.origin[1] / np.where(bare, down, np.float32(-1))
    return np.where(bare, depth, np.float32(np.inf))


def _keypoints(
    layout: SceneLayout, view: CameraView, bodies: Bodies, seen: Ints
) -> tuple[Keypoint, ...]:
    lowest = bodies.centre.copy()
    lowest[:, 1] -= bodies.half[:, 1]
    result: list[Keypoint] = []
    for part, points in (("centre", bodies.centre), ("base", lowest)):
        rows, columns, depth = view.project(points)
        visible = _visible(view, bodies, seen, rows, columns, depth)
        places = zip(rows, columns, depth, visible, strict=True)
        result += [
            Keypoint(solid.label, solid.thing, part, float(r), float(c), float(d), bool(v))
            for solid, (r, c, d, v) in zip(layout.solids, places, strict=True)
        ]
    return tuple(result)


def _visible(
    view: CameraView, bodies: Bodies, seen: Ints, rows: Floats, columns: Floats, depth: Floats
) -> NDArray[np.bool_]:
    """Whether each body's point falls on a pixel that shows its own thing."""
    height, width = view.size
    row, column = np.rint(rows), np.rint(columns)
    inside = (depth > NEAR) & (row >= 0) & (row < height) & (column >= 0) & (column < width)
    pixel = np.where(inside, row * width + column, 0).astype(np.intp)
    owner = seen[pixel]
    mine = (owner != NOTHING) & (bodies.thing[owner] == bodies.thing)
    result: NDArray[np.bool_] = inside & mine
    return result
