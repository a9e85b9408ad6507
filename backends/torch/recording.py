"""A step's GPU kernels recorded once and launched together.

A small decoder's step is hundreds of short kernels, and launching each from Python takes
longer than running it. A CUDA graph replays all of them, on the same memory, in one call.

Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

from auxnas.backends.base import TrainingWarning

StepFunction = Callable[[Sequence[Tensor]], Tensor]
"""Function of tensors to one tensor, which may also update tensors that it holds. It depends on
nothing else, and those keep their place in memory."""
Record = Callable[[StepFunction, Sequence[Tensor]], tuple[Callable[[], None], Tensor]]
"""Records a step: gives a function that replays it on the same memory, and its output tensor.

Recording itself changes nothing.
"""

WARM_UP = 3
"""Steps before one is recorded: they make what the optimisers remember, and libraries
choose their algorithms."""
_unable: list[str] = []
"""Reason that this process records no more: a failure may have left memory behind."""


class NoRoom(RuntimeError):
    """A recording would take more memory than there is; nothing has been tried."""


class RecordedStep:
    """Does steps; records them once it has done some on tensors of one form.

    Tensors of another form, an epoch's smaller last batch, are run without it. So is
    everything from then on, with a warning, where the step cannot be recorded.

    Args:
        record: how a step is recorded.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._form: list[tuple[torch.Size, torch.dtype]] = []
        self._done = 0
        self.release()

    def release(self) -> None:
        """Frees the recording and its memory; later steps run without one."""
        self._replay: Callable[[], None] | None = None
        self._static: list[Tensor] = []
        self._result = torch.empty(0)

    def __call__(self, step: StepFunction, tensors: Sequence[Tensor]) -> Tensor:
        """The result of ``step``, always the same one; the next call may overwrite it."""
        form = [(tensor.shape, tensor.dtype) for tensor in tensors]
        self._form = self._form or form
        if form != self._form:
            return step(tensors)
        if self._done == WARM_UP and not _unable:
            self._begin(step, tensors)
        self._done += 1
        if self._replay is None:
            return step(tensors)
        for mine, given in zip(self._static, tensors, strict=True):
            mine.copy_(given)
        self._replay()
        return self._result

    def _begin(self, step: StepFunction, tensors: Sequence[Tensor]) -> None:
        try:
            self._static = [tensor.clone() for tensor in tensors]
            self._replay, self._result = self._record(step, self._static)
        except RuntimeError as error:
            self.release()
            reason = _reason(error)
            if not isinstance(error, NoRoom):
                _unable.append(reason)
            line = f"steps are launched one kernel at a time: {reason}"
            warnings.warn(line, TrainingWarning, stacklevel=2)


def _reason(error: BaseException) -> str:
    """The first line of what went wrong first: ending a recording fails in turn."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error).partition("\n")[0]


def cuda_graph(step: StepFunction, tensors: Sequence[Tensor]) -> tuple[Callable[[], None], Tensor]:
    """A ``Record`` of CUDA; to be called within ``side_stream``.

    Raises:
        NoRoom: when there is too little memory.
        RuntimeError: when the step waits for a value, or there is too little memory after all.
    """
    _check_room(tensors[0].device)
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()  # to free an older graph while one is recorded is an error
    try:
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            result = step(tensors)
    finally:
        if collecting:
            gc.enable()
    return graph.replay, result


def _check_room(device: torch.device) -> None:
    """A graph has memory of its own, which steps of another form cannot use."""
    used, held = torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device)
    needed = 2 * (torch.cuda.max_memory_allocated(device) - used)
    free = torch.cuda.mem_get_info(device)[0] + held - used
    if free < needed:
        raise NoRoom(f"{free >> 20} MiB of GPU memory free, a recording takes {needed >> 20}")


@contextmanager
def side_stream(device: torch.device) -> Iterator[None]:
    """On a GPU, launches on a stream of its own: nothing can be recorded on the default one."""
    if device.type != "cuda":
        yield
        return
    stream, before = _stream(device), torch.cuda.current_stream(device)
    torch.cuda.reset_peak_memory_stats(device)
    stream.wait_stream(before)
    try:
        with torch.cuda.stream(stream):
            yield
    finally:
        before.wait_stream(stream)


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """One a device: what the allocator keeps for a stream serves no other."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
