"""Searchers that train a policy: REINFORCE, and PPO as in the paper (section 3.2)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.base import Array, Policy, PolicyStep
from genotype import Genotype, SearchSpace
from search.config import ControllerSettings
from search.searchers.base import State, packed, rewarded, unpacked
from search.trials import Trial


@dataclass
class Baseline:
    """Exponential moving average of the rewards.

    After T rewards it is sum_t decay^(T-t) r_t / sum_t decay^(T-t), so that the first
    reward counts no more than its weight.
    """

    decay: float
    mean: float = 0.0
    weight: float = 0.0

    def add(self, reward: float) -> None:
        """Takes in the next reward."""
        self.weight = self.decay * self.weight + 1
        self.mean += (reward - self.mean) / self.weight


class PolicySearcher(ABC):
    """Samples genotypes from a policy and makes the better ones likelier.

    Args:
        space: where to search.
        seed: of the samples.
        policy: over the same space.
        settings: how it learns.
    """

    def __init__(
        self, space: SearchSpace, seed: int, policy: Policy, settings: ControllerSettings
    ) -> None:
        self._space, self._policy, self._settings = space, policy, settings
        self._rng = np.random.default_rng(seed)
        self._baseline = Baseline(settings.baseline_decay)
        self._told = 0
        self._updates: list[dict[str, float]] = []

    def ask(self, count: int) -> list[Genotype]:
        """The next ``count`` samples."""
        tokens = self._policy.sample(count, self._rng)
        return [self._space.genotype(row) for row in tokens.tolist()]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learns from a batch, which the policy as it stands has proposed."""
        if not trials:
            return
        tokens = np.array([trial.genotype.tokens for trial in trials], np.int64)
        rewards = [rewarded(trial) for trial in trials]
        for reward in rewards:
            self._baseline.add(reward)
        self._told += len(trials)
        self._learn(tokens, rewards)

    @abstractmethod
    def _learn(self, tokens: Array, rewards: list[float]) -> None:
        """Learns from new sequences (N, choices) and their rewards, known to the baseline."""

    def _advantages(self, rewards: Sequence[float]) -> Array:
        """How much better than the baseline: (N,) float32."""
        found = np.array(rewards) - self._baseline.mean
        if self._settings.norm_adv:
            found = (found - found.mean()) / (found.std() + 1e-8)
        return found.astype(np.float32)

    def _step(self, tokens: Array, weights: Array) -> None:
        """One step up the policy gradient."""
        settings = self._settings
        step = PolicyStep(settings.rate, settings.ent_coef, settings.max_grad_norm)
        self._policy.update(tokens, weights, step)

    def _note(self, **figures: float) -> None:
        """Keeps what a report wants to know of an update."""
        mean = self._baseline.mean
        self._updates.append({"told": self._told, "baseline": mean, **figures})

    def state(self) -> State:
        """Policy, optimiser, baseline and generator; ``updates`` says how each update went."""
        return {
            "policy": {name: packed(value) for name, value in self._policy.state().items()},
            "rng": self._rng.bit_generator.state,
            "baseline": [self._baseline.mean, self._baseline.weight],
            "told": self._told,
            "updates": list(self._updates),
        }

    def restore(self, state: State) -> None:
        """Returns to a state."""
        self._policy.restore({name: unpacked(value) for name, value in state["policy"].items()})
        self._rng.bit_generator.state = state["rng"]
        self._baseline.mean, self._baseline.weight = state["baseline"]
        self._told = state["told"]
        self._updates = list(state["updates"])


class ReinforceSearcher(PolicySearcher):
    """REINFORCE (Williams, 1992): one step for each batch, which is then forgotten."""

    def _learn(self, tokens: Array, rewards: list[float]) -> None:
        advantages = self._advantages(rewards)[:, None]
        self._step(tokens, np.broadcast_to(advantages, tokens.shape))
        self._note(entropy=float(self._policy.entropy(tokens).sum(axis=1).mean()))


@dataclass(frozen=True)
class Sequences:
    """Sequences to learn from.

    Attributes:
        tokens: (N, choices).
        chosen: (N, choices) log-probabilities under the policy that chose them.
        advantages: (N,).
    """

    tokens: Array
    chosen: Array
    advantages: Array

    def part(self, rows: Array) -> Sequences:
        """Some of them."""
        return Sequences(self.tokens[rows], self.chosen[rows], self.advantages[rows])


