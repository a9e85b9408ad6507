"""A policy in closed form, without a framework: independent choices, a table of logits.

What it cannot do is let a choice depend on those before it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from auxnas.backends.base import Array, Ascent, PolicyStep, Weigh
from auxnas.genotype import SearchSpace

BETAS = (0.9, 0.999)
EPSILON = 1e-8
"""Adam's constants."""


class TablePolicy:
    """Implements ``backends.base.Policy`` with one row of logits a choice.

    The first weights are zero, so every sequence is equally likely, whatever the seed.
    Hidden units, layers and the range of first weights are a network's, and not used.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: int = 0,
        hidden: int = 100,
        layers: int = 2,
        spread: float = 0.1,
    ) -> None:
        sizes = np.array([token.size for token in space.layout])
        self._exists = np.arange(sizes.max()) < sizes[:, None]
        self._logits = np.zeros(self._exists.shape)
        self._moments = np.zeros((2, *self._exists.shape))
        self._steps = 0

    def sample(self, count: int, rng: np.random.Generator) -> Array:
        """Tokens (count, choices) int64."""
        bounds = np.exp(self._log_probs()).cumsum(axis=1)[:, :-1]
        bounds[~self._exists[:, 1:]] = np.inf  # none beyond the last value of a choice
        draws = rng.random((count, len(bounds)))
        tokens: Array = (bounds <= draws[:, :, None]).sum(axis=2)
        return tokens

    def log_prob(self, tokens: Array) -> Array:
        """Log-probability of each choice: (N, choices) float32."""
        rows = np.arange(len(self._logits))
        return self._log_probs()[rows, tokens].astype(np.float32)

    def entropy(self, tokens: Array) -> Array:
        """Entropy of each choice: (N, choices) float32, all rows equal."""
        return np.tile(self._entropies().astype(np.float32), (len(tokens), 1))

    def update(self, tokens: Array, weigh: Weigh, step: PolicyStep) -> Ascent:
        """One step of Adam."""
        entropy = float(self._entropies().sum())
        weights = weigh(self.log_prob(tokens)).astype(np.float64)
        gradient = self._gradient(tokens, weights, step.entropy)
        norm = float(np.linalg.norm(gradient))
        if step.max_norm and norm > step.max_norm:
            gradient *= step.max_norm / norm
        self._steps += 1
        powers = np.stack([gradient, gradient**2])
        betas = np.array(BETAS)[:, None, None]
        self._moments = betas * self._moments + (1 - betas) * powers
        first, second = self._moments / (1 - betas**self._steps)
        self._logits += step.rate * first / (np.sqrt(second) + EPSILON)
        return Ascent(norm, entropy)

    def state(self) -> dict[str, Array]:
        """Logits, Adam's moments and how many steps it took."""
        steps = np.array(self._steps)
        return {"logits": self._logits.copy(), "moments": self._moments.copy(), "steps": steps}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Returns to a state.

        Raises:
            ValueError: for the state of another policy.
        """
        for name, value in self.state().items():
            if name not in state or state[name].shape != value.shape:
                raise ValueError(f"policy state: no {name} of shape {value.shape}")
        self._logits, self._moments = state["logits"].copy(), state["moments"].copy()
        self._steps = int(state["steps"])

    def _log_probs(self) -> Array:
        """(choices, largest size) float64, minus infinity beyond a choice's size."""
        logits = np.where(self._exists, self._logits, -np.inf)
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return logits

    def _entropies(self) -> Array:
        logs = self._log_probs()
        entropies: Array = -(np.exp(logs) * np.where(self._exists, logs, 0)).sum(axis=1)
        return entropies

    def _gradient(self, tokens: Array, weights: Array, entropy: float) -> Array:
        """Of the objective by the logits: (choices, largest size).

        By a choice's logits, log p(k) has gradient onehot(k) - p, and its entropy H
        -p (log p + H).
        """
        logs = self._log_probs()
        found: Array = -weights.sum(axis=0)[:, None] * np.exp(logs)
        np.add.at(found, (np.arange(len(logs)), tokens), weights)
        found /= tokens.size
        surplus = np.where(self._exists, logs, 0) + self._entropies()[:, None]
        found -= entropy / len(logs) * np.exp(logs) * surplus
        return found
