"""Lock files for file systems without ``flock``: made exclusively, signed, stale ones removed.

A lock is stale when its process is gone from this machine, or from before this machine was
started. One of another machine cannot be judged, and counts as held until it is deleted.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
from pathlib import Path

UNSUPPORTED = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)
"""How ``flock`` fails on a file system that has none."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def acquire(path: Path) -> bool:
    """Makes ``path``; False when another process holds it.

    Raises:
        OSError: when the folder cannot be written.
    """
    for _ in range(2):
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            if not _removed_stale(path):
                return False
            continue
        with os.fdopen(descriptor, "w") as file:
            file.write(_signature())
        return True
    return False


def release(path: Path) -> None:
    """Removes ``path`` where it is ours."""
    if _read(path) == _signature():
        path.unlink(missing_ok=True)


def held(path: Path) -> bool:
    """Whether a process that may be alive holds ``path``."""
    text = _read(path)
    return text is not None and not _is_stale(text)


def _signature() -> str:
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "boot": _boot()})


def _boot() -> str:
    """Names the time since this machine was started, where it can be told."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None


def _is_stale(text: str) -> bool:
    try:
        owner = json.loads(text)
        pid, host, boot = int(owner["pid"]), owner["host"], owner["boot"]
    except (ValueError, KeyError, TypeError):
        return False  # under way, or not ours
    if host != socket.gethostname():
        return False
    return boot != _boot() or not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _removed_stale(path: Path) -> bool:
    """Whether ``path`` was stale and is gone; one made by another meanwhile is put back."""
    text = _read(path)
    if text is None or not _is_stale(text):
        return text is None
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return True
    try:
        if _read(aside) == text:
            return True
        os.link(aside, path)
        return False
    finally:
        aside.unlink(missing_ok=True)
