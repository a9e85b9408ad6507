"""What every policy promises, by enumeration of a space with 288 sequences."""

import warnings
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch = pytest.importorskip("torch")

from auxnas.backends.base import PolicyStep
from auxnas.backends.null.policy import TablePolicy
from auxnas.backends.registry import backend
from auxnas.backends.torch.policy import LstmPolicy, OneArray
from auxnas.genotype import CVPR2019, SearchSpace, Vocabulary, zoo

TINY = SearchSpace(3, 1, 1, Vocabulary(CVPR2019.operations[-2:]))
PAPER = SearchSpace.cvpr2019()
EVERY = np.array(list(product(*(range(token.size) for token in TINY.layout))))
STEP = PolicyStep(rate=0.05, entropy=0.1)


def lstm(space, seed=0):
    return LstmPolicy(space, seed, hidden=6)


def table(space, seed=0):
    return TablePolicy(space, seed)


def draws(policy, count=64, seed=0):
    return policy.sample(count, np.random.default_rng(seed))


def taught(policy, steps=5, seed=0):
    """The policy after some updates, so that it is far from uniform."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        tokens = policy.sample(20, rng)
        policy.update(tokens, constant(rng.normal(size=tokens.shape)), STEP)
    return policy


def constant(weights):
    """A ``Weigh`` that does not look."""
    return lambda log_probs: weights.astype(np.float32)


def objective(policy, tokens, weights, step=STEP):
    gain = (weights * policy.log_prob(tokens).astype(np.float64)).mean()
    return gain + step.entropy * policy.entropy(tokens).astype(np.float64).mean()


def check_probabilities_sum_to_one(policy):
    assert np.exp(policy.log_prob(EVERY).sum(axis=1)).sum() == pytest.approx(1, abs=1e-5)


def check_entropies(policy):
    """By the chain rule, the expected sum of the choices' entropies is the sequence's."""
    logs = policy.log_prob(EVERY).sum(axis=1, dtype=np.float64)
    expected = -(np.exp(logs) * logs).sum()
    found = (np.exp(logs) * policy.entropy(EVERY).sum(axis=1)).sum()
    assert found == pytest.approx(expected, abs=1e-4)


def conditional(policy, prefix):
    """Probabilities of the next choice's values after a prefix, from ``log_prob`` alone."""
    place, rest = len(prefix), [0] * (len(TINY.layout) - len(prefix) - 1)
    rows = [[*prefix, value, *rest] for value in range(TINY.layout[place].size)]
    return np.exp(policy.log_prob(np.array(rows))[:, place].astype(np.float64))


def check_samples(policy):
    """Every sampled token is the one that the draws and ``log_prob`` lead to."""
    found = draws(policy)
    uniform = np.random.default_rng(0).random(found.shape)
    for row, numbers in zip(found.tolist(), uniform, strict=True):
        for place, number in enumerate(numbers):
            bounds = conditional(policy, row[:place]).cumsum()
            if np.abs(bounds - number).min() > 1e-5:
                assert row[place] == (bounds <= number).sum()


