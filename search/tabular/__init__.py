"""A small search space in which the reward of every architecture is known.

Four encoder outputs, two blocks, one branch, and three operations: 43,200 sequences that
are 4,200 architectures up to level ``functional``. Each was trained once, by
``bench/search/tabular.py``, whose docstring says how; so a searcher can be tested in
milliseconds an evaluation, on rewards with the structure and the noise of real ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from auxnas.compiler.files import atomic_write
from auxnas.genotype import CVPR2019, Genotype, SearchSpace, Vocabulary
from auxnas.search.errors import RequestError

OPERATIONS = ("sep3x3", "gap", "skip")
TABLE = Path(__file__).with_name("table.npz")


def tabular_space() -> SearchSpace:
    """The space of the table."""
    rows = {operation.name: operation for operation in CVPR2019.operations}
    return SearchSpace(4, 2, 1, Vocabulary(tuple(rows[name] for name in OPERATIONS)))


def keys_digest(keys: Iterable[str]) -> str:
    """Names the architectures of a table and their order."""
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class RewardTable:
    """Rewards of all architectures of a space.

    Attributes:
        space: the space.
        rewards: float32, in the order of ``space.enumerate("functional")``.
        made: how they were measured.
    """

    space: SearchSpace
    rewards: np.ndarray[Any, Any]
    made: dict[str, Any]

    @cached_property
    def _places(self) -> dict[str, int]:
        genotypes = self.space.enumerate("functional")
        return {genotype.key("functional"): place for place, genotype in enumerate(genotypes)}

    def reward(self, genotype: Genotype) -> float:
        """Reward measured for ``genotype`` or one that computes the same.

        Raises:
            GenotypeError: when it is not a member of the space.
        """
        return float(self.rewards[self._places[self.space.check(genotype).key("functional")]])

    @property
    def best(self) -> float:
        """The largest reward there is."""
        return float(self.rewards.max())

    def save(self, path: Path) -> None:
        """Writes the table, compressed."""
        made = json.dumps({**self.made, "keys": keys_digest(self._places)})
        rewards = self.rewards.astype(np.float32)
        with atomic_write(path) as temporary:
            np.savez_compressed(temporary, rewards=rewards, made=np.array(made))


def load_table(path: Path = TABLE) -> RewardTable:
    """The table that is shipped, or another one.

    Raises:
        RequestError: for a file of other architectures, or of the same in another order.
    """
    with np.load(path, allow_pickle=False) as stored:
        table = RewardTable(tabular_space(), stored["rewards"], json.loads(str(stored["made"])))
    if len(table.rewards) != len(table._places):
        raise RequestError(str(path), f"{len(table.rewards)} rewards", f"{len(table._places)}")
    found, expected = table.made.pop("keys"), keys_digest(table._places)
    if found != expected:
        raise RequestError(str(path), f"architectures {found}", expected)
    return table
