"""Hosts made of namespaces, joined to the head of a Ray cluster by cables that can be cut.

A host is a network, process, mount and name space of its own with one place. It has its own
temporary files of Ray and its own cache, and a token that the others have too. The head is this
machine, without a place. Made as root, with iproute2.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

PORT, NET, BRIDGE = 6399, "10.77.0", "nasbr"
CACHE = Path("/tmp/nascache")
"""The run's cache, behind which each host has one of its own: none sees another's."""
RAY = "/tmp/nasray"
"""Folder of Ray's files, likewise."""


def sh(*words: str, check: bool = True) -> None:
    """Runs a command."""
    subprocess.run(words, check=check, capture_output=True)


def processes(network: Path, *words: str) -> list[int]:
    """Processes in a network namespace whose command line has all ``words``."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            inside = (entry / "ns/net").stat().st_ino == network.stat().st_ino
            if entry.name.isdigit() and inside and all(word in _command(entry) for word in words):
                found.append(int(entry.name))
    return sorted(found)


def _command(entry: Path) -> str:
    return (entry / "cmdline").read_bytes().decode(errors="replace")


def send(number: int, pids: list[int]) -> None:
    """Sends a signal to processes, some of which may be gone."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


@dataclass
class Host:
    """A host made of namespaces; ``number`` from 2."""

    number: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """Of its network namespace."""
        return f"nas{self.number}"

    def wire(self) -> None:
        """Makes its network namespace and its cable."""
        sh("ip", "netns", "add", self.name)
        peer = f"{self.name}p"
        sh("ip", "link", "add", self.name, "type", "veth", "peer", "name", peer)
        sh("ip", "link", "set", peer, "netns", self.name)
        sh("ip", "link", "set", self.name, "master", BRIDGE)
        sh("ip", "link", "set", self.name, "up")
        inside = ("ip", "netns", "exec", self.name, "ip")
        sh(*inside, "addr", "add", f"{NET}.{self.number}/24", "dev", peer)
        sh(*inside, "link", "set", peer, "up")
        sh(*inside, "link", "set", "lo", "up")

    def cable(self, state: str) -> None:
        """Cuts or heals its cable: ``down`` or ``up``."""
        sh("ip", "link", "set", self.name, state, check=False)

    def start(self, cache: str = "50m", variables: str = "") -> None:
        """Starts Ray in it, if it does not run.

        Args:
            cache: size of its cache.
            variables: assignments before the command.
        """
        if self.process is not None and self.process.poll() is None:
            return
        inside = (
            f"hostname {self.name}; mkdir -p {RAY} {CACHE};"
            f" mount -t tmpfs -o size=200m t {RAY}; mount -t tmpfs -o size={cache} t {CACHE};"
            f" {variables} ray start --address={NET}.1:{PORT} --num-cpus=1 --block"
            f" --node-ip-address={NET}.{self.number} --object-store-memory=80000000"
            " --include-log-monitor=false"
        )
        flags = ("--pid", "--fork", "--kill-child", "--mount-proc", "--mount", "--uts")
        words = ("ip", "netns", "exec", self.name, "unshare", *flags, "sh", "-c", inside)
        null = subprocess.DEVNULL
        self.process = subprocess.Popen(words, stdout=null, stderr=null, start_new_session=True)

    def pids(self, word: str = "") -> list[int]:
        """Its processes of whose command line ``word`` is a part, the first ones first."""
        return processes(Path(f"/run/netns/{self.name}"), word)

    def signal(self, number: int) -> None:
        """Sends a signal to all its processes."""
        send(number, self.pids())

    def inside(self, *words: str) -> subprocess.Popen[bytes]:
        """A command in its namespaces, which may be the end of them."""
        enter = ("nsenter", "-t", str(self.pids("raylet/raylet")[0]), "-m", "-u", "-n", "-p")
        return subprocess.Popen((*enter, *words), stdout=subprocess.DEVNULL)

    def stores(self) -> dict[str, int]:
        """Number of stores of each kind in its own cache."""
        root = Path(f"/proc/{self.pids('raylet/raylet')[0]}/root{CACHE}")
        kinds = ("pixels", "features")
        return {kind: len(list((root / kind).glob("[!.]*"))) for kind in kinds}

    def stop(self) -> None:
        """Ends all of it, and heals its cable."""
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
        self.cable("up")

    def remove(self) -> None:
        """Takes it down."""
        self.stop()
        sh("ip", "link", "del", self.name, check=False)
        sh("ip", "netns", "del", self.name, check=False)


@dataclass
class Lab:
    """Three hosts and a head."""

    hosts: list[Host] = field(default_factory=lambda: [Host(n) for n in (2, 3, 4)])

    def head(self) -> None:
        """Starts the head, without a place."""
        words = (
            f"ray start --head --port={PORT} --node-ip-address={NET}.1 --num-cpus=0"
            f" --include-dashboard=false --object-store-memory=80000000 --temp-dir={RAY}"
            " --include-log-monitor=false"
        )
        sh(*words.split())

    @staticmethod
    def head_pids(*words: str) -> list[int]:
        """The head's own processes of whose command lines these are parts."""
        return processes(Path("/proc/self/ns/net"), f"{NET}.1", *words)

    def restart_head(self) -> None:
        """Another head, which knows nothing of the former; the hosts join it."""
        for host in self.hosts:
            host.stop()
        send(signal.SIGKILL, self.head_pids())
        time.sleep(1)
        self.head()
        for host in self.hosts:
            host.start()

    def remove(self) -> None:
        """Takes down what there is of it."""
        for host in self.hosts:
            host.remove()
        send(signal.SIGKILL, self.head_pids())
        sh("ip", "link", "del", BRIDGE, check=False)
        shutil.rmtree(RAY, ignore_errors=True)


@contextmanager
def lab(folder: Path) -> Iterator[Lab]:
    """A lab with its head and its network, taken down at the end; hosts are yet to be started."""
    token = folder / "token"
    token.touch(0o600)
    token.write_text(secrets.token_hex(32))
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    os.environ |= {"AUXNAS_CACHE": str(CACHE), "RAY_worker_niceness": "0"}
    from auxnas.search.executors import ray_crew  # noqa: F401  # by each driver, which is forked

    made = Lab()
    made.remove()
    sh("ip", "link", "add", BRIDGE, "type", "bridge")
    try:
        sh("ip", "addr", "add", f"{NET}.1/24", "dev", BRIDGE)
        sh("ip", "link", "set", BRIDGE, "up")
        for host in made.hosts:
            host.wire()
        made.head()
        yield made
    finally:
        made.remove()
