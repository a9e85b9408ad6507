"""Parts of a training's recipe: rates, decay, batches in parts, reduced precision."""

from dataclasses import replace
from math import cos, pi
from multiprocessing import Pipe

import numpy as np
import pytest
import torch
from torch import nn

from auxnas.backends.base import Batch, Optimiser, Recipe, TrialFailure
from auxnas.backends.torch import TorchLearner
from auxnas.backends.torch import training as training_module
from auxnas.backends.torch.batches import steps_an_epoch, training_draws
from auxnas.backends.torch.devices import (
    choose_device,
    choose_precision,
    keep_depthwise_full,
)
from auxnas.backends.torch.losses import Objective
from auxnas.backends.torch.optimisers import make_groups, step_groups
from auxnas.backends.torch.team import Team
from auxnas.backends.torch.together import _followed
from auxnas.backends.torch.training import Training
from auxnas.compiler.tasks import find_task
from auxnas.compiler.tasks.pixel_loss import PixelLoss
from auxnas.genotype import SearchSpace
from tests.backends.test_torch_learner import (
    ADAM,
    LEARNER,
    SHALLOW,
    TASK,
    Toy,
    changed,
    line,
    network,
    recipe,
)

CPU = torch.device("cpu")


# Rates -------------------------------------------------------------------------------------


def factors(steps=100, **how):
    plan = recipe(**how)
    return np.array([plan.rate_factor(step / steps) for step in range(steps)])


def test_cosine_falls_along_half_a_wave_to_nothing():
    expected = [(1 + cos(pi * step / 100)) / 2 for step in range(100)]
    assert factors(cosine=True) == pytest.approx(expected)
    half = factors(cosine=True, horizon=0.5)
    assert half == pytest.approx(factors(200, cosine=True)[:100])


@pytest.mark.parametrize("how", [{}, {"poly": 0.9}, {"cosine": True}])
def test_a_warm_up_rises_evenly_to_the_schedule_and_leaves_the_rest_of_it(how):
    plain, warm = factors(**how), factors(warm_up=0.1, **how)
    assert warm[10:] == pytest.approx(plain[10:])
    shares = warm[:10] / plain[:10]
    assert shares == pytest.approx(0.01 + 0.099 * np.arange(10))


# Decay -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_only_weights_of_several_axes_decay(kind):
    """Without a gradient the decay alone moves parameters: by rate x decay of their size."""
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    torch.nn.init.uniform_(module[0].bias, 1, 2)
    before = {name: param.detach().clone() for name, param in module.named_parameters()}
    groups = make_groups(module, (Optimiser("", kind, 0.1, decay=0.5),))
    for param in module.parameters():
        param.grad = torch.zeros_like(param)
    step_groups(groups, recipe())
    for name, param in module.named_parameters():
        shrunk = 0.95 if name == "0.weight" else 1.0
        torch.testing.assert_close(param.detach(), shrunk * before[name])


def test_a_training_with_decay_goes_on_from_its_state_to_the_same_bits():
    adam = replace(ADAM, decay=0.1)
    plan = recipe(epochs=2, optimisers=(adam, replace(ADAM, kind="sgd")), warm_up=0.3, cosine=True)
    whole = LEARNER.fit(network(genotype=SHALLOW), Toy(), plan, 3)
    first, state = LEARNER.fit_part(network(genotype=SHALLOW), Toy(), plan, 3, range(1))
    program = network(genotype=SHALLOW)
    last, _ = LEARNER.fit_part(program, Toy(), plan, 3, range(1, 2), state)
    assert changed(first, last)
    assert not changed(whole, last)


# Batches in parts --------------------------------------------------------------------------


class Uneven(Toy):
    """Examples of which some have hardly a label."""

    def batch(self, indices, rng) -> Batch:
        found = super().batch(indices, None)
        labels = found.labels.copy()
        for place, index in enumerate(indices):
            labels[place, : 3 * index] = 255
        return replace(found, labels=labels)


