"""The faults: how each is played, and by what it is seen to have been felt."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hosts import CACHE, NET, PORT, RAY, send
from runs import TRIALS, ends, rows
from scene import Scene

from auxnas.search.executors.attempts import AttemptRow
from auxnas.search.trials.records import FAILED

MEMORY = 0.1
"""Share of this machine's memory that is taken, where memory is what lacks."""
HOG = "import sys, time; block = b'x' * int(sys.argv[1]); time.sleep(8)"
FILL = f"cat /dev/zero > {CACHE}/z; cat /dev/zero > {RAY}/z; sleep $0; rm {CACHE}/z {RAY}/z"
HOLD = """
import sys, time, ray
ray.init(address=sys.argv[1], logging_level="ERROR", log_to_driver=False)
size, held, end = 4 << 20, [], time.time() + 60
while time.time() < end:
    try:
        held.append(ray.put(bytes(size)))
    except Exception:
        if size == 4 << 20:
            end = time.time() + float(sys.argv[2])
        size = max(size // 2, 1 << 16)
sys.exit(size == 4 << 20)
"""
"""Fills a host's object store, what it spills to the disk too, and holds that."""


def kill_seat(scene: Scene) -> None:
    """Kills a seat."""
    send(signal.SIGKILL, scene.seat())


def stop_seat(scene: Scene) -> None:
    """Stops a seat until it has been given up, and lets it go on."""
    seat = scene.seat()
    send(signal.SIGSTOP, seat)
    scene.pause(20 + scene.draw.seconds / 3)
    send(signal.SIGCONT, seat)


def stop_host(scene: Scene) -> None:
    """Stops a host for a time."""
    scene.host.signal(signal.SIGSTOP)
    scene.pause(scene.draw.seconds)
    scene.host.signal(signal.SIGCONT)


def cut(scene: Scene) -> None:
    """Cuts a cable for a time."""
    scene.host.cable("down")
    scene.pause(scene.draw.seconds)
    scene.host.cable("up")


def take_memory(scene: Scene) -> None:
    """Takes memory for some seconds; the host's monitor has been told to bear less."""
    total, _ = memory()
    subprocess.run((sys.executable, "-c", HOG, str(int(MEMORY * total))), check=True)


def fill_store(scene: Scene) -> None:
    """Fills the object store for a time."""
    scene.length = scene.draw.seconds
    words = (sys.executable, "-c", HOLD, f"{NET}.1:{PORT}", str(scene.length))
    scene.full = scene.host.inside(*words).wait() == 0


def fill_disk(scene: Scene) -> None:
    """Fills the host's disks for a time, and kills a seat, which has to be made anew."""
    scene.length = scene.draw.seconds
    filling = scene.host.inside("sh", "-c", FILL, str(scene.length))
    time.sleep(1)
    kill_seat(scene)
    filling.wait()


def kill_gcs(scene: Scene) -> None:
    """Kills the head's server, and starts another cluster when the driver has ended."""
    send(signal.SIGKILL, scene.lab.head_pids("gcs_server"))
    scene.driver.join(170)
    scene.lab.restart_head()


def memory() -> tuple[int, float]:
    """Bytes of this machine's memory, and the share that is in use."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) << 10 for line in lines}
    return sizes["MemTotal"], 1 - sizes["MemAvailable"] / sizes["MemTotal"]


def ended(*ways: str) -> Callable[[Scene, list[AttemptRow]], bool]:
    """Whether an attempt on the host ended in one of these ways."""
    return lambda scene, after: any(
        row.how.startswith(ways) and row.host == scene.host.name for row in after
    )


LOST = ended("lost", "dropped")
"""An attempt was given up there, or another seat's at the same trial came first."""


def trial_failed(scene: Scene, after: list[AttemptRow]) -> bool:
    """Whether the struck trial failed."""
    return [row.number for row in rows(scene.folder)[:TRIALS] if row.state == FAILED] == [
        scene.draw.trial
    ]


def refused(scene: Scene, after: list[AttemptRow]) -> bool:
    """Whether the host was found to be of no use."""
    return f"{scene.host.name}" not in {row.host for row in after} and (
        "No space left" in scene.log.read_text()
    )


def filled(scene: Scene, after: list[AttemptRow]) -> bool:
    """Whether the store was full, and attempts on the host ended after the fault had begun."""
    return scene.full and any(row.host == scene.host.name for row in after)


def driver_died(scene: Scene, after: list[AttemptRow]) -> bool:
    """Whether the driver was ended before the run was."""
    return bool(scene.driver.exitcode) and len(ends(scene.folder)) < TRIALS


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        strike: plays it.
        felt: whether it was felt, by the attempts that ended between it and the run's last trials,
            which idle seats repeat in any case.
        late: whether the host is started then only.
        trouble: of the trial that is struck, if that is one of the run's own.
        seconds: of a trial on average.
    """

    strike: Callable[[Scene], Any]
    felt: Callable[[Scene, list[AttemptRow]], bool]
    late: bool = False
    trouble: str = ""
    seconds: float = 1.0


def _nothing(scene: Scene) -> None:
    pass


OOM = "lost: its machine ran out of memory"
FAULTS = {
    "none": Fault(_nothing, lambda scene, after: True),
    "worker SIGKILL": Fault(kill_seat, LOST),
    "poison": Fault(_nothing, trial_failed, trouble="poison"),
    "hang": Fault(_nothing, trial_failed, trouble="hang"),
    "worker SIGSTOP": Fault(stop_seat, LOST, seconds=2.0),
    "host SIGSTOP": Fault(stop_host, LOST, seconds=2.0),
    "host killed": Fault(lambda scene: scene.host.signal(signal.SIGKILL), LOST),
    "ray stop": Fault(lambda scene: scene.host.inside("ray", "stop", "--force").wait(), LOST),
    "cable cut and healed": Fault(cut, LOST, seconds=2.0),
    "memory monitor": Fault(take_memory, ended(OOM), seconds=2.0),
    "object store full": Fault(fill_store, filled, seconds=2.0),
    "disk full, a worker killed": Fault(fill_disk, LOST),
    "late host": Fault(
        lambda scene: scene.host.start(), ended("complete", "stopped"), late=True, seconds=3.0
    ),
    "late host, its cache full": Fault(
        lambda scene: scene.host.start("1m"), refused, late=True, seconds=3.0
    ),
    "driver SIGKILL, resumed": Fault(lambda scene: scene.driver.kill(), driver_died),
    "GCS killed, resumed": Fault(kill_gcs, driver_died, seconds=5.0),
}
RENEWED = ("memory monitor", "late host, its cache full")
"""Faults after which the host is made anew; others leave it as it was, or dead."""
