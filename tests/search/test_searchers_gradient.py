"""Searchers with a policy: what PPO's formulas are, and that they learn."""

import json
import random
import warnings
from copy import deepcopy
from itertools import chain
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("torch")

from auxnas.backends.null.policy import TablePolicy
from auxnas.backends.policies import PolicyStep
from auxnas.backends.torch.policy import LstmPolicy
from auxnas.genotype import SearchSpace
from auxnas.search.loop.bounds import Until
from auxnas.search.loop.run import execute
from auxnas.search.searchers import PpoSearcher, ReinforceSearcher
from auxnas.search.searchers.gradient import Baseline, Surrogate, diagnostics
from auxnas.search.settings.search import ControllerSettings
from auxnas.search.storage.journal import Journal
from auxnas.search.trials.records import COMPLETE, Trial
from tests.search.comparing import contents

SPACE = SearchSpace.cvpr2019()
CHOICES = len(SPACE.layout)
QUICK = {"rate": 0.05, "update_every": 4}


def searcher_of(kind, seed=0, policy=None, **changes):
    settings = ControllerSettings(**{**QUICK, **changes})
    return kind(SPACE, seed, policy or TablePolicy(SPACE), settings)


def told(genotypes, rewards, first=0):
    pairs = zip(genotypes, rewards, strict=True)
    return [Trial(n, 0, g, "", 0, COMPLETE, (), r) for n, (g, r) in enumerate(pairs, first)]


def share_of_zeros(genotype):
    return genotype.tokens.count(0) / CHOICES


def rewards_of(searcher, batches, count=4, updates=None):
    """What a searcher gets for its proposals, batch by batch; its updates go to ``updates``."""
    found = []
    for _ in range(batches):
        genotypes = searcher.ask(count)
        found.append([share_of_zeros(genotype) for genotype in genotypes])
        update = searcher.tell(told(genotypes, found[-1]))
        if updates is not None and update is not None:
            updates.append(update)
    return np.array(found)


# Formulas -------------------------------------------------------------------------------


def objective(chosen, advantages, now, clip):
    """PPO's objective choice by choice, as published."""
    ratios, advantages = np.exp(now - chosen), advantages[:, None]
    return np.minimum(ratios * advantages, np.clip(ratios, 1 - clip, 1 + clip) * advantages)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 0.3]))
def test_weights_are_the_gradient_of_the_clipped_objective(seed, clip):
    rng = np.random.default_rng(seed)
    chosen, drift = rng.normal(-2, 1, (5, 4)), rng.normal(0, 0.3, (5, 4))
    kinks = np.log([1 - clip, 1 + clip])
    drift = np.where(np.abs(drift[..., None] - kinks).min(axis=-1) < 1e-3, 0, drift)
    now, advantages = chosen + drift, rng.normal(size=5)
    ends = [objective(chosen, advantages, now + step, clip) for step in (-1e-6, 1e-6)]
    found = Surrogate(chosen, advantages, clip).weights(now)
    np.testing.assert_allclose(found, (ends[1] - ends[0]) / 2e-6, atol=1e-5)


def test_ratios_beyond_the_clip_weigh_nothing_on_the_side_that_pays():
    surrogate = Surrogate(np.zeros((2, 3)), np.array([2.0, -2.0]), 0.1)
    now = np.log([[1.2, 1.05, 0.8], [1.2, 1.05, 0.8]])
    expected = [[0, 2.1, 1.6], [-2.4, -2.1, 0]]
    np.testing.assert_allclose(surrogate.weights(now), expected, rtol=1e-6)
    assert diagnostics([surrogate]) == {
        "approx_kl": pytest.approx((np.exp(now) - 1 - now).mean()),
        "clipfrac": pytest.approx(2 / 3),
    }


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_baseline_is_the_weighted_mean_of_the_rewards(rewards):
    baseline = Baseline(0.95)
    for reward in rewards:
        baseline.add(reward)
    weights = 0.95 ** np.arange(len(rewards))[::-1]
    assert baseline.mean == pytest.approx(np.average(rewards, weights=weights))


def test_the_first_reward_is_no_advantage():
    policy = TablePolicy(SPACE)
    searcher = searcher_of(ReinforceSearcher, policy=policy, update_every=1)
    searcher.tell(told(searcher.ask(1), [0.7]))
    assert not policy.state()["logits"].any()


