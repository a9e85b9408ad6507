"""Another machine, reached by the system's ssh and scp, that times artefacts one after another.

Connections ask for nothing (``BatchMode``): keys and known hosts are ssh's own.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from auxnas.backends.caching import cache_dir, make_private, seal, unseal
from auxnas.compiler import CompilerError
from auxnas.compiler.files import atomic_write
from auxnas.genotype.errors import CommandError, short_repr

COMMAND = "nasrun bench --json"
"""Run on the device, with options and the artefact's path behind it."""
TRIES = 3
_SECONDS = 900
"""That the device may take for one artefact."""
_GONE = 255
"""Exit status of ssh itself."""
_FINAL = ("Permission denied", "Host key verification failed", "Could not resolve hostname")
"""Parts of messages that a second try does not change."""
_OPTIONS = (
    *("BatchMode=yes", "ConnectTimeout=15", "ServerAliveInterval=10", "ServerAliveCountMax=3"),
    *("ControlMaster=auto", "ControlPersist=30", "LogLevel=ERROR"),
)
_FORM = re.compile(r"ssh:(?P<user>[\w.-]+@)?(?P<host>[\w.-]+)(:(?P<port>[0-9]{1,5}))?", re.ASCII)


class DeviceFailure(CommandError):
    """The device gave no measurement.

    Attributes:
        gone: whether it was not reached, or went away, so that it may be there again later.
    """

    def __init__(self, device: str, found: str, expected: str, gone: bool = False) -> None:
        self.gone = gone
        super().__init__(f"{device}: {found}, expected {expected}")


def parse_device(text: str, command: str | None = None) -> SshDevice:
    """The device that ``ssh:USER@HOST[:PORT]`` names.

    Raises:
        CompilerError: for anything else.
    """
    match = _FORM.fullmatch(text)
    if match is None or not 0 < int(match["port"] or 22) < 1 << 16 or match["host"][0] == "-":
        raise CompilerError("--device", short_repr(text), "ssh:USER@HOST or ssh:USER@HOST:PORT")
    host = (match["user"] or "") + match["host"]
    return SshDevice(host, int(match["port"] or 22), command or COMMAND)


@dataclass(frozen=True)
class SshDevice:
    """A machine behind ssh.

    Attributes:
        host: with the user, ``USER@HOST``.
        port: of ssh.
        command: prints a JSON object with ``latency_ms`` for options and an artefact behind it.
    """

    host: str
    port: int = 22
    command: str = COMMAND

    def __str__(self) -> str:
        return f"ssh:{self.host}:{self.port}"

    def bench(self, files: Sequence[Path], options: Sequence[str] = ()) -> dict[str, Any]:
        """The device's measurement of an artefact: what its command printed.

        It is kept by the files' contents, the device and the command; the same is not measured
        twice. One process at a time uses a device.

        Args:
            files: the artefact, and what belongs beside it.
            options: of the command.

        Raises:
            DeviceFailure: where it gives none.
            OSError: when a file cannot be read, or the result not be kept.
        """
        key = self._key(files, options)
        folder = cache_dir() / "devices"
        make_private(folder)
        with self._queued(folder):
            kept = _kept(folder / key)
            if kept is not None:
                return kept
            found = self._tried(files, options)
            with atomic_write(folder / key) as temporary:
                temporary.write_bytes(seal(key, json.dumps(found).encode()))
            return found

    def _key(self, files: Sequence[Path], options: Sequence[str]) -> str:
        digest = hashlib.sha256(json.dumps([str(self), self.command, *options]).encode())
        for path in files:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"\n{path.name} {content}".encode())
        return digest.hexdigest()

    @contextmanager
    def _queued(self, folder: Path) -> Iterator[None]:
        """The only use of the device by processes of this cache; waits until it is."""
        name = hashlib.sha256(str(self).encode()).hexdigest()[:16]
        with (folder / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _tried(self, files: Sequence[Path], options: Sequence[str]) -> dict[str, Any]:
        """The measurement, tried again where the device went away."""
        for _ in range(TRIES - 1):
            try:
                return self._measured(files, options)
            except DeviceFailure as failure:
                if not failure.gone:
                    raise
        return self._measured(files, options)

    def _measured(self, files: Sequence[Path], options: Sequence[str]) -> dict[str, Any]:
        with TemporaryDirectory(prefix="auxnas-") as room:
            return _Connection(self, Path(room) / "c").measure(files, options)


@dataclass(frozen=True)
class _Connection:
    """One connection, that ssh and scp share by a socket."""

    device: SshDevice
    socket: Path

    def measure(self, files: Sequence[Path], options: Sequence[str]) -> dict[str, Any]:
        """Copies, runs and removes."""
        try:
            room = self._run("mktemp -d", "a place for a file").strip()
            if not room.startswith("/"):
                raise self._failure(f"mktemp printed {short_repr(room)}", "a folder's path")
            try:
                return self._measure(room, files, options)
            finally:
                self._ssh(["ssh", *self._words("-p"), self.device.host, f"rm -rf {room}"])
        finally:
            self._ssh(["ssh", *self._words("-p"), "-O", "exit", self.device.host])

    def _measure(self, room: str, files: Sequence[Path], options: Sequence[str]) -> dict[str, Any]:
        host = self.device.host
        sources = [str(path.absolute()) for path in files]
        done = self._ssh(["scp", "-q", *self._words("-P"), "--", *sources, f"{host}:{room}/"])
        self._check(done, "room for the artefact")
        place = shlex.join([*options, f"{room}/{files[0].name}"])
        said = self._run(f"{self.device.command} {place}", "a measurement")
        return self._parsed(said)

    def _parsed(self, said: str) -> dict[str, Any]:
        try:
            found = json.loads(said)
        except (ValueError, RecursionError):
            found = None
        latency = found.get("latency_ms") if isinstance(found, dict) else None
        if isinstance(latency, bool) or not isinstance(latency, int | float):
            latency = math.nan
        if not 0 < latency < math.inf:
            expected = "a JSON object with latency_ms, milliseconds above 0"
            raise self._failure(f"{self.device.command} printed {short_repr(said)}", expected)
        return dict(found)

    def _words(self, port: str) -> list[str]:
        options = (*_OPTIONS, f"ControlPath={self.socket}")
        pairs = [word for each in options for word in ("-o", each)]
        return [*pairs, port, str(self.device.port)]

    def _run(self, command: str, expected: str) -> str:
        """Output of a command there.

        Raises:
            DeviceFailure: where it fails.
        """
        done = self._ssh(["ssh", *self._words("-p"), self.device.host, command])
        self._check(done, expected)
        return done.stdout

    def _ssh(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise self._failure(f"no {words[0]} here", "OpenSSH's client") from None
        except subprocess.TimeoutExpired:
            raise self._failure(f"no answer in {_SECONDS} s", "one", True) from None

    def _check(self, done: subprocess.CompletedProcess[str], expected: str) -> None:
        if done.returncode == 0:
            return
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        said = lines[-1].strip() if lines else f"exit status {done.returncode}"
        final = any(word in done.stderr for word in _FINAL)
        lost = done.returncode == _GONE or "lost connection" in done.stderr
        raise self._failure(said[:200], expected, lost and not final)

    def _failure(self, found: str, expected: str, gone: bool = False) -> DeviceFailure:
        return DeviceFailure(str(self.device), found, expected, gone)


def _kept(path: Path) -> dict[str, Any] | None:
    """A measurement in the cache; None where there is none that is whole."""
    try:
        content = unseal(path.name, path.read_bytes())
    except FileNotFoundError:
        return None
    return None if content is None else dict(json.loads(content))
