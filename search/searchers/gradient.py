"""Searchers that train a policy: REINFORCE, and PPO as in the paper (section 3.2)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from auxnas.backends.base import Array, Ascent, Policy, PolicyStep, Weigh
from auxnas.backends.registry import backend
from auxnas.genotype import Genotype, SearchSpace
from auxnas.search.searchers.base import State, pack_array, reward_of, unpack_array
from auxnas.search.settings.search import ControllerSettings, SearchSettings
from auxnas.search.trials.records import Trial


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
        """Adds the next reward to the average."""
        self.weight = self.decay * self.weight + 1
        self.mean += (reward - self.mean) / self.weight


class PolicySearcher(ABC):
    """Samples genotypes from a policy and makes the better ones likelier.

    Sequences are gathered until there are ``settings.update_every``; an update learns from
    them, and they are forgotten. So all of them come from the policy as it stands.

    Args:
        space: the search space.
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
        self._gathered: list[tuple[tuple[int, ...], float]] = []
        self._told = 0

    @classmethod
    def make(cls, settings: SearchSettings, space: SearchSpace, seed: int, framework: str) -> Self:
        """One with a policy of the framework, of the size that the settings say.

        Raises:
            BackendUnavailable: when the framework is not installed.
        """
        shape = settings.controller
        policy = backend("policy", framework)(
            space, seed, hidden=shape.hidden, layers=shape.layers, spread=shape.spread
        )
        return cls(space, seed, policy, shape)

    def ask(self, count: int) -> list[Genotype]:
        """The next ``count`` samples."""
        tokens = self._policy.sample(count, self._rng)
        return [self._space.genotype(row) for row in tokens.tolist()]

    def tell(self, trials: Sequence[Trial]) -> dict[str, float] | None:
        """Gathers a batch, and learns when there are enough sequences.

        Returns:
            Of an update: how many trials had been told, the baseline, and the searcher's
            diagnostics, among them the entropy of a sequence in nats.
        """
        for trial in trials:
            reward = reward_of(trial)
            self._baseline.add(reward)
            self._gathered.append((trial.genotype.tokens, reward))
        self._told += len(trials)
        if len(self._gathered) < self._settings.update_every:
            return None
        tokens, rewards = zip(*self._gathered, strict=True)
        self._gathered.clear()
        figures = self._learn(np.array(tokens, np.int64), self._advantages(rewards))
        return {"told": self._told, "baseline": self._baseline.mean, **figures}

    def _advantages(self, rewards: Sequence[float]) -> Array:
        """Advantages over the baseline: (N,) float32."""
        found = np.array(rewards) - self._baseline.mean
        if self._settings.norm_adv:
            found = (found - found.mean()) / (found.std() + 1e-8)
        return found.astype(np.float32)

    @abstractmethod
    def _learn(self, tokens: Array, advantages: Array) -> dict[str, float]:
        """Learns from sequences (N, choices) and their advantages (N,); diagnostics of it."""

    def _step(self, tokens: Array, weigh: Weigh) -> Ascent:
        """One step up the policy gradient."""
        settings = self._settings
        step = PolicyStep(settings.rate, settings.ent_coef, settings.max_grad_norm)
        return self._policy.update(tokens, weigh, step)

    def state(self) -> State:
        """Policy with its optimiser, generator, baseline, and what waits for an update."""
        return {
            "policy": {name: pack_array(value) for name, value in self._policy.state().items()},
            "rng": self._rng.bit_generator.state,
            "baseline": [self._baseline.mean, self._baseline.weight],
            "gathered": [[list(tokens), reward] for tokens, reward in self._gathered],
            "told": self._told,
        }

    def restore(self, state: State) -> None:
        """Returns to a state."""
        self._policy.restore({name: unpack_array(value) for name, value in state["policy"].items()})
        self._rng.bit_generator.state = state["rng"]
        self._baseline.mean, self._baseline.weight = state["baseline"]
        self._gathered = [(tuple(tokens), reward) for tokens, reward in state["gathered"]]
        self._told = state["told"]


class ReinforceSearcher(PolicySearcher):
    """REINFORCE (Williams, 1992): each update is one step."""

    def _learn(self, tokens: Array, advantages: Array) -> dict[str, float]:
        weights = np.repeat(advantages[:, None], tokens.shape[1], axis=1)
        return {"entropy": self._step(tokens, lambda log_probs: weights).entropy}


class PpoSearcher(PolicySearcher):
    """Proximal policy optimisation (Schulman et al., 2017).

    Each token is an action, and all actions of a sequence share its advantage. An update
    makes several passes over the sequences, in minibatches drawn anew. Its diagnostics
    are of the last pass, before each step: ``approx_kl``, the mean of r - 1 - log r over
    all choices, ``clipfrac``, the share of r further from 1 than the clip, and the mean
    ``entropy``.
    """

    def _learn(self, tokens: Array, advantages: Array) -> dict[str, float]:
        settings = self._settings
        parts = min(settings.minibatches, len(tokens))
        # Before the first step the policy is the one that chose: its update says that by the way.
        chosen = self._policy.log_prob(tokens) if parts > 1 else None
        for _ in range(settings.update_epochs):
            passed, seen = [], []
            order = self._rng.permutation(len(tokens))
            for rows in np.array_split(order, parts):
                before = None if chosen is None else chosen[rows]
                part = Surrogate(before, advantages[rows], settings.clip_coef)
                seen.append(self._step(tokens[rows], part.weights).entropy)
                passed.append(part)
            if chosen is None and passed[0].chosen is not None:
                chosen = passed[0].chosen[order.argsort()]
        return {"entropy": float(np.mean(seen)), **diagnostics(passed)}


class Surrogate:
    """PPO's objective for some sequences: the mean over choices of
    min(r A, clip(r, 1 - clip, 1 + clip) A), where r = exp(now - chosen).

    Args:
        chosen: (N, choices) log-probabilities under the policy that chose the sequences; None
            where that is the one to differentiate for.
        advantages: A, (N,).
        clip: how far r may go from 1.

    Attributes:
        chosen: the log-probabilities; those at the first differentiation where None was given.
        log_ratios: log r when the objective was last differentiated, (N, choices).
    """

    def __init__(self, chosen: Array | None, advantages: Array, clip: float) -> None:
        self.chosen: Array | None = chosen
        self._advantages, self.clip = advantages[:, None], clip
        self.log_ratios = np.zeros(0, np.float32)

    def weights(self, now: Array) -> Array:
        """The gradient by each log-probability in ``now``, times their number.

        It is r A, and 0 where the clipped side is the smaller.
        """
        if self.chosen is None:
            self.chosen = now.copy()
        self.log_ratios = now - self.chosen
        ratios = np.exp(self.log_ratios)
        above, below = ratios > 1 + self.clip, ratios < 1 - self.clip
        beyond = np.where(self._advantages > 0, above, below)
        return np.where(beyond, 0, ratios * self._advantages).astype(np.float32)


def diagnostics(parts: Sequence[Surrogate]) -> dict[str, float]:
    """Distance of the policy from the one that chose the sequences; see ``PpoSearcher``."""
    log_ratios = np.concatenate([part.log_ratios for part in parts])
    ratios = np.exp(log_ratios)
    return {
        "approx_kl": float((ratios - 1 - log_ratios).mean()),
        "clipfrac": float((np.abs(ratios - 1) > parts[0].clip).mean()),
    }
