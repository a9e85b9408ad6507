"""Training and scoring in torch, against hand computations on a toy."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

import auxnas.backends.torch.learner as learner_module
from auxnas.backends.base import Batch, Optimiser, Recipe, TrialFailure
from auxnas.backends.torch import TorchLearner, build_module
from auxnas.backends.torch.batches import (
    Draw,
    prefetch,
    scoring_draws,
    steps_an_epoch,
    training_draws,
)
from auxnas.backends.torch.failures import convert_memory_errors
from auxnas.backends.torch.losses import Objective, cross_entropy, distillation, shrink_labels
from auxnas.backends.torch.optimisers import make_groups
from auxnas.compiler import ModelSpec, Program, encoder_outputs, lower, parse_graph, split_graph
from auxnas.compiler.tasks import Segmentation
from auxnas.compiler.weights import initial_params, random_params
from auxnas.genotype import SearchSpace
from auxnas.genotype.plugins import PluginError

CLASSES = 3
TASK = Segmentation(("a", "b", "c"))
GENOTYPE = SearchSpace.cvpr2019().genotype(
    (3, 3, 3, 2, 3, 0, 8, 0, 0, 5, 2, 0, 2, 8, 8, 0, 5, 1, 4)
)  # fmt: skip
SHALLOW = SearchSpace.cvpr2019().genotype(
    (0, 0, 4, 0, 5, 4, 1, 1, 0, 1, 9, 2, 1, 0, 1, 4, 5, 9, 9)
)  # fmt: skip
SPEC = ModelSpec(classes=CLASSES, agg_size=8, sep_repeats=1, auxiliary="cell", width=0.25)
LEARNER = TorchLearner("cpu")
ADAM = Optimiser("", "adam", 1e-2)
LINE = """
    x = input(; channels=2)
    main = conv2d(x; kernel=1, out=3, bias=1) @main
    side = conv2d(x; kernel=1, out=3, bias=1) @side
    return main=main, aux0=side
