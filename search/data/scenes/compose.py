"""Random synthetic scenes: what stands where, and how it looks."""

from __future__ import annotations

import colorsys
import math
import random
from collections.abc import Callable

from auxnas.search.data.scenes.layout import (
    BALL,
    BARREL,
    BOX,
    BUILDING,
    CRATE,
    CYLINDER,
    LAMP,
    PERSON,
    POLE,
    SPHERE,
    VEHICLE,
    Camera,
    Colour,
    Look,
    Pattern,
    SceneLayout,
    Solid,
    Street,
    Vector,
)

_HEIGHTS, _FOCALS = (1.6, 4.5), (0.65, 1.1)
STEADY = ((2.6, 3.4), (0.8, 0.9))
"""Narrow ranges of the camera's height and focal length: a picture alone hardly tells either,
and the depth of everything hangs on them."""


def compose(rng: random.Random, steady: bool = False) -> SceneLayout:
    """A random scene; ``steady`` narrows the range of cameras."""
    heights, focals = STEADY if steady else (_HEIGHTS, _FOCALS)
    camera = Camera(
        height=rng.uniform(*heights),
        pitch=rng.uniform(0.03, 0.3),
        roll=rng.gauss(0, 0.025),
        focal=rng.uniform(*focals),
    )
    street = Street(
        heading=rng.uniform(-0.6, 0.6),
        offset=rng.uniform(-5.0, 5.0),
        bend=rng.gauss(0, 0.004),
        half=rng.uniform(2.2, 4.0),
        pavement=rng.uniform(1.2, 2.6),
    )
    site = Site(rng, camera, street)
    site.buildings()
    site.things()
    return SceneLayout(camera, street, random_look(rng), tuple(site.solids))


_NEAREST, _FARTHEST = 4.0, 32.0
_TRIES = 12


