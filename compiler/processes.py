"""Identity of a process beyond its number: machine, boot and container, and whether it lives."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def boot_id() -> str:
    """Identifier of the present boot of this machine; "" where the system does not tell."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def namespace(kind: str) -> str:
    """This process's namespace of a kind, ``pid`` or ``uts``; "" where the system does not tell.

    Numbers of processes are of one ``pid`` namespace; a container has its own ones.
    """
    try:
        return os.readlink(PROC / "self/ns" / kind)
    except OSError:
        return ""


def start_time(process: int) -> str:
    """Start of a process in ticks since the boot; "" where the system does not tell."""
    try:
        found = (PROC / str(process) / "stat").read_text(errors="replace")
        return found.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def is_running(process: int) -> bool:
    """Whether there is such a process here; one that may not be asked is there."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
