"""The protocol of policies, which a controller proposes genotypes by.

Everything that crosses it is numpy or plain data. Tokens are (N, choices) int64 in the order of
``SearchSpace.layout``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from auxnas.compiler.errors import check_number

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class PolicyStep:
    """Bounds of one update of a policy.

    Attributes:
        rate: Adam's learning rate (paper: 1e-4).
        entropy: weight of the mean entropy of a choice.
        max_norm: largest norm of the gradient; 0 for no limit.

    Raises:
        CompilerError: naming the field that is out of range.
    """

    rate: float = 1e-4
    entropy: float = 0.0
    max_norm: float = 2.0

    def __post_init__(self) -> None:
        for name in ("rate", "entropy", "max_norm"):
            check_number(f"policy.{name}", getattr(self, name))


@dataclass(frozen=True, slots=True)
class Ascent:
    """Diagnostics of an update of a policy.

    Attributes:
        norm: of the gradient, before it was cut.
        entropy: of a sequence before the step, in nats, the mean over the rows.
    """

    norm: float
    entropy: float


Weigh = Callable[[Array], Array]
"""From log-probabilities (N, choices) to what each weighs, both float32."""


class Policy(Protocol):
    """A trainable distribution over genotypes: one categorical choice after the other.

    Choices come in the order of ``SearchSpace.layout``, connections first, and each may
    depend on those before it. It has no randomness of its own beyond its first weights.
    """

    def sample(self, count: int, rng: np.random.Generator) -> Array:
        """Tokens (count, choices) int64.

        Choice t of row n is the first value at which the cumulated probabilities exceed
        ``u[n, t]``, where ``u = rng.random((count, choices))`` is all that is drawn.
        """

    def log_prob(self, tokens: Array) -> Array:
        """Log-probability of each choice given those before it: (N, choices) float32."""

    def entropy(self, tokens: Array) -> Array:
        """Entropy of each choice given those before it, in nats: (N, choices) float32."""

    def update(self, tokens: Array, weigh: Weigh, step: PolicyStep) -> Ascent:
        """One step of Adam up the gradient of an objective.

        The objective is ``mean(weights * log_prob) + step.entropy * mean(entropy)``, both
        means over all choices of all rows, and the weights are constants.

        Args:
            tokens: (N, choices).
            weigh: called once, with the log-probabilities before the step; gives the weights.
            step: how far to go.
        """

    def state(self) -> dict[str, Array]:
        """Everything that it has learnt, the optimiser's moments included, by name."""

    def restore(self, state: Mapping[str, Array]) -> None:
        """Returns to a state, bit by bit.

        Raises:
            ValueError: for the state of another policy, naming the array.
        """