def test_normalised_advantages():
    searcher = searcher_of(PpoSearcher, norm_adv=True)
    found = searcher._advantages([1.0, 2.0, 4.0])
    assert found.mean() == pytest.approx(0, abs=1e-6)
    assert found.std() == pytest.approx(1, abs=1e-6)


# Learning -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [PpoSearcher, ReinforceSearcher])
def test_better_genotypes_become_likelier(kind):
    found = rewards_of(searcher_of(kind, rate=0.1), 60)
    assert found[:10].mean() < 0.35
    assert found[-10:].mean() > 0.6


def test_so_they_do_with_the_lstm():
    policy = LstmPolicy(SPACE, 0, hidden=12)
    found = rewards_of(searcher_of(PpoSearcher, policy=policy, rate=0.03), 40)
    assert found[-10:].mean() > found[:10].mean() + 0.2


def test_the_entropy_bonus_keeps_choices_open():
    ends = []
    for bonus in (0.0, 1.0):
        searcher = searcher_of(PpoSearcher, rate=0.1, ent_coef=bonus)
        updates = []
        rewards_of(searcher, 30, updates=updates)
        ends.append(updates[-1]["entropy"])
    assert ends[0] < ends[1] - 3


def test_diagnostics_of_each_update():
    searcher = searcher_of(PpoSearcher, update_every=8)
    updates = []
    rewards_of(searcher, 6, updates=updates)
    assert [update["told"] for update in updates] == [8, 16, 24]
    for update in updates:
        assert update["approx_kl"] > 0
        assert 0 < update["clipfrac"] <= 1
        assert 0 < update["entropy"] <= np.log(SPACE.count("raw").total) + 1e-4


def test_a_policy_that_stands_still_has_moved_nowhere():
    searcher = searcher_of(PpoSearcher, rate=0.0)
    updates = []
    rewards_of(searcher, 3, updates=updates)
    assert updates
    for update in updates:
        assert (update["approx_kl"], update["clipfrac"]) == (0, 0)


def test_sequences_wait_until_there_are_enough_and_are_then_forgotten():
    policy = TablePolicy(SPACE)
    searcher = searcher_of(PpoSearcher, policy=policy, update_every=5)
    waiting = []
    for first in range(0, 12, 2):
        genotypes = searcher.ask(2)
        before = policy.state()["steps"]
        searcher.tell(told(genotypes, [0.1, 0.2], first))
        waiting = [*waiting, *(genotype.tokens for genotype in genotypes)]
        learnt = policy.state()["steps"] > before
        assert learnt == (len(waiting) == 6)
        waiting = [] if learnt else waiting
        assert [tuple(tokens) for tokens, _ in searcher.state()["gathered"]] == waiting


def test_every_sequence_is_in_one_minibatch_of_each_pass():
    class Watched(TablePolicy):
        parts: ClassVar[list] = []

        def update(self, tokens, weigh, step):
            self.parts.append(tokens.tolist())
            return super().update(tokens, weigh, step)

    searcher = searcher_of(
        PpoSearcher, policy=Watched(SPACE), update_every=7, minibatches=3, update_epochs=2
    )
    genotypes = searcher.ask(7)
    searcher.tell(told(genotypes, [0.1 * n for n in range(7)]))
    assert [len(part) for part in Watched.parts] == [3, 2, 2, 3, 2, 2]
    expected = sorted(list(genotype.tokens) for genotype in genotypes)
    passes = [list(chain(*Watched.parts[:3])), list(chain(*Watched.parts[3:]))]
    assert [sorted(found) for found in passes] == [expected, expected]
    assert passes[0] != passes[1]


