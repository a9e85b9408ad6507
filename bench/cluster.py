"""Faults of a cluster, played on hosts made of namespaces; results through Ray; speed-up.

    python bench/cluster.py faults --output cluster-faults.json      # as root, with iproute2
    python bench/cluster.py torch --output cluster-torch.json
    python bench/cluster.py rate --output cluster-rate.json

A host is a network, process, mount and name space of its own with two places, joined to the head
(this machine, without a place) by a cable that can be cut; it has its own /tmp/ray and cache, and a
token that the others have too. Each fault strikes a run of 120 trials of about a second, once ten
have ended; its journal is compared with that of one process, row by row. ``gap`` is the longest
time between two results.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import click

from auxnas.backends.base import TrainingStep
from auxnas.compiler.files import atomic_write
from auxnas.genotype import SearchSpace
from auxnas.search.executors.attempts import AttemptTable
from auxnas.search.executors.inline import Inline
from auxnas.search.loop.bounds import Until
from auxnas.search.loop.driver import Driver, Rules
from auxnas.search.loop.watching import Unwatched
from auxnas.search.searchers import RandomSearcher
from auxnas.search.settings.resolving import nest, resolve
from auxnas.search.storage.environment import package_versions
from auxnas.search.storage.journal import Journal
from auxnas.search.trials.records import COMPLETE, FAILED, STOPPED, Failure, Figures, Outcome, Stage

PORT, NET = 6399, "10.77.0"
STRUCK = 12
"""Number of the trial that a poison or a hang is in."""
TIMEOUT = 20.0
SEATS = 6
TRIALS = 120


class Slow:
    """Evaluates jobs in about a second, from the job alone."""

    def __init__(self, seconds: float = 1.0, trouble: str = "") -> None:
        self.seconds, self.trouble = seconds, trouble

    def __call__(self, job: Any, progress: Any) -> Outcome:
        """Sleeps, with progress; the struck trial kills its process, or hangs."""
        for step in range(10):
            progress(1, TrainingStep(step + 1, 10, 0.5))
            time.sleep(self.seconds * (0.5 + job.seed % 100 / 100) / 10)
            if step == 3 and job.number == STRUCK and self.trouble == "poison":
                os.kill(os.getpid(), signal.SIGKILL)
            if job.number == STRUCK and self.trouble == "hang":
                threading.Event().wait()
        reward = job.seed % 1000 / 1000
        stages = (Stage(reward, {"miou": reward}),)
        if job.baseline is not None and reward < job.baseline:
            return Outcome(STOPPED, stages)
        return Outcome(COMPLETE, (*stages, Stage(reward, {"miou": reward})))


class Reference:
    """Evaluates as ``Slow`` does without its faults; the struck trial ends as it has to."""

    def __init__(self, trouble: str) -> None:
        self.slow, self.trouble = Slow(0.0), trouble

    def __call__(self, job: Any, progress: Any) -> Outcome:
        """An outcome."""
        if job.number == STRUCK and self.trouble == "poison":
            detail = "its process or its machine is gone, lost 3 times"
            return Outcome(FAILED, (), Failure("crash", detail))
        if job.number == STRUCK and self.trouble == "hang":
            return Outcome(FAILED, (), Failure("timeout", "stopped after 20s"))
        return self.slow(job, progress)


class Unkept:
    """Store that keeps no network."""

    best = 1

    def keep(self, trial: Any, program: Any) -> None:
        """Nothing."""

    def prune(self, best: Any, count: Any = 0) -> None:
        """Nothing."""


class Clocked(Unwatched):
    """Watcher that notes when each trial ends."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def finished(self, trial: Any, trials: Any) -> None:
        """A line for each."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{time.time()}\n")


def search(folder: Path, executor: Any, trials: int, batch: int, lag: int) -> None:
    """Goes on with a run of random search to so many trials."""
    folder.mkdir(parents=True, exist_ok=True)
    with Journal(folder, write=True) as journal:
        journal.begin_session({}, 0.0)
        Driver(
            journal=journal,
            searcher=RandomSearcher(SearchSpace.cvpr2019(), 0),
            executor=executor,
            measure=lambda genotype: Figures(genotype.tokens[0], genotype.tokens[1]),
            rules=Rules(0, batch, proceed=0.9, half_life=5, lag=lag),
            weights=Unkept(),
            watcher=Clocked(folder / "ends.txt"),
            say=lambda line: print(line, file=sys.stderr, flush=True),
        ).run(Until(trials))


def rows(folder: Path) -> list[Any]:
    """What the journals are compared by."""
    with Journal(folder) as journal:
        return [*journal.trials(), *journal.rejections(), *journal.asks().items()]


# Hosts ---------------------------------------------------------------------------------


def sh(*words: str, check: bool = True) -> None:
    """Runs a command."""
    subprocess.run(words, check=check, capture_output=True)


def processes(network: Path, *words: str) -> list[int]:
    """Processes in a network namespace whose command line has all ``words``, in order."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            inside = (entry / "ns/net").stat().st_ino == network.stat().st_ino
            if entry.name.isdigit() and inside and all(word in _command(entry) for word in words):
                found.append(int(entry.name))
    return sorted(found)


