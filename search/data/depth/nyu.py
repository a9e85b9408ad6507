"""``nyu:FILE.mat``, ``nyu-raw:FILE.mat``: NYU Depth v2, the labelled part, as published."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from auxnas.backends.base import BackendUnavailable
from auxnas.backends.images.depth import Metres, metres, scale_of, unit_fault
from auxnas.compiler.tasks import TargetFormat, Task
from auxnas.compiler.tasks.depth import METRES
from auxnas.genotype.errors import short_repr
from auxnas.search.data.base import BaseDataset, Bytes, Reader, text_digest
from auxnas.search.data.errors import DataError
from auxnas.search.data.matlab_structs import matlab_values

SPLITS = "splits.mat"
"""The official split, looked for beside the data; positions count from 1."""
_PARTS = {"train": "trainNdxs", "val": "testNdxs"}
FILLED, RAW = "depths", "rawDepths"
"""Arrays of depth: with the holes filled (as the authors of the data did), and as measured."""
_MOST = 1 << 16
"""Images that a split may name."""
_CHUNK = 1 << 20
_FAULTS = (OSError, KeyError, ValueError, RuntimeError, TypeError)
"""Exceptions that h5py raises on damaged files."""


@dataclass(frozen=True)
class NyuDataset(BaseDataset):
    """Images of ``nyu_depth_v2_labeled.mat``.

    Attributes:
        path: the file, HDF5 with its axes in MATLAB's order: (n, width, height).
        indices: which of its images.
        depths: which of its arrays is the truth, ``FILLED`` or ``RAW``.
    """

    path: Path
    indices: tuple[int, ...]
    depths: str = FILLED

    classes: tuple[str, ...] = ()
    labels: TargetFormat = METRES

    @property
    def name(self) -> str:
        """``nyu:FILE`` or ``nyu-raw:FILE``."""
        return f"{_FORMATS[self.depths]}:{self.path}"

    @property
    def palette(self) -> Bytes:
        """There are no classes to colour."""
        return np.zeros((0, 3), np.uint8)

    def __len__(self) -> int:
        return len(self.indices)

    def fingerprint(self) -> str:
        """A hash of the whole file and of which images these are; the first call reads it."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        state = hashlib.sha256()
        with self.path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                state.update(chunk)
        units = self.labels.units
        said = () if units is None else (units,)
        return text_digest("nyu", self.depths, state.hexdigest(), self.indices, *said)

    def of_task(self, task: Task) -> NyuDataset:
        """Itself, as far as a task of depth looks: there are no other labels."""
        return replace(self, labels=replace(self.labels, limit=task.labels.limit))

    def scaled(self, scale: float) -> NyuDataset:
        """The same images, so many units a metre."""
        return replace(self, labels=replace(self.labels, units=scale))

    def suspicion(self, middles: Sequence[float]) -> DataError | None:
        """Error of a unit that is likely another one; None where all is well.

        Args:
            middles: the median depth of each image that has any, in metres.
        """
        with _opened(self.path) as file:
            scale = self.labels.units or scale_of(file[self.depths].dtype)
        fault = unit_fault(middles, scale, self.labels.limit)
        return None if fault is None else DataError(f"{self.path}: {self.depths}", *fault)

    def image(self, index: int) -> Bytes:
        """The image at ``index``: uint8 RGB ``(height, width, 3)``."""
        return np.ascontiguousarray(self._read("images", index).T, np.uint8)

    def label(self, index: int) -> Metres:
        """Its depth in metres: float32 ``(height, width)``, 0 where there is none."""
        return np.ascontiguousarray(metres(self._read(self.depths, index).T, self.labels.units))

    def _read(self, name: str, index: int) -> Any:
        with _opened(self.path) as file:
            return file[name][self.indices[index]]


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The HDF5 file, closed behind the block; what fails in it is an error of the file."""
    try:
        import h5py
    except ImportError:
        raise BackendUnavailable("nyu", "h5py", "mat") from None
    if not path.is_file():
        raise DataError(str(path), "a folder" if path.is_dir() else "no such file")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except _FAULTS as error:
        words = " ".join(str(error).split()) or type(error).__name__
        expected = "the whole nyu_depth_v2_labeled.mat (HDF5, 2.8 GB): is it cut off?"
        raise DataError(str(path), f"cannot be read ({words[:120]})", expected) from error


def _opener(depths: str) -> Callable[[str, int | None, str], NyuDataset]:
    """A function that opens the data with that array for truth."""

    def opener(where: str, classes: int | None, part: str) -> NyuDataset:
        return open_nyu(where, part, depths)

    return opener


def open_nyu(where: str, part: str, depths: str = FILLED) -> NyuDataset:
    """The images of a part: as ``splits.mat`` beside the file says, else all of them.

    Raises:
        DataError: when a file is damaged, or not as published.
        BackendUnavailable: when h5py is not installed.
    """
    path = Path(where)
    total = _count(path, depths)
    splits = path.parent / SPLITS
    if not splits.is_file():
        return NyuDataset(path, tuple(range(total)), depths)
    indices = _split(splits, _PARTS[part])
    chosen = tuple(index for index in indices if index < total)
    if not chosen:
        found = f"none of its {len(indices)} {part} images is among the {total} of {path.name}"
        raise DataError(str(splits), found)
    return NyuDataset(path, chosen, depths)


def _count(path: Path, depths: str) -> int:
    """Number of images, which is that of depth maps."""
    names = ("images", depths)
    with _opened(path) as file:
        missing = [name for name in names if name not in file]
        if missing:
            expected = "the labelled dataset of NYU Depth v2, version 7.3"
            raise DataError(str(path), f"no array {missing[0]!r} in it", expected)
        images, maps = (file[name].shape for name in names)
    if len(images) != 4 or images[1] != 3 or (images[0], *images[2:]) != maps or not images[0]:
        found = f"images of shape {images} and {depths} of shape {maps}"
        raise DataError(str(path), found, "(n, 3, width, height) and (n, width, height)")
    return int(images[0])


def _split(path: Path, name: str) -> tuple[int, ...]:
    """Positions from 0 of one part.

    Raises:
        DataError: when the file is damaged, or has no such numbers.
    """
    expected = f"the official split: {' and '.join(_PARTS.values())}, whole numbers from 1"
    found = matlab_values(path, str(path), (name,), expected)[name]
    if not isinstance(found, np.ndarray) or not np.isin(found, np.arange(1, _MOST + 1)).all():
        raise DataError(str(path), f"{name} {short_repr(found)}", expected)
    return tuple(int(number) - 1 for number in found.ravel())


def nyu_parts(where: str) -> tuple[str, ...]:
    """Both parts where the split is beside the file, else ``train`` alone."""
    return ("train", "val") if (Path(where).parent / SPLITS).is_file() else ("train",)


_FORMATS = {FILLED: "nyu", RAW: "nyu-raw"}
NYU = Reader(_opener(FILLED), nyu_parts, fits=lambda where: where.suffix == ".mat")
"""``nyu:FILE.mat``: filled depth."""
NYU_RAW = Reader(_opener(RAW), nyu_parts, fits=NYU.fits)
"""``nyu-raw:FILE.mat``: depth as measured, with holes; errors are lower on it."""