@pytest.mark.parametrize("minibatches", [1, 5])
def test_all_passes_compare_with_the_policy_that_chose(minibatches):
    """Fails where a pass compares with the policy of the pass before."""
    policy, other = TablePolicy(SPACE), TablePolicy(SPACE)
    changes = {"update_every": 5, "update_epochs": 3, "rate": 0.3, "minibatches": minibatches}
    searcher = searcher_of(PpoSearcher, policy=policy, **changes)
    rng = deepcopy(searcher._rng)
    genotypes = searcher.ask(5)
    rng.random((5, len(SPACE.layout)))
    rewards = [0.1, 0.5, 0.2, 0.9, 0.4]
    searcher.tell(told(genotypes, rewards))
    tokens = np.array([genotype.tokens for genotype in genotypes])
    advantages = (np.array(rewards) - searcher._baseline.mean).astype(np.float32)
    chosen, step = other.log_prob(tokens), PolicyStep(0.3, 0.0, 2.0)
    for _ in range(3):
        for rows in np.array_split(rng.permutation(5), minibatches):
            part = Surrogate(chosen[rows], advantages[rows], 0.1)
            other.update(tokens[rows], part.weights, step)
    np.testing.assert_allclose(policy.log_prob(tokens), other.log_prob(tokens), atol=1e-4)


def test_a_batch_that_failed_altogether_teaches_nothing():
    searcher = searcher_of(PpoSearcher)
    rewards_of(searcher, 1)
    before = json.dumps(searcher.state())
    searcher.tell([])
    assert json.dumps(searcher.state()) == before


def test_a_trial_without_a_reward_is_refused():
    searcher = searcher_of(PpoSearcher)
    with pytest.raises(ValueError, match="trial 0: complete, expected one with a reward"):
        searcher.tell(told(searcher.ask(1), [None]))


# Exactness ------------------------------------------------------------------------------


def lstm_searcher(kind, seed=0):
    return searcher_of(kind, seed, LstmPolicy(SPACE, seed, hidden=8), update_every=3, minibatches=2)


@pytest.mark.parametrize("kind", [PpoSearcher, ReinforceSearcher])
@pytest.mark.parametrize("moment", range(1, 7))
def test_a_searcher_restored_at_any_moment_is_the_same_to_the_last_bit(kind, moment):
    """The moments are after each ask and each tell of three batches."""
    whole, left = lstm_searcher(kind), lstm_searcher(kind, seed=9)
    steps = 0
    searcher = whole
    for batch in range(3):
        genotypes = searcher.ask(2)
        steps += 1
        searcher = moved(searcher, left) if steps == moment else searcher
        searcher.tell(told(genotypes, [0.1 * batch, 0.3], 2 * batch))
        steps += 1
        searcher = moved(searcher, left) if steps == moment else searcher
    assert searcher is left
    assert json.dumps(left.state()) == json.dumps(ran(lstm_searcher(kind)).state())


def moved(searcher, other):
    """``other`` in the state of ``searcher``, by way of JSON text."""
    other.restore(json.loads(json.dumps(searcher.state())))
    return other


def ran(searcher):
    for batch in range(3):
        searcher.tell(told(searcher.ask(2), [0.1 * batch, 0.3], 2 * batch))
    return searcher


class Gone(BaseException):
    """Stands for a process that is killed."""


@pytest.mark.parametrize("seed", range(3))
def test_a_run_cut_anywhere_comes_to_the_same_controller(tmp_path, driver_of, outcome_of, seed):
    def go(folder, chance=0.0):
        folder.mkdir(exist_ok=True)

        def evaluate(job, progress):
            if rng.random() < chance:
                raise Gone
            return outcome_of(job)

        with Journal(folder, write=True) as journal:
            driver_of(journal, evaluate, lstm_searcher(PpoSearcher)).run(Until(trials=8))

    rng = random.Random(seed)
    go(tmp_path / "whole")
    cuts = 0
    while True:
        try:
            go(tmp_path / "cut", chance=0.4)
            break
        except Gone:
            cuts += 1
    assert cuts > 0
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


@pytest.mark.parametrize("name", ["ppo", "reinforce", "random", "evolution", "nsga2", "predictor"])
def test_a_run_has_the_searcher_of_its_settings(place_of, name):
    place = place_of(name, search__searcher=name)
    whole = execute(place)
    assert len(whole) == 6
    with Journal(place.folder) as journal:
        state = journal.searcher().state
    own = {"ppo": "policy", "reinforce": "policy", "random": "words", "predictor": "known"}
    own |= dict.fromkeys(("evolution", "nsga2"), "population")
    assert own[name] in state
    execute(place_of("grown", search__searcher=name, trials=2))
    execute(place_of("grown", search__searcher=name))
    assert contents(place_of("grown").folder) == contents(place.folder)
