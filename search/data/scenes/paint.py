"""Colours of a synthetic scene: sky, ground, surfaces, light, haze, and the camera's faults."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auxnas.search.data.scenes.layout import (
    BOX,
    CAPSULE,
    CYLINDER,
    GROUND,
    PAVEMENT,
    ROAD,
    Colour,
    Look,
    Solid,
    Street,
)
from auxnas.search.data.scenes.rays import Bodies, Floats, Ints

_TILE = 64


def noise_tile(rng: np.random.Generator) -> Floats:
    """Random values in -1..1 for ``noise``, ``(64, 64)``."""
    return rng.random((_TILE, _TILE), np.float32) * 2 - 1


def noise(tile: Floats, x: Floats, y: Floats) -> Floats:
    """Smooth noise in -1..1 with one lattice point a unit: the tile, interpolated."""
    left, low = np.floor(x), np.floor(y)
    fx, fy = x - left, y - low
    column, row = left.astype(np.intp) & (_TILE - 1), low.astype(np.intp) & (_TILE - 1)
    right = (column + 1) & (_TILE - 1)
    row, below = row * _TILE, ((row + 1) & (_TILE - 1)) * _TILE
    upper = _blend(tile.take(row + column), tile.take(row + right), fx)
    return _blend(upper, _blend(tile.take(below + column), tile.take(below + right), fx), fy)


def _blend(first: Floats, second: Floats, share: Floats) -> Floats:
    result: Floats = first + share * (second - first)
    return result


def _part(x: Floats) -> Floats:
    """The part of a number above the whole one below it."""
    result: Floats = x - np.floor(x)
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
    label = np.full(x.shape, GROUND, np.intp)
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
    fade: Floats = np.float32(1) / (1 + 4 * blur * blur)
    base = np.array((look.ground, look.road, look.pavement), np.float32).T
    colours = base.take(label - GROUND, 1)
    wild = label == GROUND
    colours = np.where(wild, _wild(look, x, z, coarse, fade), colours)
    slab = (label == PAVEMENT) & ((_part(along * 0.8) < 0.07) | (_part(across * 1.2) < 0.09))
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
    """Paint on the road: dashes in the middle, lines at the edges."""
    middle, edges = look.lines
    side = np.abs(across)
    dashes = (
        (side < 0.09) & (_part(along * 0.2) < 0.5) if middle else np.zeros(side.shape, np.bool_)
    )
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
    local = bodies.from_centre(points, owner)
    _straighten(local, bodies, owner)
    normal, side, up = _unrolled(bodies.kind.take(owner), local, bodies.half.T.take(owner, 1))
    share = _pattern_share(solids, owner, side, up, normal[1], tile)
    colours = np.array([(s.colour, s.accent) for s in solids], np.float32)
    colour, accent = colours.transpose(1, 2, 0).take(owner, 2)
    return colour + share * (accent - colour), bodies.outward(normal, owner)


def _straighten(local: Floats, bodies: Bodies, owner: Ints) -> None:
    """Moves points on capsules onto the sphere in their middle, along the capsule."""
    where = np.flatnonzero(bodies.kind.take(owner) == CAPSULE)
    axis, points = bodies.axis.T.take(owner[where], 1), local[:, where]
    share = (points * axis).sum(0) / np.maximum((axis * axis).sum(0), np.float32(1e-12))
    local[:, where] = points - np.clip(share, -1, 1) * axis


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
    """Share of the accent colour, 0..1 ``(m,)``."""
    rows = [(*s.pattern.per_metre, *s.pattern.share) for s in solids]
    flags = np.array([(s.pattern.exclusive, s.pattern.walls_only) for s in solids], np.bool_)
    per_side, per_up, share_side, share_up = np.array(rows, np.float32).T.take(owner, 1)
    exclusive, walls_only = flags.T.take(owner, 1)
    u, v = side * per_side, up * per_up
    cell_u, cell_v = np.floor(u), np.floor(v)
    in_u, in_v = u - cell_u < share_side, v - cell_v < share_up
    share = np.where(exclusive, in_u ^ in_v, in_u & in_v).astype(np.float32)
    row, column = cell_u.astype(np.intp) & (_TILE - 1), cell_v.astype(np.intp) & (_TILE - 1)
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


def ground_light(look: Look, dark: NDArray[np.bool_]) -> Floats:
    """Light ``(m,)`` on level ground; ``dark`` says where the sun is hidden."""
    lit = 1 - np.float32(0.9) * dark.astype(np.float32)
    result: Floats = look.ambient + np.float32(look.sunlight * look.sun[1]) * lit
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
    planes = _blurred(_blurred(colours.reshape(3, *size), look.blur).swapaxes(1, 2), look.blur)
    planes = planes.swapaxes(1, 2) * np.float32(255)
    planes += np.float32(255 * look.noise) * _grain(planes.shape, rng)
    image = np.clip(planes + np.float32(0.5), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(image.transpose(1, 2, 0))


def _blurred(planes: Floats, weight: float) -> Floats:
    """Each row shares ``weight`` with the two beside it; the border repeats."""
    shared = planes * np.float32(weight)
    result = planes - 2 * shared
    result[:, 1:] += shared[:, :-1]
    result[:, :-1] += shared[:, 1:]
    result[:, 0] += shared[:, 0]
    result[:, -1] += shared[:, -1]
    return result


def _grain(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Noise of mean 0 and deviation 1: a uniform byte, which is cheap to draw."""
    values = rng.integers(0, 256, shape, np.uint8).astype(np.float32)
    result: Floats = (values - np.float32(127.5)) / np.float32(73.9)
    return result


def _column(colour: Colour) -> Floats:
    return np.array(colour, np.float32)[:, None]


def _mix(first: Colour, second: Colour, share: Floats) -> Floats:
    """From the first colour (share 0) to the second (share 1), ``(3, m)``."""
    return _column(first) + share * (_column(second) - _column(first))
