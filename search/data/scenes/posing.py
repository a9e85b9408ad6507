"""Random scenes of one person in some pose, with others and with things before and behind it."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace

import numpy as np

from auxnas.search.data.scenes.compose import Site, any_colour, random_look, vary
from auxnas.search.data.scenes.figures import (
    BADGE,
    EYES,
    HAIR,
    NOSE,
    SHINS,
    SHIRT,
    SHOES,
    SKIN,
    SLEEVES,
    TROUSERS,
    Figure,
    Limb,
    Pose,
    figure,
)
from auxnas.search.data.scenes.layout import (
    CAPSULE,
    PERSON,
    SPHERE,
    Camera,
    Colour,
    Pattern,
    SceneLayout,
    Solid,
    Street,
)

MAIN = 0
"""Number of the thing that the person in the middle is."""
_FILLED = (0.5, 0.78)
"""Share of the image's height that the person's stature would fill, upright."""


@dataclass(frozen=True)
class FigureLayout:
    """A scene with people: the layout, and the bodies, the one in the middle first."""

    layout: SceneLayout
    figures: tuple[Figure, ...]


def compose_figures(rng: random.Random, tall: float) -> FigureLayout:
    """A random scene with one person in the middle.

    Args:
        rng: of everything.
        tall: height of the image in its longer sides, which focal lengths are in.
    """
    distance, filled = rng.uniform(2.5, 6.0), rng.uniform(*_FILLED)
    pose, others = random_pose(rng), [random_pose(rng) for _ in range(rng.choice((0, 0, 1, 2)))]
    height = rng.uniform(0.9, 2.1)
    aim = math.atan2(height - 0.48 * pose.stature, distance)
    camera = Camera(
        height=height,
        pitch=aim + rng.gauss(0, 0.02),
        roll=rng.gauss(0, 0.04),
        focal=tall * filled * distance / pose.stature,
    )
    street = Street(
        heading=rng.uniform(-1.2, 1.2),
        offset=rng.uniform(-5.0, 5.0),
        bend=rng.gauss(0, 0.004),
        half=rng.uniform(2.2, 4.0),
        pavement=rng.uniform(1.2, 2.6),
    )
    x = 0.06 * distance / camera.focal * rng.uniform(-1, 1)
    people = [figure(pose, x, distance), *(_bystander(rng, each, x, distance) for each in others)]
    solids = [solid for n, body in enumerate(people) for solid in _dressed(rng, body, MAIN + n)]
    solids += _surroundings(rng, camera, street, (x, distance), MAIN + len(people))
    return FigureLayout(SceneLayout(camera, street, random_look(rng), tuple(solids)), tuple(people))


def _bystander(rng: random.Random, pose: Pose, x: float, distance: float) -> Figure:
    """A body beside the one in the middle, or behind it, or a little before it."""
    side = rng.choice((-1, 1)) * rng.uniform(0.6, 1.4)
    return figure(pose, x + side, distance + rng.uniform(-0.5, 3.0))


def _surroundings(
    rng: random.Random,
    camera: Camera,
    street: Street,
    place: tuple[float, float],
    first: int,
) -> list[Solid]:
    """Houses and things behind a place, and perhaps one before it that hides its lower part."""
    site = Site(rng, camera, street)
    site.thing, site.nearest = first, place[1] + 1.5
    site.buildings()
    site.things()
    solids = [solid for solid in site.solids if _leaves_free(solid, place)]
    if rng.random() < 0.4:
        site.solids.clear()
        _obstacle(rng, site, *place)
        solids += site.solids
    return solids


def _leaves_free(solid: Solid, place: tuple[float, float]) -> bool:
    """Whether a body stands neither between the camera and a place nor near it."""
    share = (solid.centre[0] * place[0] + solid.centre[2] * place[1]) / math.hypot(*place) ** 2
    share = min(max(share, 0.0), 1.2)
    away = math.hypot(solid.centre[0] - share * place[0], solid.centre[2] - share * place[1])
    return away > math.hypot(solid.half[0], solid.half[2]) + 0.8


def _obstacle(rng: random.Random, site: Site, x: float, z: float) -> None:
    """A thing before the person, low or narrow."""
    near = z - rng.uniform(0.7, 1.2)
    aside = near / z * x + rng.uniform(-0.5, 0.5)
    kind = rng.randrange(3)
    if kind == 0:
        site.barrel(aside, near)
    elif kind == 1:
        site.pole(aside, near)
    else:
        site.crate(aside, near)
    low = site.camera.height * (1 - near / z) + rng.uniform(0.2, 0.9) * near / z
    body = site.solids[-1]
    if kind != 1 and 2 * body.half[1] > low:
        half = (min(body.half[0], 0.5), low / 2, min(body.half[2], 0.5))
        site.solids[-1] = replace(body, centre=(aside, low / 2, near), half=half)


def random_pose(rng: random.Random) -> Pose:
    """Some pose: standing, walking, crouching or jumping about."""
    kind = rng.choices((_standing, _walking, _crouching, _lively), (3, 4, 1.5, 3))[0]
    return Pose(
        stature=rng.uniform(1.5, 1.95),
        heading=rng.uniform(-math.pi, math.pi),
        lean=rng.gauss(0.06, 0.14) + (0.3 if kind is _crouching else 0.0),
        tilt=rng.gauss(0, 0.10),
        twist=rng.gauss(0, 0.2),
        nod=rng.gauss(0.05, 0.15),
        glance=rng.gauss(0, 0.35),
        arms=(_arm(rng), _arm(rng)),
        legs=kind(rng),
    )


def _arm(rng: random.Random) -> Limb:
    """Hanging, bent, stretched out or raised."""
    swing, spread = rng.choice(
        (
            (rng.gauss(0.0, 0.35), abs(rng.gauss(0.15, 0.15))),
            (rng.uniform(0.3, 1.6), rng.uniform(0.0, 0.6)),
            (rng.gauss(0.0, 0.3), rng.uniform(0.5, 1.8)),
            (rng.uniform(1.8, 3.0), rng.uniform(0.0, 0.5)),
        )
    )
    return Limb(swing, spread, rng.uniform(-0.4, 1.2), max(0.05, rng.gauss(0.8, 0.6)))


def _standing(rng: random.Random) -> tuple[Limb, Limb]:
    left, right = (
        Limb(rng.gauss(0, 0.08), abs(rng.gauss(0.08, 0.1)), 0.0, abs(rng.gauss(0.05, 0.08)))
        for _ in range(2)
    )
    return left, right


def _walking(rng: random.Random) -> tuple[Limb, Limb]:
    stride = rng.uniform(0.15, 0.7)
    ahead = Limb(stride, rng.uniform(0.0, 0.15), 0.0, rng.uniform(0.05, 0.6))
    behind = Limb(-0.7 * stride, rng.uniform(0.0, 0.15), 0.0, rng.uniform(0.1, 1.1))
    return (ahead, behind) if rng.random() < 0.5 else (behind, ahead)


def _crouching(rng: random.Random) -> tuple[Limb, Limb]:
    depth = rng.uniform(0.7, 1.6)
    left, right = (
        Limb(depth + rng.gauss(0, 0.1), rng.uniform(0.1, 0.6), 0.0, depth + rng.uniform(0.2, 0.8))
        for _ in range(2)
    )
    return left, right


def _lively(rng: random.Random) -> tuple[Limb, Limb]:
    left, right = (
        Limb(rng.uniform(-0.5, 1.4), rng.uniform(0.0, 0.7), 0.0, rng.uniform(0.05, 1.8))
        for _ in range(2)
    )
    return left, right


_SKINS = ((0.93, 0.76, 0.65), (0.85, 0.64, 0.50), (0.66, 0.46, 0.33), (0.42, 0.28, 0.20))
_HAIRS = ((0.10, 0.08, 0.07), (0.28, 0.17, 0.10), (0.62, 0.47, 0.25), (0.50, 0.49, 0.48))


def _dressed(rng: random.Random, body: Figure, thing: int) -> list[Solid]:
    """Solids of a body, in clothes."""
    colours = _wardrobe(rng)
    return [
        _solid(part.ends, part.radius, vary(rng, colours[part.stuff], 0.02), thing)
        for part in body.parts
    ]


def _wardrobe(rng: random.Random) -> dict[int, Colour]:
    """A colour of each stuff; hair, face, badge and shirt can be told apart."""
    skin, shirt, trousers = rng.choice(_SKINS), any_colour(rng), any_colour(rng)
    return {
        SKIN: skin,
        HAIR: _farthest(rng, _HAIRS, skin),
        EYES: (0.05, 0.05, 0.08),
        NOSE: (min(1.0, 1.15 * skin[0]), 0.62 * skin[1], 0.60 * skin[2]),
        SHIRT: shirt,
        BADGE: _farthest(rng, [any_colour(rng) for _ in range(8)], shirt),
        SLEEVES: shirt if rng.random() < 0.5 else skin,
        TROUSERS: trousers,
        SHINS: trousers if rng.random() < 0.65 else skin,
        SHOES: any_colour(rng),
    }


def _farthest(rng: random.Random, choice: list[Colour] | tuple[Colour, ...], of: Colour) -> Colour:
    """One of the two colours that differ most from another."""
    return rng.choice(sorted(choice, key=lambda each: math.dist(each, of))[-2:])


def _solid(ends: np.ndarray, radius: float, colour: Colour, thing: int) -> Solid:
    """The sphere or capsule between two places."""
    centre, axis = ends.mean(axis=0).tolist(), ((ends[1] - ends[0]) / 2).tolist()
    kind = CAPSULE if any(axis) else SPHERE
    half = (radius, radius, radius)
    return Solid(
        kind, PERSON, thing, tuple(centre), half, 0.0, colour, colour, Pattern(), tuple(axis)
    )
