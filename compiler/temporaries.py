"""Names of files under way, which say whose they are: what a killed process left is removed.

``.auxnas-HOST-PROCESS-RANDOM.NAME``: a digest of the machine's name, the number of the process,
8 random digits, and the name that the file is to have.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import zlib
from functools import cache
from pathlib import Path

_NAME = re.compile(r"\.auxnas-([0-9a-f]{8})-(\d{1,10})-[0-9a-f]{8}\..+")


def temporary_name(name: str) -> str:
    """A name for what this process writes, to be renamed to ``name``; it ends like that."""
    return f".auxnas-{_host()}-{os.getpid()}-{secrets.token_hex(4)}.{name}"


def discard_temporaries(folder: Path) -> None:
    """Removes files that processes of this machine had under way in ``folder`` and left.

    Only what is called exactly so, is a file and no link, and belongs to a process that is no
    more: nothing else is touched, whatever it looks like.
    """
    for entry in [*os.scandir(folder)] if folder.is_dir() else ():
        match = _NAME.fullmatch(entry.name)
        if match is None or not entry.is_file(follow_symlinks=False):
            continue
        if match[1] == _host() and not _lives(int(match[2])):
            Path(entry.path).unlink(missing_ok=True)


@cache
def discard_once(folder: Path) -> None:
    """``discard_temporaries`` the first time that this process writes into ``folder``."""
    discard_temporaries(folder)


def _host() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _lives(process: int) -> bool:
    """Whether there is such a process; one that may not be asked is there."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
