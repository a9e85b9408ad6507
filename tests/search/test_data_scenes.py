"""The renderer: repeatable, geometrically right, and classes that need context."""

import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auxnas.search.data import DataError, SyntheticDataset, check, open_dataset, render_scene
from auxnas.search.data.scenes import layout as lay
from auxnas.search.data.scenes import rays
from auxnas.search.data.scenes.compose import compose
from auxnas.search.data.scenes.draw import draw_scene

SIZE = (40, 56)
seeds = st.integers(0, 10_000)


def composed(seed: int) -> lay.SceneLayout:
    return compose(random.Random(seed))


def plain_solid(kind: int, centre: lay.Vector, half: lay.Vector, yaw: float) -> lay.Solid:
    red = (1.0, 0.0, 0.0)
    return lay.Solid(kind, lay.BALL, 0, centre, half, yaw, red, red, lay.Pattern())


def test_same_scene_whatever_was_asked_before() -> None:
    alone = render_scene(5, 17, SIZE)
    for index in (3, 16, 18):
        render_scene(5, index, SIZE)
    again = render_scene(5, 17, SIZE)
    assert alone.keypoints == again.keypoints
    for name in ("image", "label", "depth"):
        assert getattr(alone, name).tobytes() == getattr(again, name).tobytes()


def test_dataset_is_the_series_in_any_order() -> None:
    forward = SyntheticDataset(6, seed=2, size=SIZE)
    backward = SyntheticDataset(6, seed=2, size=SIZE)
    images = [forward.image(index) for index in range(6)]
    for index in reversed(range(6)):
        assert np.array_equal(backward.label(index), render_scene(2, index, SIZE).label)
        assert np.array_equal(backward.image(index), images[index])
    shifted = SyntheticDataset(2, seed=2, size=SIZE, start=4)
    assert np.array_equal(shifted.image(1), images[5])
    assert len({image.tobytes() for image in images}) == 6


def test_only_the_last_scene_is_kept() -> None:
    data = SyntheticDataset(2, size=SIZE)
    first = data.scene(0)
    assert data.scene(0) is first
    data.scene(1)
    assert data.scene(0) is not first


def test_other_seeds_and_parts_are_other_scenes() -> None:
    train = open_dataset("synthetic:5", size=SIZE, seed=1)
    val = open_dataset("synthetic:5", size=SIZE, seed=1, part="val")
    other = open_dataset("synthetic:5", size=SIZE, seed=2)
    assert (len(train), len(val), train.name) == (5, 1, "synthetic:5")
    assert len({data.fingerprint() for data in (train, val, other)}) == 3
    assert not np.array_equal(train.image(0), val.image(0))
    assert train.fingerprint() == open_dataset("synthetic:5", size=SIZE, seed=1).fingerprint()


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (97, 131), (128, 128)])
def test_any_size(size: tuple[int, int]) -> None:
    scene = render_scene(0, 0, size)
    assert scene.image.shape == (*size, 3)
    assert scene.label.shape == scene.depth.shape == size
    assert scene.image.dtype == scene.label.dtype == np.uint8
    assert scene.depth.dtype == np.float32
    assert scene.image.flags.c_contiguous


def test_refusals() -> None:
    for seed, index, size in ((-1, 0, SIZE), (0, -1, SIZE), (0, 0, (0, 4))):
        with pytest.raises(DataError):
            render_scene(seed, index, size)
    with pytest.raises(DataError):
        SyntheticDataset(0)
    with pytest.raises(IndexError):
        SyntheticDataset(2).image(2)


def test_every_class_has_its_share() -> None:
    data = SyntheticDataset(100)
    summary = check(data)
    shares = np.array(summary.pixels) / sum(summary.pixels)
    assert summary.unlabelled == 0
    assert len(shares) == len(data.classes) == len(data.palette) == 12
    assert shares.min() > 0.005, dict(zip(data.classes, shares, strict=True))
    assert shares.max() < 0.4


def test_colour_alone_does_not_tell_the_class() -> None:
    """Class means differ less between classes than colours do within one."""
    data = SyntheticDataset(40, size=SIZE)
    images = np.concatenate([data.image(i).reshape(-1, 3) for i in range(40)]).astype(float)
    labels = np.concatenate([data.label(i).ravel() for i in range(40)])
    solid = range(lay.BUILDING, lay.PERSON + 1)
    means = np.array([images[labels == c].mean(axis=0) for c in solid])
    within = np.mean([images[labels == c].std(axis=0) for c in solid])
    assert means.std(axis=0).mean() < 0.5 * within