@pytest.mark.parametrize("make", [lstm, table])
class TestPolicy:
    def test_probabilities_sum_to_one(self, make):
        check_probabilities_sum_to_one(taught(make(TINY)))

    def test_entropies_are_those_of_the_distribution(self, make):
        check_entropies(taught(make(TINY)))

    def test_samples_follow_the_probabilities(self, make):
        check_samples(taught(make(TINY)))

    def test_rows_of_a_batch_do_not_touch_each_other(self, make):
        policy = taught(make(PAPER))
        tokens = draws(policy, 5)
        for method in (policy.log_prob, policy.entropy):
            alone = np.concatenate([method(row[None]) for row in tokens])
            np.testing.assert_allclose(method(tokens), alone, atol=1e-5)

    def test_a_choice_depends_on_nothing_behind_it(self, make):
        policy = taught(make(PAPER))
        tokens, others = draws(policy, 5), draws(policy, 5, seed=1)
        for place in range(len(PAPER.layout)):
            mixed = np.concatenate([tokens[:, : place + 1], others[:, place + 1 :]], axis=1)
            found, expected = policy.log_prob(mixed), policy.log_prob(tokens)
            np.testing.assert_allclose(found[:, place], expected[:, place], atol=1e-6)

    @pytest.mark.parametrize("name", ["arch0", "arch1", "arch2"])
    def test_published_architectures_can_be_emitted(self, make, name):
        logs = make(PAPER).log_prob(np.array([zoo.load_published(name).genotype.tokens]))
        assert np.isfinite(logs).all()
        sizes = [token.size for token in PAPER.layout]
        np.testing.assert_allclose(logs[0], -np.log(sizes), atol=0.3)  # nearly uniform at first

    def test_all_tokens_of_the_paper_come_up(self, make):
        tokens = draws(make(PAPER), 400)
        assert tokens.dtype == np.int64
        for token, column in zip(PAPER.layout, tokens.T, strict=True):
            assert set(column.tolist()) == set(range(token.size))

    def test_an_update_goes_up_the_objective(self, make):
        policy = taught(make(PAPER))
        tokens = draws(policy)
        weights = np.random.default_rng(1).normal(size=tokens.shape)
        before = objective(policy, tokens, weights)
        for _ in range(3):
            policy.update(tokens, constant(weights), replace(STEP, rate=1e-3))
        assert objective(policy, tokens, weights) > before + 1e-5

    def test_weights_are_made_of_the_log_probabilities_before_the_step(self, make):
        policy = taught(make(TINY))
        tokens, seen = draws(policy), []
        expected = policy.log_prob(tokens)
        entropy = policy.entropy(tokens).sum(axis=1).mean()
        found = policy.update(tokens, lambda logs: seen.append(logs.copy()) or logs, STEP)
        assert found.entropy == pytest.approx(entropy, rel=1e-5)
        assert len(seen) == 1
        np.testing.assert_allclose(seen[0], expected, atol=1e-6)
        assert seen[0].dtype == np.float32

    def test_entropy_alone_makes_choices_even(self, make):
        policy = taught(make(TINY), 20)
        nothing = constant(np.zeros(EVERY.shape))
        before = policy.entropy(EVERY).mean()
        for _ in range(40):
            policy.update(EVERY, nothing, STEP)
        assert before < policy.entropy(EVERY).mean() <= np.log(3) + 1e-6

    def test_gradient_agrees_with_finite_differences(self, make):
        policy = taught(make(TINY))
        tokens = draws(policy)
        weights = np.random.default_rng(1).normal(size=tokens.shape)
        state = policy.state()
        gradient, norm = gradient_of(policy, tokens, weights)
        total = sum((value**2).sum() for value in gradient.values())
        assert norm == pytest.approx(np.sqrt(total), rel=1e-3)
        for name, value in gradient.items():
            place = np.unravel_index(np.abs(value).argmax(), value.shape)
            ends = []
            for step in (-0.02, 0.02):
                moved = {**state, name: state[name].copy()}
                moved[name][place] += step
                policy.restore(moved)
                ends.append(objective(policy, tokens, weights))
            found = (ends[1] - ends[0]) / 0.04
            assert value[place] == pytest.approx(found, rel=0.02, abs=2e-5), name

    def test_the_gradient_is_cut_to_its_largest_norm(self, make):
        one, other = make(TINY), make(TINY)
        tokens = draws(one)
        weights = np.ones(tokens.shape)
        gradient, norm = gradient_of(one, tokens, weights)
        cut, same = gradient_of(other, tokens, weights, replace(STEP, max_norm=norm / 4))
        assert norm == same
        for name, value in cut.items():
            np.testing.assert_allclose(value, gradient[name] / 4, rtol=1e-4, atol=1e-8)

    def test_a_restored_policy_is_the_same_to_the_last_bit(self, make):
        policy = taught(make(PAPER))
        state = {name: value.copy() for name, value in policy.state().items()}
        fresh = make(PAPER, 99)
        fresh.restore(state)
        for other in (taught(fresh), taught(policy)):
            taught(other, 2, seed=3)
        tokens = draws(policy)
        np.testing.assert_array_equal(draws(fresh), tokens)
        np.testing.assert_array_equal(fresh.log_prob(tokens), policy.log_prob(tokens))
        assert fresh.state().keys() == policy.state().keys() == state.keys()
        for name, value in policy.state().items():
            np.testing.assert_array_equal(fresh.state()[name], value)

    def test_a_state_is_a_copy(self, make):
        policy = make(TINY)
        state = policy.state()
        before = {name: value.copy() for name, value in state.items()}
        taught(policy)
        for name, value in state.items():
            np.testing.assert_array_equal(value, before[name])

    def test_the_state_of_another_space_is_refused(self, make):
        with pytest.raises(ValueError, match=r"policy state: no \S+ of shape \("):
            make(TINY).restore(make(PAPER).state())
        with pytest.raises(ValueError, match="policy state: no"):
            make(TINY).restore({})


def gradient_of(policy, tokens, weights, step=STEP):
    """Of the objective by all weights, read off Adam's first moments; and its norm."""
    state = policy.state()
    before, norm = first_moments(state), policy.update(tokens, constant(weights), step).norm
    after = first_moments(policy.state())
    policy.restore(state)
    sign = -1 if isinstance(policy, LstmPolicy) else 1  # torch goes down the negative
    return {name: sign * (after[name] - 0.9 * before[name]) / 0.1 for name in before}, norm


