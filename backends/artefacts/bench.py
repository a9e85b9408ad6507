"""Timing of an artefact: warm-up, then many runs, each timed by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import mean, median, stdev
from typing import Any

import numpy as np

from auxnas.backends.artefacts.artefact import Artefact
from auxnas.backends.artefacts.memory import bytes_of, check_memory
from auxnas.backends.base import Runner
from auxnas.backends.measuring import timing
from auxnas.backends.measuring.timing import Clock, latency_of_runs, split_rounds
from auxnas.backends.tensors import Tensor
from auxnas.compiler import CompilerError, Size

Array = np.ndarray[Any, Any]

PAPER_RUNS = 100
"""The paper's protocol (section 4): mean and standard deviation over 100 runs."""
DEFAULT_SIZE: Size = (512, 512)
"""(height, width) for artefacts that take any size."""


@dataclass(frozen=True)
class RunTimes:
    """Seconds of the single runs, in order."""

    seconds: tuple[float, ...]

    @property
    def p95(self) -> float:
        """95th percentile of the runs, in seconds, interpolated."""
        return float(np.percentile(self.seconds, 95))

    def to_dict(self) -> dict[str, float | None]:
        """The statistics in milliseconds; the deviation is the sample's (n - 1).

        ``latency_ms`` is what our other commands call latency, with its spread as a share and the
        number of its rounds.
        """
        values = {
            "mean": mean(self.seconds),
            "deviation": stdev(self.seconds) if len(self.seconds) > 1 else 0.0,
            "median": median(self.seconds),
            "p95": self.p95,
            "min": min(self.seconds),
        }
        found = {f"{name}_ms": 1e3 * value for name, value in values.items()}
        return found | latency_of_runs(self.seconds).to_dict()


def time_runs(
    runner: Runner,
    inputs: Mapping[str, Array],
    runs: int,
    warmup: int,
    advance: Callable[[int], None] = lambda done: None,
    clock: Clock = time,
) -> RunTimes:
    """Times ``runs`` runs after ``warmup`` that do not count, in ``split_rounds`` that are apart.

    ``advance`` is called between runs with how many are done; its time is not counted.
    """
    seconds = []
    later = {warmup + part.start for part in split_rounds(runs)[1:]}
    for index in range(warmup + runs):
        if index in later:
            clock.sleep(timing.APART)
            runner(inputs)
        start = clock.perf_counter()
        runner(inputs)
        seconds.append(clock.perf_counter() - start)
        advance(index + 1)
    return RunTimes(tuple(seconds[warmup:]))


def example_inputs(artefact: Artefact, size: Size | None = None, seed: int = 0) -> dict[str, Array]:
    """Random inputs: normal numbers or bytes, one image where any number goes.

    Args:
        artefact: the one to feed.
        size: (height, width), where the artefact leaves it open; None for ``DEFAULT_SIZE``.
        seed: of the numbers.

    Raises:
        CompilerError: when ``size`` is not the artefact's, an input is no image whose open
            axes could be filled, or it would take too much memory.
    """
    rng = np.random.default_rng(seed)
    shapes = {each.name: concrete_shape(artefact, each, size) for each in artefact.inputs}
    for name, shape in shapes.items():
        check_memory(f"{artefact.path}: {name}", bytes_of(shape, 8), f"{_sides(shape)} numbers")
    artefact.check_memory(shapes)
    return {each.name: _noise(each, shapes[each.name], rng) for each in artefact.inputs}


def _sides(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape))


def concrete_shape(artefact: Artefact, tensor: Tensor, size: Size | None) -> tuple[int, ...]:
    """The shape of an input with its open axes filled.

    Raises:
        CompilerError: as for ``example_inputs``.
    """
    place, found = f"{artefact.path}: {tensor.name}", tensor.shape
    if len(found) != 4:
        if any(isinstance(axis, str) for axis in found):
            raise CompilerError(place, f"open axes in {tensor}", "images (4 axes)")
        return tuple(int(axis) for axis in found)
    first = image_axis(artefact, tensor)
    wanted = list(found)
    for axis, side in zip((first, first + 1), size or DEFAULT_SIZE, strict=True):
        if isinstance(wanted[axis], str):
            wanted[axis] = side
        elif size is not None and wanted[axis] != side:
            raise CompilerError(
                place, f"made for {found[first]}x{found[first + 1]} only", "no other --input-size"
            )
    return tuple(1 if isinstance(axis, str) else axis for axis in wanted)


def image_axis(artefact: Artefact, tensor: Tensor) -> int:
    """The axis of the height: 1 where channels are last, else 2."""
    if "input_format" in artefact.metadata:
        return 1 if artefact.metadata["input_format"] == "nhwc-uint8" else 2
    return 1 if tensor.shape[3] in (1, 3, 4) and tensor.shape[1] not in (1, 3, 4) else 2


def _noise(tensor: Tensor, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    dtype = np.dtype(tensor.dtype)
    if dtype.kind == "f":
        return rng.normal(size=shape).astype(dtype)
    if dtype.kind not in "iub":
        raise CompilerError(
            str(tensor), "random values cannot be made for it", "an input of numbers"
        )
    return rng.integers(0, 2 if dtype.kind == "b" else 127, shape).astype(dtype)
