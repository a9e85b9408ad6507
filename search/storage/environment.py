"""Environment that a run's results depend on besides its settings and data."""

from __future__ import annotations

import platform
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auxnas.backends.measuring.machine import cores, cpu_model
from auxnas.backends.measuring.machine import runtime_versions as installed

PACKAGES = ("auxnas", "numpy", "torch", "onnx", "onnxruntime", "onnxruntime-gpu")


def package_versions() -> dict[str, str]:
    """Versions of what takes part, by name."""
    return {"python": platform.python_version(), **installed(*PACKAGES)}


def run_environment(device: str, threads: int | None) -> dict[str, Any]:
    """Machine, versions and revision.

    Args:
        device: name of the device that trains.
        threads: asked for; None where the framework chooses.
    """
    return {
        "host": socket.gethostname(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": cpu_model(),
        "cores": cores(),
        "device": device,
        "threads": threads,
        "versions": package_versions(),
        "revision": revision(Path(__file__)),
    }


def revision(file: Path) -> str | None:
    """The commit that ``file`` is of, with ``-dirty`` for changes; None outside a repository.

    A file that the repository around it does not track is not of it: packages are often
    installed somewhere within other projects.
    """
    if _git(file, "ls-files", "--error-unmatch", file.name) is None:
        return None
    return _git(file, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _git(file: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(file.parent), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def environment_lines(found: Mapping[str, Any]) -> list[str]:
    """The environment in lines for people."""
    packages = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    threads = f"{found['threads'] or 'all'} thread{'s' * (found['threads'] != 1)}"
    return [
        packages,
        f"revision {found['revision'] or 'unknown'}",
        f"{found['host']}: {found['system']}, {found['cpu']}, {found['cores']} cores",
        f"trained on {found['device']}, {threads}",
    ]
