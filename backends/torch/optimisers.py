"""Optimisers by parameter name, learning rates, and the running average of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from auxnas.backends.base import Optimiser, Recipe


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that one optimiser updates."""

    settings: Optimiser
    params: list[nn.Parameter]
    optimiser: torch.optim.Optimizer


def make_groups(module: nn.Module, optimisers: Sequence[Optimiser]) -> list[ParameterGroup]:
    """The groups that have parameters; every other parameter is frozen.

    Raises:
        ValueError: when nothing would be trained.
    """
    members: list[list[nn.Parameter]] = [[] for _ in optimisers]
    for name, param in module.named_parameters():
        fits = [i for i, o in enumerate(optimisers) if name.startswith(o.prefix)]
        param.requires_grad_(bool(fits))
        if fits:
            members[fits[0]].append(param)
    pairs = zip(optimisers, members, strict=True)
    groups = [ParameterGroup(o, params, _make(o, params)) for o, params in pairs if params]
    if not groups:
        prefixes = ", ".join(repr(o.prefix) for o in optimisers) or "none"
        raise ValueError(f"optimisers: no parameter's name starts with any of {prefixes}")
    return groups


def _make(settings: Optimiser, params: list[nn.Parameter]) -> torch.optim.Optimizer:
    """An optimiser whose rate is a tensor, so that a recorded step reads what it then is."""
    device = params[0].device
    rate = torch.tensor(settings.rate, device=device)
    members = _by_decay(settings.decay, params)
    if settings.kind == "adam":
        kind = torch.optim.AdamW if settings.decay else torch.optim.Adam
        betas, recordable = (0.9, settings.beta2), device.type == "cuda"
        made = kind(members, rate, betas, settings.epsilon, 0.0, capturable=recordable, fused=True)
        made._warned_capturable_if_run_uncaptured = True  # steps before the recorded one are
        return made
    return torch.optim.SGD(members, rate, settings.momentum, fused=True)


def _by_decay(decay: float, params: list[nn.Parameter]) -> list[dict[str, Any]]:
    """Parameters in torch's groups: weights, which decay, apart from biases and batch norms."""
    if not decay:
        return [{"params": params}]
    weights = [param for param in params if param.ndim > 1]
    rest = [param for param in params if param.ndim <= 1]
    pairs = ((weights, decay), (rest, 0.0))
    return [{"params": some, "weight_decay": each} for some, each in pairs if some]


def set_rates(groups: Iterable[ParameterGroup], recipe: Recipe, done: float) -> None:
    """Scales learning rates as the recipe says; ``done`` is the share of steps done."""
    for group in groups:
        for options in group.optimiser.param_groups:
            rate = group.settings.rate * recipe.rate_factor(done)
            options["lr"].copy_(torch.tensor(rate, dtype=torch.float64))  # inf where too large


def clear_gradients(groups: Iterable[ParameterGroup]) -> None:
    """Leaves none of an earlier step, or of one that failed half-way."""
    for group in groups:
        group.optimiser.zero_grad(set_to_none=True)


def magnify_gradients(groups: Iterable[ParameterGroup], factor: float) -> None:
    """Multiplies all gradients with a factor."""
    found = [p.grad for group in groups for p in group.params if p.grad is not None]
    torch._foreach_mul_(found, factor)


def step_groups(groups: Iterable[ParameterGroup], recipe: Recipe) -> None:
    """One update; the gradient of each group is cut to ``clip_norm``."""
    for group in groups:
        if recipe.clip_norm:
            nn.utils.clip_grad_norm_(group.params, recipe.clip_norm)
        group.optimiser.step()


class PolyakAverage:
    """The running average of parameters over steps (paper, section 3.2.2).

    After T updates it is sum_t decay^(T-t) p_t / sum_t decay^(T-t): the values before
    the first step have no part in it, so that a short training is not pulled towards
    its random start.

    Attributes:
        params: the parameters that are averaged.
        decay: of the values' weight, a step.
        average: the averages so far, in the same order.
        weight: the sum that they are divided by.
    """

    def __init__(self, params: Iterable[Tensor], decay: float) -> None:
        self.params, self.decay = list(params), decay
        self.average = [param.detach().clone() for param in self.params]
        self.weight = 0.0

    @torch.no_grad()
    def update(self) -> None:
        """Adds the parameters' present values to the average."""
        self.weight = self.decay * self.weight + 1
        torch._foreach_lerp_(self.average, self.params, 1 / self.weight)

    @torch.no_grad()
    def apply(self) -> None:
        """Sets the parameters to their average."""
        torch._foreach_copy_(self.params, self.average)
