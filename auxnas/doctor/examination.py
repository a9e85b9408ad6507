"""The examination: metadata read here, everything that imports a library in a process apart."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import metadata
from importlib.machinery import PathFinder
from typing import Any

from auxnas.doctor.libraries import (
    BRINGS,
    CORE,
    Library,
    doubled,
    find_libraries,
    installed_version,
    module_owners,
)
from auxnas.doctor.probes import RUNTIMES
from auxnas.hiding import folder_hides, import_name, module_name

LONGEST = 60
"""Seconds that a probe may take."""
CORE_PROBE, MACHINE_PROBE = "core", "machine"
Probe = Callable[[str], dict[str, Any]]


def examine(probe: Probe | None = None) -> dict[str, Any]:
    """All that is found, as JSON has it; ``works`` tells whether the core does.

    Args:
        probe: runs a probe; by default in a process of its own.
    """
    libraries = find_libraries(guarded(None, metadata.requires, "auxnas") or [])
    there = [name for name, each in RUNTIMES.items() if any(map(installed_version, each.packages))]
    names = [CORE_PROBE, MACHINE_PROBE, *there]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = dict(zip(names, pool.map(probe or run_probe, names), strict=True))
    core, machine = found[CORE_PROBE], found[MACHINE_PROBE]
    return {
        "works": "error" not in core,
        "error": core.get("error"),
        "auxnas": installed_version("auxnas"),
        "place": os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        "python": platform.python_version(),
        "executable": sys.executable,
        "core": [_library(each) for each in libraries if each.extra == CORE],
        "extras": [_extra(extra, libraries) for extra in extras_of(libraries)],
        "runtimes": [_runtime(name, found.get(name)) for name in RUNTIMES],
        "machine": machine,
        "in_the_way": in_the_way(libraries),
    }


def guarded(otherwise: Any, read: Callable[..., Any], *arguments: Any) -> Any:
    """Result of ``read`` on the arguments; ``otherwise`` where whatever is broken keeps it."""
    try:
        return read(*arguments)
    except Exception:
        return otherwise


def extras_of(libraries: Iterable[Library]) -> list[str]:
    """The extras that have a library, in the order of ``BRINGS``."""
    there = {each.extra for each in libraries} - {CORE}
    return sorted(there, key=lambda each: [*BRINGS, each].index(each))


def _library(library: Library) -> dict[str, Any]:
    return {**asdict(library), "state": library.state}


def _extra(extra: str, libraries: Iterable[Library]) -> dict[str, Any]:
    own = [each for each in libraries if each.extra == extra]
    ready = all(each.state == "found" for each in own)
    return {
        "extra": extra,
        "brings": BRINGS.get(extra, ""),
        "installed": ready,
        "libraries": [_library(each) for each in own],
        "install": None if ready else f"pip install 'auxnas[{extra}]'",
    }


def _runtime(name: str, found: dict[str, Any] | None) -> dict[str, Any]:
    """A runtime that was probed, or is not there."""
    extra = RUNTIMES[name].extra
    missing = f"not installed: pip install 'auxnas[{extra}]'"
    return {"runtime": name, "installed": found is not None, **(found or {"error": missing})}


def in_the_way(libraries: Iterable[Library]) -> list[str]:
    """Lines on files that hide a module from scripts in this folder or from everything here, and on
    modules that two distributions install.
    """
    given = [os.getcwd(), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    places = {os.path.realpath(place): place for place in reversed(given)}
    entries, lines = [os.path.realpath(entry) for entry in sys.path], []
    for where, place in reversed(places.items()):
        for file in guarded([], folder_hides, place):
            name, on_path = module_name(file), where in entries
            if on_path and not _is_first(name, where, entries):
                continue
            reach = "everything here" if on_path else "scripts in its folder"
            words = f"hides the module {name} from {reach}"
            lines.append(f"{file}: {words}, expected another name for it, or another folder")
    homes = guarded({}, module_owners)
    names = {import_name(each.name): each.name for each in libraries}
    return lines + doubled({"auxnas": "auxnas", **names}, homes)


def _is_first(name: str, where: str, entries: list[str]) -> bool:
    """Whether a module's first file on Python's path is in a folder."""
    found = guarded(None, PathFinder.find_spec, name, entries)
    return found is None or os.path.realpath(found.origin or "").startswith(os.path.join(where, ""))


def run_probe(name: str) -> dict[str, Any]:
    """Findings of a probe; ``error`` in a line where it, or the process, fails."""
    words = [sys.executable, "-P", "-m", "auxnas.doctor.probes", name]
    paths = os.pathsep.join(filter(None, sys.path))
    try:
        done = subprocess.run(
            words,
            env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LONGEST,
        )
    except subprocess.TimeoutExpired as late:
        where = _at(_documents(late.stdout))
        return {"error": f"{where}does not answer within {LONGEST} s"}
    except OSError as error:
        return {"error": f"Python cannot be started: {error}"}
    documents = _documents(done.stdout)
    if done.returncode == 0 and documents:
        return documents[-1]
    return {"error": _at(documents) + _ending(done.returncode, done.stderr)}


def _documents(text: str | bytes | None) -> list[dict[str, Any]]:
    """The JSON objects among the lines that a probe, or a library, printed."""
    lines = text.decode(errors="replace") if isinstance(text, bytes) else text or ""
    found = (guarded(None, json.loads, line) for line in lines.splitlines())
    return [each for each in found if isinstance(each, dict)]


def _at(documents: list[dict[str, Any]]) -> str:
    """The library that a probe was at, as the beginning of a line."""
    return f"{documents[-1]['at']}: " if documents and "at" in documents[-1] else ""


def _ending(status: int, stderr: str) -> str:
    """A line on the end of a process: the signal, or the last line of its traceback."""
    if status < 0:
        return f"ends the process ({signal.Signals(-status).name})"
    lines = [line.strip() for line in stderr.splitlines() if line[:1].strip()]
    return lines[-1][:300] if lines else f"ends the process with {status}"