"""


class Toy:
    """Maps of noise; the class of a pixel is told by the signs of its channels."""

    def __init__(self, count=6, channels=3, size=32, teacher=False, labels=None) -> None:
        rng = np.random.default_rng(0)
        self.x = rng.normal(size=(count, channels, 1, 1)) + 0.3 * rng.normal(
            size=(count, channels, size, size)
        )
        self.y = ((self.x[:, 0] > 0) * 1 + (self.x[:, 1] > 0) * 1).astype(np.uint8)
        if labels is not None:
            self.y[:] = labels
        self.teacher = rng.normal(size=(count, CLASSES, 5, 5)) if teacher else None
        self.seen: list[tuple[int, ...]] = []

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, indices, rng) -> Batch:
        self.seen.append(tuple(indices))
        x = self.x[indices].astype(np.float32)
        if rng is not None:
            x = x + rng.normal(size=x.shape).astype(np.float32) / 100
        teacher = None if self.teacher is None else self.teacher[indices].astype(np.float32)
        return Batch({"image": x, "x": x}, self.y[indices], teacher)


def network(seed=0, genotype=GENOTYPE) -> Program:
    graph = lower(genotype, SPEC)
    return Program(graph, initial_params(graph, seed), "toy")


def line() -> Program:
    graph = parse_graph(LINE)
    return Program(graph, initial_params(graph, 0), "line")


def recipe(**changes) -> Recipe:
    return replace(Recipe(1, 2, (ADAM,), auxiliary=0.0), **changes)


def changed(before: Program, after: Program) -> set[str]:
    return {n for n, v in after.params.items() if not np.array_equal(v, before.params[n])}


def test_training_learns_a_toy():
    toy, losses = Toy(), []
    plan = recipe(epochs=16, auxiliary=0.15, polyak=0.5, full_size=True, batch_size=6)
    before = network(genotype=SHALLOW)
    trained = LEARNER.fit(before, toy, plan, 0, losses.append)
    assert [step.step for step in losses] == list(range(1, 17))
    assert {step.steps for step in losses} == {16}
    assert np.mean([s.loss for s in losses[-2:]]) < 0.6 * np.mean([s.loss for s in losses[:2]])
    assert trained.params.keys() == before.params.keys()
    assert trained.graph is before.graph
    assert {array.dtype for array in trained.params.values()} == {np.dtype(np.float32)}


def test_same_seed_same_parameters_other_seed_others():
    plan = recipe(auxiliary=0.15, polyak=0.9, distillation=0.3)
    runs = [LEARNER.fit(network(), Toy(teacher=True), plan, seed) for seed in (5, 5, 6)]
    assert not changed(runs[0], runs[1])
    assert len(changed(runs[0], runs[2])) > 100


def test_only_parameters_of_an_optimiser_move():
    before = network()
    plan = recipe(optimisers=(Optimiser("decoder.block", "adam", 1e-2),), auxiliary=0.15)
    moved = changed(before, LEARNER.fit(before, Toy(), plan, 0))
    learnt = {n for n in moved if not n.endswith(("running_mean", "running_var"))}
    assert learnt
    assert all(name.startswith("decoder.block") for name in learnt)
    statistics = {n for n in before.params if n.endswith("running_mean")}
    assert statistics <= moved, "batch-norm statistics are updated everywhere"


def test_the_first_fitting_prefix_decides():
    slow = Optimiser("main", "sgd", 0.0)
    before = line()
    after = LEARNER.fit(before, Toy(channels=2), recipe(optimisers=(slow, ADAM), auxiliary=1), 0)
    assert changed(before, after) == {"side.weight", "side.bias"}


def test_frozen_parameters_cost_no_gradient():
    module = build_module(network())
    (group,) = make_groups(module, [Optimiser("decoder.block", "sgd", 1.0)])
    learnt = {n for n, p in module.named_parameters() if p.requires_grad}
    assert learnt == {n for n, _ in module.named_parameters() if n.startswith("decoder.block")}
    assert len(group.params) == len(learnt)


def test_a_decoder_trains_alone_and_the_rest_passes_through():
    whole = network()
    head, tail = split_graph(whole.graph, encoder_outputs(whole.graph))

    class Features(Toy):
        def batch(self, indices, rng) -> Batch:
            made = super().batch(indices, rng)
            part = LEARNER.infer(replace(whole, graph=head), made.inputs)
            return replace(made, inputs=part)

    after = LEARNER.fit(replace(whole, graph=tail), Features(size=64), recipe(), 0)
    assert after.params.keys() == whole.params.keys()
    assert changed(whole, after)
    assert not any(name.startswith("encoder") for name in changed(whole, after))


def gradient_step(program: Program, batch: Batch, rate: float, plan: Recipe) -> dict:
    """One step of gradient descent for LINE, written out with plain torch functions."""
    params = {n: torch.tensor(v, requires_grad=True) for n, v in program.params.items()}
    x, y = torch.tensor(batch.inputs["x"]), torch.tensor(batch.labels).long()
    outputs = [
        torch.nn.functional.conv2d(x, params[f"{n}.weight"], params[f"{n}.bias"])
        for n in ("main", "side")
    ]
    entropy = torch.nn.CrossEntropyLoss(ignore_index=255)
    loss = entropy(outputs[0], y) + plan.auxiliary * entropy(outputs[1], y)
    if batch.teacher is not None:
        grown = torch.nn.functional.interpolate(
            torch.tensor(batch.teacher), x.shape[2:], mode="bilinear", align_corners=False
        )
        loss = loss + plan.distillation * ((outputs[0] - grown) ** 2).mean()
    loss.backward()
    return {n: (p - rate * p.grad).detach().numpy() for n, p in params.items()}


class Still(Toy):
    """Without random transforms, in one order."""

    def batch(self, indices, rng) -> Batch:
        return super().batch(sorted(indices), None)


@pytest.mark.parametrize(("auxiliary", "weight"), [(0.15, 0.0), (2.0, 0.3), (1.0, 5.0)])
def test_loss_weights_have_their_stated_effect(auxiliary, weight):
    toy = Still(count=4, channels=2, size=8, teacher=True)
    plan = recipe(
        batch_size=4,
        optimisers=(Optimiser("", "sgd", 0.1, momentum=0),),
        auxiliary=auxiliary,
        distillation=weight,
        clip_norm=0,
    )
    found = LEARNER.fit(line(), toy, plan, 0)
    expected = gradient_step(line(), toy.batch(range(4), None), 0.1, plan)
    for name, value in expected.items():
        np.testing.assert_allclose(found.params[name], value, atol=1e-6)
    heavier = replace(plan, auxiliary=auxiliary + 1, distillation=weight + 1)
    wrong = gradient_step(line(), toy.batch(range(4), None), 0.1, heavier)
    assert np.abs(found.params["main.weight"] - wrong["main.weight"]).max() > 1e-4
    assert np.abs(found.params["side.weight"] - wrong["side.weight"]).max() > 1e-4


def test_polyak_is_the_average_by_hand():
    toy = Still(count=4, channels=2, size=8)
    plan = recipe(batch_size=4, optimisers=(Optimiser("", "sgd", 0.5, momentum=0),), clip_norm=0)
    path, program = [], line()
    for _ in range(3):
        program = LEARNER.fit(program, toy, plan, 0)
        path.append(program.params["main.weight"])
    averaged = LEARNER.fit(line(), toy, replace(plan, epochs=3, polyak=0.9), 0)
    first, second, third = path
    expected = (0.81 * first + 0.9 * second + third) / (0.81 + 0.9 + 1)
    np.testing.assert_allclose(averaged.params["main.weight"], expected, atol=1e-6)
    assert np.abs(third - expected).max() > 1e-3


def test_polyak_leaves_batch_norm_statistics():
    runs = [LEARNER.fit(network(), Toy(), recipe(polyak=decay), 0) for decay in (0.0, 0.9)]
    differing = changed(*runs)
    assert "encoder.layer1.conv.weight" in differing
    assert not any(name.endswith(("running_mean", "running_var")) for name in differing)


def test_gradients_are_cut_by_group():
    toy = Still(count=4, channels=2, size=8)
    groups = tuple(Optimiser(prefix, "sgd", 1.0, momentum=0) for prefix in ("main", "side"))
    plan = recipe(batch_size=4, optimisers=groups, auxiliary=1.0, clip_norm=0.01)
    before, after = line(), LEARNER.fit(line(), toy, plan, 0)
    for group in ("main", "side"):
        names = (f"{group}.weight", f"{group}.bias")
        moves = [after.params[n].ravel() - before.params[n].ravel() for n in names]
        assert np.linalg.norm(np.concatenate(moves)) == pytest.approx(0.01, rel=1e-3)


def test_the_poly_schedule_scales_each_step():
    toy = Still(count=4, channels=2, size=8)
    sgd = (Optimiser("", "sgd", 0.5, momentum=0),)
    plan = recipe(batch_size=4, epochs=2, optimisers=sgd, clip_norm=0, poly=0.9)
    found = LEARNER.fit(line(), toy, plan, 0).params["main.weight"]
    program, batch = line(), toy.batch(range(4), None)
    for rate in (0.5, 0.5 * 0.5**0.9):
        stepped = gradient_step(program, replace(batch, teacher=None), rate, plan)
        program = replace(program, params=stepped)
    np.testing.assert_allclose(found, program.params["main.weight"], atol=1e-6)


def test_unlabelled_pixels_count_nowhere():
    after = LEARNER.fit(line(), Toy(channels=2, labels=255), recipe(auxiliary=1.0), 0)
    assert not changed(line(), after)
    logits = torch.randn(2, 3, 4, 4)
    labels = torch.full((2, 4, 4), 255)
    labels[0, 1, 2] = 2
    expected = -torch.log_softmax(logits[0, :, 1, 2], 0)[2]
    assert cross_entropy(logits, labels).item() == pytest.approx(expected.item(), rel=1e-6)


def test_labels_shrink_to_the_pixels_under_the_centres():
    labels = torch.arange(8 * 12, dtype=torch.uint8).reshape(1, 8, 12)
    assert torch.equal(shrink_labels(labels, (2, 3)), labels[:, 2::4, 2::4])
    assert torch.equal(shrink_labels(labels, (16, 24))[:, ::2, 1::2], labels)
    truth = torch.nn.functional.interpolate(labels[None].float(), (5, 7), mode="nearest-exact")
    assert torch.equal(shrink_labels(labels, (5, 7)), truth[0].to(torch.uint8))
    channels = torch.stack([labels, labels + 1], dim=-1)
    assert torch.equal(shrink_labels(channels, (5, 7))[..., 0], shrink_labels(labels, (5, 7)))
    assert shrink_labels(channels, (8, 12)) is channels


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("fractions:Fraction", "loss: fractions:Fraction makes a Fraction without at, __call__"),
        ("math:pi", "loss: math:pi is 3.14159"),
        ("math:sqrt", "loss: math:sqrt: missing a required"),
    ],
)
def test_losses_that_are_none_are_told(place, message):
    task = type("Own", (Segmentation,), {"losses": place})(TASK.classes)
    with pytest.raises(PluginError, match=f"^{message}"):
        Objective(recipe(task=task), "main")


@pytest.mark.parametrize("full_size", [False, True])
def test_logits_grow_or_labels_shrink(full_size):
    logits = torch.randn(2, CLASSES, 5, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.from_numpy(np.random.default_rng(0).integers(0, CLASSES, (2, 10, 12)))
    found = Objective(recipe(full_size=full_size), "main")({"main": logits}, labels, None)
    grown = torch.nn.functional.interpolate(logits, (10, 12), mode="bilinear", align_corners=False)
    entropy = torch.nn.CrossEntropyLoss()
    expected = [
        entropy(logits, labels[:, 1::2, 1::3]),
        entropy(grown, labels),
    ]
    assert found.item() == pytest.approx(expected[full_size].item(), rel=1e-5)
    assert abs(found.item() - expected[not full_size].item()) > 1e-2


def test_distillation_is_a_mean_over_everything():
    ours, theirs = torch.ones(2, 3, 8, 8), torch.full((2, 3, 4, 4), 3.0)
    assert distillation(ours, theirs).item() == pytest.approx(4)


def confusion_by_hand(program: Program, toy: Toy) -> np.ndarray:
    counts = np.zeros((CLASSES, CLASSES), np.int64)
    for index in range(len(toy)):
        batch = toy.batch([index], None)
        logits = torch.tensor(LEARNER.infer(program, batch.inputs)["main"])
        grown = torch.nn.functional.interpolate(
            logits, batch.labels.shape[1:], mode="bilinear", align_corners=False
        )
        for truth, guess in zip(batch.labels.ravel(), grown.argmax(1).numpy().ravel(), strict=True):
            if truth != 255:
                counts[truth, guess] += 1
    return counts


def test_confusion_counts_every_labelled_pixel_of_every_example():
    program = replace(network(), params=random_params(network().graph, 3))
    toy = Toy(count=5, size=31)
    toy.y[2, 3:9] = 255
    found = LEARNER.measure(program, toy, TASK, 2)["confusion"]
    assert found.dtype == np.int64
    assert found.sum() == (toy.y != 255).sum()
    assert np.abs(found - confusion_by_hand(program, toy)).sum() <= 4, "ties of rounding at most"
    assert (found.sum(0) > 0).sum() > 1, "more than one class is guessed"


def test_a_last_single_example_is_scored_but_not_trained_on():
    toy = Toy(count=5)
    LEARNER.fit(network(), toy, recipe(epochs=2), 0)
    assert sorted(map(len, toy.seen)) == [2, 2, 2, 2]
    toy.seen.clear()
    LEARNER.measure(network(), toy, TASK, 2)
    assert toy.seen == [(0, 1), (2, 3), (4,)]


def test_epochs_have_orders_of_their_own():
    draws = list(training_draws(100, range(3), 7, seed=1))
    assert draws == [d for e in range(3) for d in training_draws(100, [e], 7, seed=1)]
    assert draws != list(training_draws(100, range(3), 7, seed=2))
    assert len(draws) == 3 * steps_an_epoch(100, 7)
    orders = [[i for d in draws[e * 15 : e * 15 + 15] for i in d.indices] for e in range(3)]
    assert all(sorted(order) == list(range(100)) for order in orders)
    assert orders[0] != orders[1] != orders[2] != sorted(orders[2])
    assert len({draw.seed for draw in draws}) == len(draws)
    assert [len(d.indices) for d in scoring_draws(5, 2)] == [2, 2, 1]


def test_prefetching_keeps_the_order_and_hands_on_errors():
    class Failing(Toy):
        def batch(self, indices, rng) -> Batch:
            if 4 in indices:
                raise OSError("image 4 cannot be read")
            return super().batch(indices, rng)

    toy, firsts = Failing(), []
    with (
        pytest.raises(OSError, match="image 4"),
        prefetch(toy, scoring_draws(6, 1), TASK, CLASSES) as batches,
    ):
        firsts.extend(batch.inputs["x"][0, 0, 0, 0] for batch in batches)
    assert firsts == toy.x[:4, 0, 0, 0].astype(np.float32).tolist()
    assert toy.seen[:4] == [(0,), (1,), (2,), (3,)]
    draws = [Draw([0], (0,))] * 100
    with prefetch(toy, draws, TASK, CLASSES) as batches:
        next(batches)
    assert len(toy.seen) < 10, "what is not wanted any more is not made"


def test_a_loss_that_is_not_finite_is_a_failed_trial():
    toy = Toy(channels=2)
    toy.x[3] = np.nan
    with pytest.raises(TrialFailure, match=r"nan: loss nan at step \d of 3") as caught:
        LEARNER.fit(line(), toy, recipe(), 0)
    assert caught.value.kind == "nan"
    with pytest.raises(TrialFailure, match="nan: an output is not finite"):
        LEARNER.measure(line(), toy, TASK, 2)


def test_parameters_that_run_away_are_a_failed_trial():
    wild = (Optimiser("", "sgd", 1e39),)
    with pytest.raises(TrialFailure, match=r"nan: .* is not finite"):
        LEARNER.fit(line(), Toy(count=2, channels=2), recipe(optimisers=wild), 0)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried"),
        MemoryError("Unable to allocate 3 GiB"),
    ],
)
def test_lack_of_memory_is_a_failed_trial(error):
    with pytest.raises(TrialFailure) as caught, convert_memory_errors():
        raise error
    assert caught.value.kind == "oom"
    assert "\n" not in str(caught.value)


def test_real_lack_of_memory_is_recognised():
    with pytest.raises(TrialFailure, match="oom"), convert_memory_errors():
        torch.empty(1 << 60, dtype=torch.uint8)


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), KeyError("x"), ValueError("y")])
def test_every_other_error_passes(error):
    with pytest.raises(type(error)) as caught, convert_memory_errors():
        raise error
    assert caught.value is error


def test_an_interrupt_ends_training_and_its_thread():
    def interrupt(step):
        raise KeyboardInterrupt

    threads = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        LEARNER.fit(line(), Toy(channels=2), recipe(epochs=50), 0, interrupt)
    assert set(threading.enumerate()) == threads


def test_wrong_recipes_and_labels_are_refused():
    with pytest.raises(ValueError, match="1 examples in batches of 2, expected batches of at"):
        LEARNER.fit(line(), Toy(count=1, channels=2), recipe(), 0)
    head = (Optimiser("head", "adam", 1e-3),)
    with pytest.raises(ValueError, match="no parameter's name starts with any of 'head'"):
        LEARNER.fit(line(), Toy(channels=2), recipe(optimisers=head), 0)
    with pytest.raises(ValueError, match=r"optimiser\.kind: 'lion', expected one of adam, sgd"):
        Optimiser("", "lion", 1e-3)
    with pytest.raises(ValueError, match=r"labels: 7, expected 0..2 or 255"):
        LEARNER.fit(line(), Toy(channels=2, labels=7), recipe(), 0)
    five = Segmentation(("a", "b", "c", "d", "e"))
    with pytest.raises(ValueError, match="program: 3 output channels, expected 5"):
        LEARNER.measure(line(), Toy(channels=2), five, 2)


def test_no_epochs_change_nothing():
    assert not changed(network(), LEARNER.fit(network(), Toy(), recipe(epochs=0, polyak=0.9), 0))


def test_programs_that_take_turns_are_opened_once(monkeypatch):
    opened = []

    class Counting(learner_module.TorchRunner):
        def __init__(self, program, device):
            opened.append(program.name)
            super().__init__(program, device)

    monkeypatch.setattr(learner_module, "TorchRunner", Counting)
    learner, inputs = TorchLearner("cpu"), {"x": np.ones((1, 2, 4, 4), np.float32)}
    first, second = line(), replace(line(), name="second")
    changed = replace(first, params={n: v + 1 for n, v in first.params.items()}, name="changed")
    found = [learner.infer(program, inputs)["main"] for program in (first, second, first, second)]
    assert opened == ["line", "second"]
    assert all(np.array_equal(found[0], other) for other in found)
    assert not np.array_equal(learner.infer(changed, inputs)["main"], found[0])
    learner.infer(first, inputs)
    assert opened == ["line", "second", "changed", "line"]
