"""The examination for people and for programs, printed without any library."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from auxnas.doctor.examination import examine
from auxnas.genotype.errors import printable

_HEAD = 16
"""Columns of the names before each line."""


def tell(as_json: bool) -> int:
    """Prints the examination; the exit status, 0 where the core works and 1 where not."""
    found = examine()
    text = json.dumps(found, indent=2) if as_json else "\n".join(map(printable, lines_of(found)))
    print(text, file=sys.stdout)
    return 0 if found["works"] else 1


def lines_of(found: Mapping[str, Any]) -> Iterator[str]:
    """An examination line by line."""
    yield _row("auxnas", f"{found['auxnas'] or 'not installed'}, {found['place']}")
    yield _row("Python", f"{found['python']}, {found['executable']}")
    works = "works: arch0 is compiled" if found["works"] else f"does not work: {found['error']}"
    yield _row("core", works)
    for each in found["core"]:
        yield _row("", _library_text(each))
    yield from ("", "Extras")
    for extra in found["extras"]:
        own = ", ".join(map(_library_text, extra["libraries"]))
        more = "" if extra["installed"] else f"; brings {extra['brings']}: {extra['install']}"
        yield _row(f"  {extra['extra']}", own + more)
    yield from ("", "Runtimes")
    for each in found["runtimes"]:
        told = each.get("error") or ", ".join(each["facts"])
        yield _row(f"  {each['runtime']}", told)
        for target in each.get("targets", ()):
            yield _row("", _target_text(target))
    yield from ("", "Machine")
    yield from _machine_lines(found["machine"])
    yield from ("", "In the way")
    yield from (f"  {line}" for line in found["in_the_way"] or ["nothing"])


def _row(name: str, text: str) -> str:
    return f"{name:<{_HEAD}}{text}"


def _library_text(library: Mapping[str, Any]) -> str:
    """``numpy 2.4.6``, and what is wrong with it."""
    name, least = library["name"], library["least"]
    if library["state"] == "missing":
        return f"{name} missing"
    old = f" is too old, expected {least} or later" if library["state"] == "too old" else ""
    return f"{name} {library['version']}{old}"


def _target_text(target: Mapping[str, Any]) -> str:
    """The precisions of a target, and whether it runs here."""
    if target["not_made"]:
        return f"{target['target']}: not made here: {target['not_made']}"
    run = f", does not run here: {target['not_run']}" if target["not_run"] else ""
    return f"{target['target']}: {', '.join(target['precisions'])}{run}"


def _machine_lines(machine: Mapping[str, Any]) -> Iterator[str]:
    if "error" in machine:
        yield f"  cannot be looked at: {machine['error']}"
        return
    cores = machine["cores"]
    yield _row("  processor", f"{machine['processor']}, {cores} core{'s' * (cores != 1)} for us")
    yield _row("", " ".join(machine["instructions"]) or "instruction sets unknown")
    sizes = map(_size, (machine["memory_available_bytes"], machine["memory_bytes"]))
    yield _row("  memory", "{} free of {}".format(*sizes))
    gpu = machine["gpu"]
    none = f"none: {gpu.get('reason')}"
    yield _row("  GPU", f"{gpu['name']}, {gpu['capability']}" if gpu["name"] else none)
    cache = machine["cache"]
    state = "" if cache["exists"] else ", not there yet"
    closed = "" if cache["writable"] else ", cannot be written: expected another, by $AUXNAS_CACHE"
    free = f"{_size(cache['free_bytes'])} free there"
    yield _row("  cache", f"{cache['folder']}{state}, {_size(cache['bytes'])}, {free}{closed}")
    for name, size in cache["parts"].items():
        yield _row("", f"{name} {_size(size)}")


def _size(count: int) -> str:
    """``1.2 GB``."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
