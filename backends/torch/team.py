"""A member of a team of processes that train one network, each on a part of every batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from auxnas.backends.torch.batches import Draw

LEAST = 2
"""Examples at least that a member has of a batch, for batch norm."""


@dataclass(frozen=True)
class Team:
    """A member among others; torch's process group has to be there.

    Attributes:
        rank: the member's number, from 0.
        count: of members.
    """

    rank: int
    count: int

    def parts_of(self, draws: Iterable[Draw]) -> Iterator[Draw]:
        """The member's part of each batch; a batch that is too small for all is left out."""
        for draw in draws:
            if len(draw.indices) >= LEAST * self.count:
                mine = np.array_split(np.array(draw.indices), self.count)[self.rank]
                seed = None if draw.seed is None else (*draw.seed, self.rank + 1)
                yield Draw(mine.tolist(), seed)

    def joined(self, module: nn.Module) -> nn.Module:
        """The module, whose gradients are the mean of all members'."""
        return DistributedDataParallel(module, static_graph=True)  # some weights may be unused

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all members."""
        total = values.clone()
        distributed.all_reduce(total)
        return total

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all members."""
        return self.sum(values) / self.count
