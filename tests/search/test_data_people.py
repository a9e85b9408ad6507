"""Rendered people: bodies in proportion, joints where the picture has them, sides that mirror."""

import hashlib
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auxnas.compiler.tasks.pose import COCO17, MPII16
from auxnas.search.data import DataError, render_scene
from auxnas.search.data.scenes import layout as lay
from auxnas.search.data.scenes import rays
from auxnas.search.data.scenes.compose import compose
from auxnas.search.data.scenes.figures import Pose, figure
from auxnas.search.data.scenes.people import outline_box, render_people
from auxnas.search.data.scenes.persons import RenderedPersons
from auxnas.search.data.scenes.posing import compose_figures, random_pose

SIZE = (72, 64)
seeds = st.integers(0, 10_000)


def mirrored(pose: Pose) -> Pose:
    return replace(
        pose,
        heading=-pose.heading,
        tilt=-pose.tilt,
        twist=-pose.twist,
        glance=-pose.glance,
        arms=pose.arms[::-1],
        legs=pose.legs[::-1],
    )


def other_side(name: str) -> str:
    swap = {"left": "right", "right": "left"}
    return "_".join(swap.get(word, word) for word in name.split("_"))


@settings(deadline=None, max_examples=30)
@given(seeds)
def test_a_mirrored_pose_has_its_sides_exchanged(seed: int) -> None:
    pose = random_pose(random.Random(seed))
    one, other = figure(pose, 0.4, 3.0), figure(mirrored(pose), -0.4, 3.0)
    for name, place in one.joints.items():
        assert other.joints[other_side(name)] == pytest.approx(place * (-1, 1, 1))


@settings(deadline=None, max_examples=30)
@given(seeds)
def test_bodies_stand_on_the_ground_and_keep_their_lengths(seed: int) -> None:
    pose = random_pose(random.Random(seed))
    body = figure(pose, 1.0, 4.0)
    lowest = min(part.ends[:, 1].min() - part.radius for part in body.parts)
    assert lowest == pytest.approx(0)
    for side in ("left", "right"):
        at = {name: body.joints[f"{side}_{name}"] for name in ("hip", "knee", "ankle")}
        assert np.linalg.norm(at["hip"] - at["knee"]) == pytest.approx(0.245 * pose.stature)
        assert np.linalg.norm(at["knee"] - at["ankle"]) == pytest.approx(0.246 * pose.stature)
    assert {*COCO17.joints, *MPII16.joints} == set(body.joints) == set(body.radii)
    forward = body.joints["nose"] - (body.joints["left_ear"] + body.joints["right_ear"]) / 2
    rightward = body.joints["right_ear"] - body.joints["left_ear"]
    upward = body.joints["head_top"] - body.joints["upper_neck"]
    # in a world of right, up and ahead, whoever looks ahead has its right on the right
    assert np.linalg.det([rightward, upward, forward]) > 0


def test_a_person_upright_is_as_tall_as_said() -> None:
    still = replace(random_pose(random.Random(0)), lean=0, tilt=0, nod=0)
    straight = replace(
        still, legs=tuple(replace(leg, swing=0, spread=0, bend=0) for leg in still.legs)
    )
    assert figure(straight, 0, 3).joints["head_top"][1] == pytest.approx(straight.stature, rel=0.02)


@pytest.mark.parametrize("index", range(8))
def test_joints_are_where_the_picture_shows_the_person(index: int) -> None:
    found = render_people(5, index, SIZE)
    layout = compose_figures(random.Random(f"pose 5 {index}"), 1.0)
    view = rays.CameraView.of(layout.layout.camera, SIZE)
    for thing, (body, person) in enumerate(zip(layout.figures, found.people, strict=True)):
        shown = 0
        for name, (x, y, flag) in person.joints.items():
            away = view.project(np.float32(body.joints[name]))[2]
            if not flag:
                assert (x, y) == (0, 0)
                continue
            place = round(y), round(x)
            if flag == 1:
                assert found.scene.depth[place] < away - body.radii[name]
            else:
                shown += found.scene.things[place] == thing
                assert found.scene.depth[place] >= away - body.radii[name] - 0.051
        seen = sum(flag == 2 for _, _, flag in person.joints.values())
        assert shown >= 0.8 * seen
        assert person.area == (found.scene.things == thing).sum()
    assert sum(flag > 0 for _, _, flag in found.people[0].joints.values()) >= 12


def test_who_turns_away_hides_the_face() -> None:
    pose = replace(random_pose(random.Random(1)), lean=0, tilt=0, twist=0, nod=0, glance=0)
    camera = lay.Camera(height=1.5, pitch=0.0, roll=0.0, focal=1.5)
    view = rays.CameraView.of(camera, (96, 96))
    for heading, facing in ((0.0, False), (np.pi, True)):
        body = figure(replace(pose, heading=heading), 0.0, 4.0)
        ahead = {name: view.project(np.float32(at))[2] for name, at in body.joints.items()}
        assert (ahead["nose"] < ahead["upper_neck"]) == facing
        columns = {name: view.project(np.float32(at))[1] for name, at in body.joints.items()}
        assert (columns["left_shoulder"] > columns["right_shoulder"]) == facing


