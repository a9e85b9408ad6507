"""Errors of torch's that are a trial's failure rather than a bug."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from auxnas.backends.base import TrialFailure

_MEMORY = (
    "not enough memory",
    "can't allocate memory",
    "Cannot allocate memory",
    "CUDA error: out of memory",
    "STATUS_ALLOC_FAILED",
)
"""Words in the message of a plain RuntimeError that is lack of memory."""


@contextmanager
def convert_memory_errors() -> Iterator[None]:
    """Turns lack of memory into ``TrialFailure("oom")``; everything else passes."""
    try:
        yield
    except TrialFailure:
        raise
    except (RuntimeError, MemoryError) as error:
        if not _is_memory(error):
            raise
        raise TrialFailure("oom", str(error).partition("\n")[0] or "out of memory") from error


def _is_memory(error: RuntimeError | MemoryError) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(text in str(error) for text in _MEMORY)


def check_finite(value: Tensor, what: str) -> None:
    """Raises ``TrialFailure("nan")`` unless all of ``value`` is finite."""
    if not bool(torch.isfinite(value).all()):
        raise TrialFailure("nan", f"{what} is not finite")