@settings(deadline=None, max_examples=40)
@given(seeds)
def test_class_follows_shape_and_context(seed: int) -> None:
    layout = composed(seed)
    things: dict[int, list[lay.Solid]] = {}
    for solid in layout.solids:
        things.setdefault(solid.thing, []).append(solid)
    for parts in things.values():
        form = [(solid.kind, solid.label) for solid in parts]
        first = parts[0]
        side = abs(layout.street.across(first.centre[0], first.centre[2]))
        assert form in CONTEXT[first.label]
        if first.label == lay.VEHICLE:
            assert side < layout.street.half
        if first.label in (lay.CRATE, lay.POLE, lay.BUILDING):
            assert side > layout.street.half
        assert first.centre[1] == pytest.approx(first.half[1])
        for below, above in pairwise(parts):
            assert above.centre[::2] == below.centre[::2]
            assert above.centre[1] > below.centre[1] + below.half[1]


CONTEXT = {
    lay.BUILDING: [[(lay.BOX, lay.BUILDING)]],
    lay.VEHICLE: [[(lay.BOX, lay.VEHICLE)]],
    lay.CRATE: [[(lay.BOX, lay.CRATE)]],
    lay.BARREL: [[(lay.CYLINDER, lay.BARREL)]],
    lay.BALL: [[(lay.SPHERE, lay.BALL)]],
    lay.POLE: [
        [(lay.CYLINDER, lay.POLE)],
        [(lay.CYLINDER, lay.POLE), (lay.SPHERE, lay.LAMP)],
    ],
    lay.PERSON: [[(lay.CYLINDER, lay.PERSON), (lay.SPHERE, lay.PERSON)]],
}


def inside(solid: lay.Solid, points: np.ndarray, grow: float) -> np.ndarray:
    """Whether points ``(..., 3)`` lie in a body whose extents are ``grow`` metres larger."""
    x, y, z = np.moveaxis(points - np.array(solid.centre), -1, 0)
    hx, hy, hz = (extent + grow for extent in solid.half)
    if solid.kind == lay.SPHERE:
        return np.sqrt(x * x + y * y + z * z) <= hx
    if solid.kind == lay.CYLINDER:
        return (np.hypot(x, z) <= hx) & (np.abs(y) <= hy)
    sine, cosine = np.sin(solid.yaw), np.cos(solid.yaw)
    across, ahead = x * cosine - z * sine, x * sine + z * cosine
    return (np.abs(across) <= hx) & (np.abs(y) <= hy) & (np.abs(ahead) <= hz)


@settings(deadline=None, max_examples=25)
@given(seeds)
def test_depth_ends_on_the_body_it_shows_and_passes_none(seed: int) -> None:
    layout = composed(seed)
    view, bodies = rays.CameraView.of(layout.camera, SIZE), rays.Bodies.of(layout.solids)
    depth, seen = rays.trace(view, bodies)
    directions = view.directions.T.astype(float)
    reach = np.where(np.isfinite(depth), depth, 60.0)[:, None]
    ends = view.origin + reach * directions
    for number, solid in enumerate(layout.solids):
        shown = seen == number
        assert inside(solid, ends[shown], 0.01).all()
        assert not inside(solid, ends[shown], -0.01).any()
        for share in np.linspace(0.02, 0.99, 40):
            way = view.origin + share * reach * directions
            assert not inside(solid, way, -0.02).any()


@settings(deadline=None, max_examples=25)
@given(seeds)
def test_the_nearer_body_wins(seed: int) -> None:
    layout = composed(seed)
    view = rays.CameraView.of(layout.camera, SIZE)
    depth, seen = rays.trace(view, rays.Bodies.of(layout.solids))
    alone = [rays.trace(view, rays.Bodies.of((solid,)))[0] for solid in layout.solids]
    each = np.stack([*alone, np.full(depth.shape, np.inf, np.float32)])
    assert np.array_equal(depth, each.min(axis=0))
    shown = seen != rays.NOTHING
    assert np.array_equal(shown, np.isfinite(depth))
    assert np.array_equal(each[seen[shown], np.flatnonzero(shown)], depth[shown])


@pytest.mark.parametrize("seed", range(25))
def test_bounding_boxes_lose_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = composed(seed)
    view, bodies = rays.CameraView.of(layout.camera, SIZE), rays.Bodies.of(layout.solids)
    sun = np.array(layout.look.sun, np.float32)
    down = view.directions[1]
    plain = np.where(down < -0.02, -view.origin[1] / np.minimum(down, -0.02), np.inf)
    plain = plain.astype(np.float32)
    quick = (*rays.trace(view, bodies), rays.shade(view, bodies, sun, plain))
    whole = np.array([[0], [SIZE[0]], [0], [SIZE[1]]]).repeat(len(layout.solids), 1)
    monkeypatch.setattr(rays, "_screen_boxes", lambda view, corners: whole)
    slow = (*rays.trace(view, bodies), rays.shade(view, bodies, sun, plain))
    for fast, full in zip(quick, slow, strict=True):
        assert np.array_equal(fast, full)
    assert slow[2].any()


