"""Nodes of a cluster, looked at before a run: what each has, and what it lacks."""

from __future__ import annotations

import os
import shutil
import socket
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

from auxnas.backends.base import BackendUnavailable
from auxnas.backends.caching import cache_dir
from auxnas.backends.measuring.machine import cpu_model
from auxnas.backends.registry import backend
from auxnas.search.executors.fingerprint import host_fingerprint
from auxnas.search.storage.environment import package_versions

COMPARED = ("auxnas", "python", "numpy", "torch")
"""Packages of which all machines must have one version."""
_ROOM = 1 << 30
"""Bytes that are warned of where a cache has less."""


@dataclass(frozen=True)
class NodeReport:
    """A node, as it was found.

    Attributes:
        host: its name, or its address where it does not answer.
        cpus: processors that trials may use.
        gpus: likewise.
        processor: name of its processor.
        room: bytes that are free for its cache; None where it was not asked or does not answer.
        versions: of the packages, by name.
        fingerprint: of its arithmetic; empty where there is none.
        fault: reason that it cannot take part; empty where it can.
    """

    host: str
    cpus: float = 0.0
    gpus: float = 0.0
    processor: str = ""
    room: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    fault: str = ""


def describe_node(learner: str, threads: int) -> NodeReport:
    """This machine, in a process that has not imported a framework yet."""
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
    cache = cache_dir()
    there = next(path for path in (cache, *cache.absolute().parents) if path.exists())
    room = shutil.disk_usage(there).free
    found = NodeReport(socket.gethostname(), 0, 0, cpu_model(), room, package_versions())
    try:
        trains = SimpleNamespace(learner=backend("learner", learner)(threads=threads))
        return replace(found, fingerprint=host_fingerprint(trains))  # type: ignore[arg-type]
    except (BackendUnavailable, OSError) as error:
        return replace(found, fault=str(error))


def judge_nodes(found: Iterable[NodeReport]) -> list[NodeReport]:
    """The nodes with their faults: other versions than here, or another fingerprint than most."""
    nodes = list(found)
    counted = Counter(node.fingerprint for node in nodes if node.fingerprint)
    usual = counted.most_common(1)[0][0] if counted else ""
    ours = package_versions()
    return [
        node if node.fault else replace(node, fault=_fault(node, ours, usual)) for node in nodes
    ]


def _fault(node: NodeReport, ours: Mapping[str, str], usual: str) -> str:
    for name in COMPARED:
        theirs, here = (versions.get(name, "none") for versions in (node.versions, ours))
        if theirs != here:
            return f"has {name} {theirs}, expected {here}"
    if node.fingerprint != usual:
        return f"computes otherwise than most, which are {usual}: left out without --mixed"
    if node.room is not None and node.room < _ROOM:
        return f"{node.room >> 20} MiB are free for its cache, expected 1024 or more"
    return ""
