"""Contents of a synthetic scene, before it is drawn.

The world: x to the right, y up, z ahead, metres. The camera stands over the origin of the
ground plane y = 0. A street (road, a pavement on both sides) runs through the scene;
``across`` is the distance from its middle and ``along`` the way travelled on it.

Shapes and classes are apart on purpose. The same box is a vehicle on the road and a crate
off it; the same sphere is a ball on the ground, a lamp on a pole and a head on a body; the
same cylinder is a barrel by itself and a person under a head. Colours and patterns are
drawn anew in every scene and tell no class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

CLASSES = (
    "sky",
    "ground",
    "road",
    "pavement",
    "building",
    "vehicle",
    "crate",
    "barrel",
    "ball",
    "pole",
    "lamp",
    "person",
)
SKY, GROUND, ROAD, PAVEMENT, BUILDING, VEHICLE, CRATE, BARREL, BALL, POLE, LAMP, PERSON = range(12)

BOX, SPHERE, CYLINDER, CAPSULE = range(4)

Colour = tuple[float, float, float]
Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A mask over a surface: where it is set, the accent colour shows.

    Attributes:
        per_metre: repetitions a metre, sideways and upwards.
        share: the set share of each repetition, sideways and upwards.
        exclusive: combine the two directions by exclusive or (checker), else by and.
        walls_only: leave the top of a box plain, and let each repetition differ (windows).
    """

    per_metre: tuple[float, float] = (1.0, 1.0)
    share: tuple[float, float] = (0.0, 0.0)
    exclusive: bool = False
    walls_only: bool = False


@dataclass(frozen=True, slots=True)
class Solid:
    """One convex body.

    Attributes:
        kind: BOX, SPHERE, CYLINDER (upright) or CAPSULE (a sphere drawn along a line).
        label: its class.
        thing: which object of the scene it is a part of.
        centre: its middle.
        half: half its extent along its own x, y, z; a radius where it is round.
        yaw: how far it is turned about the vertical, radians.
        colour, accent: the two colours of its surface, 0..1.
        pattern: where the accent shows.
        axis: of a capsule, from its middle to the centre of the sphere at one end.
    """

    kind: int
    label: int
    thing: int
    centre: Vector
    half: Vector
    yaw: float
    colour: Colour
    accent: Colour
    pattern: Pattern
    axis: Vector = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Camera:
    """Height in metres, pitch (down) and roll in radians, focal length in long image sides."""

    height: float
    pitch: float
    roll: float
    focal: float


@dataclass(frozen=True, slots=True)
class Street:
    """A gently bent strip.

    Attributes:
        heading: its direction, radians from straight ahead to the right.
        offset: where its middle passes the camera, metres to the right.
        bend: metres to the right a squared metre along.
        half: half the width of the road.
        pavement: width of the pavement on each side.
    """

    heading: float
    offset: float
    bend: float
    half: float
    pavement: float

    def point(self, along: float, across: float) -> tuple[float, float]:
        """The x and z of a place on the street."""
        sine, cosine = math.sin(self.heading), math.cos(self.heading)
        side = across + self.offset + self.bend * along * along
        return along * sine + side * cosine, along * cosine - side * sine

    def across(self, x: float, z: float) -> float:
        """Distance of a place to the right of the road's middle."""
        sine, cosine = math.sin(self.heading), math.cos(self.heading)
        along = x * sine + z * cosine
        return x * cosine - z * sine - self.offset - self.bend * along * along


@dataclass(frozen=True, slots=True)
class Look:
    """Light, weather, materials and camera faults of a scene; colours in 0..1.

    Attributes:
        sun: unit vector towards the light.
        sunlight, ambient: their strengths.
        zenith, horizon: colours of the sky; the horizon's is the fog's too.
        clouds: their strength.
        haze: share of the light lost a metre.
        ground, ground_accent, road, pavement: colours.
        plaza: edge of the ground's tiles in metres; 0 for none.
        paint: colour of the lines on the road.
        lines: whether the road has (dashes in the middle, lines at the edges).
        blur: weight of each neighbour in the lens's blur.
        noise: standard deviation of the sensor's noise.
    """

    sun: Vector
    sunlight: float
    ambient: float
    zenith: Colour
    horizon: Colour
    clouds: float
    haze: float
    ground: Colour
    ground_accent: Colour
    road: Colour
    pavement: Colour
    plaza: float
    paint: Colour
    lines: tuple[bool, bool]
    blur: float
    noise: float


@dataclass(frozen=True, slots=True)
class SceneLayout:
    """A whole scene before it is drawn."""

    camera: Camera
    street: Street
    look: Look
    solids: tuple[Solid, ...]
