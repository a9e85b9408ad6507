"""Colours of a synthetic scene: sky, ground, surfaces, light, haze, and the camera's faults."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from search.data.scene_layout import (
    BOX,
    CYLINDER,
    GROUND,
    PAVEMENT,
    ROAD,
    Colour,
    Look,
    Solid,
    Street,
)
from search.data.scene_rays import Bodies, Floats, Ints

_TILE = 64


def noise_tile(rng: np.random.Generator) -> Floats:
    """Random values in -1..1 for ``noise``, ``(64, 64)``."""
    return rng.random((_TILE, _TILE), np.float32) * 2 - 1


def noise(tile: Floats, x: Floats, y: Floats) -> Floats:
    """Smooth noise in -1..1 with one lattice point a unit: the tile, interpolated."""
    left, low = np.floor(x), np.floor(y)
    fx, fy = x - left, y - low
    column, row = left.astype(np.int32) & (_TILE - 1), low.astype(np.int32) & (_TILE - 1)
    flat, right = tile.ravel(), (column + 1) & (_TILE - 1)
    row, below = row * _TILE, ((row + 1) & (_TILE - 1)) * _TILE
    upper = flat[row + column] * (1 - fx) + flat[row + right] * fx
    lower = flat[below + column] * (1 - fx) + flat[below + right] * fx
    result: Floats = upper + (lower - upper) * fy
    return result


def sky(look: Look, tile: Floats, directions: Floats) -> Floats:
    """Colours ``(3, m)`` of rays that meet nothing."""
    x, y, z = directions
    rise = np.clip(y / np.sqrt(x * x + y * y + z * z), 0, 1)
    colours = _mix(look.horizon, look.zenith, np.sqrt(rise))
    if look.clouds:
        reach = 1.5 / (rise + 0.12)
        u, v = x * reach, z * reach
        cover = noise(tile, u, v) + 0.5 * noise(tile, 2.3 * u, 2.3 * v)
        colours += look.clouds * np.clip(cover, 0, 1) * (np.float32(0.95) - colours)
    return colours


def zones(street: Street, x: Floats, z: Floats) -> tuple[Floats, Floats, Ints]:
    """Along, across and class (ground, road, pavement) of places on the ground plane."""
    sine, cosine = np.float32(np.sin(street.heading)), np.float32(np.cos(street.heading))
    along: Floats = x * sine + z * cosine
    middle: Floats = np.float32(street.offset) + np.float32(street.bend) * along * along
    across: Floats = x * cosine - z * sine - middle
    side = np.abs(across)
    label = np.full(x.shape, GROUND, np.int32)
    label[side < street.half + street.pavement] = PAVEMENT
    label[side < street.half] = ROAD
    return along, across, label


def ground(
    look: Look, street: Street, tile: Floats, x: Floats, z: Floats, blur: Floats
) -> tuple[Floats, Ints]:
    """Surface colours ``(3, m)`` and classes ``(m,)`` of places on the ground plane.

    Args:
        look: materials.
        street: where the road is.
        tile: for ``noise``.
        x: metres to the right, ``(m,)``.
        z: metres ahead, ``(m,)``.
        blur: metres that a pixel spans there; finer detail is faded out.
    """
    along, across, label = zones(street, x, z)
    coarse, fine = noise(tile, x * 0.35, z * 0.35), noise(tile, x * 2.5, z * 2.5)
    fade = 1 / (1 + (blur * 2) ** 2)
    base = np.array((look.ground, look.road, look.pavement), np.float32).T
    colours = base[:, label - GROUND]
    wild = label == GROUND
    colours[:, wild] = _wild(look, x[wild], z[wild], coarse[wild], fade[wild])
    slab = (label == PAVEMENT) & (((along * 0.8) % 1 < 0.07) | ((across * 1.2) % 1 < 0.09))
    colours[:, slab] *= 1 - 0.45 * fade[slab]
    painted = (label == ROAD) & _lines(look, street, along, across)
    strength = fade[painted]
    colours[:, painted] += strength * (_column(look.paint) - colours[:, painted])
    grain = np.where(wild, np.float32(0.16), np.float32(0.10))
    colours *= 1 + grain * fine * fade + 0.08 * coarse
    return colours, label


def _wild(look: Look, x: Floats, z: Floats, coarse: Floats, fade: Floats) -> Floats:
    """The ground off the street: patches of two colours, or tiles of them."""
    if look.plaza:
        odd = (np.floor(x / look.plaza) + np.floor(z / look.plaza)) % 2
        share = 0.5 + (odd - 0.5) * fade
    else:
        share = 0.5 + 0.5 * coarse
    return _mix(look.ground, look.ground_accent, share.astype(np.float32))


def _lines(look: Look, street: Street, along: Floats, across: Floats) -> NDArray[np.bool_]:
    """Where the road is painted: dashes in the middle, lines at the edges."""
    middle, edges = look.lines
    side = np.abs(across)
    dashes = (side < 0.09) & (along % 5 < 2.5) if middle else np.zeros(side.shape, np.bool_)
    return dashes | (np.abs(side - (street.half - 0.25)) < 0.07) if edges else dashes


def surfaces(
    solids: tuple[Solid, ...], bodies: Bodies, owner: Ints, points: Floats, tile: Floats
) -> tuple[Floats, Floats]:
    """Colours and unit normals, both ``(3, m)``, of points on bodies.

    Args:
        solids: what the bodies look like.
        bodies: the same solids as arrays.
        owner: the body of each point, ``(m,)``.
        points: world coordinates, ``(3, m)``.
        tile: for variation between repetitions.
    """
    local = bodies.inward(points - bodies.centre[owner].T, owner)
    normal, side, up = _unrolled(bodies.kind[owner], local, bodies.half[owner].T)
    share = _pattern_share(solids, owner, side, up, normal[1], tile)
    colour = np.array([s.colour for s in solids], np.float32)[owner].T
    accent = np.array([s.accent for s in solids], np.float32)[owner].T
    sine, cosine = bodies.sine[owner], bodies.cosine[owner]
    x, y, z = normal
    outward = np.stack((x * cosine + z * sine, y, z * cosine - x * sine))
    return colour + share * (accent - colour), outward


def _unrolled(kind: Ints, local: Floats, half: Floats) -> tuple[Floats, Floats, Floats]:
    """Normals in the body's frame, and coordinates on the surface in metres."""
    x, y, z = local
    ratio = local / half
    face = np.abs(ratio).argmax(axis=0)
    flat = (np.arange(3)[:, None] == face) * np.sign(ratio)
    is_box = kind == BOX
    capped = (kind == CYLINDER) & (ratio[1] > 0.999)
    round_up = np.where(kind == CYLINDER, np.float32(0), ratio[1])
    curved = np.stack((ratio[0], round_up, ratio[2]))
    curved[:, capped] = np.array((0, 1, 0), np.float32)[:, None]
    normal = np.where(is_box, flat, curved).astype(np.float32)
    side = np.where(is_box, np.where(face == 0, z, x), np.arctan2(x, z) * half[0])
    up = np.where(is_box & (face == 1), z, y)
    return normal, side, up