class Site:
    """A scene under construction.

    Attributes:
        solids: the bodies so far.
        taken: x, z and radius of the places that are occupied.
        colours: of things.
        thing: number of the next one.
        nearest: metres ahead from which on things are put.
    """

    def __init__(self, rng: random.Random, camera: Camera, street: Street) -> None:
        self.rng, self.camera, self.street = rng, camera, street
        self.solids: list[Solid] = []
        self.taken: list[tuple[float, float, float]] = []
        self.colours = [any_colour(rng) for _ in range(5)]
        self.thing = 0
        self.nearest = _NEAREST

    def add(
        self, kind: int, label: int, centre: Vector, half: Vector, yaw: float, pattern: Pattern
    ) -> None:
        """One more body of the present thing, in two of the scene's colours."""
        colour, accent = self.rng.sample(self.colours, 2)
        colour, accent = vary(self.rng, colour), vary(self.rng, accent)
        self.solids.append(
            Solid(kind, label, self.thing, centre, half, yaw, colour, accent, pattern)
        )

    def buildings(self) -> None:
        """Rows of houses along both sides of the street, with gaps."""
        for side in (-1, 1):
            along = self.rng.uniform(2.0, 14.0)
            for _ in range(self.rng.randrange(4)):
                width, depth = self.rng.uniform(5, 12), self.rng.uniform(4, 8)
                self.building(side, along + width / 2, width, depth)
                along += width + self.rng.choice((0.5, 2.0, 9.0))

    def building(self, side: int, along: float, width: float, depth: float) -> None:
        """One house, unless the camera would stand in it or against its wall."""
        street, rng = self.street, self.rng
        edge = street.half + street.pavement + rng.uniform(0.3, 5.0)
        x, z = street.point(along, side * (edge + depth / 2))
        if math.hypot(x, z) < math.hypot(width, depth) / 2 + 3:
            return
        height, yaw = rng.uniform(3.5, 12), street.heading + math.atan(2 * street.bend * along)
        windows = Pattern(
            (rng.uniform(0.3, 0.6), rng.uniform(0.3, 0.45)),
            (rng.uniform(0.4, 0.7), rng.uniform(0.45, 0.7)),
            walls_only=True,
        )
        half = (depth / 2, height / 2, width / 2)
        self.add(BOX, BUILDING, (x, height / 2, z), half, yaw, windows)
        self.thing += 1
        self.taken.append((x, z, math.hypot(width, depth) / 2))

    def things(self) -> None:
        """Everything smaller, wherever there is room in view."""
        weights = [row[1] for row in _THINGS]
        for build, _, radius, zone in self.rng.choices(_THINGS, weights, k=self.rng.randint(8, 15)):
            place = self.free_place(radius, zone)
            if place is not None:
                build(self, *place)
                self.thing += 1
                self.taken.append((*place, radius))

    def free_place(self, radius: float, zone: str) -> tuple[float, float] | None:
        """The x and z of an unoccupied place in view; None when none is found soon."""
        for _ in range(_TRIES):
            z = self.nearest * (_FARTHEST / self.nearest) ** self.rng.random()
            x = z * self.rng.uniform(-0.5, 0.5) / self.camera.focal
            if self.allowed(zone, x, z, radius) and self.free(x, z, radius):
                return x, z
        return None

    def free(self, x: float, z: float, radius: float) -> bool:
        """Whether nothing stands within ``radius`` of a place."""
        return all(math.hypot(x - a, z - b) > radius + r for a, b, r in self.taken)

    def allowed(self, zone: str, x: float, z: float, radius: float) -> bool:
        """Whether a thing there clearly belongs to the zone."""
        across = abs(self.street.across(x, z))
        if zone == "road":
            return across < self.street.half - 0.5 * radius
        return zone == "any" or across > self.street.half + radius

    def block(self, label: int, x: float, z: float) -> None:
        """The box that is a vehicle here and a crate there: same shapes, turns, patterns."""
        rng = self.rng
        half = (rng.uniform(0.55, 0.95), rng.uniform(0.4, 0.85), rng.uniform(0.6, 1.5))
        yaw = self.street.heading + rng.gauss(0, 0.25)
        self.add(BOX, label, (x, half[1], z), half, yaw, _pattern(rng))

    def vehicle(self, x: float, z: float) -> None:
        """A box on the road."""
        self.block(VEHICLE, x, z)

    def crate(self, x: float, z: float) -> None:
        """A box off the road."""
        self.block(CRATE, x, z)

    def barrel(self, x: float, z: float) -> None:
        """A cylinder with nothing on it."""
        self.upright(BARREL, x, z, self.rng.uniform(0.25, 0.65), self.rng.uniform(0.8, 1.6))

    def ball(self, x: float, z: float) -> None:
        """A sphere on the ground."""
        radius = self.rng.uniform(0.3, 0.8)
        self.globe(BALL, x, radius, z, radius)

    def pole(self, x: float, z: float) -> None:
        """A thin cylinder."""
        self.upright(POLE, x, z, self.rng.uniform(0.07, 0.16), self.rng.uniform(2.5, 5.0))

    def lamp(self, x: float, z: float) -> None:
        """A sphere on a thin cylinder, which stays a pole."""
        self.pole(x, z)
        height, radius = 2 * self.solids[-1].half[1], self.rng.uniform(0.35, 0.65)
        self.globe(LAMP, x, height + 0.8 * radius, z, radius)

    def person(self, x: float, z: float) -> None:
        """A cylinder with a sphere on it, both of one class."""
        height, radius = self.rng.uniform(1.1, 1.6), self.rng.uniform(0.2, 0.3)
        self.upright(PERSON, x, z, self.rng.uniform(0.25, 0.42), height)
        self.globe(PERSON, x, height + 0.8 * radius, z, radius)

    def upright(self, label: int, x: float, z: float, radius: float, height: float) -> None:
        """A cylinder that stands on the ground."""
        half = (radius, height / 2, radius)
        self.add(CYLINDER, label, (x, height / 2, z), half, 0.0, _pattern(self.rng))

    def globe(self, label: int, x: float, y: float, z: float, radius: float) -> None:
        """A sphere."""
        self.add(SPHERE, label, (x, y, z), (radius,) * 3, 0.0, _pattern(self.rng))


