"""Search with a predictor: a Gaussian process says which architectures are worth a trial."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import erf, pi, sqrt
from typing import Any

import numpy as np

from auxnas.genotype import Genotype, SearchSpace
from auxnas.search.searchers.base import State, reward_of
from auxnas.search.searchers.kernel import Embedding, Traits, similarities, trends
from auxnas.search.searchers.uniform import rng_state, set_rng_state
from auxnas.search.settings.search import PredictorSettings, SearchSettings
from auxnas.search.trials.records import Trial

Array = np.ndarray[Any, Any]
Tokens = tuple[int, ...]

_NOISES = (1e-3, 1e-2, 1e-1, 1.0)
"""Variances of noise to choose from, where the rewards' is 1."""
_SHARES = (0.0, 0.5, 0.9)
"""Of trends in the variance, to choose from."""
_PARENTS, _ROUNDS = 5, 7
"""Best architectures that are mutated, and how often the best of those are again."""
_DIGITS = 9
"""Of a figure that architectures are compared by: what rounding adds must not decide."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An architecture's tokens and its reward."""

    tokens: Tokens
    reward: float


@dataclass(frozen=True, slots=True)
class _Judged:
    """A candidate: expected improvement over the best reward, and predicted reward."""

    genotype: Genotype
    improvement: float
    reward: float


