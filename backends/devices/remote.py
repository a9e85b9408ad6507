"""A job on another machine, as one script of its shell: files in, words and a file out.

It takes ``sh``, ``mktemp``, ``tar`` and ``cat`` there. The script makes a folder of its own and
removes it however it ends, when the connection is lost too: nothing else is written. Where there
is ``flock``, jobs of all who use the machine wait for each other.
"""

from __future__ import annotations

import io
import secrets
import shlex
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

ROOM = '"$room"'
"""The folder, as the script's words have it."""
_SCRIPT = (
    'room=$(mktemp -d) && trap \'rm -rf "$room"\' EXIT && trap "exit 1" HUP INT PIPE TERM &&'
    ' tar xmf - -C "$room" || exit 1; echo {token}; up="${{room%/*}}";'
    ' if [ -r "$up" ] && command -v flock >/dev/null; then exec 9<"$up"; flock 9; fi;'
    ' ( {command} ) 9<&- </dev/null >"$room/said"; status=$?; echo "{token} $status";'
    ' cat "$room/said"; echo {token}; [ ! -f {answer} ] || cat {answer}; exit 0'
)


@dataclass(frozen=True)
class RemoteAnswer:
    """Everything that came back.

    Attributes:
        status: of the connection's program.
        out: standard output there.
        errors: standard error there, and of the connection.
    """

    status: int
    out: bytes
    errors: str


class Transport(Protocol):
    """Connection to a machine: runs a script of its shell."""

    def __call__(self, script: str, sent: bytes) -> RemoteAnswer:
        """Runs ``script`` there, with ``sent`` as its standard input.

        Raises:
            DeviceFailure: where there is no connection to be made, or no answer in time.
        """


@dataclass(frozen=True)
class RemoteJob:
    """A command there, with files.

    Attributes:
        command: of its shell.
        files: contents by name, put into the job's folder.
        words: behind the command; quoted already, ``ROOM`` is the folder.
        answer: name of the file that the command may write there.
    """

    command: str
    files: Mapping[str, bytes]
    words: Sequence[str]
    answer: str = "answer"
    token: str = field(default_factory=lambda: f"auxnas-{secrets.token_hex(16)}")

    @property
    def script(self) -> str:
        """The shell's."""
        command = " ".join([self.command, *self.words])
        return _SCRIPT.format(token=self.token, command=command, answer=in_room(self.answer))

    @property
    def sent(self) -> bytes:
        """The files, in a tar."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, content in self.files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), 0o600
                archive.addfile(entry, io.BytesIO(content))
        return packed.getvalue()

    def outcome(self, answer: RemoteAnswer) -> RemoteOutcome:
        """Reads its course out of what came back; a shell's own words around it are passed over."""
        parts = answer.out.split(self.token.encode())
        status, _, said = parts[2].partition(b"\n") if len(parts) > 2 else (b"", b"", b"")
        whole = answer.status == 0 and len(parts) == 4 and status.strip().isdigit()
        return RemoteOutcome(
            copied=len(parts) > 1,
            status=int(status) if whole else None,
            said=said.decode(errors="replace") if whole else "",
            written=parts[3][1:] if whole else b"",
        )


@dataclass(frozen=True)
class RemoteOutcome:
    """Course of a job.

    Attributes:
        copied: whether the files were put there.
        status: of the command; None where it did not end, or that was not heard of.
        said: the command's standard output.
        written: content of the file that it wrote; empty for none.
    """

    copied: bool
    status: int | None
    said: str
    written: bytes


def in_room(name: str) -> str:
    """A file of the job's folder, as a word of the script."""
    return f"{ROOM}/{shlex.quote(name)}"
