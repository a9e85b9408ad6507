"""Connection by the system's ssh, with its own settings, keys and known hosts; it asks nothing."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from auxnas.backends.devices.device import COMMAND, Device, DeviceFailure
from auxnas.backends.devices.remote import RemoteAnswer
from auxnas.compiler import CompilerError
from auxnas.genotype.errors import short_repr

SECONDS = 900
"""That a device may take for one job, its queue included."""
_OPTIONS = (
    *("BatchMode=yes", "ConnectTimeout=15", "ServerAliveInterval=10", "ServerAliveCountMax=3"),
    *("LogLevel=ERROR", "ClearAllForwardings=yes", "RequestTTY=no", "RemoteCommand=none"),
)
_FORM = re.compile(
    r"ssh:(?P<user>[\w.-]+@)?(?P<host>[\w.-]+|\[[\w.:%]+\])(:(?P<port>[0-9]{1,5}))?", re.ASCII
)


def parse_device(text: str, command: str | None = None) -> Device:
    """The device that ``ssh:USER@HOST[:PORT]`` names; ssh's own settings have the rest.

    Args:
        text: its name.
        command: run there instead of ``COMMAND``.

    Raises:
        CompilerError: for anything else.
    """
    match = _FORM.fullmatch(text)
    hosts = () if match is None else (match["user"] or "", match["host"])
    dashed = any(each.startswith("-") for each in hosts)
    if match is None or dashed or not 0 < int(match["port"] or 22) < 1 << 16:
        raise CompilerError("--device", short_repr(text), "ssh:USER@HOST or ssh:USER@HOST:PORT")
    if command is not None and not command.strip():
        raise CompilerError("--device-command", short_repr(command), "a command of its shell")
    host = (match["user"] or "") + match["host"].strip("[]")
    return Device(text, SshTransport(text, host, match["port"]), command or COMMAND)


@dataclass(frozen=True)
class SshTransport:
    """A ``Transport``: a process of ssh for each job.

    Attributes:
        device: its name, for messages.
        host: with the user.
        port: None for what ssh's settings say.
        run: starts the process.
    """

    device: str
    host: str
    port: str | None = None
    run: Callable[..., subprocess.CompletedProcess[bytes]] = subprocess.run

    def __call__(self, script: str, sent: bytes) -> RemoteAnswer:
        """Runs a script there."""
        options = [word for each in _OPTIONS for word in ("-o", each)]
        port = [] if self.port is None else ["-p", self.port]
        words = ["ssh", *options, *port, self.host, f"sh -c {shlex.quote(script)}"]
        try:
            done = self.run(words, input=sent, capture_output=True, timeout=SECONDS, check=False)
        except FileNotFoundError:
            needed = "OpenSSH's client"
            raise DeviceFailure(self.device, "no ssh here", needed, missing=True) from None
        except subprocess.TimeoutExpired:
            raise DeviceFailure(self.device, f"no answer in {SECONDS} s", "one", True) from None
        return RemoteAnswer(done.returncode, done.stdout, done.stderr.decode(errors="replace"))
