"""Evaluators of trials, packed for machines that share no disk with the run's.

Stores stay out of the pickle. A machine opens the one of the same key in its own cache, or where
the run has it, if that can be read; else it is given the files, once. Encoder outputs it computes,
and checkpoints it keeps in its cache.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from auxnas.backends.base import Array
from auxnas.backends.progress import Silent
from auxnas.search.examples.features import FeatureStore, feature_store
from auxnas.search.examples.images import PixelStore
from auxnas.search.executors.base import Evaluate
from auxnas.search.storage.checkpoint import CheckpointFolder
from auxnas.search.storage.store import copy_store, store_fault

_CHUNK = 64 << 20

Chunks = Mapping[str, Sequence[Any]]
"""References to the pieces of files by name, in order."""


def pack_evaluator(
    evaluate: Evaluate, pickler: type[pickle.Pickler]
) -> tuple[bytes, list[PixelStore]]:
    """The pickle, and the stores of pixels that it leaves out.

    Args:
        evaluate: function from a job to its outcome.
        pickler: the class of what pickles.
    """
    stores: dict[Path, PixelStore] = {}

    class Packer(pickler):  # type: ignore[misc, valid-type]
        def persistent_id(self, value: Any) -> Any:
            if isinstance(value, FeatureStore):
                return "features", value.source, value.indices
            if isinstance(value, PixelStore):
                stores[value.folder] = value
                return "pixels", *_fields(value)
            if isinstance(value, CheckpointFolder):
                return ("checkpoints",)
            return None

    buffer = io.BytesIO()
    Packer(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(evaluate)
    return buffer.getvalue(), list(stores.values())


def _fields(store: PixelStore) -> tuple[Any, ...]:
    return str(store.folder), store.rows, store.margin, store.labels


def lacking(places: Sequence[tuple[str, int]], cache: Path) -> list[str]:
    """The stores, of these (folder, rows), that this machine can neither find nor read."""
    return [folder for folder, rows in places if _found(Path(folder), rows, cache) is None]


def unpack_evaluator(
    data: bytes, cache: Path, chunks: Mapping[str, Chunks], get: Callable[[Any], Array]
) -> Evaluate:
    """The evaluator that ``pack_evaluator`` made a pickle of, with this machine's own stores.

    Args:
        data: the pickle.
        cache: folder of this machine.
        chunks: files of the stores that it lacks, by the folder that they come from.
        get: gives the bytes that a reference of a chunk stands for.

    Raises:
        OSError: when a store cannot be written.
    """

    def load(kind: str, *fields: Any) -> Any:
        if kind == "features":
            source, indices = fields
            return feature_store(source, indices, cache, Silent())
        if kind == "checkpoints":
            return CheckpointFolder(cache / "checkpoints", apart=True)
        folder, rows, margin, labels = fields
        found = _found(Path(folder), rows, cache)
        if found is None:
            files = {name: map(get, pieces) for name, pieces in chunks[folder].items()}
            found = copy_store(_own(Path(folder), cache), rows, files)
        return PixelStore(found, rows, margin=margin, labels=labels)

    class Unpacker(pickle.Unpickler):
        def persistent_load(self, name: Any) -> Any:
            return load(*name)

    made: Evaluate = Unpacker(io.BytesIO(data)).load()
    return made


def pieces(folder: Path) -> Iterator[tuple[str, Iterator[Array]]]:
    """The files of a store, each in pieces that fit into memory."""
    for path in sorted(folder.iterdir()):
        mapped = np.memmap(path, dtype=np.uint8, mode="r")
        starts = range(0, len(mapped), _CHUNK)
        yield path.name, (np.asarray(mapped[start : start + _CHUNK]) for start in starts)


def _own(folder: Path, cache: Path) -> Path:
    """The place in a machine's own cache of the store that the run has in ``folder``."""
    return cache / folder.parent.name / folder.name


def _found(folder: Path, rows: int, cache: Path) -> Path | None:
    """Place of a sound store: in this machine's cache, or the run's where that is seen too."""
    places = (_own(folder, cache), folder)
    return next((place for place in places if store_fault(place, rows) is None), None)
