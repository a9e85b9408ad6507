"""Timing of an artefact, here or on another machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from auxnas.backends.artefacts.artefact import Artefact, open_artefact
from auxnas.backends.artefacts.bench import example_inputs, image_axis, time_runs
from auxnas.backends.devices import Device, check_target, device_text, latency_told, read_files
from auxnas.backends.images.arrays import map_array
from auxnas.backends.measuring.machine import threads_text, timing_environment
from auxnas.backends.measuring.timing import latency_of
from auxnas.backends.target import main_output
from auxnas.backends.targets import target_of, target_of_file
from auxnas.compiler import CompilerError
from auxnas.compiler.files import atomic_write
from auxnas.nasrun.text import text_rows
from auxnas.progress import display_on_stderr

if TYPE_CHECKING:
    from auxnas.backends.base import Runner

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Bench:
    """Request to time an artefact.

    Attributes:
        artefact: its path.
        target: what it was made as; None for what its suffix tells.
        runs: timed ones; None for as many as it takes for the latency to be steady.
        warmup: runs before them.
        threads: of the runtime; None for its choice.
        size: (height, width) of the image; None for the artefact's.
    """

    artefact: str
    target: str | None
    runs: int | None
    warmup: int
    threads: int | None
    size: tuple[int, int] | None

    def here(self, given: str | None = None, written: str | None = None) -> dict[str, Any]:
        """The measurement on this machine.

        Args:
            given: file of the input, ``.npy``; None for noise.
            written: file for the output, likewise; None for none.

        Raises:
            CompilerError: for an artefact or an input that cannot be taken.
            BackendUnavailable: when the runtime is not installed.
        """
        opened = open_artefact(self.artefact, self.target)
        inputs = example_inputs(opened, self.size) if given is None else _read_input(opened, given)
        runner = opened.runner(self.threads)
        result = measured_facts(opened, inputs, self.threads, runner.devices)
        if self.runs is None:
            result |= latency_of(runner, inputs).to_dict()
        else:
            result |= self._timed(runner, inputs, self.runs)
        if written is not None:
            with atomic_write(written) as path, path.open("wb") as file:
                np.save(file, main_output(runner(inputs)))
        return result

    def _timed(self, runner: Runner, inputs: Mapping[str, Array], runs: int) -> dict[str, Any]:
        with display_on_stderr().task("timing", self.warmup + runs) as advance:
            times = time_runs(runner, inputs, runs, self.warmup, advance)
        return {"runs": runs, "warmup": self.warmup} | times.to_dict()

    def away(self, device: Device) -> dict[str, Any]:
        """The measurement that a device prints, and the device's name.

        Raises:
            CompilerError: for an artefact that cannot be read, or that it cannot be given.
            DeviceFailure: where the device gives no measurement.
            OSError: when a file cannot be read.
        """
        path = Path(self.artefact)
        row = target_of_file(path.name) if self.target is None else target_of(self.target)
        check_target(row, self.target or path.name, device)
        if row.read_model(path) is not None:
            open_artefact(path, self.target)
        size = self.size and "x".join(map(str, self.size))
        runs = "steady" if self.runs is None else self.runs
        options = {"--runs": runs, "--warmup": self.warmup, "--threads": self.threads}
        options |= {"--input-size": size, "--target": self.target}
        given = {option: value for option, value in options.items() if value is not None}
        words = [word for pair in given.items() for word in map(str, pair)]
        found = device.bench(read_files(path, row), words)
        own = {"artefact": self.artefact} if "artefact" in found else {}
        return {"device": device.name, **found, **own}


def _read_input(artefact: Artefact, file: str) -> dict[str, Array]:
    """The artefact's input out of a file.

    Raises:
        CompilerError: for an artefact of several, or an array that is not like its input.
        DataError: for a file that is no array.
    """
    if len(artefact.inputs) != 1:
        raise CompilerError(str(artefact.path), f"{len(artefact.inputs)} inputs", "one")
    tensor, value = artefact.inputs[0], np.array(map_array(Path(file), file, 1 << 10))
    fits = len(value.shape) == len(tensor.shape) and all(
        isinstance(axis, str) or axis == side
        for axis, side in zip(tensor.shape, value.shape, strict=True)
    )
    if not fits or value.dtype != tensor.dtype:
        found = f"{'x'.join(map(str, value.shape))} {value.dtype}"
        raise CompilerError(file, found, str(tensor))
    artefact.check_memory({tensor.name: value.shape})
    return {tensor.name: value}


def measured_facts(
    artefact: Artefact, inputs: Mapping[str, Array], threads: int | None, devices: Iterable[str]
) -> dict[str, Any]:
    """Facts on a measurement: artefact, inputs, machine, versions."""
    first = artefact.inputs[0]
    shape, axis = inputs[first.name].shape, image_axis(artefact, first)
    return {
        "artefact": str(artefact.path),
        "inputs": {name: list(value.shape) for name, value in inputs.items()},
        "input_size": list(shape[axis : axis + 2]) if len(shape) == 4 else None,
        **timing_environment(artefact.kind, threads, devices),
    }


def environment_rows(result: Mapping[str, Any]) -> dict[str, str]:
    """The same for people, by heading."""
    shapes = (f"{n} {'x'.join(map(str, shape))}" for n, shape in result["inputs"].items())
    return {
        "artefact": result["artefact"],
        "input": ", ".join(shapes),
        "machine": f"{result['cpu']}, {threads_text(result)}, {', '.join(result['devices'])}",
        "versions": ", ".join(f"{name} {v}" for name, v in result["versions"].items()),
    }


def bench_lines(result: Mapping[str, Any]) -> list[str]:
    """A measurement for people; a device's is as far as its command told."""
    return text_rows(dict(_figures(result)))


def _figures(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "device" in result:
        yield "device", device_text(result)
    else:
        yield from environment_rows(result).items()
    if "runs" in result and "warmup" in result:
        yield "runs", f"{result['runs']} after {result['warmup']} for warm-up"
    for name in ("mean", "median", "p95", "min"):
        value, deviation = result.get(f"{name}_ms"), result.get("deviation_ms")
        more = isinstance(deviation, int | float) and name == "mean"
        if isinstance(value, int | float):
            apart = f", standard deviation {deviation:.2f} ms" if more else ""
            yield name, f"{value:.2f} ms{apart}"
    yield "latency", str(latency_told(result))