def _command(entry: Path) -> str:
    return (entry / "cmdline").read_bytes().decode(errors="replace")


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
        sh("ip", "link", "set", self.name, "master", "nasbr")
        sh("ip", "link", "set", self.name, "up")
        inside = ("ip", "netns", "exec", self.name, "ip")
        sh(*inside, "addr", "add", f"{NET}.{self.number}/24", "dev", peer)
        sh(*inside, "link", "set", peer, "up")
        sh(*inside, "link", "set", "lo", "up")

    def cable(self, state: str) -> None:
        """Cuts or heals its cable: ``down`` or ``up``."""
        sh("ip", "link", "set", self.name, state)

    def start(self) -> None:
        """Starts Ray in it, if it does not run."""
        if self.process is not None and self.process.poll() is None:
            return
        ray = (
            f"ray start --address={NET}.1:{PORT} --node-ip-address={NET}.{self.number} --num-cpus=2"
            " --object-store-memory=80000000 --block"
        )
        inside = (
            f"hostname {self.name}; mkdir -p /tmp/ray /tmp/nascache;"
            " mount -t tmpfs -o size=200m t /tmp/ray; mount -t tmpfs -o size=50m t /tmp/nascache;"
            f" export AUXNAS_CACHE=/tmp/nascache; {ray}"
        )
        flags = ("--pid", "--fork", "--kill-child", "--mount-proc", "--mount", "--uts")
        words = ("ip", "netns", "exec", self.name, "unshare", *flags, "sh", "-c", inside)
        self.process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )

    def pids(self, word: str = "") -> list[int]:
        """Its processes of whose command line ``word`` is a part, the first ones first."""
        return processes(Path(f"/run/netns/{self.name}"), word)

    def signal(self, number: int, word: str = "", count: int = 1000) -> None:
        """Sends a signal to its processes."""
        for pid in self.pids(word)[:count]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def inside(self, *words: str) -> None:
        """Runs a command in its namespaces, which may be the end of them."""
        pid = self.pids("raylet")[0]
        sh("nsenter", "-t", str(pid), "-m", "-u", "-n", "-p", *words, check=False)

    def stores(self) -> dict[str, int]:
        """Number of stores of each kind in its own cache."""
        root = Path(f"/proc/{self.pids('raylet')[0]}/root{CACHE}")
        kinds = ("pixels", "features")
        return {kind: len(list((root / kind).glob("[!.]*"))) for kind in kinds}

    def stop(self) -> None:
        """Ends all of it, and heals its cable."""
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
        self.cable("up")


