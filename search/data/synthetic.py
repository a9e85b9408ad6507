"""Rendered street scenes, the data that is always there.

``render`` draws scene ``index`` of series ``seed``: it depends on these two and the size
and on nothing else. Next to the image and its labels it knows depth and where things are.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from search.data import scene_paint as paint
from search.data.base import IGNORE, Bytes, check_size
from search.data.errors import DataError
from search.data.scene_layout import CLASSES, SKY, Layout, compose
from search.data.scene_rays import NEAR, NOTHING, Bodies, Floats, Ints, View, shade, trace

_COLOURS = (
    (120, 190, 235),
    (110, 150, 70),
    (90, 85, 95),
    (200, 190, 175),
    (165, 95, 75),
    (30, 80, 200),
    (235, 160, 40),
    (0, 150, 140),
    (235, 60, 60),
    (250, 240, 90),
    (255, 120, 220),
    (130, 40, 150),
)
_PROBES = 3


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
class Scene:
    """A rendered scene.

    Attributes:
        image: uint8 RGB ``(height, width, 3)``.
        label: classes, uint8 ``(height, width)``.
        depth: metres along the camera's axis, float32 ``(height, width)``; infinite in the sky.
        keypoints: two of every body, hidden ones included.
    """

    image: Bytes
    label: Bytes
    depth: Floats
    keypoints: tuple[Keypoint, ...]


def render(seed: int, index: int, size: tuple[int, int] = (128, 128)) -> Scene:
    """Scene ``index`` of the series ``seed`` at (height, width).

    Raises:
        DataError: when a number is negative or the size is not positive.
    """
    check_size(size)
    if seed < 0 or index < 0:
        raise DataError("synthetic scene", f"seed {seed}, index {index}", "both at least 0")
    layout = compose(random.Random(f"scene {seed} {index}"))
    return draw(layout, size, np.random.default_rng((seed, index)))


def draw(layout: Layout, size: tuple[int, int], rng: np.random.Generator) -> Scene:
    """A given layout at (height, width); ``rng`` makes its textures and noise."""
    view, bodies = View.of(layout.camera, size), Bodies.of(layout.solids)
    depth, seen = trace(view, bodies)
    plain = _ground_depth(view, seen)
    tile = paint.noise_tile(rng)
    colours = np.empty((3, depth.size), np.float32)
    label = np.full(depth.size, SKY, np.intp)
    _paint_bodies(layout, view, bodies, tile, depth, seen, colours)
    label[seen != NOTHING] = bodies.label[seen[seen != NOTHING]]
    _paint_ground(layout, view, bodies, tile, plain, colours, label)
    depth = np.minimum(depth, plain)
    far = np.flatnonzero(np.isinf(depth))
    _put(colours, far, paint.sky(layout.look, tile, view.directions.take(far, 1)))
    image = paint.develop(layout.look, colours, size, rng)
    points = _keypoints(layout, view, bodies, seen)
    return Scene(image, label.astype(np.uint8).reshape(size), depth.reshape(size), points)


def _ground_depth(view: View, seen: Ints) -> Floats:
    """Depth of the ground plane where nothing stands before it, infinity elsewhere."""
    down = view.directions[1]
    bare = (down < -1e-4) & (seen == NOTHING)
    depth = -view.origin[1] / np.where(bare, down, np.float32(-1))
    return np.where(bare, depth, np.float32(np.inf))


def _paint_bodies(
    layout: Layout,
    view: View,
    bodies: Bodies,
    tile: Floats,
    depth: Floats,
    seen: Ints,
    colours: Floats,
) -> None:
    where = np.flatnonzero(seen != NOTHING)
    if not where.size:
        return
    look, distance = layout.look, depth[where]
    points = view.origin[:, None] + distance * view.directions.take(where, 1)
    surface, normal = paint.surfaces(layout.solids, bodies, seen[where], points, tile)
    lit = surface * paint.light(look, normal, points[1])
    _put(colours, where, paint.haze(look, lit, distance))


def _paint_ground(
    layout: Layout,
    view: View,
    bodies: Bodies,
    tile: Floats,
    plain: Floats,
    colours: Floats,
    label: Ints,
) -> None:
    look, where = layout.look, np.flatnonzero(np.isfinite(plain))
    depth = plain[where]
    x, _, z = view.origin[:, None] + depth * view.directions.take(where, 1)
    spans = depth * depth / (view.focal * view.origin[1])
    surface, label[where] = paint.ground(look, layout.street, tile, x, z, spans)
    sun = np.array(look.sun, np.float32)
    lit = 1 - 0.9 * shade(view, bodies, sun, plain)[where].astype(np.float32)
    surface *= look.ambient + np.float32(look.sunlight) * sun[1] * lit
    _put(colours, where, paint.haze(look, surface, depth))


def _put(colours: Floats, where: NDArray[np.intp], values: Floats) -> None:
    """Writes ``values (3, m)`` into the pixels ``where``."""
    for channel, row in zip(colours, values, strict=True):
        channel[where] = row


def _keypoints(layout: Layout, view: View, bodies: Bodies, seen: Ints) -> tuple[Keypoint, ...]:
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
    view: View, bodies: Bodies, seen: Ints, rows: Floats, columns: Floats, depth: Floats
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


@dataclass(frozen=True)
class SyntheticDataset:
    """A stretch of an endless series of scenes.

    Attributes:
        count: how many scenes.
        seed: which series.
        size: (height, width) in pixels.
        start: number of the first scene.

    Raises:
        DataError: when there is no scene, a number is negative or the size is not positive.
    """

    count: int
    seed: int = 0
    size: tuple[int, int] = (128, 128)
    start: int = 0
    ignore: int = IGNORE
    _last: dict[int, Scene] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_size(self.size)
        if self.count < 1 or self.seed < 0 or self.start < 0:
            found = f"count {self.count}, seed {self.seed}, start {self.start}"
            raise DataError("synthetic", found, "count at least 1, the others at least 0")

    @property
    def name(self) -> str:
        """``synthetic:COUNT``."""
        return f"synthetic:{self.count}"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return CLASSES

    @property
    def palette(self) -> Bytes:
        """Colours of the classes, uint8 ``(classes, 3)``."""
        return np.array(_COLOURS, np.uint8)

    def __len__(self) -> int:
        return self.count

    def fingerprint(self) -> str:
        """A hash of the settings and of a few scenes, so that it changes with the renderer."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        settings = ("synthetic", self.count, self.seed, tuple(self.size), self.start)
        state = hashlib.sha256(repr(settings).encode())
        for index in range(min(_PROBES, self.count)):
            state.update(self.image(index).tobytes())
            state.update(self.label(index).tobytes())
        return state.hexdigest()

    def image(self, index: int) -> Bytes:
        """The image at ``index``: uint8 ``(height, width, 3)``."""
        return self.scene(index).image

    def label(self, index: int) -> Bytes:
        """The label at ``index``: uint8 ``(height, width)``."""
        return self.scene(index).label

    def scene(self, index: int) -> Scene:
        """The whole scene at ``index``; the last one asked for is kept.

        Raises:
            IndexError: when there is no such scene.
        """
        if not 0 <= index < self.count:
            raise IndexError(f"scene {index} of {self.count}")
        kept = self._last.get(index)
        if kept is None:
            kept = render(self.seed, self.start + index, self.size)
            self._last.clear()
            self._last[index] = kept
        return kept
