"""Protocol of searchers, and arrays in their states."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from auxnas.genotype import Genotype
from auxnas.search.trials.records import Trial

State = Mapping[str, Any]


class Searcher(Protocol):
    """Proposes genotypes in batches.

    Before each batch is asked for, it is told of all trials but the latest ``search.lag``,
    ``search.update_every`` at a time; without a lag these are the batch before. Where
    proposals are over a limit, more of them are asked for before anything is told; of
    those over the limit nothing is told. The state holds everything that the future
    depends on: a searcher restored to it proposes what the other one would have. It is
    deterministic: the same calls bring the same state to the same one.
    """

    def ask(self, count: int) -> list[Genotype]:
        """The next ``count`` genotypes to try; none where there are no more, which ends the run."""

    def tell(self, trials: Sequence[Trial]) -> Mapping[str, float] | None:
        """Learns from the next trials that have a reward, in order. Failed ones are left out.

        Returns:
            Figures of the update that it made, for reports: ``told``, how many trials it had
            been told of, and its own; None when it made none.
        """

    def state(self) -> State:
        """Everything that future proposals depend on, as plain JSON data."""

    def restore(self, state: State) -> None:
        """Returns to a state."""


def pack_array(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    """An array as plain JSON data: type, shape, and the bytes in base64."""
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"dtype": array.dtype.str, "shape": list(array.shape), "data": data}


def unpack_array(stored: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """The array that ``pack_array`` was given."""
    flat = np.frombuffer(base64.b64decode(stored["data"]), stored["dtype"])
    return flat.reshape(stored["shape"]).copy()


def reward_of(trial: Trial) -> float:
    """The reward of a trial that has one.

    Raises:
        ValueError: when it has none: those that failed are never told.
    """
    if trial.reward is None:
        raise ValueError(f"trial {trial.number}: {trial.state}, expected one with a reward")
    return trial.reward
