"""Seats on the nodes of a Ray cluster: actors that are never restarted, whose calls never repeat.

Of Ray only its core takes part. This is the one file that knows it.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from heapq import nlargest
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from auxnas.backends.base import BackendUnavailable
from auxnas.compiler import Program
from auxnas.search.errors import SettingsError
from auxnas.search.executors.actor import Progressed, SeatActor
from auxnas.search.executors.base import Evaluate
from auxnas.search.executors.crew import (
    Advanced,
    Beat,
    Began,
    Ended,
    Message,
    Raised,
    Readied,
    Refused,
    Vanished,
)
from auxnas.search.executors.nodes import COMPARED, NodeReport, describe_node, judge_nodes
from auxnas.search.executors.packing import Chunks, pack_evaluator, pieces
from auxnas.search.settings.search import Settings
from auxnas.search.storage.environment import package_versions
from auxnas.search.trials.records import SCORED, Job, Outcome

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
try:
    import ray
    from ray import cloudpickle, exceptions
    from ray._private import services, state, worker
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as NodeAffinity
except ModuleNotFoundError as _error:
    if _error.name != "ray":
        raise
    raise BackendUnavailable("--cluster", "ray", "ray") from None

_PATIENCE = 2.0
"""Seconds from one sign of life of a seat to the next."""
_CONTACT = 10.0
"""Seconds in which the head node has to answer."""
_ANSWER = 60.0
"""Seconds in which a node that is looked at has to answer."""

_LONGEST = 300
"""Characters of Ray's errors; whole sentences of longer ones."""

_GONE = "its process or its machine is gone"
_INFRASTRUCTURE = (
    (exceptions.OutOfMemoryError, "its machine ran out of memory", "oom"),
    (exceptions.OutOfDiskError, "its machine's disk is full", "crash"),
    (exceptions.ObjectStoreFullError, "its machine's object store is full", "crash"),
)


def check_cluster(settings: Settings) -> None:
    """Joins the cluster of the settings, and leaves it again.

    Raises:
        SettingsError: when there is none, it does not let us in, its versions are not ours, or it
            has nodes with processors, none of which can ever hold a seat.
    """
    joined = _connect(settings.cluster.address or "auto")
    try:
        needs = _needs(settings)
        nodes = [node for node in _nodes() if node.get("CPU")]
        if nodes and not any(_room(node, needs) for node in nodes):
            asked, has = _resources(needs, nodes)
            expected = "a node that has it: cluster.cpus, cluster.gpus, threads"
            raise SettingsError(
                "cluster", f"each seat needs {asked}, the nodes have {has}", expected
            )
    finally:
        if joined:
            ray.shutdown()


def look_at_nodes(settings: Settings) -> list[NodeReport]:
    """The nodes of a cluster that trials may run on, in the order of their names.

    Those with room for a seat of the settings are asked.

    Raises:
        SettingsError: when there is no cluster.
    """
    joined = _connect(settings.cluster.address or "auto")
    try:
        needs = _needs(settings)
        nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        look = ray.remote(describe_node)
        calls = {
            node["NodeID"]: look.options(
                num_cpus=0,
                max_retries=0,
                scheduling_strategy=NodeAffinity(node["NodeID"], soft=False),
            ).remote(settings.learner, settings.threads or 1)
            for node in nodes
            if _room(node["Resources"], needs)
        }
        if calls:
            ray.wait([*calls.values()], num_returns=len(calls), timeout=_ANSWER)
        found = [_answer(calls.get(node["NodeID"]), node, needs) for node in nodes]
    finally:
        if joined:
            ray.shutdown()
    return sorted(judge_nodes(found), key=lambda node: node.host)


def _answer(call: Any, node: dict[str, Any], needs: dict[str, float]) -> NodeReport:
    """Report of a node with its resources; its fault where it gave none, or was not asked."""
    has = node["Resources"]
    own = {"cpus": has.get("CPU", 0.0), "gpus": has.get("GPU", 0.0)}
    try:
        if call is not None:
            report: NodeReport = ray.get(call, timeout=0)
            return replace(report, **own)
        fault = "each seat needs {}, this node has {}".format(*_resources(needs, [has]))
    except exceptions.GetTimeoutError:
        fault = f"no answer in {_ANSWER:.0f} seconds"
    except exceptions.RayError as error:
        fault = _last_line(error)
    return NodeReport(node["NodeManagerHostname"], **own, fault=fault)


class _Actor:
    """An actor as the driver has it."""

    def __init__(self, handle: Any) -> None:
        self.handle, self.number = handle, -1
        self.attempt, self.dropped = -1, -2
        self.program: Any = None
        self.host = ""