def gradients(plan: Recipe, teacher=True) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of a batch of 7 in float64, statistics of batch norm frozen."""
    program = network(genotype=SHALLOW)
    training = Training(program, replace(plan, frozen=True, clip_norm=0), 1, CPU)
    training.module.double()
    batch = Uneven(count=7, teacher=teacher).batch(list(range(7)), None)
    arrays = (batch.inputs["image"], batch.labels, *([batch.teacher] if teacher else []))
    tensors = [torch.from_numpy(each) for each in arrays]
    tensors = [each.double() if each.is_floating_point() else each for each in tensors]
    for group in training.groups:
        for options in group.optimiser.param_groups:
            options["lr"].zero_()
    loss = training._update(tensors)
    return loss.item(), {n: p.grad for n, p in training.module.named_parameters()}


LOSSES = {
    "plain": PixelLoss(),
    "weights": PixelLoss((0.2, 1.0, 3.0)),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("parts", [2, 3, 5])
def test_parts_of_a_batch_have_the_gradient_of_the_whole(loss, parts):
    task = replace(TASK, loss=LOSSES[loss])
    plan = recipe(task=task, auxiliary=0.3, distillation=0.2, full_size=True)
    whole, expected = gradients(plan)
    found, slopes = gradients(replace(plan, accumulate=parts))
    assert found == pytest.approx(whole, rel=1e-12)
    for name, slope in expected.items():
        torch.testing.assert_close(slopes[name], slope, rtol=1e-9, atol=1e-12)
    several = gradients(replace(plan, accumulate=parts, distillation=0.0), teacher=False)[0]
    assert several == pytest.approx(gradients(replace(plan, distillation=0.0), False)[0])


def test_a_mean_of_means_would_be_another_gradient(monkeypatch):
    monkeypatch.setattr(Objective, "count", lambda self, targets: torch.tensor(1.0).double())
    plan = recipe(full_size=True)
    whole, _ = gradients(plan)
    assert abs(gradients(replace(plan, accumulate=3))[0] - whole) > 1e-3


def test_parts_have_two_examples_at_least():
    training = Training(line(), recipe(accumulate=4), 1, CPU)
    for count, sizes in ((8, [2] * 4), (7, [3, 2, 2]), (3, [3]), (2, [2])):
        parts = training._parts([torch.zeros(count, 1), torch.zeros(count)])
        assert [len(each) for each, _ in parts] == sizes


def test_a_loss_that_does_not_say_is_a_mean_over_examples():
    objective = Objective(recipe(task=find_task("pose")), "main")
    parts = objective.parts([torch.zeros(3, 2, 2), torch.zeros(1, 2, 2)])
    assert [part.targets.item() for part in parts] == [0.75, 0.25]
    for name in ("depth", "depth,mean=all"):
        objective = Objective(recipe(task=find_task(name)), "main")
        known = objective.count(torch.tensor([[[0.0, 2.0], [3.0, 0.0]]])).item()
        assert known == (4 if name.endswith("all") else 2)


def test_nothing_labelled_in_a_whole_batch_costs_nothing():
    toy = Toy(channels=2, labels=255)
    after = LEARNER.fit(line(), toy, recipe(auxiliary=1.0, batch_size=6, accumulate=3), 0)
    assert not changed(line(), after)


# Reduced precision -------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_reduced_precision_learns_nearly_the_same(precision):
    losses = {}
    for each in ("fp32", precision):
        plan, found = recipe(epochs=3, batch_size=6, precision=each), []
        trained = LEARNER.fit(network(genotype=SHALLOW), Toy(), plan, 0, found.append)
        losses[each] = [step.loss for step in found]
        assert {array.dtype for array in trained.params.values()} == {np.dtype(np.float32)}
    assert losses[precision] != losses["fp32"]
    assert losses[precision] == pytest.approx(losses["fp32"], rel=0.05)


DILATED = SearchSpace.cvpr2019().genotype(
    (0, 0, 0, 3, 1, 4, 2, 0, 0, 3, 3, 2, 2, 7, 8, 5, 6, 1, 9)
)  # fmt: skip
"""With dilated separable convolutions."""


def test_depthwise_convolutions_are_left_out_of_reduced_precision():
    """Gradients of dilated ones' weights hang on memory that nobody wrote in it."""

    def gradient(prepare, enabled):
        torch.manual_seed(0)
        layer = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8)
        maps = torch.randn(4, 8, 48, 64).to(memory_format=torch.channels_last)
        prepare(layer)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            found = layer(maps)
        found.float().square().sum().backward()
        return found.dtype, layer.weight.grad

    kind, full = gradient(lambda layer: None, enabled=False)
    kept, same = gradient(keep_depthwise_full, enabled=True)
    assert kept == kind == torch.float32
    assert torch.equal(full, same)
    assert gradient(lambda layer: None, enabled=True)[0] == torch.bfloat16


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_training_leaves_them_out_on_a_processor(precision):
    training = Training(network(genotype=DILATED), recipe(), 1, CPU, precision)
    layers = [each for each in training.module.modules() if isinstance(each, nn.Conv2d)]
    depthwise = {each for each in layers if each.groups > 1}
    assert depthwise
    assert {each for each in layers if "forward" in vars(each)} == (
        set() if precision == "fp32" else depthwise
    )


