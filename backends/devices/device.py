"""Another machine that runs and times artefacts, one after another."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import math
import re
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np

from auxnas.backends.base import INCOMPLETE
from auxnas.backends.caching import cache_dir, make_private, seal, unseal
from auxnas.backends.devices.remote import (
    RemoteAnswer,
    RemoteJob,
    RemoteOutcome,
    Transport,
    in_room,
)
from auxnas.backends.measuring.machine import cores_text
from auxnas.backends.measuring.timing import Latency
from auxnas.compiler.files import atomic_write
from auxnas.genotype.errors import CommandError, inline, short_repr

Array = np.ndarray[Any, Any]
Files = Mapping[str, bytes]
"""An artefact by name, and what belongs beside it."""
T = TypeVar("T")

COMMAND = "nasrun bench --json"
"""Run on the device, with options and the artefact's path behind it."""
STEADY = ("--runs", "steady")
ONCE = ("--runs", "1", "--warmup", "0")
"""Options of ``nasrun bench``: for the latency that all our commands measure, and for outputs."""
WAITS = (1.0, 5.0)
"""Seconds before a device that is away is tried again."""
PATIENCE = (1.0, 5.0, 15.0, 60.0, 120.0, 300.0)
"""The same of searches, which run alone for hours."""
_INPUT, _OUTPUT = "input.npy", "output.npy"
_CHANNELS = 1 << 16
"""Numbers a pixel that an output may have: the whole of it is here already."""
_GONE = 255
"""Exit status of ssh where there is no connection, or none any more."""
_FINAL = ("Permission denied", "Host key verification failed", "Too many authentication failures")
"""Parts of ssh's messages that a second try does not change."""
_UNKNOWN = "Could not resolve hostname"
_NAMED = "the name or address of a host, or a Host of ~/.ssh/config"
"""Part of ssh's message on a host that there is not, and what is expected then."""
_OURS = re.compile(r"(.*[/\s])?nasrun bench --json\s*", re.DOTALL)


class DeviceFailure(CommandError):
    """The device gave no answer that can be used.

    Args:
        device: its name.
        found: that was wrong.
        expected: what would have been right.
        gone: as the attribute.
        missing: whether it, or what it takes to use it, is not there at all.

    Attributes:
        gone: whether it was not reached, or went away, so that it may be there again later.
        exit_status: of a command that it ends.
    """

    def __init__(
        self, device: str, found: str, expected: str, gone: bool = False, missing: bool = False
    ) -> None:
        self.gone, self.missing = gone, missing
        self.exit_status = INCOMPLETE if gone or missing else 1
        self._parts = device, found, expected
        super().__init__(f"{device}: {found}, expected {expected}")

    def with_advice(self, advice: str) -> DeviceFailure:
        """The same with more to do about it."""
        device, found, expected = self._parts
        return DeviceFailure(device, found, f"{expected}; {advice}", self.gone, self.missing)