@pytest.mark.parametrize("side", [-1, 1])
def test_a_wall_that_reaches_behind_the_camera_is_whole(
    side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    yaw = side * float(np.arctan2(1.2, 5))
    wall = plain_solid(lay.BOX, (0.4 * side, 3.0, -0.5), (0.02, 3.0, 2.57), yaw)
    camera = lay.Camera(height=2.0, pitch=0.1, roll=0.0, focal=0.65)
    view, bodies = rays.CameraView.of(camera, SIZE), rays.Bodies.of((wall,))
    quick = rays.trace(view, bodies)
    whole = np.array([[0], [SIZE[0]], [0], [SIZE[1]]])
    monkeypatch.setattr(rays, "_screen_boxes", lambda view, corners: whole)
    slow = rays.trace(view, bodies)
    assert np.array_equal(quick[1], slow[1])
    assert (slow[1] == 0).sum() > 50


@pytest.mark.parametrize("seed", range(5))
def test_shadows_are_where_the_sun_is_hidden(seed: int) -> None:
    layout = composed(seed)
    view, bodies = rays.CameraView.of(layout.camera, SIZE), rays.Bodies.of(layout.solids)
    sun = np.array(layout.look.sun, np.float32)
    down = view.directions[1]
    bare = (down < -0.1) & (rays.trace(view, bodies)[1] == rays.NOTHING)
    ground = np.where(bare, -view.origin[1] / np.minimum(down, -0.1), np.inf)
    dark = rays.shade(view, bodies, sun, ground.astype(np.float32))
    place = np.flatnonzero(np.isfinite(ground))
    start = (view.origin[:, None] + ground[place] * view.directions[:, place]).T.astype(float)
    hidden, nearly = np.zeros(len(place), bool), np.zeros(len(place), bool)
    for length in np.arange(0.01, 26, 0.04):
        for solid in layout.solids:
            points = start + length * sun
            hidden |= inside(solid, points, -0.03)
            nearly |= inside(solid, points, 0.03)
    assert hidden.any()
    assert np.all(dark[place][hidden])
    assert np.all(nearly[dark[place]])


@settings(deadline=None, max_examples=25)
@given(seeds)
def test_labels_and_depth_agree(seed: int) -> None:
    layout = composed(seed)
    scene = draw_scene(layout, SIZE, np.random.default_rng(seed))
    view = rays.CameraView.of(layout.camera, SIZE)
    assert np.array_equal(np.isinf(scene.depth), scene.label == lay.SKY)
    assert scene.depth.min() > rays.NEAR
    flat = np.isin(scene.label, (lay.GROUND, lay.ROAD, lay.PAVEMENT)).ravel()
    points = view.origin[:, None] + scene.depth.ravel()[flat] * view.directions[:, flat]
    assert np.abs(points[1] / scene.depth.ravel()[flat]).max(initial=0) < 1e-5
    near = scene.depth.ravel()[flat] < 100
    across = [layout.street.across(x, z) for x, _, z in points.T[near]]
    road = scene.label.ravel()[flat][near] == lay.ROAD
    edge = np.abs(np.abs(across) - layout.street.half)
    assert np.all(((np.abs(across) < layout.street.half) == road) | (edge < 0.01))


@settings(deadline=None, max_examples=25)
@given(seeds)
def test_keypoints_mark_what_is_seen(seed: int) -> None:
    layout = composed(seed)
    scene = draw_scene(layout, SIZE, np.random.default_rng(seed))
    assert len(scene.keypoints) == 2 * len(layout.solids)
    labels = {}
    for solid in layout.solids:
        labels.setdefault(solid.thing, set()).add(solid.label)
    for point in scene.keypoints:
        if point.visible:
            place = round(point.row), round(point.column)
            assert scene.label[place] in labels[point.thing]
            assert scene.depth[place] < point.depth + 0.5


def test_keypoint_of_a_lone_ball() -> None:
    layout = composed(0)
    ball = plain_solid(lay.SPHERE, (0.5, 1, 9), (1, 1, 1), 0)
    scene = draw_scene(replace(layout, solids=(ball,)), (128, 128), np.random.default_rng(0))
    rows, columns = np.nonzero(scene.label == lay.BALL)
    centre, base = scene.keypoints
    assert (centre.part, base.part, centre.visible, base.visible) == ("centre", "base", True, True)
    assert centre.row == pytest.approx((rows.min() + rows.max()) / 2, abs=1)
    assert centre.column == pytest.approx((columns.min() + columns.max()) / 2, abs=1)
    assert base.row > centre.row
    assert scene.depth[rows, columns].min() == pytest.approx(centre.depth - 1, abs=0.1)


def test_an_empty_scene() -> None:
    scene = draw_scene(replace(composed(0), solids=()), SIZE, np.random.default_rng(0))
    assert scene.keypoints == ()
    assert scene.label.max() <= lay.PAVEMENT
