"""Ranges of a network's maps on photographs: over all values, and without the outermost; means.

One run of each photograph serves every method, on all cores. Percentiles are exact: of every map
the outermost values are kept, as many as lie beyond the percentile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from auxnas.backends.int8.layers import OPERATORS
from auxnas.backends.measuring.machine import cores
from auxnas.backends.runtimes.ort import CPU, OrtRunner
from auxnas.compiler import CompilerError

Array = np.ndarray[Any, Any]
Feed = Mapping[str, Array]
Ranges = Mapping[str, tuple[float, float]]
"""Lowest and highest value of each map."""

METHODS: Mapping[str, float] = {"minmax": 0.0, "percentile": 1e-5}
"""Share of an activation's values left out by each calibration, half of it on either side."""
MOST_AT_ONCE = 4
"""Photographs at once: all maps of each are held."""
SAMPLE = 16
"""Size of the sample that gives the first threshold, in kept values."""


class _Outermost:
    """The ``count`` highest of all values seen; the last of them is ``bound``."""

    def __init__(self, count: int) -> None:
        self.count, self.kept = count, np.empty(0, np.float32)

    @property
    def bound(self) -> float:
        """Value that others have to exceed; there is none as long as too few are kept."""
        return float(self.kept.min()) if len(self.kept) == self.count else -np.inf

    def beyond(self, values: Array) -> Array:
        """Those of ``values`` that may be among the highest; safe beside other threads."""
        if len(self.kept) == self.count or len(values) <= SAMPLE * self.count:
            chosen: Array = values[values > self.bound]
        else:
            sample = values[:: len(values) // (SAMPLE * self.count)]
            chosen = values[values >= np.partition(sample, -self.count)[-self.count]]
        return chosen

    def add(self, values: Array) -> None:
        """Keeps the highest of those kept and of ``values``."""
        kept = np.concatenate([self.kept, values])
        start = len(kept) - self.count
        self.kept = np.partition(kept, start)[start:] if start > 0 else kept


class _Map:
    """Record of a map: the outermost values of both sides."""

    def __init__(self, total: int) -> None:
        counts = (int(share / 2 * total) + 1 for share in METHODS.values())
        self.most = max(counts)
        self.total, self.high, self.low = total, _Outermost(self.most), _Outermost(self.most)

    def range(self, share: float) -> tuple[float, float]:
        """The range without ``share`` of the values."""
        place = int(share / 2 * self.total) + 1
        low, high = (np.sort(side.kept)[-place] for side in (self.low, self.high))
        return float(-low), float(high)


@dataclass(frozen=True)
class Observed:
    """Facts on a network's maps.

    Attributes:
        ranges: of all that int8 operators read or write, by method.
        means: of each channel of those that convolutions read.
    """

    ranges: Mapping[str, Ranges]
    means: Mapping[str, Array]


def observe_maps(
    model: onnx.ModelProto,
    feeds: Iterable[Feed],
    photographs: int,
    advance: Callable[[int], None],
) -> Observed:
    """Ranges and means of a network's maps.

    Args:
        model: with the types of its values.
        feeds: inputs of the model, one photograph each.
        photographs: how many those are.
        advance: told how many are done.

    Raises:
        CompilerError: naming a map with values that are no numbers.
    """
    names = _observed(model)
    workers = min(cores(), MOST_AT_ONCE, photographs)
    runner = OrtRunner(
        _with_outputs(model, names).SerializeToString(), max(1, cores() // workers), [CPU]
    )
    read = {node.input[0] for node in model.graph.node if node.op_type == "Conv"}
    waiting, found, lock, done = enumerate(feeds), dict[str, _Map](), threading.Lock(), [0]
    means: dict[str, dict[int, Array]] = {name: {} for name in names if name in read}

    def work() -> None:
        while True:
            with lock:
                number, feed = next(waiting, (0, None))
            if feed is None:
                return
            outputs = {**feed, **runner(feed)}
            for name in names:
                values = outputs.pop(name)
                if name in means:
                    means[name][number] = values.mean((0, 2, 3), dtype=np.float64)
                _note(found, name, values.ravel(), photographs, lock)
            with lock:
                done[0] += 1
                advance(done[0])

    with ThreadPoolExecutor(workers) as pool:
        for each in [pool.submit(work) for _ in range(workers)]:
            each.result()
    ranges = {
        method: {name: found[name].range(share) for name in names}
        for method, share in METHODS.items()
    }
    # In order, so that the sum is the same whichever photograph was done first.
    ordered = {name: [some[number] for number in sorted(some)] for name, some in means.items()}
    return Observed(ranges, {name: np.mean(some, axis=0) for name, some in ordered.items()})


def _note(
    found: dict[str, _Map], name: str, values: Array, photographs: int, lock: threading.Lock
) -> None:
    """Adds the values of one photograph to what is known of a map."""
    with lock:
        known = found.setdefault(name, _Map(photographs * len(values)))
    low, high = values.min(), values.max()
    if not np.isfinite(low) or not np.isfinite(high):
        raise CompilerError(name, "values that are no numbers", "finite ones, to find a range of")
    sides = []
    if high > known.high.bound:
        sides.append((known.high, known.high.beyond(values)))
    if -low > known.low.bound:
        sides.append((known.low, known.low.beyond(-values)))
    with lock:
        for side, some in sides:
            side.add(some)


def _observed(model: onnx.ModelProto) -> list[str]:
    """Names of the float maps at either end of int8 operators."""
    known = (*model.graph.value_info, *model.graph.input, *model.graph.output)
    kinds = {each.name: each.type.tensor_type.elem_type for each in known}
    ends = (
        name
        for node in model.graph.node
        if node.op_type in OPERATORS
        for name in (*node.input, *node.output)
    )
    return [name for name in dict.fromkeys(ends) if kinds.get(name) == onnx.TensorProto.FLOAT]


def _with_outputs(model: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    """A model that gives these maps too; its inputs are known already."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    given = {each.name for each in (*model.graph.input, *model.graph.output)}
    values = {each.name: each for each in model.graph.value_info}
    result.graph.output.extend(values[name] for name in names if name not in given)
    return result
