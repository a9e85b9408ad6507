"""Arrays on disk that are computed once: named by content, whole or not there, checked.

A store is a folder with one ``.npy`` file an array (first axis: rows) and a manifest with
the store's name, each file's size and digest, and its own digest. It is written under a
temporary name and renamed when it is complete, so an interrupted one is never taken for a
finished one. Of several processes that want the same one, one computes it while the others wait.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from auxnas.backends.caching import PRIVATE, make_private
from auxnas.search.storage.cache import json_digest
from auxnas.search.storage.lock import exclusive_lock

Array = NDArray[Any]
Rows = Mapping[str, Array]
"""Some consecutive rows of every array."""

MANIFEST = "manifest.json"
VERSION = 3
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Store:
    """An opened store.

    Attributes:
        folder: path of the store.
        rows: how many rows every array has.
        rebuilt: reason that an earlier one was discarded; empty if there was none.
    """

    folder: Path
    rows: int
    rebuilt: str = ""

    def read(self, name: str, indices: Sequence[int]) -> Array:
        """Some rows of an array.

        The file is mapped for the time of the call only, so that what was read does not
        stay in memory.
        """
        mapped = np.load(self.folder / f"{name}.npy", mmap_mode="r")
        return np.asarray(mapped[np.asarray(indices, dtype=np.intp)])


def open_store(
    folder: Path,
    total: int,
    compute: Callable[[], Iterable[Rows]],
    dtypes: Mapping[str, str],
    say: Callable[[str], None],
) -> Store:
    """The store in ``folder``, computed if it is not there or not sound.

    Args:
        folder: named after everything that the content depends on.
        total: rows of every array.
        compute: yields the rows in order, some at a time.
        dtypes: the stored type by array name, where it is not the computed one.
        say: is told of another process that computes it, and is waited for.

    Raises:
        OSError: naming ``folder``, when it cannot be written; nothing is left behind then.
        ValueError: when a value does not fit the stored type.
    """
    fault = store_fault(folder, total)
    if fault is None:
        return Store(folder, total)
    make_private(folder.parent)
    with exclusive_lock(folder, say):
        fault = store_fault(folder, total)
        if fault is None:  # made by the process that we waited for
            return Store(folder, total)
        with _fresh(folder) as temporary:
            _write(temporary, folder.name, total, compute(), dtypes)
    return Store(folder, total, "" if fault == "missing" else fault)


def copy_store(folder: Path, total: int, files: Mapping[str, Iterable[Array]]) -> Path:
    """Places a store in ``folder``, of the bytes of its files; of several copiers one does it.

    Raises:
        OSError: naming ``folder``, when it cannot be written, or is not sound then.
    """
    make_private(folder.parent)
    with exclusive_lock(folder, lambda line: None):
        if store_fault(folder, total) is None:
            return folder
        with _fresh(folder) as temporary:
            for name, pieces in files.items():
                with (temporary / name).open("wb") as file:
                    for piece in pieces:
                        file.write(piece.tobytes())
    fault = store_fault(folder, total)
    if fault is not None:
        raise OSError(None, f"copied, but {fault}", str(folder))
    return folder


@contextmanager
def _fresh(folder: Path) -> Iterator[Path]:
    """An empty folder that takes the place of ``folder`` when the block ends well.

    What a process that was killed in here has left is removed; ours is the only one. Of what
    else is in ``folder`` nothing is.
    """
    temporary = folder.with_name(f".{folder.name}.part")
    _remove(temporary)
    temporary.mkdir(mode=PRIVATE)
    try:
        yield temporary
        _place(temporary, folder)
    except OSError as error:
        where = temporary if error.filename is None else Path(os.fsdecode(error.filename))
        if error.errno is None or not where.is_relative_to(temporary):
            raise
        raise OSError(error.errno, error.strerror, str(folder)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove(folder: Path) -> None:
    """Removes a folder; of a link to one, the link."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def _place(made: Path, folder: Path) -> None:
    """Renames the files of a store into ``folder``, the manifest last."""
    if folder.is_symlink():
        folder.unlink()
    if not folder.exists():
        os.replace(made, folder)
        return
    (folder / MANIFEST).unlink(missing_ok=True)
    for path in sorted(made.iterdir(), key=lambda path: path.name == MANIFEST):
        os.replace(path, folder / path.name)


def store_fault(folder: Path, total: int) -> str | None:
    """Reason that the store in ``folder`` cannot be used; None when it can."""
    if not os.path.isdir(folder):  # nor where the folder above is closed to this user
        return "missing"
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        if (manifest["version"], manifest["rows"]) != (VERSION, total):
            return "of another version"
        if manifest.pop("digest") != json_digest(manifest):
            return "damaged: its manifest"
        if manifest["key"] != folder.name:
            return "of something else"
        for name, entry in manifest["arrays"].items():
            path = folder / f"{name}.npy"
            if path.stat().st_size != entry["bytes"] or _digest(path) != entry["blake2b"]:
                return f"damaged: {path.name}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "damaged: its manifest"
    return None


def _digest(path: Path) -> str:
    found = blake2b()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


class _Column:
    """One array being written; knows its digest without reading it again."""

    def __init__(self, path: Path, first: Array, total: int, dtype: str | None) -> None:
        self.dtype = np.dtype(dtype or first.dtype)
        self.narrow = dtype is not None and self.dtype.kind == "f"
        self.bytes = self.rows = 0
        self.digest = blake2b()
        self._file: BinaryIO = path.open("wb")
        header = {"descr": self.dtype.str, "fortran_order": False}
        np.lib.format.write_array_header_1_0(self, {**header, "shape": (total, *first.shape[1:])})

    def write(self, data: bytes) -> int:
        """Appends bytes."""
        self.bytes += len(data)
        self.digest.update(data)
        return self._file.write(data)

    def append(self, name: str, values: Array) -> None:
        """Appends rows."""
        with np.errstate(over="ignore"):
            stored = np.ascontiguousarray(values, dtype=self.dtype)
        if self.narrow and not np.isfinite(stored).all():
            raise ValueError(f"{name}: values that {self.dtype} cannot hold, try float32")
        self.rows += len(stored)
        self.write(stored.tobytes())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _write(
    folder: Path, key: str, total: int, chunks: Iterable[Rows], dtypes: Mapping[str, str]
) -> None:
    columns: dict[str, _Column] = {}
    try:
        for name, values in _items(chunks):
            if name not in columns:
                path = folder / f"{name}.npy"
                columns[name] = _Column(path, values, total, dtypes.get(name))
            columns[name].append(name, values)
    finally:
        for column in columns.values():
            column.close()
    wrong = [name for name, column in columns.items() if column.rows != total]
    if wrong:
        raise ValueError(f"{folder}: {wrong[0]} has not {total} rows")
    entries = {
        name: {"bytes": column.bytes, "blake2b": column.digest.hexdigest()}
        for name, column in columns.items()
    }
    manifest = {"version": VERSION, "key": key, "rows": total, "arrays": entries}
    (folder / MANIFEST).write_text(json.dumps({**manifest, "digest": json_digest(manifest)}))


def _items(chunks: Iterable[Rows]) -> Iterator[tuple[str, Array]]:
    for chunk in chunks:
        yield from chunk.items()
