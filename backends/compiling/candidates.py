"""Candidates of the target ``auto``, timed on the network that is compiled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from auxnas.backends.base import BackendUnavailable, Runner
from auxnas.backends.compiling.network import CompiledNetwork
from auxnas.backends.compiling.request import Request, export_program
from auxnas.backends.compiling.verification import noise_inputs
from auxnas.backends.measuring.timing import Latency, side_by_side
from auxnas.backends.target import TargetUnavailable
from auxnas.backends.targets import AUTO, CPU_TARGETS, TARGETS


def time_targets(request: Request, network: CompiledNetwork) -> dict[str, Latency]:
    """Seconds of one run, by target: those whose runtime is installed.

    They take turns, so that what else the machine does strikes all alike.

    Raises:
        TargetUnavailable: when none is installed.
    """
    inputs = noise_inputs(network.whole, request.size, request.seed, request.options.batch or 1)
    runners: dict[str, Runner] = {}
    absent: BackendUnavailable | None = None
    with TemporaryDirectory() as folder:
        for name in CPU_TARGETS:
            path = Path(folder) / f"candidate{TARGETS[name].suffix}"
            try:
                opener = TARGETS[name].opener()
                export_program(replace(request, target=name), network.optimised, path)
            except BackendUnavailable as error:
                absent = error
                continue
            runners[name] = opener(path)
        if absent is not None and not runners:
            raise TargetUnavailable(AUTO, str(absent))
        return side_by_side(runners, inputs)
