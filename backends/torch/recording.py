"""A step's GPU kernels recorded once and launched together.

A small decoder's step is hundreds of short kernels, and launching each from Python takes
longer than running it. A CUDA graph replays all of them, on the same memory, in one call.

Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from backends.torch.failures import is_memory

Step = Callable[[Sequence[Tensor]], Tensor]
"""What gives one tensor for some, and changes others that it keeps."""
Record = Callable[[Step, Sequence[Tensor]], tuple[Callable[[], None], Tensor]]
"""Gives what does the step again on the same memory, and the tensor that it then fills.

Recording itself changes nothing.
"""

WARM_UP = 3
"""Steps before one is recorded: they make what the optimisers remember, and libraries
choose their algorithms."""


class Recorded:
    """A step that is recorded once it has been done some times on tensors of one form.

    Tensors of another form, an epoch's smaller last batch, are done as ever. So is
    everything from then on, with a warning, where the step cannot be recorded.

    Args:
        step: what it does depends on nothing but the tensors given and those that it keeps,
            which stay where they are in memory.
        record: how it is recorded.
    """

    def __init__(self, step: Step, record: Record) -> None:
        self._step, self._record = step, record
        self._form: list[tuple[torch.Size, torch.dtype]] = []
        self._done = 0
        self._replay: Callable[[], None] | None = None
        self._static: list[Tensor] = []
        self._result = torch.empty(0)

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        """The step's result, which the next call may overwrite."""
        form = [(tensor.shape, tensor.dtype) for tensor in tensors]
        self._form = self._form or form
        if form != self._form:
            return self._step(tensors)
        if self._done == WARM_UP:
            self._begin(tensors)
        self._done += 1
        if self._replay is None:
            return self._step(tensors)
        for mine, given in zip(self._static, tensors, strict=True):
            mine.copy_(given)
        self._replay()
        return self._result

    def _begin(self, tensors: Sequence[Tensor]) -> None:
        self._static = [tensor.clone() for tensor in tensors]
        try:
            self._replay, self._result = self._record(self._step, self._static)
        except RuntimeError as error:
            if is_memory(error):
                raise
            reason = str(error).partition("\n")[0]
            warnings.warn(f"steps are launched one kernel at a time: {reason}", stacklevel=2)


def cuda_graph(step: Step, tensors: Sequence[Tensor]) -> tuple[Callable[[], None], Tensor]:
    """A ``Record`` of CUDA; to be called where ``side_stream`` holds."""
    graph = torch.cuda.CUDAGraph()
    stream = torch.cuda.current_stream()
    with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        result = step(tensors)
    return graph.replay, result


@contextmanager
def side_stream(device: torch.device) -> Iterator[None]:
    """On a GPU, launches on a stream of its own: nothing can be recorded on the default one."""
    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream(device).wait_stream(stream)