class RayCrew:
    """Implements ``Crew`` with Ray's actors.

    Args:
        evaluate: function from a job to its outcome; it is pickled.
        settings: of the run.

    Attributes:
        patience: seconds from one sign of life of a seat to the next.
        where: the cluster in words, behind an error.
    """

    patience = _PATIENCE

    def __init__(self, evaluate: Evaluate, settings: Settings) -> None:
        self._connected = _connect(settings.cluster.address or "auto")
        self.where = f", on the cluster at {ray.get_runtime_context().gcs_address}"
        if settings.cluster.address == "auto":
            self.where += " (of several, --cluster HOST:PORT or RAY_ADDRESS names another)"
        self._needs = _needs(settings)
        self._threads = settings.threads or 1
        data, self._stores = pack_evaluator(evaluate, cloudpickle.CloudPickler)
        self._evaluate = ray.put(data)
        self._chunks: dict[str, Chunks] = {}
        self._kept = _Best(settings)
        self._actors: dict[int, _Actor] = {}
        self._heard: SimpleQueue[tuple[int, Callable[[int, Any], list[Message]], Any]]
        self._heard = SimpleQueue()
        self._class = ray.remote(SeatActor).options(
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=2,
            scheduling_strategy="SPREAD",
            **self._needs,
        )

    def room(self) -> int:
        """Seats that the nodes have room for now, one at least."""
        return max(1, sum(_room(node, self._needs) for node in _nodes()))

    def start(self, seat: int) -> None:
        """Asks for an actor; Ray makes it where and when there is room."""
        self._actors[seat] = actor = _Actor(self._class.remote(self._threads))
        places = [(str(store.folder), store.rows) for store in self._stores]
        self._call(seat, self._compared, actor.handle.lacks.remote(places))

    def give(self, seat: int, attempt: int, job: Job) -> None:
        """Calls the actor."""
        actor = self._actors[seat]
        actor.attempt, actor.number = attempt, job.number
        self._call(seat, self._accepted, actor.handle.accept.remote(attempt, job))

    def drop(self, seat: int) -> None:
        """Tells the actor with the next call for news."""
        self._actors[seat].dropped = self._actors[seat].attempt

    def end(self, seat: int) -> None:
        """Kills the actor."""
        ray.kill(self._actors.pop(seat).handle)

    def hear(self, seconds: float) -> Sequence[Message]:
        """The messages of the calls that ended."""
        end, found = monotonic() + seconds, list[Message]()
        while not found:
            try:
                heard = [self._heard.get(timeout=max(0.0, end - monotonic()))]
            except Empty:
                break
            heard += [self._heard.get() for _ in range(self._heard.qsize())]
            for seat, understand, result in heard:
                if seat in self._actors:
                    found += self._understood(seat, understand, result)
        return found

    def lack(self) -> str:
        """Compares what a seat needs with what the nodes have."""
        nodes = _nodes()
        needs, has = _resources(self._needs, nodes)
        if not any(_room(node, self._needs) for node in nodes):
            why = "none can ever meet that, nassearch goes on waiting"
        elif making := self._making():
            why = f"{making} of {len(self._actors)} are being made"
        else:
            why = "others use them"
        return f"each needs {needs}, the {len(nodes)} nodes have {has}: {why}"

    def _making(self) -> int:
        """Actors that have a process already."""
        known = state.actors()
        names = [actor.handle._actor_id.hex() for actor in self._actors.values()]
        return sum(bool(known[name]["Pid"]) for name in names if name in known)

    def close(self) -> None:
        """Kills the actors, and leaves the cluster where we joined it."""
        for seat in list(self._actors):
            self.end(seat)
        if self._connected:
            ray.shutdown()

    # Calls ------------------------------------------------------------------------------

    def _call(
        self, seat: int, understand: Callable[[int, Any], list[Message]], reference: Any
    ) -> None:
        """Has the result of a call heard once it is there."""
        future: Future[Any] = reference.future()
        future.add_done_callback(lambda done: self._heard.put((seat, understand, done)))

    def _understood(
        self, seat: int, understand: Callable[[int, Any], list[Message]], done: Future[Any]
    ) -> list[Message]:
        """The messages in the result of a call, or in its error."""
        error = done.exception()
        if error is None:
            return understand(seat, done.result())
        cause = error.cause if isinstance(error, exceptions.RayTaskError) else error
        for kind, how, failure in _INFRASTRUCTURE:
            if isinstance(error, kind) or isinstance(cause, kind):
                return [Vanished(seat, how, failure)]
        if understand in (self._compared, self._prepared) and isinstance(
            error, exceptions.RayTaskError
        ):
            host = self._actors[seat].host or error.ip
            return [Refused(seat, f"{host}: cannot evaluate trials ({_last_line(error)})")]
        return [Vanished(seat, _GONE)]

    def _compared(self, seat: int, result: tuple[str, dict[str, str], list[str]]) -> list[Message]:
        host, versions, lacking = result
        self._actors[seat].host = host
        for name, ours in package_versions().items():
            theirs = versions.get(name, "none")
            if name in COMPARED and theirs != ours:
                return [Refused(seat, f"{host}: has {name} {theirs}, expected {ours}")]
        chunks = {folder: self._put(folder) for folder in lacking}
        handle = self._actors[seat].handle
        self._call(seat, self._prepared, handle.prepare.remote(self._evaluate, chunks, ray.get))
        self._ask(seat)
        return [Beat(seat)]

    def _put(self, folder: str) -> Chunks:
        """References to the files of a store, which are put once."""
        if folder not in self._chunks:
            files = pieces(Path(folder))
            self._chunks[folder] = {name: [*map(ray.put, parts)] for name, parts in files}
        return self._chunks[folder]

    def _prepared(self, seat: int, result: tuple[str, str]) -> list[Message]:
        return [Readied(seat, *result)]

    def _ask(self, seat: int) -> None:
        """Calls for news."""
        actor = self._actors[seat]
        reference = actor.handle.news.remote(self.patience, actor.dropped)
        self._call(seat, self._informed, reference)

    def _informed(self, seat: int, latest: Progressed | None) -> list[Message]:
        self._ask(seat)
        if latest is None:
            return [Beat(seat)]
        return [Advanced(seat, *latest)]

    def _accepted(self, seat: int, result: None) -> list[Message]:
        actor = self._actors[seat]
        outcome, actor.program = actor.handle.evaluate.options(num_returns=2).remote()
        self._call(seat, self._evaluated, outcome)
        return [Began(seat, actor.attempt)]

    def _evaluated(self, seat: int, result: Outcome | tuple[str, str] | None) -> list[Message]:
        actor = self._actors[seat]
        program, actor.program = actor.program, None
        if isinstance(result, tuple):
            return [Raised(seat, actor.attempt, *result)]
        if result is None or not self._kept.takes(actor.number, result):
            return [Ended(seat, actor.attempt, result)]
        self._call(seat, partial(self._pulled, result), program)
        return []

    def _pulled(self, outcome: Outcome, seat: int, program: Program | None) -> list[Message]:
        ended = replace(outcome, program=program)
        return [Ended(seat, self._actors[seat].attempt, ended)]