@dataclass
class Lab:
    """Three hosts and a head."""

    hosts: list[Host] = field(default_factory=lambda: [Host(n) for n in (2, 3, 4)])

    def head(self) -> None:
        """Starts the head, without a place."""
        words = (
            f"ray start --head --port={PORT} --node-ip-address={NET}.1 --num-cpus=0"
            " --include-dashboard=false --object-store-memory=80000000"
        )
        sh(*words.split())

    @staticmethod
    def head_pids(word: str) -> list[int]:
        """The head's own servers of this name."""
        return processes(Path("/proc/self/ns/net"), f"/{word}", str(PORT))

    def restart_head(self) -> None:
        """Another head, which knows nothing of the former; the hosts join it."""
        for host in self.hosts:
            host.stop()
        for word in ("gcs_server", "raylet"):
            for pid in self.head_pids(word):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(3)
        self.head()
        self.ready()

    def ready(self, count: int = 3) -> None:
        """Starts the hosts that are down, so many are up."""
        for host in self.hosts[:count]:
            host.start()
        time.sleep(12)


@contextmanager
def lab(folder: Path) -> Any:
    """A lab, taken down at the end."""
    token = folder / "token"
    token.touch(0o600)
    token.write_text(secrets.token_hex(32))
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    made = Lab()
    sh("ip", "link", "add", "nasbr", "type", "bridge")
    try:
        sh("ip", "addr", "add", f"{NET}.1/24", "dev", "nasbr")
        sh("ip", "link", "set", "nasbr", "up")
        for host in made.hosts:
            host.wire()
        made.head()
        made.ready()
        yield made
    finally:
        for host in made.hosts:
            with suppress(OSError, subprocess.CalledProcessError):
                host.stop()
            sh("ip", "link", "del", host.name, check=False)
            sh("ip", "netns", "del", host.name, check=False)
        for word in ("gcs_server", "raylet"):
            for pid in made.head_pids(word):
                os.kill(pid, signal.SIGKILL)
        sh("ip", "link", "del", "nasbr", check=False)


# Faults --------------------------------------------------------------------------------


def drive(folder: Path, trouble: str = "") -> subprocess.Popen[bytes]:
    """A driver in a process of its own."""
    words = (sys.executable, __file__, "drive", str(folder), "--trouble", trouble)
    log = (folder.parent / f"{folder.name}.log").open("ab")
    return subprocess.Popen(words, stdout=log, stderr=log)


def ends(folder: Path) -> list[float]:
    """Times at which trials ended."""
    path = folder / "ends.txt"
    return [float(line) for line in path.read_text().splitlines()] if path.exists() else []


def cut(lab: Lab, driver: Any, folder: Path) -> None:
    """Cuts a cable for 30 seconds."""
    lab.hosts[0].cable("down")
    time.sleep(30)
    lab.hosts[0].cable("up")


def kill_driver(lab: Lab, driver: Any, folder: Path) -> None:
    """Kills the driver."""
    driver.kill()


def kill_gcs(lab: Lab, driver: Any, folder: Path) -> None:
    """Kills the head's server, and starts another cluster when the driver has ended."""
    for pid in lab.head_pids("gcs_server"):
        os.kill(pid, signal.SIGKILL)
    driver.wait(300)
    lab.restart_head()


Fault = Callable[[Lab, Any, Path], Any]
FILL = "cat /dev/zero > /tmp/ray/z; true"
FAULTS: dict[str, Fault] = {
    "none": lambda lab, driver, folder: None,
    "worker SIGKILL": lambda lab, d, f: lab.hosts[0].signal(signal.SIGKILL, "SeatActor", 1),
    "poison": lambda lab, driver, folder: None,
    "hang": lambda lab, driver, folder: None,
    "worker SIGSTOP": lambda lab, d, f: lab.hosts[0].signal(signal.SIGSTOP, "SeatActor", 1),
    "host SIGSTOP": lambda lab, driver, folder: lab.hosts[0].signal(signal.SIGSTOP),
    "host killed": lambda lab, driver, folder: lab.hosts[0].signal(signal.SIGKILL),
    "ray stop": lambda lab, driver, folder: lab.hosts[0].inside("ray", "stop", "--force"),
    "cable cut and healed": cut,
    "disk full": lambda lab, d, f: lab.hosts[0].inside("sh", "-c", FILL),
    "late host": lambda lab, driver, folder: lab.hosts[2].start(),
    "driver SIGKILL, resumed": kill_driver,
    "GCS killed, resumed": kill_gcs,
}


