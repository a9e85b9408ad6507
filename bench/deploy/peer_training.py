"""Any torch module trained by the recipe, on the images and with the losses of ``nassearch train``.

For a network of ours it comes to the very weights that the command comes to, which a test holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from auxnas.backends.base import Batch, Examples, Recipe, TrialFailure
from auxnas.backends.torch.batches import (
    prefetch,
    scoring_draws,
    steps_an_epoch,
    training_draws,
)
from auxnas.backends.torch.devices import to_tensor
from auxnas.backends.torch.losses import Objective
from auxnas.backends.torch.optimisers import (
    PolyakAverage,
    clear_gradients,
    make_groups,
    set_rates,
    step_groups,
)
from auxnas.backends.torch.scoring import measure_batch
from auxnas.compiler import MAIN
from auxnas.compiler.tasks import Sums, Task
from auxnas.search.errors import SettingsError
from auxnas.search.evaluation.scoring import scores
from auxnas.search.examples.images import IMAGE
from auxnas.search.training.context import TrainingContext
from auxnas.search.training.training import phase_recipe, phases

Told = Callable[[int, int, float], None]
"""Told of a step: its number, that of all, and its loss."""


def recipe_of(context: TrainingContext, encoder: str) -> Recipe:
    """The recipe of a training of one phase without auxiliary outputs, in float32.

    Args:
        context: has the settings.
        encoder: what the names of the encoder's parameters begin with.

    Raises:
        SettingsError: for another training, which only networks of ours can have.
    """
    settings = context.settings.train
    plain = {"accumulate": 1, "processes": 1, "precision": "fp32", "teacher": None}
    for name, value in plain.items():
        if getattr(settings, name) != value:
            raise SettingsError(f"train.{name}", str(getattr(settings, name)), str(value))
    first, *others = phases(settings)
    if others or first.auxiliary or first.frozen:
        expected = "phases=[1] auxiliary=[0] frozen=0"
        raise SettingsError("train", "phases or outputs that mere modules have not", expected)
    found = phase_recipe(settings, first, context.data.task)
    own, rest = found.optimisers
    return replace(found, optimisers=(replace(own, prefix=encoder), rest))


def fit(
    module: nn.Module, examples: Examples, recipe: Recipe, seed: int, told: Told | None = None
) -> None:
    """Trains a module from normalised images (N, 3, H, W) to logits at any stride, on the CPU.

    Raises:
        TrialFailure: ``nan`` for a loss that is not finite.
    """
    module.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    groups = make_groups(module, recipe.optimisers)
    objective, task = Objective(recipe, MAIN), recipe.task
    params = [param for group in groups for param in group.params]
    average = PolyakAverage(params, recipe.polyak) if recipe.polyak else None
    count, size = len(examples), recipe.batch_size
    steps = recipe.epochs * steps_an_epoch(count, size)
    draws = training_draws(count, range(recipe.epochs), size, seed)
    with prefetch(examples, draws, task, task.outputs) as batches:
        for taken, batch in enumerate(batches):
            set_rates(groups, recipe, taken / steps)
            clear_gradients(groups)
            labels = to_tensor(batch.labels, task.target.dtype)
            loss = objective({MAIN: module(_images(batch))}, labels, None)
            if not loss.isfinite():
                raise TrialFailure("nan", f"loss {loss.item()} at step {taken + 1} of {steps}")
            loss.backward()
            step_groups(groups, recipe)
            if average is not None:
                average.update()
            if told is not None:
                told(taken + 1, steps, loss.item())
    if average is not None:
        average.apply()


def measure(
    module: nn.Module, examples: Examples, task: Task, batch_size: int
) -> Mapping[str, Any]:
    """Scores of all examples, as plain data."""
    module.eval()
    sums: Sums = {}
    draws = scoring_draws(len(examples), batch_size)
    with torch.inference_mode(), prefetch(examples, draws, task, task.outputs) as batches:
        for batch in batches:
            found = measure_batch(module(_images(batch)), batch.labels, task)
            sums = {name: sums.get(name, 0) + value for name, value in found.items()}
    return scores(task, sums)


def _images(batch: Batch) -> Tensor:
    return to_tensor(batch.inputs[IMAGE]).contiguous(memory_format=torch.channels_last)
