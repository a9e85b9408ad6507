"""The tabular benchmark: small, whole, read without a framework; and searchers on it."""

import dataclasses
import json
import random
import subprocess
import sys

import numpy as np
import pytest

from auxnas.genotype import GenotypeError, SearchSpace
from auxnas.search.errors import SearchError
from auxnas.search.searchers import make_searcher
from auxnas.search.settings.search import SearchSettings
from auxnas.search.tabular import TABLE, load_table
from auxnas.search.trials.records import COMPLETE, Trial


@pytest.fixture(scope="module")
def table():
    return load_table()


def test_the_shipped_table_is_small_and_whole(table):
    assert TABLE.stat().st_size < 1_000_000
    assert len(table.rewards) == table.space.count("functional").total == 4200
    assert ((table.rewards > 0) & (table.rewards < 1)).all()
    assert len(set(table.rewards.tolist())) > 4000  # each measured for itself
    assert table.best == pytest.approx(table.rewards.max())
    assert table.made["settings"]["stage1.epochs"] == 3


def test_it_is_read_without_a_framework():
    program = (
        "import sys; from search.tabular import load_table; load_table();"
        "print(sorted({'torch', 'onnx'} & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr


def test_rewards_are_in_the_order_of_the_enumeration(table):
    for place in range(0, 4200, 397):
        found = table.reward(table.space.unrank(place, "functional"))
        assert found == pytest.approx(float(table.rewards[place]))


def test_architectures_that_compute_the_same_have_the_same_reward(table):
    rng = random.Random(0)
    for _ in range(200):
        genotype = table.space.sample(rng)
        assert table.reward(genotype) == table.reward(genotype.canonical("functional"))


def test_a_genotype_of_another_space_is_refused(table):
    with pytest.raises(GenotypeError):
        table.reward(SearchSpace.cvpr2019().sample(random.Random(0)))


def test_a_table_survives_storage(table, tmp_path):
    table.save(tmp_path / "t.npz")
    found = load_table(tmp_path / "t.npz")
    np.testing.assert_array_equal(found.rewards, table.rewards)
    assert found.made == table.made
    assert [path.name for path in tmp_path.iterdir()] == ["t.npz"]


def test_a_table_of_other_architectures_is_refused(table, tmp_path):
    dataclasses.replace(table, rewards=table.rewards[:-1]).save(tmp_path / "short.npz")
    with pytest.raises(SearchError, match=r"short.npz: 4199 rewards, expected 4200"):
        load_table(tmp_path / "short.npz")
    made = json.dumps({"keys": "another order"})
    np.savez(tmp_path / "other.npz", rewards=table.rewards, made=np.array(made))
    with pytest.raises(SearchError, match=r"other.npz: architectures another order, expected "):
        load_table(tmp_path / "other.npz")


def played(table, name, seed, evaluations=240, **controller):
    """The rewards of all proposals, with the policy in closed form."""
    settings = SearchSettings.model_validate({"searcher": name, "controller": controller})
    searcher = make_searcher(settings, table.space, seed, "null")
    rewards = []
    while len(rewards) < evaluations:
        genotypes = searcher.ask(4)
        found = [table.reward(genotype) for genotype in genotypes]
        pairs = enumerate(zip(genotypes, found, strict=True), len(rewards))
        searcher.tell([Trial(n, 0, g, "", 0, COMPLETE, (), r) for n, (g, r) in pairs])
        rewards += found
    return np.array(rewards)


@pytest.mark.parametrize("name", ["ppo", "reinforce"])
def test_learning_beats_random_search_on_it(table, name):
    random_ones = [played(table, "random", seed) for seed in range(4)]
    taught = [played(table, name, seed, rate=0.1) for seed in range(4)]
    still = [played(table, name, seed, rate=0.0) for seed in range(4)]
    ends = [np.mean([one[-60:] for one in found]) for found in (random_ones, taught, still)]
    assert ends[1] > ends[0] + 0.03
    assert abs(ends[2] - ends[0]) < 0.03  # the test sees a policy that learns nothing