def strike(lab: Lab, name: str, folder: Path) -> dict[str, Any]:
    """Plays a fault."""
    trouble = name if name in ("poison", "hang") else ""
    if name == "late host":
        lab.hosts[2].stop()
    lab.ready(2 if name == "late host" else 3)
    started = time.time()
    driver = drive(folder, trouble)
    while len(ends(folder)) < 10:
        if driver.poll() is not None:
            raise RuntimeError((folder.parent / f"{folder.name}.log").read_text()[-2000:])
        time.sleep(0.1)
    struck = time.time()
    FAULTS[name](lab, driver, folder)
    first = driver.wait(300)
    ended = time.time()
    if first != 0:
        driver = drive(folder, trouble)
        driver.wait(300)
    reference = folder.with_name(f"{folder.name} reference")
    search(reference, Inline(Reference(trouble)), TRIALS, SEATS, 2 * SEATS)
    times = ends(folder)
    after = [t for t in times if t > struck]
    gaps = [b - a for a, b in zip([struck, *after], after, strict=False)]
    how = [row.how for row in AttemptTable(folder).rows()]
    if name not in ("none", "poison", "hang"):
        lab.hosts[0].stop()
    return {
        "fault": name,
        "identical": rows(folder) == rows(reference),
        "trials": len(times),
        "gap_s": round(max(gaps, default=0.0), 1),
        "seconds": round(times[-1] - started, 1),
        "driver": f"exit {first} after {ended - struck:.0f} s" if first else "exit 0",
        "lost": sum(each.startswith("lost") for each in how),
        "dropped": how.count("dropped"),
    }


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command(name="drive", hidden=True)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--trouble", default="")
def drive_command(folder: Path, trouble: str) -> None:
    from auxnas.search.executors.ray_crew import make_seats

    given = {"cluster.address": f"{NET}.1:{PORT}", "workers": SEATS, "threads": 1}
    settings = resolve(nest({**given, "trial_timeout": TIMEOUT, "learner": "null"}))
    executor = make_seats(Slow(trouble=trouble), settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        executor.attach(folder, lambda line: print(line, file=sys.stderr, flush=True))
        search(folder, executor, TRIALS, SEATS, 2 * SEATS)
    finally:
        executor.close()


@main.command(help="Plays each fault once.")
@click.option("--only", multiple=True, type=click.Choice(list(FAULTS)))
@click.option("--output", type=click.Path(path_type=Path), required=True)
def faults(only: tuple[str, ...], output: Path) -> None:
    found = []
    with TemporaryDirectory() as name, lab(Path(name)) as made:
        for number, fault in enumerate(only or FAULTS):
            found.append(strike(made, fault, Path(name) / f"run{number}"))
            click.echo(json.dumps(found[-1]))
            with atomic_write(output) as path:
                value = {"versions": package_versions(), "seats": SEATS, "faults": found}
                path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


# Training ------------------------------------------------------------------------------

CACHE = Path("/tmp/nascache")
"""The run's cache, behind which each host has one of its own: none sees another's."""
TINY = (
    "--data synthetic:16 --preset demo --size 32x32 --trials 10 --searcher random --batch 4"
    " --set threads=1 --set model.width=0.1 --set model.agg_size=8 --set stage1.epochs=1"
    " --set pretrain.epochs=1 --set latency.measure=false --set search.lag=8"
)


def nassearch(out: Path, *more: str) -> subprocess.Popen[bytes]:
    """``nassearch run`` with torch."""
    start = "from auxnas.nassearch.cli import main; main()"
    words = (sys.executable, "-c", start, "run", *TINY.split(), "--out", str(out), *more)
    log = out.with_suffix(".log").open("ab")
    return subprocess.Popen(words, stdout=log, stderr=log)


@main.command(help="torch on three hosts without a shared disk, one of which is killed.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def torch(output: Path) -> None:
    os.environ["AUXNAS_CACHE"] = str(CACHE)
    CACHE.mkdir(mode=0o700)
    try:
        with TemporaryDirectory() as name, lab(Path(name)) as made:
            here, there = Path(name) / "here", Path(name) / "there"
            nassearch(here).wait()
            on = ("--cluster", f"{NET}.1:{PORT}", "--workers", "3")
            driver = nassearch(there, *on)
            while driver.poll() is None and len([*AttemptTable(there).rows()]) < 3:
                time.sleep(0.1)
            stores = [made.hosts[n].stores() for n in range(3)]
            made.hosts[0].signal(signal.SIGKILL)
            status = driver.wait(600)
            found = [*AttemptTable(there).rows()]
            weights = [[p.read_bytes() for p in sorted(f.glob("weights/*"))] for f in (here, there)]
            value = {
                "versions": package_versions(),
                "status": status,
                "identical": rows(here) == rows(there),
                "weights_identical": weights[0] == weights[1],
                "stores_of_each_host": stores,
                "attempts": [[row.trial, row.host, row.how] for row in found],
                "log": there.with_suffix(".log").read_text()[-400:] if status else "",
            }
    finally:
        shutil.rmtree(CACHE)
    click.echo(json.dumps(value))
    with atomic_write(output) as path:
        path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


# Rate ----------------------------------------------------------------------------------


class ManySeats:
    """Seats in one process."""

    def __init__(self, threads: int) -> None:
        from auxnas.search.executors.actor import SeatActor

        self._seats: dict[int, Any] = defaultdict(lambda: SeatActor(threads))

    def call(self, seat: int, name: str, *arguments: Any) -> Any:
        """Calls a method of a seat."""
        return getattr(self._seats[seat], name)(*arguments)


@dataclass
class VirtualHandle:
    """Handle of a seat among many in one process."""

    many: Any
    seat: int

    def __getattr__(self, name: str) -> Any:
        def method(**options: Any) -> Any:
            call = self.many.call.options(**options)
            return SimpleNamespace(remote=lambda *more: call.remote(self.seat, name, *more))

        return SimpleNamespace(options=method, remote=method().remote)


@main.command(help="Results a second of 1,000 virtual seats through Ray, on this machine.")
@click.option("--seats", default=1000, show_default=True)
@click.option("--processes", default=8, show_default=True)
@click.option("--trials", default=5000, show_default=True)
@click.option("--seconds", default=6.0, show_default=True, help="Of a trial on average.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def rate(seats: int, processes: int, trials: int, seconds: float, output: Path) -> None:
    import ray

    from auxnas.search.executors.ray_crew import RayCrew
    from auxnas.search.executors.seats import Seats

    ray.init("local", num_cpus=processes, include_dashboard=False, log_to_driver=False)
    many = ray.remote(ManySeats).options(max_concurrency=2 * seats // processes + 8, num_cpus=1)
    homes = [many.remote(1) for _ in range(processes)]

    class VirtualCrew(RayCrew):
        """Crew whose seats share processes."""

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self._class = SimpleNamespace(remote=self._handle)

        def _handle(self, threads: int) -> VirtualHandle:
            number = len(self._actors)
            return VirtualHandle(homes[number % processes], number)

        def end(self, seat: int) -> None:
            """Forgets the seat."""
            self._actors.pop(seat)

    settings = resolve(nest({"threads": 1, "learner": "null"}))
    with TemporaryDirectory() as name:
        folder, reference = Path(name) / "run", Path(name) / "reference"
        crew = VirtualCrew(Slow(seconds), settings)
        crew.patience = seats / 100
        started = time.time()
        search(folder, Seats(crew, seats, silence=10 * crew.patience), trials, 50, 3 * seats)
        search(reference, Inline(Slow(0.0)), trials, 50, 3 * seats)
        times = ends(folder)
        some = times[seats : -2 * seats]
        value = {
            "versions": package_versions(),
            "seats": seats,
            "processes": processes,
            "trials": len(times),
            "seconds_a_trial": seconds,
            "identical": rows(folder) == rows(reference),
            "results_a_second": round(len(some) / (some[-1] - some[0]), 1),
            "seconds": round(times[-1] - started, 1),
            "cpu_ms_a_result": round(1000 * time.process_time() / len(times), 2),
        }
    click.echo(json.dumps(value))
    with atomic_write(output) as path:
        path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