def first_moments(state):
    if "moments" in state:
        return {"logits": state["moments"][0]}
    end = ":exp_avg"
    found = {name.removesuffix(end): v for name, v in state.items() if name.endswith(end)}
    return {name: value.astype(np.float64) for name, value in found.items()}


# The checks see what is wrong ---------------------------------------------------------


class Unnormalised(TablePolicy):
    def log_prob(self, tokens):
        return super().log_prob(tokens) + np.float32(0.01)


class Certain(TablePolicy):
    def entropy(self, tokens):
        return super().entropy(tokens) * np.float32(0.9)


class Backwards(TablePolicy):
    def sample(self, count, rng):
        tokens = super().sample(count, rng)
        return np.array([token.size - 1 for token in TINY.layout]) - tokens


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (Unnormalised, check_probabilities_sum_to_one),
        (Certain, check_entropies),
        (Backwards, check_samples),
    ],
)
def test_a_wrong_policy_is_found(kind, check):
    check(taught(TablePolicy(TINY)))
    with pytest.raises(AssertionError):
        check(taught(kind(TINY)))


# The controller of the paper ------------------------------------------------------------


def test_the_registry_knows_both():
    assert backend("policy", "torch") is LstmPolicy
    assert backend("policy", "null") is TablePolicy


def test_the_paper_s_controller():
    state = LstmPolicy(PAPER, 0).state()
    weights = {name: value for name, value in state.items() if ":" not in name}
    assert weights["lstm.weight_hh_l1"].shape == (400, 100)
    assert "lstm.weight_hh_l2" not in weights
    heads = {name: len(value) for name, value in weights.items() if name.startswith("heads")}
    assert sorted({size for name, size in heads.items() if "location" in name}) == [2, 5, 8]
    assert sorted({size for name, size in heads.items() if "index" in name}) == [4, 5, 6]
    everything = np.concatenate([value.ravel() for value in weights.values()])
    assert np.abs(everything).max() <= 0.1
    assert np.abs(everything).mean() == pytest.approx(0.05, rel=0.01)
    assert everything.mean() == pytest.approx(0, abs=1e-3)


def test_choices_of_the_lstm_depend_on_those_before():
    policy = LstmPolicy(PAPER, 0)
    tokens = draws(policy, 1)
    for place in range(len(PAPER.layout) - 1):
        other = tokens.copy()
        other[0, place] = (tokens[0, place] + 1) % PAPER.layout[place].size
        changed = policy.log_prob(other)[0, place + 1 :] - policy.log_prob(tokens)[0, place + 1 :]
        assert np.abs(changed).max() > 1e-5


def test_seeds_give_other_weights_and_torch_s_own_generator_is_left_alone():
    before = torch.get_rng_state()
    one, other = lstm(PAPER, 1), lstm(PAPER, 2)
    assert not np.array_equal(one.state()["start"], other.state()["start"])
    taught(one)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_lstm_works_on_one_thread_and_leaves_the_others_as_they_were():
    before, seen = torch.get_num_threads(), []

    def weigh(log_probs):
        seen.append(torch.get_num_threads())
        return log_probs

    torch.set_num_threads(2)
    try:
        policy = lstm(TINY)
        policy.update(draws(policy), weigh, STEP)
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)


def test_adam_is_that_of_torch():
    generator = torch.Generator().manual_seed(0)
    shapes = {"a": (3, 5), "b": (17,), "c": ()}
    ours = {name: torch.nn.Parameter(torch.empty(shape)) for name, shape in shapes.items()}
    array = OneArray(ours)
    for param in ours.values():
        param.data.uniform_(-1, 1, generator=generator)
    theirs = [torch.nn.Parameter(param.detach().clone()) for param in ours.values()]
    adam = torch.optim.Adam(theirs, lr=0.01)
    for limit in (0.0, 0.5, 100.0) * 3:
        for mine, their in zip(ours.values(), theirs, strict=True):
            gradient = torch.randn(mine.shape, generator=generator)
            mine.grad += gradient
            their.grad = gradient
        expected = float(torch.nn.utils.clip_grad_norm_(theirs, limit or float("inf")))
        assert array.step(0.01, limit) == pytest.approx(expected)
        adam.step()
    for mine, their in zip(ours.values(), theirs, strict=True):
        torch.testing.assert_close(mine, their, rtol=1e-4, atol=1e-6)
    assert {float(value) for name, value in array.tensors().items() if ":step" in name} == {9.0}
