"""Lock files for file systems without ``flock``: made whole or not at all, stale ones removed.

Where there are no hard links either, a lock is a folder with the file in it: renaming one to the
name of another fails as long as that is not empty.

A lock is stale when its process is gone from this machine, or from before this machine was
started. One of another machine or container cannot be judged, and counts as held until it is
deleted.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from auxnas.compiler.processes import boot_id, is_running, namespace, start_time
from auxnas.compiler.temporaries import temporary_name

UNSUPPORTED = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)
"""Error numbers of ``flock`` on a file system without it."""
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK)
"""Error numbers of ``link`` on a file system without hard links."""
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)
"""Error numbers of renaming a folder to the name of a folder with files in it, or of a file."""
_OWNER = "owner"
"""Name of the file in a lock that is a folder."""


def acquire(path: Path) -> bool:
    """Makes ``path``; False when another process holds it.

    Raises:
        OSError: when the folder cannot be written.
    """
    part = path.with_name(temporary_name(path.name))
    try:
        part.write_text(_signature())
        return _linked(part, path) or (_removed_stale(path) and _linked(part, path))
    finally:
        part.unlink(missing_ok=True)


def release(path: Path) -> None:
    """Removes ``path`` where it is ours."""
    if _read(path) == _signature():
        _remove(path)


def held(path: Path) -> bool:
    """Whether a process that may be alive holds ``path``."""
    text = _read(path)
    return text is not None and not _is_stale(text)


def _linked(part: Path, path: Path) -> bool:
    """Whether ``path`` could be made of ``part``, which is complete."""
    try:
        os.link(part, path)
    except FileExistsError:
        return part.stat().st_nlink > 1  # an answer that was lost on its way from a server
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _renamed(part.read_text(), path)
    return True


def _renamed(text: str, path: Path) -> bool:
    """Whether ``path`` could be made as a folder, where there are no hard links."""
    folder = path.with_name(temporary_name(path.name))
    os.mkdir(folder)
    try:
        (folder / _OWNER).write_text(text)
        os.rename(folder, path)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        return False
    finally:
        _remove(folder)
    return True


def _remove(path: Path) -> None:
    """Removes a lock; of a folder not what another has put there meanwhile."""
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    (path / _OWNER).unlink(missing_ok=True)
    with suppress(OSError):
        os.rmdir(path)


def _signature() -> str:
    pid = os.getpid()
    place = {"host": socket.gethostname(), "boot": boot_id(), "spaces": _spaces()}
    return json.dumps({"pid": pid, "start": start_time(pid), **place})


def _spaces() -> list[str]:
    """The namespaces that numbers of processes, and the machine's name, are of."""
    return [namespace("pid"), namespace("uts")]


def _read(path: Path) -> str | None:
    """The signature; None where there is none, nor a lock."""
    try:
        return (path / _OWNER if path.is_dir() else path).read_text(errors="replace")
    except OSError:
        return None


def _is_stale(text: str) -> bool:
    """Whether the process that signed a lock is gone; 0.1.0 gave neither spaces nor a start."""
    if not text:
        return True  # 0.1.0 was killed before it signed
    try:
        owner = json.loads(text)
        pid, host, since = int(owner["pid"]), owner["host"], owner["boot"]
        numbers, _ = owner.get("spaces", _spaces())
        start = str(owner.get("start", ""))
    except (ValueError, KeyError, TypeError, RecursionError):
        return False  # not ours
    if host != socket.gethostname():
        return False
    if since != boot_id():
        return True
    if numbers != namespace("pid"):
        return False  # a container of the same host name may be alive
    return not is_running(pid) or ("" not in (start, start_time(pid)) and start != start_time(pid))


def _removed_stale(path: Path) -> bool:
    """Whether ``path`` was stale and is gone.

    Whoever removes it holds a lock that is named by the content of the stale one. A process that
    is gone signs nothing more, so that what is removed under that lock is never a newer one.
    """
    text = _read(path)
    if text is None or not _is_stale(text):
        return text is None
    guard = path.with_name(f"{path.name}.{blake2b(text.encode(), digest_size=4).hexdigest()}")
    if not acquire(guard):
        return False
    try:
        if _read(path) == text:
            _remove(path)
        return True
    finally:
        release(guard)