# how to build a thing, how often, the radius kept free around it (m), where it may stand
_THINGS: tuple[tuple[Callable[[Site, float, float], None], float, float, str], ...] = (
    (Site.vehicle, 5.0, 1.5, "road"),
    (Site.crate, 3.5, 1.4, "off"),
    (Site.barrel, 2.5, 0.8, "any"),
    (Site.ball, 2.8, 0.8, "any"),
    (Site.pole, 2.0, 0.4, "off"),
    (Site.lamp, 4.0, 0.6, "off"),
    (Site.person, 5.0, 0.5, "any"),
)


def _pattern(rng: random.Random) -> Pattern:
    """Plain, stripes, bands or checker."""
    per_metre = (rng.uniform(1.0, 3.0),) * 2
    kind = rng.randrange(6)
    if kind == 0:
        return Pattern(per_metre, (0.5, 1.0))
    if kind == 1:
        return Pattern(per_metre, (1.0, 0.5))
    if kind == 2:
        return Pattern(per_metre, (0.5, 0.5), exclusive=True)
    return Pattern()


def any_colour(rng: random.Random) -> Colour:
    """Any colour, none of them glaring."""
    return colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.05, 0.75), rng.uniform(0.25, 0.95))


def vary(rng: random.Random, colour: Colour, spread: float = 0.06) -> Colour:
    """Nearly the same colour."""
    red, green, blue = (min(max(c + rng.uniform(-spread, spread), 0.02), 1.0) for c in colour)
    return red, green, blue


def _grey(rng: random.Random, low: float, high: float) -> Colour:
    return vary(rng, (rng.uniform(low, high),) * 3, 0.05)


_SKIES = (
    ((0.25, 0.45, 0.80), (0.75, 0.85, 0.95)),
    ((0.15, 0.35, 0.75), (0.90, 0.85, 0.75)),
    ((0.55, 0.60, 0.66), (0.78, 0.80, 0.82)),
    ((0.35, 0.35, 0.60), (0.98, 0.70, 0.50)),
    ((0.45, 0.65, 0.75), (0.90, 0.92, 0.90)),
)
_GROUNDS = (
    (0.30, 0.45, 0.18),
    (0.45, 0.50, 0.25),
    (0.72, 0.62, 0.42),
    (0.45, 0.34, 0.24),
    (0.85, 0.87, 0.90),
    (0.50, 0.50, 0.48),
)


def random_look(rng: random.Random) -> Look:
    """Light, weather and materials."""
    zenith, horizon = rng.choice(_SKIES)
    natural = rng.random() < 0.7
    ground = vary(rng, rng.choice(_GROUNDS), 0.08) if natural else any_colour(rng)
    elevation, azimuth = rng.uniform(0.5, 1.2), rng.uniform(0, 2 * math.pi)
    level = math.cos(elevation)
    return Look(
        sun=(level * math.sin(azimuth), math.sin(elevation), level * math.cos(azimuth)),
        sunlight=rng.uniform(0.45, 0.85),
        ambient=rng.uniform(0.35, 0.55),
        zenith=vary(rng, zenith),
        horizon=vary(rng, horizon),
        clouds=rng.choice((0.0, 0.3, 0.7)),
        haze=math.exp(rng.uniform(math.log(0.002), math.log(0.025))),
        ground=ground,
        ground_accent=vary(rng, ground, 0.2),
        road=_grey(rng, 0.18, 0.5) if rng.random() < 0.8 else any_colour(rng),
        pavement=_grey(rng, 0.4, 0.75) if rng.random() < 0.8 else any_colour(rng),
        plaza=0.0 if natural else rng.uniform(0.8, 2.5),
        paint=rng.choice(((0.95, 0.95, 0.92), (0.95, 0.8, 0.3))),
        lines=(rng.random() < 0.7, rng.random() < 0.5),
        blur=rng.uniform(0.04, 0.16),
        noise=math.exp(rng.uniform(math.log(0.004), math.log(0.024))),
    )