def _pattern_share(
    solids: tuple[Solid, ...], owner: Ints, side: Floats, up: Floats, rise: Floats, tile: Floats
) -> Floats:
    """How much of the accent colour shows, 0..1 ``(m,)``."""
    rows = [(*s.pattern.per_metre, *s.pattern.share) for s in solids]
    flags = np.array([(s.pattern.exclusive, s.pattern.walls_only) for s in solids], np.bool_)
    per_side, per_up, share_side, share_up = np.array(rows, np.float32)[owner].T
    exclusive, walls_only = flags[owner].T
    u, v = side * per_side, up * per_up
    cell_u, cell_v = np.floor(u), np.floor(v)
    in_u, in_v = u - cell_u < share_side, v - cell_v < share_up
    share = np.where(exclusive, in_u ^ in_v, in_u & in_v).astype(np.float32)
    row, column = cell_u.astype(np.int32) & (_TILE - 1), cell_v.astype(np.int32) & (_TILE - 1)
    window = (0.75 + 0.25 * tile[row, column]) * (rise < 0.5)
    result: Floats = share * np.where(walls_only, window, np.float32(1))
    return result


def light(look: Look, normal: Floats, height: Floats) -> Floats:
    """Light ``(m,)`` on bodies: sun by Lambert, sky from above, dimmed next to the ground."""
    x, y, z = look.sun
    sun = np.maximum(normal[0] * x + normal[1] * y + normal[2] * z, 0)
    corner = 1 - 0.4 * np.exp(-4 * np.maximum(height, 0))
    result: Floats = (look.sunlight * sun + look.ambient * (0.8 + 0.2 * normal[1])) * corner
    return result


def haze(look: Look, colours: Floats, depth: Floats) -> Floats:
    """``colours (3, m)`` at ``depth (m,)`` metres, seen through the air."""
    kept = np.exp(-np.float32(look.haze) * depth)
    fog = _column(look.horizon)
    result: Floats = fog + (colours - fog) * kept
    return result


def develop(
    look: Look, colours: Floats, size: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The photograph, uint8 ``(height, width, 3)``: the lens's blur and the sensor's noise."""
    planes = colours.reshape(3, *size)
    for axis in (1, 2):
        planes = _blurred(planes, axis, look.blur)
    grain = rng.standard_normal(planes.shape, np.float32)
    planes = np.clip(planes + np.float32(look.noise) * grain, 0, 1)
    image = (planes * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return np.ascontiguousarray(image.transpose(1, 2, 0))


def _blurred(planes: Floats, axis: int, weight: float) -> Floats:
    """Each pixel shares ``weight`` with both neighbours along an axis; borders repeat."""
    places = np.arange(planes.shape[axis])
    before = planes.take(np.maximum(places - 1, 0), axis)
    after = planes.take(np.minimum(places + 1, places[-1]), axis)
    result: Floats = planes + np.float32(weight) * (before + after - 2 * planes)
    return result


def _column(colour: Colour) -> Floats:
    return np.array(colour, np.float32)[:, None]


def _mix(first: Colour, second: Colour, share: Floats) -> Floats:
    """From the first colour (share 0) to the second (share 1), ``(3, m)``."""
    return _column(first) + share * (_column(second) - _column(first))
