"""Bodies of articulated people: from the angles of their joints to solids and places of joints.

Vectors are (right, up, ahead) of the world, metres. A frame is three unit vectors, the right, up
and forward of a part of the body, as rows. Left and right are the person's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]

LEFT, RIGHT = -1, 1
SKIN, HAIR, EYES, NOSE, SHIRT, BADGE, SLEEVES, TROUSERS, SHINS, SHOES = range(10)
"""What a part of the surface is of, which has a colour of its own."""


@dataclass(frozen=True, slots=True)
class Limb:
    """Angles of an arm or a leg, radians; all 0 hangs straight down.

    Attributes:
        swing: forward.
        spread: away from the body.
        turn: inwards, about its own length.
        bend: of the elbow (forward) or the knee (backward).
    """

    swing: float
    spread: float
    turn: float
    bend: float


@dataclass(frozen=True, slots=True)
class Pose:
    """Angles of a body, radians.

    Attributes:
        stature: height of the person upright, metres.
        heading: direction that it faces, from straight ahead to the right.
        lean: of the trunk, forward.
        tilt: of the trunk, to its right.
        twist: of the shoulders over the hips, to the right.
        nod: of the head, forward.
        glance: of the head, to the right.
        arms, legs: the left one and the right one.
    """

    stature: float
    heading: float
    lean: float
    tilt: float
    twist: float
    nod: float
    glance: float
    arms: tuple[Limb, Limb]
    legs: tuple[Limb, Limb]


@dataclass(frozen=True)
class BodyPart:
    """A sphere, or a capsule, of the body's surface.

    Attributes:
        ends: centres of the spheres at both ends, (2, 3); the same one twice for a sphere.
        radius: metres.
        stuff: what it is of, ``SKIN`` or another.
    """

    ends: Vectors
    radius: float
    stuff: int


@dataclass(frozen=True)
class Figure:
    """The body of one person.

    Attributes:
        parts: of its surface.
        joints: place (3,) of each joint by name, those of COCO-17 and of MPII-16.
        radii: of each joint, metres from its place to the surface about it.
    """

    parts: tuple[BodyPart, ...]
    joints: dict[str, Vectors]
    radii: dict[str, float]

    def moved(self, by: Vectors) -> Figure:
        """The same body elsewhere."""
        parts = tuple(BodyPart(part.ends + by, part.radius, part.stuff) for part in self.parts)
        return Figure(parts, {name: at + by for name, at in self.joints.items()}, self.radii)


def figure(pose: Pose, x: float, z: float) -> Figure:
    """The body in a pose, over a place of the ground that its lowest part touches."""
    parts, joints = _body(pose)
    radii = {name: share * pose.stature for name, share in _RADII.items()}
    lowest = min(float(part.ends[:, 1].min()) - part.radius for part in parts)
    return Figure(tuple(parts), joints, radii).moved(np.array((x, -lowest, z)))


_RADII = {
    "nose": 0.012,
    **{f"{side}_{name}": 0.014 for side in ("left", "right") for name in ("eye", "ear")},
    **{f"{side}_shoulder": 0.042 for side in ("left", "right")},
    **{f"{side}_elbow": 0.027 for side in ("left", "right")},
    **{f"{side}_wrist": 0.021 for side in ("left", "right")},
    **{f"{side}_hip": 0.056 for side in ("left", "right")},
    **{f"{side}_knee": 0.040 for side in ("left", "right")},
    **{f"{side}_ankle": 0.030 for side in ("left", "right")},
    "pelvis": 0.060,
    "thorax": 0.060,
    "upper_neck": 0.040,
    "head_top": 0.010,
}
"""Metres from a joint to the skin, of a person 1 m tall; so are all lengths below."""
_SKULL, _FACE = 0.059, 0.056


def _body(pose: Pose) -> tuple[list[BodyPart], dict[str, Vectors]]:
    """Parts and joints, the pelvis at the origin."""
    size = pose.stature
    pelvis = _turned(np.eye(3), pose.heading)
    trunk = _rolled(_pitched(pelvis, pose.lean), pose.tilt)
    chest = _turned(trunk, pose.twist)
    head = _turned(_pitched(chest, pose.nod), pose.glance)
    neck = 0.338 * size * trunk[1]
    joints = {"pelvis": np.zeros(3), "thorax": 0.288 * size * trunk[1], "upper_neck": neck}
    parts: list[BodyPart] = []
    for side, arm, leg in zip((LEFT, RIGHT), pose.arms, pose.legs, strict=True):
        parts += _leg(side, leg, pelvis, size, joints)
        parts += _arm(side, arm, chest, size, joints)
    parts += _trunk(chest, size, joints)
    parts += _head(head, neck + 0.060 * size * head[1], size, joints)
    return parts, joints


def _side(side: int) -> str:
    return "left" if side == LEFT else "right"


def _leg(
    side: int, limb: Limb, pelvis: Vectors, size: float, joints: dict[str, Vectors]
) -> Iterator[BodyPart]:
    thigh = _swung(side, limb, pelvis)
    shin = _pitched(thigh, limb.bend)
    hip = side * 0.055 * size * pelvis[0]
    knee = hip - 0.245 * size * thigh[1]
    ankle = knee - 0.246 * size * shin[1]
    toes = ankle + size * (0.095 * shin[2] - 0.020 * shin[1])
    names = (f"{_side(side)}_{name}" for name in ("hip", "knee", "ankle"))
    joints.update(zip(names, (hip, knee, ankle), strict=True))
    yield _capsule(hip, knee, 0.046 * size, TROUSERS)
    yield _capsule(knee, ankle, 0.033 * size, SHINS)
    yield _capsule(ankle - 0.012 * size * shin[1], toes, 0.024 * size, SHOES)


def _arm(
    side: int, limb: Limb, chest: Vectors, size: float, joints: dict[str, Vectors]
) -> Iterator[BodyPart]:
    upper = _swung(side, limb, chest)
    lower = _pitched(upper, -limb.bend)
    shoulder = joints["thorax"] + side * 0.115 * size * chest[0]
    elbow = shoulder - 0.172 * size * upper[1]
    wrist = elbow - 0.150 * size * lower[1]
    names = (f"{_side(side)}_{name}" for name in ("shoulder", "elbow", "wrist"))
    joints.update(zip(names, (shoulder, elbow, wrist), strict=True))
    yield _capsule(shoulder, elbow, 0.029 * size, SHIRT)
    yield _capsule(elbow, wrist, 0.023 * size, SLEEVES)
    yield _sphere(wrist - 0.032 * size * lower[1], 0.028 * size, SKIN)


def _trunk(chest: Vectors, size: float, joints: dict[str, Vectors]) -> Iterator[BodyPart]:
    right, up, forward = size * chest
    hips, shoulders = joints["pelvis"], joints["thorax"]
    yield _capsule(joints["left_hip"], joints["right_hip"], 0.056 * size, TROUSERS)
    yield _capsule(joints["left_shoulder"], joints["right_shoulder"], 0.042 * size, SHIRT)
    for side in (LEFT, RIGHT):
        top, bottom = shoulders + side * 0.055 * right - 0.03 * up, hips + side * 0.035 * right
        yield _capsule(top, bottom + 0.05 * up, 0.062 * size, SHIRT)
    middle = shoulders + 0.035 * forward - 0.07 * up
    yield _capsule(middle, middle - 0.07 * up, 0.045 * size, BADGE)
    yield _capsule(shoulders, joints["upper_neck"], 0.032 * size, SKIN)


def _head(
    head: Vectors, centre: Vectors, size: float, joints: dict[str, Vectors]
) -> Iterator[BodyPart]:
    right, up, forward = size * head
    joints["head_top"] = centre + (_SKULL + 0.005) * up
    joints["nose"] = centre + 0.068 * forward - 0.004 * up
    yield _sphere(centre + 0.005 * up - 0.010 * forward, _SKULL * size, HAIR)
    yield _sphere(centre - 0.008 * up + 0.012 * forward, _FACE * size, SKIN)
    yield _sphere(joints["nose"], 0.014 * size, NOSE)
    for side in (LEFT, RIGHT):
        eye = centre + 0.052 * forward + side * 0.026 * right + 0.014 * up
        ear = centre + side * 0.062 * right
        joints[f"{_side(side)}_eye"], joints[f"{_side(side)}_ear"] = eye, ear
        yield _sphere(eye, 0.015 * size, EYES)
        yield _sphere(ear, 0.016 * size, SKIN)


def _sphere(centre: Vectors, radius: float, stuff: int) -> BodyPart:
    return BodyPart(np.stack((centre, centre)), radius, stuff)


def _capsule(start: Vectors, end: Vectors, radius: float, stuff: int) -> BodyPart:
    return BodyPart(np.stack((start, end)), radius, stuff)


def _swung(side: int, limb: Limb, frame: Vectors) -> Vectors:
    """The frame of a limb's upper part."""
    out = _rolled(frame, -side * limb.spread)
    return _turned(_pitched(out, -limb.swing), -side * limb.turn)


def _pitched(frame: Vectors, angle: float) -> Vectors:
    """A frame that leans forward."""
    right, up, forward = frame
    return np.stack((right, *_rotated(up, forward, angle)))


def _rolled(frame: Vectors, angle: float) -> Vectors:
    """A frame that leans to its right."""
    right, up, forward = frame
    up, right = _rotated(up, right, angle)
    return np.stack((right, up, forward))


def _turned(frame: Vectors, angle: float) -> Vectors:
    """A frame that turns to its right."""
    right, up, forward = frame
    forward, right = _rotated(forward, right, angle)
    return np.stack((right, up, forward))


def _rotated(first: Vectors, second: Vectors, angle: float) -> tuple[Vectors, Vectors]:
    """Two vectors at right angles, turned from the first towards the second."""
    sine, cosine = math.sin(angle), math.cos(angle)
    return cosine * first + sine * second, cosine * second - sine * first