@dataclass(frozen=True)
class Device:
    """A machine that is reached by a ``Transport``.

    One process of a cache at a time uses it, and of those on other machines where it has ``flock``.

    Attributes:
        name: as it was given, ``ssh:USER@HOST``.
        transport: the connection.
        command: of its shell. Behind it are options, where it is ``nasrun bench --json``, the
            artefact's path, perhaps those of an ``.npy`` file with its input and of one to write
            the main output to. It prints a JSON object with ``latency_ms``.
        waits: seconds before each further try where it is away.
        say: told of those.
        sleep: lets seconds pass.
    """

    name: str
    transport: Transport
    command: str = COMMAND
    waits: Sequence[float] = WAITS
    say: Callable[[str], None] = lambda line: None
    sleep: Callable[[float], None] = lambda seconds: time.sleep(seconds)

    def __str__(self) -> str:
        return self.name

    def telling(self, say: Callable[[str], None], waits: Sequence[float] = WAITS) -> Device:
        """The same, which tells of further tries."""
        return replace(self, say=say, waits=waits)

    @property
    def has_nasrun(self) -> bool:
        """Whether its command is ours, at whatever path, and takes options."""
        return _OURS.fullmatch(self.command) is not None

    def bench(
        self, files: Files, options: Sequence[str] = STEADY, cache: Path | None = None
    ) -> dict[str, Any]:
        """The device's measurement of an artefact: what its command printed.

        It is kept by the files' contents, the device and the command; the same is not measured
        twice.

        Args:
            files: the artefact, and what belongs beside it.
            options: of ``nasrun bench``; another command gets none.
            cache: folder of what is kept; None for the usual one.

        Raises:
            DeviceFailure: where it gives none.
            OSError: when the result cannot be kept.
        """
        folder = _folder(cache)
        kept = folder / self._key(files, options)
        with self._queued(folder):
            known = _known(kept)
            if known is not None:
                return known
            found, _ = self._tried(partial(self._measured, files, options))
            with atomic_write(kept) as temporary:
                temporary.write_bytes(seal(kept.name, json.dumps(found).encode()))
            return found

    def run(
        self, files: Files, value: Array, options: Sequence[str] = ONCE
    ) -> tuple[dict[str, Any], Array]:
        """Runs an artefact on an input: what the command printed, and the main output; not kept.

        Raises:
            DeviceFailure: where there is none of them.
        """
        packed = io.BytesIO()
        np.save(packed, np.ascontiguousarray(value))
        with self._queued(_folder(None)):
            found, written = self._tried(partial(self._measured, files, options, packed.getvalue()))
        return found, self._array(written)

    def _key(self, files: Files, options: Sequence[str]) -> str:
        words = [self.name, self.command, *(options if self.has_nasrun else ())]
        digest = hashlib.sha256(json.dumps(words).encode())
        for name, content in files.items():
            digest.update(f"\n{name} {hashlib.sha256(content).hexdigest()}".encode())
        return digest.hexdigest()

    @contextmanager
    def _queued(self, folder: Path) -> Iterator[None]:
        """The only use of the device by processes of this cache; waits until it is."""
        name = hashlib.sha256(self.name.encode()).hexdigest()[:16]
        with (folder / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _tried(self, work: Callable[[], T]) -> T:
        """The result of ``work``, which is tried again where the device was away."""
        for wait in self.waits:
            try:
                return work()
            except DeviceFailure as failure:
                if not failure.gone:
                    raise
                self.say(f"{failure}; tried again in {wait:g} s")
                self.sleep(wait)
        return work()

    def _measured(
        self, files: Files, options: Sequence[str], value: bytes | None = None
    ) -> tuple[dict[str, Any], bytes]:
        """Runs the job: what the command printed, and what it wrote."""
        sent = dict(files) if value is None else {**files, _INPUT: value}
        places = [next(iter(files)), *([] if value is None else [_INPUT, _OUTPUT])]
        words = [*map(shlex.quote, options if self.has_nasrun else ()), *map(in_room, places)]
        job = RemoteJob(self.command, sent, words, _OUTPUT)
        answer = self.transport(job.script, job.sent)
        outcome = job.outcome(answer)
        self._check(outcome, answer)
        if value is not None and not outcome.written:
            raise self._failure(
                f"{self.command} wrote no output", "one, an array of numpy's (.npy)"
            )
        return self._parsed(outcome.said), outcome.written

    def _check(self, outcome: RemoteOutcome, answer: RemoteAnswer) -> None:
        """Raises what went wrong: the connection, the files, or the command."""
        lines = [line.strip() for line in answer.errors.splitlines() if line.strip()]
        lines = lines or [f"exit status {answer.status}, and no word why"]
        if outcome.status == 0:
            return
        if outcome.status is None and (outcome.copied or answer.status in (0, _GONE)):
            gone = not any(word in answer.errors for word in _FINAL)
            expected = "a connection" if gone else "one by a key and a known host, with no question"
            expected = _NAMED if _UNKNOWN in answer.errors else expected
            raise self._failure(lines[-1], expected, gone, missing=True)
        if outcome.status is None:
            raise self._failure(lines[0], "a command that sh reads, mktemp, tar and room")
        if outcome.status in (126, 127):
            expected = f"--device-command, its path before: {self.command}"
            raise self._failure(lines[-1], expected, missing=True)
        if not answer.errors.strip():
            lines = [f"{self.command} ended with status {outcome.status}, and no word why"]
        raise self._failure(lines[-1], "a measurement")

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
            raise self._failure(f"{self.command} printed {short_repr(said)}", expected)
        return dict(found)

    def _array(self, written: bytes) -> Array:
        """The numbers in a file that the command wrote."""
        from auxnas.backends.images.arrays import map_array
        from auxnas.backends.images.errors import DataError

        with TemporaryDirectory(prefix="auxnas-") as folder:
            path = Path(folder) / _OUTPUT
            path.write_bytes(written)
            try:
                found = np.array(map_array(path, _OUTPUT, _CHANNELS))
            except DataError as error:
                raise self._failure(f"{_OUTPUT}: {error.found}", error.expected) from None
        if found.dtype.kind not in "fiu":
            raise self._failure(f"{_OUTPUT}: an array of {found.dtype}", "one of numbers")
        return found

    def _failure(
        self, found: str, expected: str, gone: bool = False, missing: bool = False
    ) -> DeviceFailure:
        return DeviceFailure(self.name, inline(found, 300), expected, gone, missing)


def device_text(found: Mapping[str, Any]) -> str:
    """The device of a measurement in words, with what it told of itself."""
    cores, versions = found.get("cores"), found.get("versions")
    versions = versions if isinstance(versions, dict) else {}
    parts = [found["cpu"]] if isinstance(found.get("cpu"), str) else []
    parts += [cores_text(cores)] if type(cores) is int else []
    parts += [f"{n} {v}" for n, v in versions.items() if n not in ("python", "numpy")]
    ours = version("auxnas")
    parts += [f"here auxnas {ours}"] if versions.get("auxnas", ours) != ours else []
    return f"{found['device']} ({inline(', '.join(parts), 200)})" if parts else str(found["device"])


def latency_told(found: Mapping[str, Any]) -> Latency:
    """The latency of a measurement that a device printed."""
    spread, rounds = found.get("latency_spread"), found.get("latency_rounds")
    known = isinstance(spread, int | float) and 0 <= spread < math.inf
    count = rounds if type(rounds) is int and rounds > 0 else 1
    return Latency.told(1e-3 * found["latency_ms"], spread if known else None, count)


def _folder(cache: Path | None) -> Path:
    folder = cache_dir(cache) / "devices"
    make_private(folder)
    return folder


def _known(path: Path) -> dict[str, Any] | None:
    """A measurement in the cache; None where there is none that is whole."""
    try:
        content = unseal(path.name, path.read_bytes())
    except FileNotFoundError:
        return None
    return None if content is None else dict(json.loads(content))
