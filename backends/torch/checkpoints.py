"""PyTorch checkpoints as arrays, without running any code in them."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auxnas.backends.artefacts.archives import open_archive
from auxnas.compiler import CompilerError
from auxnas.compiler.weights import unwrap_names

Array = np.ndarray[Any, Any]

_EXPECTED = "a state dict of tensors alone"
_SAVE = f"{_EXPECTED}: torch.save(network.state_dict(), FILE)"
_PREFERRED = ("state_dict", "model_state_dict", "model")
"""Keys under which training scripts keep the network's state dict; averages have others."""
_WHOLE = "a whole safetensors file or PyTorch state dict"
_MOST_NUMBERS = 2**30
"""Of all tensors together: 4 GiB. An expanded tensor is small in the file, whatever it says."""
_DEEPEST = 3
"""Dictionaries within one another that are looked into."""
_PLAIN = (
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
)
"""Types of numbers that are read: 8-bit ones mean nothing without their scale."""
_REFUSED = re.compile(r"GLOBAL (\S+)")
"""Pattern of the unpickler's message for a name that it does not resolve."""


def read_checkpoint(path: Path) -> dict[str, Array]:
    """The tensors of a state dict, float32 under ``unwrap_names``, without running code.

    In a checkpoint of more, the state dict is the one under ``state_dict``, ``model_state_dict``
    or ``model``, or the only one.

    Raises:
        CompilerError: for a file that is damaged or holds no state dict, or naming the first
            tensor whose values cannot be taken.
    """
    state = _state_dict(_loaded(path), str(path))
    count = sum(value.numel() for value in state.values() if not value.is_nested)
    if count > _MOST_NUMBERS:
        raise CompilerError(str(path), f"tensors of {count:,} numbers", f"at most {_MOST_NUMBERS}")
    arrays = {str(name): _array(value, f"{path}: {name}") for name, value in state.items()}
    return unwrap_names(arrays, str(path))


def _loaded(path: Path) -> Any:
    """Content of the file as read by torch's restricted unpickler."""
    _check_archive(path)
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            torch.serialization.safe_globals(_numpy_scalars()),
        ):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # A damaged pickle can make the unpickler raise anything.
        refused = _REFUSED.search(str(error))
        if refused:
            found = f"a {refused[1]} in it, which is made by running code"
            raise CompilerError(str(path), found, _SAVE) from None
        raise CompilerError(str(path), f"damaged ({_reason(error)})", _WHOLE) from None


def _reason(error: Exception) -> str:
    """Reason of a failed load in our words: torch's own advise to run the pickle's code."""
    if isinstance(error, pickle.UnpicklingError):
        return "not what torch.save writes"
    return str(error).partition("\n")[0].partition(". ")[0] or type(error).__name__


def _numpy_scalars() -> list[Any]:
    """Globals of a pickled numpy scalar: dtypes, and the function that makes it from bytes."""
    scalar: Any = np.float64(0).__reduce__()[0]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    kinds = {type(np.dtype(code)) for code in "?bBhHiIlLqQefd"}
    return [*((scalar, name) for name in names), np.dtype, *kinds]


def _check_archive(path: Path) -> None:
    """Looks into an archive first: at its sizes, and whether it is one of another kind.

    Raises:
        CompilerError: when there is no state dict in it.
    """
    if not zipfile.is_zipfile(path):
        return
    with open_archive(path, str(path), _EXPECTED) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
    if "constants.pkl" in names:
        raise CompilerError(str(path), "a TorchScript archive", _SAVE)
    if "archive_format" in names:
        raise CompilerError(str(path), "a torch.export program", _SAVE)
    if "data.pkl" not in names:
        raise CompilerError(str(path), "an archive without a checkpoint in it", _SAVE)


def _state_dict(value: Any, place: str) -> Mapping[Any, Any]:
    """The state dict that ``value`` is or holds.

    Raises:
        CompilerError: when there is none, or more than one to choose from.
    """
    if not isinstance(value, dict):
        raise CompilerError(place, f"a {type(value).__name__}", _SAVE)
    if _is_state(value) or not value:
        return value
    found: dict[str, Mapping[Any, Any]] = dict(_nested(value))
    for key in _PREFERRED:
        if key in found:
            return found[key]
    if len(found) > 1:
        keys = ", ".join(found)
        raise CompilerError(place, f"state dicts under {keys}", f"one, or under {_PREFERRED[0]}")
    if found:
        return next(iter(found.values()))
    name = next(key for key, each in value.items() if not isinstance(each, Tensor))
    raise CompilerError(place, f"a {type(value[name]).__name__} under the key {name!r}", _SAVE)


def _is_state(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(each, Tensor) for each in value.values())
    )


def _nested(value: Mapping[Any, Any], outer: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    """The state dicts in a dictionary by their dotted keys; an optimiser's have none."""
    for key, each in value.items():
        if isinstance(each, dict) and isinstance(key, str):
            if _is_state(each):
                yield f"{outer}{key}", each
            elif depth < _DEEPEST:
                yield from _nested(each, f"{outer}{key}.", depth + 1)


def _array(value: Tensor, place: str) -> Array:
    """A tensor's values as float32.

    Raises:
        CompilerError: for a tensor that has no plain values.
    """
    kind = _oddity(value)
    if kind is not None:
        raise CompilerError(place, kind, "a dense tensor of real numbers")
    return value.detach().float().numpy()


def _oddity(value: Tensor) -> str | None:
    """Reason that a tensor's values cannot be read; None where they can."""
    if value.is_meta:
        return "a meta tensor, which has no values"
    if value.is_quantized:
        return "a quantised tensor"
    if value.is_nested or value.layout != torch.strided:
        return "a nested tensor" if value.is_nested else f"a tensor of layout {value.layout}"
    if value.is_complex():
        return "complex numbers"
    if value.dtype not in _PLAIN:
        return f"numbers of type {str(value.dtype).removeprefix('torch.')}"
    return None
