"""Serialisation of a training as arrays by name, from which another process can continue it.

A name is the kind of array, a slash, the parameter, and for what an optimiser remembers
of it another slash and torch's own name: ``moments/decoder.clf.weight/exp_avg``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from auxnas.backends.base import TrainingState
from auxnas.backends.torch.devices import Array
from auxnas.backends.torch.optimisers import ParameterGroup, PolyakAverage

_WEIGHTS, _MOMENTS, _AVERAGE = "weights/", "moments/", "average/"
_AVERAGED = "averaged"
TAKEN = "taken"
"""Name of the number of steps behind a state, counted as if all were on the last examples."""
FULL = "full"
"""Name of the mark that a training in reduced precision has gone over to float32."""
EACH = "each"
"""Name of the number of steps that an epoch of those has; absent where it never changed."""


def weights_of(state: TrainingState) -> dict[str, Array]:
    """The network's parameters by name, as they were trained: not averaged."""
    return {n.removeprefix(_WEIGHTS): v for n, v in state.items() if n.startswith(_WEIGHTS)}


def save_state(
    weights: Mapping[str, Array],
    module: nn.Module,
    groups: Sequence[ParameterGroup],
    average: PolyakAverage | None,
    taken: int,
) -> dict[str, Array]:
    """Everything that the rest of a training depends on, apart from its recipe and data."""
    state = {_WEIGHTS + name: value for name, value in weights.items()}
    state |= {_MOMENTS + name: _array(value) for name, value in _moments(module, groups)}
    if average is not None:
        names = _names(module)
        for param, value in zip(average.params, average.average, strict=True):
            state[_AVERAGE + names[param]] = _array(value)
        state[_AVERAGED] = np.array(average.weight)
    return state | {TAKEN: np.array(taken)}


def load_state(
    state: TrainingState,
    module: nn.Module,
    groups: Sequence[ParameterGroup],
    average: PolyakAverage | None,
) -> None:
    """Restores optimisers and average from ``state``; the module has the weights already.

    A parameter that the state does not know begins like a new one, and an average that it
    does not know begins here.
    """
    names, remembered = _names(module), _remembered(state)
    for group in groups:
        for param in group.params:
            moments = remembered.get(names[param], {})
            group.optimiser.state[param] = {k: _like(param, v) for k, v in moments.items()}
    if average is not None and _AVERAGED in state:
        average.weight = float(state[_AVERAGED])
        for averaged, value in zip(average.params, average.average, strict=True):
            known = state.get(_AVERAGE + names[averaged])
            if known is not None:
                value.copy_(torch.from_numpy(np.array(known)))


def _names(module: nn.Module) -> dict[Tensor, str]:
    return {param: name for name, param in module.named_parameters()}


def _moments(module: nn.Module, groups: Sequence[ParameterGroup]) -> Iterator[tuple[str, Tensor]]:
    names = _names(module)
    for group in groups:
        for param, known in group.optimiser.state.items():
            for key, value in known.items():
                if value is not None:
                    yield f"{names[param]}/{key}", value


def _remembered(state: TrainingState) -> dict[str, dict[str, Array]]:
    """Optimiser state by parameter, then by torch's name for it."""
    found: dict[str, dict[str, Array]] = {}
    for name, value in state.items():
        if name.startswith(_MOMENTS):
            param, _, key = name.removeprefix(_MOMENTS).rpartition("/")
            found.setdefault(param, {})[key] = value
    return found


def _like(param: Tensor, value: Array) -> Tensor:
    """``value`` on the device of ``param``; a map in its memory layout too.

    A fused optimiser goes through both in the order of memory.
    """
    tensor = torch.from_numpy(np.array(value)).to(param.device)
    return torch.empty_like(param).copy_(tensor) if tensor.shape == param.shape else tensor


def _array(tensor: Tensor) -> Array:
    return np.array(tensor.detach().cpu().contiguous().numpy(), order="C")
