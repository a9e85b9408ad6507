"""Artefacts on a device: their files, and a runner of theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from auxnas.backends.base import ExportOptions, Runner
from auxnas.backends.devices.device import COMMAND, STEADY, Device, Files, latency_told
from auxnas.backends.measuring.timing import Feed, Latency
from auxnas.backends.target import Opener, Target
from auxnas.backends.targets import TARGETS
from auxnas.compiler import MAIN, CompilerError

_FACTS = ("cpu", "cores", "devices", "system", "versions")
"""Of a measurement, those on the machine."""


def read_files(path: Path, target: Target, name: str | None = None) -> Files:
    """An artefact and what belongs beside it.

    Args:
        path: the artefact.
        target: what it is.
        name: that it is to have; None for its own.

    Raises:
        OSError: when a file cannot be read.
    """
    main = path.with_name(name or path.name)
    beside = {main.with_suffix(s).name: path.with_suffix(s) for s in target.beside}
    return {each: place.read_bytes() for each, place in ({main.name: path} | beside).items()}


def check_target(target: Target, name: str, device: Device) -> None:
    """Checks that a device can be given an artefact.

    Raises:
        CompilerError: for a folder, and for one that the nasrun there does not know.
    """
    if target.folder or (device.has_nasrun and target not in TARGETS.values()):
        known = [name for name, each in TARGETS.items() if not each.folder]
        found = f"{name}, {'a folder for browsers' if target.folder else 'not one of ours'}"
        other = "" if target.folder else f"; a --device-command other than {COMMAND} takes any"
        raise CompilerError("--device", found, f"target {' or '.join(known)}{other}")


def device_opener(device: Device, target: Target, name: str | None = None) -> Opener:
    """Function that opens artefacts of a target on a device, there under one name."""
    return lambda path: DeviceRunner(device, read_files(path, target, name))


def device_model_opener(
    device: Device, target: Target, options: ExportOptions
) -> Callable[[Any, str], Runner]:
    """The same for ONNX models in memory, in a precision."""

    def opened(model: Any, precision: str) -> Runner:
        with TemporaryDirectory(prefix="auxnas-") as folder:
            path = Path(folder) / f"network{target.suffix}"
            target.pack(model, path, replace(options, precision=precision))
            return DeviceRunner(device, read_files(path, target))

    return opened


def device_times(runners: Mapping[str, Any], inputs: Feed) -> dict[str, Latency]:
    """Seconds of one run of each ``DeviceRunner``.

    Raises:
        DeviceFailure: where the device gives none.
    """
    return {name: runner.latency(inputs) for name, runner in runners.items()}


class DeviceRunner:
    """A ``Runner`` of an artefact on a device: its main output.

    Attributes:
        device: where it runs.
        files: the artefact and what belongs beside it.
        machine: facts on the device, as far as it told any.
    """

    def __init__(self, device: Device, files: Files) -> None:
        self.device, self.files = device, files
        self.machine: dict[str, Any] = {"device": device.name}

    def __call__(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The output of the one input.

        Raises:
            DeviceFailure: where there is none.
        """
        (value,) = inputs.values()
        found, output = self.device.run(self.files, value)
        self._learn(found)
        return {MAIN: output}

    def latency(self, inputs: Feed) -> Latency:
        """Seconds of one run there.

        Raises:
            DeviceFailure: where it gives none.
        """
        (value,) = inputs.values()
        found, _ = self.device.run(self.files, value, STEADY)
        self._learn(found)
        return latency_told(found)

    def _learn(self, found: Mapping[str, Any]) -> None:
        self.machine |= {name: found[name] for name in _FACTS if name in found}
