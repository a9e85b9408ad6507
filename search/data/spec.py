"""From what a user writes after ``--data`` to a dataset."""

from __future__ import annotations

from pathlib import Path

from auxnas.search.data.base import Dataset, ResizedDataset, check_size
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import (
    VOC_LISTS_FOLDER,
    list_parts,
    open_list,
    open_voc,
    same_classes,
    voc_parts,
)
from auxnas.search.data.scenes.layout import CLASSES
from auxnas.search.data.scenes.synthetic import SyntheticDataset

PARTS = ("train", "val")
KINDS = "synthetic, synthetic:COUNT, list:DIR_OR_FILE or voc:VOCDEVKIT"

DEFAULT_COUNT = 500
DEFAULT_SIZE = (128, 128)
_VAL_START = 1 << 31


def open_dataset(
    spec: str,
    *,
    classes: int | None = None,
    size: tuple[int, int] | None = None,
    part: str = "train",
    seed: int = 0,
) -> Dataset:
    """The dataset that ``spec`` names; files are not read before they are asked for.

    Args:
        spec: ``synthetic``, ``synthetic:COUNT``, ``list:DIR_OR_FILE`` or ``voc:VOCDEVKIT``.
        classes: how many; None where the data says so itself.
        size: (height, width) to bring every image to; None leaves them as they are
            (synthetic: 128x128).
        part: ``train``, which a search splits into meta-train and meta-val, or ``val``.
        seed: of the synthetic scenes.

    Raises:
        DataError: naming what is wrong with the spec, the list or the arguments.
    """
    if part not in PARTS:
        raise DataError("part", repr(part), " or ".join(PARTS))
    kind, rest = _parse(spec)
    if kind == "synthetic":
        return _synthetic(rest, classes, check_size(size or DEFAULT_SIZE), part, seed)
    files = (open_list if kind == "list" else open_voc)(rest, classes, part)
    return files if size is None else ResizedDataset(files, size)


def parts(spec: str) -> tuple[str, ...]:
    """Which parts ``open_dataset`` can open of ``spec``: ``train``, and perhaps ``val``.

    Raises:
        DataError: when the spec names no dataset.
    """
    kind, rest = _parse(spec)
    if kind == "synthetic":
        return PARTS
    return tuple(list_parts(rest) if kind == "list" else voc_parts(rest)[1])


def _parse(spec: str) -> tuple[str, str]:
    """The kind of data, and what follows the colon."""
    kind, colon, rest = spec.partition(":")
    if kind == "synthetic" and bool(colon) == bool(rest):
        return kind, rest
    if kind in ("list", "voc") and rest:
        fitting = _kinds_of(rest)
        if fitting and kind not in fitting:
            found = f"not the layout of {kind} ({fitting[0]}:{rest}?)"
            raise DataError(f"data {spec!r}", found, KINDS)
        return kind, rest
    meant = f" ({suggestion(spec)}?)" if suggestion(spec) else ""
    raise DataError(f"data {spec[:80]!r}", f"not a known kind of data{meant}", KINDS)


def suggestion(spec: str) -> str:
    """The spec that was meant by a place on disk, perhaps after an unknown kind; "" for none."""
    where = spec if _exists(spec) else spec.partition(":")[2]
    return f"{(*_kinds_of(where), 'list')[0]}:{where}" if _exists(where) else ""


def _kinds_of(where: str) -> list[str]:
    """The kinds of data that a folder or a file has the layout of."""
    if not _exists(where):
        return []
    path = Path(where)
    years = (path, *path.glob("VOC[0-9]*"))
    fits = {
        "list": path.is_file() or next(path.glob("*.lst"), None) is not None,
        "voc": any((year / VOC_LISTS_FOLDER).is_dir() for year in years),
    }
    return [kind for kind, fit in fits.items() if fit]


def _exists(where: str) -> bool:
    try:
        return bool(where) and Path(where).exists()
    except (OSError, ValueError):  # no name that a file can have
        return False


def _synthetic(
    rest: str, classes: int | None, size: tuple[int, int], part: str, seed: int
) -> SyntheticDataset:
    """Validation scenes are drawn from another stretch of the same endless series."""
    if rest and (not rest.isascii() or not rest.isdigit() or int(rest) < 1):
        raise DataError(f"data 'synthetic:{rest}'", repr(rest), "a number of images")
    same_classes(CLASSES, classes, "the synthetic scenes")
    count = int(rest or DEFAULT_COUNT)
    if part == "train":
        return SyntheticDataset(count, seed, size)
    return SyntheticDataset(max(1, count // 5), seed, size, start=_VAL_START)
