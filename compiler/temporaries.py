"""Names of temporary files, which identify their process: those of killed ones are removed.

``.auxnas-PLACE-PROCESS-RANDOM.NAME``: a digest of the machine, its boot and the container, the
number of the process, 8 random digits, and the name that the file is to have.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from time import time

from auxnas.compiler.processes import boot_id, is_running, namespace

_OLD = 7 * 24 * 3600.0
"""Seconds after its last change that no process has a file under way any more."""
_NAME = re.compile(r"\.auxnas-([0-9a-f]{8})-(\d{1,10})-[0-9a-f]{8}\..+")


def temporary_name(name: str) -> str:
    """A name for what this process writes, to be renamed to ``name``; it ends like that."""
    return f".auxnas-{_place()}-{os.getpid()}-{secrets.token_hex(4)}.{name}"


def discard_temporaries(folder: Path) -> None:
    """Removes files that processes had under way in ``folder`` and left.

    Only what is called exactly so, is a file and no link, and belongs to a process that is no
    more, or one of another place (as this machine was before it was started) and is a week old:
    nothing else is touched, whatever it looks like.
    """
    for entry in [*os.scandir(folder)] if folder.is_dir() else ():
        match = _NAME.fullmatch(entry.name)
        if match is None or not entry.is_file(follow_symlinks=False):
            continue
        with suppress(FileNotFoundError):  # another process has just removed it
            if _is_left(match[1], int(match[2]), entry.stat(follow_symlinks=False).st_mtime):
                os.unlink(entry.path)


def _is_left(place: str, process: int, changed: float) -> bool:
    """Whether a file has nobody any more who may rename it to its name."""
    return not is_running(process) if place == _place() else time() - changed > _OLD


@cache
def discard_once(folder: Path) -> None:
    """``discard_temporaries`` the first time that this process writes into ``folder``."""
    discard_temporaries(folder)


def _place() -> str:
    """Within which a process is told by its number: this machine since it was started, and in it
    this container. Another's processes cannot be asked for.
    """
    place = f"{socket.gethostname()} {boot_id()} {namespace('pid')}"
    return f"{zlib.crc32(place.encode()):08x}"