class PredictorSearcher:
    """Proposes what promises the largest expected improvement over the best reward.

    A Gaussian process is fitted to the rewards (``kernel`` says how alike architectures are, and
    which trends they follow; the likeliest share of the two is taken). It judges random
    architectures and mutations of the best, those of the most promising for some rounds more. What
    was proposed and is not told yet counts with the reward that was predicted for it, so that
    proposals of a batch differ. No function is proposed twice while another is found.

    Args:
        space: the search space.
        seed: of all draws.
        settings: of the predictor.
    """

    def __init__(self, space: SearchSpace, seed: int, settings: PredictorSettings) -> None:
        self._space, self._settings = space, settings
        self._rng = random.Random(f"predictor {seed}")
        self._known: list[Evaluated] = []
        self._waiting: deque[Evaluated] = deque(maxlen=settings.memory)
        self._told = 0

    @classmethod
    def make(
        cls, settings: SearchSettings, space: SearchSpace, seed: int, framework: str
    ) -> PredictorSearcher:
        """One with the settings of the predictor."""
        return cls(space, seed, settings.predictor)

    def ask(self, count: int) -> list[Genotype]:
        """The next ``count`` architectures."""
        return [self._proposal() for _ in range(count)]

    def _proposal(self) -> Genotype:
        known = [*self._known, *self._waiting]
        if len(known) < self._settings.initial or not self._known:
            found, predicted = self._space.sample(self._rng, "isomorphism"), 0.0
            if self._known:
                predicted = float(np.mean([each.reward for each in self._known]))
        else:
            found, predicted = self._most_promising(known)
        self._waiting.append(Evaluated(found.tokens, predicted))
        return found

    def _most_promising(self, known: Sequence[Evaluated]) -> tuple[Genotype, float]:
        process = _Process.fitted(self._space, known)
        best = sorted(known, key=lambda each: -each.reward)[:_PARENTS]
        parents = [self._space.genotype(each.tokens) for each in best]
        share = self._settings.candidates // (_ROUNDS + 1)
        judged = process.judged([self._space.sample(self._rng) for _ in range(share)])
        for _ in range(_ROUNDS):
            judged += process.judged(
                [
                    self._space.mutate(parents[number % len(parents)], self._rng)
                    for number in range(share)
                ]
            )
            judged.sort(key=lambda each: -each.improvement)
            parents = [each.genotype for each in judged[:_PARENTS]]
        seen = set(map(_function, process.genotypes))
        new = (each for each in judged if _function(each.genotype) not in seen)
        found = next(new, judged[0])
        return found.genotype, found.reward

    def tell(self, trials: Sequence[Trial]) -> Mapping[str, float] | None:
        """Learns from a batch.

        Returns:
            ``error``: root mean square of what was predicted for it and is not so.
        """
        if not trials:
            return None
        waiting = {each.tokens: each.reward for each in self._waiting}
        errors = []
        for trial in trials:
            tokens, reward = trial.genotype.tokens, reward_of(trial)
            if tokens in waiting:
                errors.append(waiting[tokens] - reward)
            self._known.append(Evaluated(tokens, reward))
        told = {trial.genotype.tokens for trial in trials}
        left = [each for each in self._waiting if each.tokens not in told]
        self._waiting = deque(left, self._waiting.maxlen)
        self._told += len(trials)
        self._forget()
        error = sqrt(float(np.mean(np.square(errors)))) if errors else 0.0
        return {"told": self._told, "error": error}

    def _forget(self) -> None:
        """Keeps the best half of the memory, and the latest."""
        most = self._settings.memory
        if len(self._known) > most:
            places = range(len(self._known))
            best = sorted(places, key=lambda place: (-self._known[place].reward, place))
            kept = set(best[: most // 2])
            latest = [place for place in reversed(places) if place not in kept]
            kept.update(latest[: most - len(kept)])
            self._known = [self._known[place] for place in sorted(kept)]

    def state(self) -> State:
        """Trials that it knows and waits for, oldest first, and the generator's state."""
        return {
            "known": [[list(each.tokens), each.reward] for each in self._known],
            "waiting": [[list(each.tokens), each.reward] for each in self._waiting],
            "told": self._told,
            "rng": rng_state(self._rng),
        }

    def restore(self, state: State) -> None:
        """Returns to a state."""
        self._known = [Evaluated(tuple(t), reward) for t, reward in state["known"]]
        waiting = [Evaluated(tuple(t), reward) for t, reward in state["waiting"]]
        self._waiting = deque(waiting, self._waiting.maxlen)
        self._told = state["told"]
        set_rng_state(self._rng, state["rng"])


@dataclass(frozen=True)
class _Process:
    """Gaussian process over architectures, fitted to rewards.

    Attributes:
        genotypes: that it was fitted to.
        embedding, traits: of all that it is asked about.
        rows, figures: theirs.
        share: of trends in the variance.
        inverse: of the covariance matrix's lower Cholesky factor.
        weights: inverse covariance times the rewards, of mean 0 and deviation 1.
        mean, deviation: of the rewards.
        best: the largest reward.
    """

    genotypes: Sequence[Genotype]
    embedding: Embedding
    rows: Array
    traits: Traits
    figures: Array
    share: float
    inverse: Array
    weights: Array
    mean: float
    deviation: float
    best: float

    @classmethod
    def fitted(cls, space: SearchSpace, known: Sequence[Evaluated]) -> _Process:
        """The process of the likeliest noise and share."""
        genotypes = [space.genotype(each.tokens) for each in known]
        rewards = np.array([each.reward for each in known])
        mean, deviation = float(rewards.mean()), float(rewards.std()) or 1.0
        levels = (rewards - mean) / deviation
        embedding = Embedding(genotypes)
        rows = embedding.rows(genotypes)
        traits = Traits(genotypes)
        figures = traits.rows(genotypes)
        alike, trend = similarities(rows, rows), trends(figures, figures)
        fits = [
            (*_fit((1 - share) * alike + share * trend, levels, noise), share)
            for share in _SHARES
            for noise in _NOISES
        ]
        _, inverse, share = max(fits, key=lambda fit: round(fit[0], _DIGITS))
        weights = inverse.T @ (inverse @ levels)
        return cls(
            genotypes, embedding, rows, traits, figures, share, inverse, weights, mean, deviation,
            float(rewards.max()),
        )  # fmt: skip

    def judged(self, genotypes: Sequence[Genotype]) -> list[_Judged]:
        """Expectations of architectures."""
        figures = self.traits.rows(genotypes)
        alike = (1 - self.share) * similarities(self.embedding.rows(genotypes), self.rows)
        alike += self.share * trends(figures, self.figures)
        own = 1 - self.share + self.share * (0.5 + 0.5 * np.square(figures).sum(1)) ** 2
        means = self.mean + self.deviation * (alike @ self.weights)
        explained = np.square(self.inverse @ alike.T).sum(0)
        deviations = self.deviation * np.sqrt(np.maximum(own - explained, 1e-12))
        steps = (means - self.best) / deviations
        below = np.array([0.5 * (1 + erf(step / sqrt(2))) for step in steps])
        density = np.exp(-0.5 * steps**2) / sqrt(2 * pi)
        improvements = deviations * (steps * below + density)
        rows = zip(genotypes, improvements.round(_DIGITS).tolist(), means.tolist(), strict=True)
        return [_Judged(*each) for each in rows]


@lru_cache(maxsize=4096)
def _function(genotype: Genotype) -> str:
    return genotype.key("functional")


def _fit(alike: Array, levels: Array, noise: float) -> tuple[float, Array]:
    """Log likelihood of the levels, up to a constant; inverse of the Cholesky factor."""
    factor = np.linalg.cholesky(alike + noise * np.eye(len(levels)))
    inverse = np.linalg.inv(factor)
    likelihood = -0.5 * float(np.square(inverse @ levels).sum())
    return likelihood - float(np.log(np.diag(factor)).sum()), inverse