@pytest.mark.parametrize("index", range(6))
def test_boxes_are_the_outline_of_the_surface(index: int) -> None:
    composed = compose_figures(random.Random(index), 1.0)
    solids = tuple(solid for solid in composed.layout.solids if solid.thing == 0)
    view = rays.CameraView.of(composed.layout.camera, (160, 160))
    _, seen = rays.trace(view, rays.Bodies.of(solids))
    rows, columns = np.nonzero(seen.reshape(160, 160) != rays.NOTHING)
    x, y, width, height = outline_box(view, composed.figures[0].parts)
    pixels = columns.min(), rows.min(), columns.max(), rows.max()
    assert (x, y, x + width, y + height) == pytest.approx(pixels, abs=1.01)


@settings(deadline=None, max_examples=8)
@given(seeds)
def test_rays_end_on_capsules(seed: int) -> None:
    rng = np.random.default_rng(seed)
    centre, axis = rng.uniform((-0.5, 0.5, 2.5), (0.5, 1.5, 3.5)), rng.uniform(-0.6, 0.6, 3)
    radius, grey = float(rng.uniform(0.05, 0.3)), (0.5, 0.5, 0.5)
    solid = lay.Solid(
        *(lay.CAPSULE, lay.PERSON, 0, tuple(centre), (radius,) * 3, 0.0, grey, grey, lay.Pattern()),
        axis=tuple(axis),
    )
    view = rays.CameraView.of(lay.Camera(1.2, 0.1, 0.0, 0.8), (40, 40))
    depth, seen = rays.trace(view, rays.Bodies.of((solid,)))
    rays_of = view.directions.T.astype(float)
    hit = seen == 0
    assert hit.any()

    def away(points: np.ndarray) -> np.ndarray:
        share = np.clip(((points - centre) @ axis) / (axis @ axis), -1, 1)[:, None]
        return np.linalg.norm(points - centre - share * axis, axis=1) - radius

    assert np.abs(away(view.origin + depth[hit, None] * rays_of[hit])).max() < 1e-3
    nearest = np.min(
        [away(view.origin + t * rays_of[~hit]) for t in np.arange(0.3, 6, 0.02)], axis=0
    )
    assert nearest.min() > -2e-3
    before = [
        away(view.origin + share * depth[hit, None] * rays_of[hit]).min()
        for share in (0.5, 0.9, 0.99)
    ]
    assert min(before) > 0


def test_datasets_of_persons_are_crops_of_the_size_and_margin() -> None:
    data = RenderedPersons(4, seed=2, size=(48, 40))
    assert data.image(1).shape == (48 + 2 * data.margin, 40 + 2 * data.margin, 3)
    label = data.label(1)
    assert data.labels.fault(label, (48, 40)) is None
    assert label[-1, :2].min() > 1
    assert label[-1, 2] == 1
    inner = replace(data.crop_map(1), margin=0)
    whole = data.scene(1).scene.image
    cut = slice(data.margin, -data.margin)
    assert np.array_equal(inner.crop(whole, data.size), data.image(1)[cut, cut])
    again = RenderedPersons(4, seed=2, size=(48, 40))
    assert np.array_equal(again.image(3), data.image(3))
    assert data.fingerprint() == again.fingerprint()
    assert data.fingerprint() != replace(data, seed=3).fingerprint()
    assert data.fingerprint() != replace(data, skeleton=MPII16).fingerprint()
    assert data.rendered((32, 32), 9) == RenderedPersons(4, 9, (32, 32))
    with pytest.raises(IndexError):
        data.image(4)
    with pytest.raises(DataError, match="at least 0"):
        render_people(-1, 0)


def layout_digest(seed: int, index: int, steady: bool) -> str:
    found = compose(random.Random(f"scene {seed} {index}"), steady)
    rows = [(s.kind, s.label, s.thing, *(round(x, 6) for x in numbers(s))) for s in found.solids]
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]


def numbers(solid: lay.Solid) -> tuple[float, ...]:
    return (*solid.centre, *solid.half, solid.yaw, *solid.colour, *solid.accent)


def test_scenes_of_streets_are_those_of_before_there_were_people() -> None:
    assert layout_digest(3, 7, False) == "f6406e3f844a82a1"
    assert layout_digest(0, 0, True) == "54007e7e7895d5f7"
    scene = render_scene(3, 7, (48, 64))
    means = scene.image.reshape(2, 24, 2, 32, 3).mean((1, 3, 4))
    assert means == pytest.approx(np.array([[148.25, 155.657], [94.431, 96.324]]), abs=0.01)
    pixels = np.bincount(scene.label.ravel(), minlength=12)
    assert pixels.tolist() == [703, 324, 1064, 132, 0, 406, 268, 3, 135, 6, 0, 31]
