"""Timing an artefact on another machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auxnas.backends.artefacts.artefact import open_artefact
from auxnas.backends.devices import parse_device
from auxnas.backends.targets import TARGETS, target_of, target_of_file
from auxnas.compiler import CompilerError


def bench_away(
    artefact: str, device: str, command: str | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """The measurement that a device prints, and the device.

    Args:
        artefact: a file of ours, or any ONNX model.
        device: ``ssh:USER@HOST[:PORT]``.
        command: run there in place of ``nasrun bench --json``; None for that.
        options: of ``nasrun bench``, by the command line's names; not for another command.

    Raises:
        CompilerError: for a device that none is called, or an artefact that cannot be read.
        DeviceFailure: where the device gives no measurement.
        OSError: when a file cannot be read.
    """
    found, target, path = parse_device(device, command), options["--target"], Path(artefact)
    row = target_of_file(path.name) if target is None else target_of(target)
    if row.folder or row not in TARGETS.values():
        known = [each.suffix for each in TARGETS.values() if not each.folder]
        raise CompilerError(artefact, f"of the target {target}", f"a {' or '.join(known)}")
    if row.read_model(path) is not None:
        open_artefact(path, target)
    files = [path, *(path.with_suffix(suffix) for suffix in row.beside)]
    given = {name: value for name, value in options.items() if value is not None}
    words = [] if command else [word for pair in given.items() for word in map(str, pair)]
    return {"device": str(found), **found.bench(files, words)}


def text_of(result: Mapping[str, Any]) -> dict[str, str]:
    """The figures of a measurement, by heading."""
    names = ("mean", "median", "p95", "min", "latency")
    figures = {name: result.get(f"{name}_ms") for name in names}
    return {"device": result["device"]} | {
        name: f"{value:.2f} ms" for name, value in figures.items() if isinstance(value, int | float)
    }
