"""Losses of pose, and the flip test, in torch."""

from __future__ import annotations

import numpy as np
import pytest

from auxnas.backends.base import Recipe
from auxnas.backends.torch.functions import grow
from auxnas.backends.torch.losses import Objective
from auxnas.backends.torch.pose import MapLosses
from auxnas.backends.torch.scoring import measure_batch, unmirrored
from auxnas.compiler.tasks import find_task
from auxnas.compiler.tasks.heads import Mirroring
from auxnas.compiler.tasks.pose import COCO17, person_label

torch = pytest.importorskip("torch")
F = torch.nn.functional


def test_maps_of_mirrored_images_are_turned_back():
    maps = torch.arange(8.0).reshape(1, 2, 1, 4)
    for shift, expected in ((0, [7, 6, 5, 4, 3, 2, 1, 0]), (1, [7, 7, 6, 5, 3, 3, 2, 1])):
        assert unmirrored(maps, Mirroring((1, 0), shift)).flatten().tolist() == expected


@pytest.mark.parametrize(("weights", "expected"), [((1, 1), 0.0675), ((1, 0), 0.005)])
def test_the_loss_is_the_published_one(weights, expected):
    output = torch.tensor([[[[0.2, 0.8], [0, 1]], [[0.5, 0.5], [0.5, 0.5]]]])
    target = torch.tensor([[[[0.0, 1], [0, 1]], [[1, 0], [0, 0]]]])
    for joint, weight in enumerate(weights):
        if not weight:
            target[:, joint] = torch.nan
    packed = torch.cat([target, torch.zeros(1, 1, 2, 2)], 1).permute(0, 2, 3, 1)
    assert MapLosses()(output, packed).item() == pytest.approx(expected)


def person():
    points = np.random.default_rng(0).uniform(8, 88, (17, 2))
    return person_label(points, [2] * 17, area=3000, head=10)


def target_of(task):
    return task.target_of(person(), lambda: np.zeros((96, 96, 3), np.uint8))[None]


def test_smaller_maps_grow_and_joints_that_do_not_count_have_no_gradient():
    target = torch.tensor(target_of(find_task("pose")))
    target[..., 3] = torch.nan
    output = torch.rand(1, 17, 12, 12, requires_grad=True)
    MapLosses()(output, target).backward()
    assert not output.grad[0, 3].any()
    assert output.grad[0, 4].any()


@pytest.mark.parametrize("shift", [0, 1])
def test_the_flip_test_averages_what_the_shift_brings_together(shift):
    """A network whose mirrored maps lie ``shift`` cells apart is as good with that shift alone."""
    plain = find_task("pose")
    target = target_of(plain)
    maps = torch.tensor(np.moveaxis(target[..., :-1], -1, 1))
    mirrored = maps[:, list(COCO17.mirrored)].roll(-shift, 3).flip(3)
    scores = {}
    for flip in ("none", "0", "1"):
        task = find_task(f"pose,flip={flip}")
        sums = measure_batch(maps, target, task, mirrored if task.mirroring else None)
        scores[flip] = task.score(sums).reward
    assert scores[str(shift)] == pytest.approx(scores["none"], abs=1e-3)
    assert scores[str(1 - shift)] < scores["none"]


@pytest.mark.parametrize("name", ["pose", "depth"])
def test_maps_are_distilled_and_auxiliary_outputs_count(name):
    """A teacher and an auxiliary output change loss and gradient as their weights say."""
    task = find_task(name)
    target = torch.tensor(target_of(task) if name == "pose" else np.full((1, 24, 24), 3, "f4"))
    generator = torch.Generator().manual_seed(0)
    main, other, teacher = (
        torch.rand(1, task.outputs, side, side, generator=generator) for side in (12, 6, 24)
    )
    main.requires_grad_()

    def loss(distilled, auxiliary, taught=teacher):
        recipe = Recipe(1, 2, (), task=task, distillation=distilled, auxiliary=auxiliary)
        return Objective(recipe, "main")({"main": main, "other": other}, target, taught)

    plain = loss(0, 0)
    apart = F.mse_loss(main, grow(teacher, (12, 12)))
    torch.testing.assert_close(loss(0.3, 0) - plain, 0.3 * apart)
    torch.testing.assert_close(loss(0.3, 0, None), plain)
    own = Objective(Recipe(1, 2, (), task=task), "other")({"other": other}, target, None)
    torch.testing.assert_close(loss(0, 0.15) - plain, 0.15 * own)
    (slope,) = torch.autograd.grad(loss(0.3, 0) - plain, main)
    torch.testing.assert_close(slope, 0.6 * (main - grow(teacher, (12, 12))) / main.numel())
