"""Machine facts that a measured time depends on besides the network."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from auxnas.backends.registry import packages_of

_SETS = (
    *("sse4_2", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni"),
    *("avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"),
    *("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2"),
)
"""Instruction sets that the runtimes choose their kernels by."""


def timing_environment(runner: str, threads: int | None, devices: Iterable[str]) -> dict[str, Any]:
    """Machine, libraries and threads, as they stand beside times.

    Args:
        runner: its name in the registry.
        threads: asked for; None where the runtime chose.
        devices: of the runtime.
    """
    packages = ("auxnas", *packages_of("runner", runner), "numpy")
    return {
        "cpu": cpu_model(),
        "instructions": instruction_sets(),
        "cores": cores(),
        "threads": threads,
        "devices": list(devices),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version()} | runtime_versions(*packages),
    }


def cpu_model() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def instruction_sets(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    """Those of the processor, as Linux calls them."""
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        return []
    flags = {w for each in lines if each.startswith(("flags", "Features")) for w in each.split()}
    return [name for name in _SETS if name in flags]


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_text(environment: Mapping[str, Any]) -> str:
    """``2 threads on 8 cores``."""
    asked, there = environment["threads"], environment["cores"]
    chosen = f"{asked} thread{'s' * (asked != 1)}" if asked else "the runtime's choice of threads"
    return f"{chosen} on {cores_text(there)}"


def cores_text(count: int) -> str:
    """``8 cores``."""
    return f"{count} core{'s' * (count != 1)}"


def runtime_versions(*packages: str) -> dict[str, str]:
    """The versions of those that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