class PpoSearcher(PolicySearcher):
    """Proximal policy optimisation (Schulman et al., 2017) over the last sequences.

    Each token is an action, and all actions of a sequence share its advantage: reward
    minus baseline. An update makes several passes over the memory, in minibatches; the
    ratios are of the policy now to the policy that chose the sequence.
    """

    def __init__(
        self, space: SearchSpace, seed: int, policy: Policy, settings: ControllerSettings
    ) -> None:
        super().__init__(space, seed, policy, settings)
        self._memory: deque[tuple[Array, Array, float]] = deque(maxlen=settings.memory)
        self._waiting = 0

    def _learn(self, tokens: Array, rewards: list[float]) -> None:
        self._memory.extend(zip(tokens, self._policy.log_prob(tokens), rewards, strict=True))
        self._waiting += len(rewards)
        if self._waiting >= self._settings.update_every:
            self._waiting = 0
            self._update(self._remembered())

    def _remembered(self) -> Sequences:
        tokens, chosen, rewards = zip(*self._memory, strict=True)
        return Sequences(np.stack(tokens), np.stack(chosen), self._advantages(rewards))

    def _update(self, memory: Sequences) -> None:
        settings = self._settings
        parts = min(settings.minibatches, len(memory.tokens))
        for _ in range(settings.update_epochs):
            order = self._rng.permutation(len(memory.tokens))
            for rows in np.array_split(order, parts):
                part = memory.part(rows)
                now = self._policy.log_prob(part.tokens)
                self._step(part.tokens, surrogate_weights(part, now, settings.clip_coef))
        self._note(**self._diagnostics(memory))

    def _diagnostics(self, memory: Sequences) -> dict[str, float]:
        """How far the policy has gone from those that chose the remembered sequences.

        ``approx_kl`` (the mean of r - 1 - log r) and ``clipfrac`` are means over choices,
        ``entropy`` is that of a sequence, in nats.
        """
        log_ratios = self._policy.log_prob(memory.tokens) - memory.chosen
        ratios = np.exp(log_ratios)
        return {
            "approx_kl": float((ratios - 1 - log_ratios).mean()),
            "clipfrac": float((np.abs(ratios - 1) > self._settings.clip_coef).mean()),
            "entropy": float(self._policy.entropy(memory.tokens).sum(axis=1).mean()),
        }

    def state(self) -> State:
        """That of every policy searcher, and the remembered sequences."""
        choices = len(self._space.layout)
        tokens = np.array([row for row, _, _ in self._memory], np.int64).reshape(-1, choices)
        chosen = np.array([row for _, row, _ in self._memory], np.float32).reshape(-1, choices)
        memory: dict[str, Any] = {
            "tokens": tokens.tolist(),
            "log_probs": packed(chosen),
            "rewards": [reward for _, _, reward in self._memory],
        }
        return {**super().state(), "memory": memory, "waiting": self._waiting}

    def restore(self, state: State) -> None:
        """Returns to a state."""
        super().restore(state)
        memory = state["memory"]
        tokens = [np.array(row, np.int64) for row in memory["tokens"]]
        chosen = unpacked(memory["log_probs"])
        self._memory.clear()
        self._memory.extend(zip(tokens, chosen, memory["rewards"], strict=True))
        self._waiting = state["waiting"]


def surrogate_weights(part: Sequences, now: Array, clip: float) -> Array:
    """What each choice's log-probability weighs in the gradient of PPO's objective.

    The objective of a choice is min(r A, clip(r, 1 - clip, 1 + clip) A) with r =
    exp(now - chosen). Its gradient is r A times that of ``now``, and none where the
    clipped side is the smaller.

    Args:
        part: N sequences.
        now: (N, choices) log-probabilities under the policy that is updated.
        clip: how far r may go from 1.

    Returns:
        (N, choices) float32.
    """
    advantages = part.advantages[:, None]
    ratios = np.exp(now - part.chosen)
    beyond = np.where(advantages > 0, ratios > 1 + clip, ratios < 1 - clip)
    return np.where(beyond, 0, ratios * advantages).astype(np.float32)