class _Best:
    """Outcomes whose networks may be kept: the best ones up to now, as many as are kept.

    All are, where latency has a weight in rewards.
    """

    def __init__(self, settings: Settings) -> None:
        self._all, self._most = settings.latency.target_ms is not None, settings.keep
        self._rewards: dict[int, float] = {}

    def takes(self, number: int, outcome: Outcome) -> bool:
        """Whether the network of the trial of this number may be kept."""
        if outcome.state not in SCORED:
            return False
        self._rewards[number] = outcome.stages[-1].reward
        kept = nlargest(self._most, self._rewards, key=self._rewards.__getitem__)
        least = self._rewards[kept[-1]]
        self._rewards = {n: reward for n, reward in self._rewards.items() if reward >= least}
        return self._all or number in self._rewards


def _connect(address: str) -> bool:
    """Joins the cluster as a driver; whether we were none yet.

    Raises:
        SettingsError: when there is none, or it does not let us in.
    """
    if ray.is_initialized():
        return False
    # Ray prints what nodes say of themselves on the standard output, where results are.
    worker.print_to_stdstream = lambda *data, **options: None
    try:
        place = services.canonicalize_bootstrap_address_or_die(address)
        host, port = place.rsplit(":", 1)
        # Ray itself would try for minutes.
        socket.create_connection((host.strip("[]"), int(port)), _CONTACT).close()
        terminate = signal.getsignal(signal.SIGTERM)
        ray.init(address=place, log_to_driver=False, logging_level=logging.ERROR)
        if threading.current_thread() is threading.main_thread():  # Ray's prints its own stack
            signal.signal(signal.SIGTERM, terminate)
    except (exceptions.RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        said = " ".join(str(error).split())
        if len(said) > _LONGEST:
            said = said[:_LONGEST].rpartition(". ")[0] or said[:_LONGEST]
        found = f"{address} ({said})"
        expected = (
            "a cluster that this machine is a node of (ray start), and its token if it has one"
        )
        raise SettingsError("cluster.address", found, expected) from None
    return True


def _needs(settings: Settings) -> dict[str, float]:
    """Resources of a seat: a processor a thread, and a GPU where the cluster has any."""
    gpus = settings.cluster.gpus
    if gpus is None:
        gpus = 1.0 if ray.cluster_resources().get("GPU") else 0.0
    return {"num_cpus": settings.cluster.cpus or settings.threads or 1, "num_gpus": gpus}


def _nodes() -> list[dict[str, float]]:
    """Resources of the nodes that are alive."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _resources(needs: dict[str, float], nodes: list[dict[str, float]]) -> tuple[str, str]:
    """Needs of a seat and resources of the nodes, in words."""
    asked = " and ".join(f"{n:g} {name[4:].upper()}" for name, n in needs.items() if n)
    has = "; ".join(f"{n.get('CPU', 0):g} CPUS, {n.get('GPU', 0):g} GPUS" for n in nodes)
    return asked, has


def _room(node: dict[str, float], needs: dict[str, float]) -> int:
    """Seats that a node of these resources has room for."""
    shares = [node.get(name[4:-1].upper(), 0.0) / need for name, need in needs.items() if need]
    return int(min(shares) + 1e-9) if shares else 0


def _last_line(error: BaseException) -> str:
    """The line of an error that says most: Ray's end with it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__