@pytest.fixture
def _overflowing(monkeypatch):
    """Whatever is computed in bf16 is not finite."""
    learn = Training._learn

    def broken(self, tensors, part):
        return learn(self, tensors, part) * (1 if self.low is None else np.nan)

    monkeypatch.setattr(training_module.Training, "_learn", broken)


@pytest.mark.usefixtures("_overflowing")
def test_what_is_not_finite_is_trained_in_float32_and_told_once():
    toy, plan = Toy(channels=2), recipe(epochs=2, precision="bf16")
    with pytest.warns(
        UserWarning, match="trained in fp32, as in bf16 loss nan at step 1 of"
    ) as said:
        _, state = LEARNER.fit_part(line(), toy, plan, 0, range(1))
    assert len(said) == 1
    found, _ = LEARNER.fit_part(line(), toy, plan, 0, range(1, 2), state)
    assert not changed(LEARNER.fit(line(), toy, replace(plan, precision="fp32"), 0), found)


def test_what_is_not_finite_in_float32_is_a_failure():
    with pytest.raises(TrialFailure, match="nan"):
        LEARNER.fit(line(), Toy(channels=2), recipe(optimisers=(replace(ADAM, rate=1e38),)), 0)


def test_the_precision_that_gains_on_a_device(monkeypatch):
    assert choose_precision("auto", CPU) == "fp32"
    assert choose_precision("bf16", CPU) == "bf16"
    for capability, expected in (((6, 1), "fp32"), ((7, 5), "fp16"), ((9, 0), "bf16")):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _, c=capability: c)
        assert choose_precision("auto", torch.device("cuda")) == expected


# Several processes --------------------------------------------------------------------------


def test_two_processes_train_the_network_of_one_with_the_joined_batch():
    """Batches of 5 of 7 examples, in parts of 3 and 2; the last 2 are too few for both."""
    plan = recipe(
        epochs=2,
        batch_size=5,
        frozen=True,
        auxiliary=0.3,
        distillation=0.2,
        polyak=0.5,
        full_size=True,
        optimisers=(Optimiser("", "sgd", 0.05),),
    )
    program, toy, losses, one = network(genotype=SHALLOW), Uneven(7, teacher=True), [], []
    learner = TorchLearner("cpu", torch.get_num_threads())
    found = learner.fit(program, toy, replace(plan, processes=2), 0, losses.append)
    training = Training(program, plan, 2, CPU)
    for draw in training_draws(7, range(2), 5, 0):
        if len(draw.indices) == 5:
            one.append(training.step(toy.batch(draw.indices, None)))
    expected = training.finish()
    assert [step.loss for step in losses] == pytest.approx(one, rel=1e-5)
    assert [(step.step, step.steps) for step in losses] == [(1, 2), (2, 2)]
    for name, value in expected.items():
        np.testing.assert_allclose(found.params[name], value, rtol=1e-4, atol=1e-5)


def test_a_member_has_its_part_of_every_batch_and_a_seed_of_its_own():
    draws = list(training_draws(11, range(2), 5, 3))
    parts = [list(Team(rank, 2).parts_of(draws)) for rank in range(2)]
    whole = [draw for draw in draws if len(draw.indices) >= 4]
    for draw, *mine in zip(whole, *parts, strict=True):
        assert [index for part in mine for index in part.indices] == draw.indices
        assert len({draw.seed, *(part.seed for part in mine)}) == 3
    assert len(whole) == 2 * steps_an_epoch(11, 5, least=4)
    with pytest.raises(ValueError, match="expected batches of at least 6"):
        steps_an_epoch(11, 5, least=6)


def test_a_process_that_fails_or_ends_is_a_failure():
    for message, words in (
        ((2, ("oom", "too little")), "oom: too little"),
        (None, "process 2 of 2"),
    ):
        (first, theirs), (second, other) = Pipe(), Pipe()
        theirs.send((0, "step"))
        if message is None:
            other.close()
        else:
            theirs.send(message)
        told = []
        with pytest.raises(TrialFailure, match=words):
            _followed([first, second], told.append)
        assert told == ["step"]


def test_each_process_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert choose_device(None) == choose_device("cuda") == torch.device("cuda:1")
    assert choose_device("cuda:0") == torch.device("cuda:0")
    assert choose_device("cpu") == CPU
    monkeypatch.delenv("LOCAL_RANK")
    assert choose_device(None) == torch.device("cuda:0")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose_device(None) == torch.device("cuda")
