"""Rendered people, and the places of their joints in the image."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auxnas.search.data.base import check_size
from auxnas.search.data.errors import DataError
from auxnas.search.data.scenes.draw import RenderedScene, draw_scene
from auxnas.search.data.scenes.figures import HAIR, BodyPart, Figure
from auxnas.search.data.scenes.posing import MAIN, compose_figures
from auxnas.search.data.scenes.rays import NEAR, CameraView, Floats

Points = NDArray[np.float64]

_SLACK = 0.05
"""Metres that a joint may lie under what its pixel shows, beyond the radius of the body there."""


@dataclass(frozen=True)
class RenderedPerson:
    """Truth about a person in an image; x to the right, y down, pixel centres at whole numbers.

    Attributes:
        joints: x, y and flag of each joint by name: 0 outside the image, 1 hidden, 2 seen.
        box: x, y, width and height around its surface, hidden or not, within the image.
        area: pixels that show it.
        head: x, y, width and height around its head.
    """

    joints: dict[str, tuple[float, float, int]]
    box: tuple[float, float, float, float]
    area: int
    head: tuple[float, float, float, float]


@dataclass(frozen=True)
class PeopleScene:
    """A rendered scene, and the people in it, the one in the middle first."""

    scene: RenderedScene
    people: tuple[RenderedPerson, ...]


def render_people(seed: int, index: int, size: tuple[int, int] = (128, 128)) -> PeopleScene:
    """Scene ``index`` of the people of series ``seed`` at (height, width).

    Raises:
        DataError: when a number is negative or the size is not positive.
    """
    check_size(size)
    if seed < 0 or index < 0:
        raise DataError("synthetic people", f"seed {seed}, index {index}", "both at least 0")
    composed = compose_figures(random.Random(f"pose {seed} {index}"), size[0] / max(size))
    scene = draw_scene(composed.layout, size, np.random.default_rng((seed, index, 1)))
    view = CameraView.of(composed.layout.camera, size)
    people = (
        _person(view, scene, body, thing) for thing, body in enumerate(composed.figures, MAIN)
    )
    return PeopleScene(scene, tuple(people))


def _person(view: CameraView, scene: RenderedScene, body: Figure, thing: int) -> RenderedPerson:
    skull = [part for part in body.parts if part.stuff == HAIR]
    return RenderedPerson(
        _joints(view, scene.depth, body),
        outline_box(view, body.parts),
        int((scene.things == thing).sum()),
        outline_box(view, skull),
    )


def _joints(view: CameraView, depth: Floats, body: Figure) -> dict[str, tuple[float, float, int]]:
    """Places and flags of joints, which are hidden where something nearer is seen."""
    places = np.array(list(body.joints.values()), np.float32)
    rows, columns, away = view.project(places)
    found = {}
    for name, y, x, metres in zip(body.joints, rows, columns, away, strict=True):
        row, column = round(float(y)), round(float(x))
        inside = metres > NEAR and 0 <= row < view.size[0] and 0 <= column < view.size[1]
        if not inside:
            found[name] = (0.0, 0.0, 0)
        else:
            seen = metres - body.radii[name] - _SLACK <= depth[row, column]
            found[name] = (float(x), float(y), 2 if seen else 1)
    return found


def outline_box(view: CameraView, parts: Sequence[BodyPart]) -> tuple[float, float, float, float]:
    """x, y, width and height around the outlines of parts, as far as they are in the image."""
    centres = np.concatenate([part.ends for part in parts])
    radii = np.repeat([part.radius for part in parts], 2)
    right, up, ahead = ((centres - view.origin) @ view.axes.T).T
    height, width = view.size
    x, y = (
        np.clip(middle + view.focal * slope, -0.5, length - 0.5)
        for middle, slope, length in (
            ((width - 1) / 2, _slopes(right, ahead, radii), width),
            ((height - 1) / 2, -_slopes(up, ahead, radii), height),
        )
    )
    left, top = float(x.min()), float(y.min())
    return left, top, float(x.max()) - left, float(y.max()) - top


def _slopes(aside: Points, ahead: Points, radii: Points) -> Points:
    """Slopes of the planes through the camera that touch spheres on both sides, (2, n)."""
    ahead = np.maximum(ahead, radii + NEAR)
    reach = radii * np.sqrt(aside**2 + ahead**2 - radii**2)
    return np.stack((aside * ahead - reach, aside * ahead + reach)) / (ahead**2 - radii**2)
