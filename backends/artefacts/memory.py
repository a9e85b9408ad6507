"""Bounds on the memory that an untrusted file makes us allocate, checked beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from pathlib import Path

from auxnas.compiler import CompilerError

MOST = 4 << 30
"""Bytes that a network may need at once."""
MOST_AXES = 32
"""Of an array, in every numpy."""
_MEMINFO = Path("/proc/meminfo")


def available_bytes() -> int:
    """Bytes of memory available now; ``MOST`` where the system does not report it."""
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return MOST
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return 1024 * int(found[0]) if found else MOST


def check_memory(place: str, needed: int, of: str, limit: int | None = None) -> None:
    """Checks that ``needed`` bytes are within ``limit``.

    Args:
        place: the file, and where in it.
        needed: bytes.
        of: name of their use, for the message.
        limit: bytes; None for ``MOST``.

    Raises:
        CompilerError: at ``place``.
    """
    most = min(MOST if limit is None else limit, available_bytes())
    if needed > most:
        expected = f"at most {most / 1e9:.1f} GB of memory"
        raise CompilerError(place, f"{of} that take {needed / 1e9:,.1f} GB", expected)


def check_array_shape(place: str, shape: Sequence[int | str]) -> None:
    """Checks that an array can have ``shape``.

    Raises:
        CompilerError: at ``place``.
    """
    for side in shape:
        if isinstance(side, int) and side < 0:
            raise CompilerError(place, f"a side of {side}", "0 or more")
    if len(shape) > MOST_AXES:
        raise CompilerError(place, f"{len(shape)} axes", f"at most {MOST_AXES}")


def peak_bytes(
    steps: Iterable[tuple[Iterable[str], Iterable[str]]], sizes: Mapping[str, int]
) -> int:
    """Bytes of the values that are alive at once, at the most, in the order of ``steps``.

    Args:
        steps: names of the values that each reads, and writes.
        sizes: bytes of each value; one without takes none.
    """
    order = [(set(reads), set(writes)) for reads, writes in steps]
    last = {name: at for at, (reads, writes) in enumerate(order) for name in reads | writes}
    written = {name for _, writes in order for name in writes}
    alive = sum(size for name, size in sizes.items() if name not in written)
    most = alive
    for at, (reads, writes) in enumerate(order):
        alive += sum(sizes.get(name, 0) for name in writes)
        most = max(most, alive)
        alive -= sum(sizes.get(name, 0) for name in reads | writes if last[name] == at)
    return most


def bytes_of(shape: Iterable[int | str], itemsize: int) -> int:
    """Bytes of an array, an open side counted as 1."""
    return itemsize * prod(side if isinstance(side, int) else 1 for side in shape)
