"""``sbd:DIR``: the Semantic Boundaries Dataset (Hariharan et al., 2011), pictures of PASCAL VOC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from auxnas.search.data.base import Array, Bytes, Reader
from auxnas.search.data.decoded import DecodedFiles
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import Pair, same_classes
from auxnas.search.data.lists import listed_names
from auxnas.search.data.matlab_structs import matlab_structs
from auxnas.search.data.voc import VOC_CLASSES, VOC_COLOURS, VOC_PICTURES

IMAGES, CLASSES, INSTANCES = "img", "cls", "inst"
"""Folders of the benchmark."""
_LISTS = {"train": "train.txt", "val": "val.txt"}
_BELOW = ("", "dataset", "benchmark_RELEASE/dataset")
"""The benchmark's folder in what was unpacked."""
_LAYOUT = "img/, cls/ (or inst/), train.txt and val.txt, as in benchmark_RELEASE/dataset"
Fields = Mapping[str, Array]
_EXPECTED = "a whole file of the benchmark, with GTcls or GTinst"


def open_sbd(where: str, classes: int | None, part: str) -> DecodedFiles:
    """A part of the benchmark as its own lists have it: 8,498 and 2,857 images.

    Args:
        where: the folder ``benchmark_RELEASE``, or ``dataset`` in it.
        classes: 21, or None.
        part: ``train`` or ``val``.

    Raises:
        DataError: when the layout is not as expected or the list is empty.
    """
    same_classes(VOC_CLASSES, classes, "PASCAL VOC")
    lists = sbd_parts(where)
    if part not in lists:
        raise DataError(f"sbd:{where}", f"no {part} part", _LISTS[part])
    root = lists[part].parent
    labels = root / (CLASSES if (root / CLASSES).is_dir() else INSTANCES)
    pairs = tuple(
        Pair(root / IMAGES / f"{name}.jpg", labels / f"{name}.mat", line)
        for name, line in listed_names(lists[part])
    )
    return DecodedFiles(
        name=f"sbd:{where}",
        classes=VOC_CLASSES,
        pairs=pairs,
        root=root,
        colours=VOC_COLOURS,
        collection=VOC_PICTURES,
        decode=read_sbd_label,
        manner="sbd",
    )


def sbd_parts(where: str) -> dict[str, Path]:
    """The list file of each part that there is.

    Raises:
        DataError: when this is no folder of the benchmark.
    """
    root = next(_roots(Path(where)), None)
    if root is None:
        raise DataError(f"sbd:{where}", "no folder of the benchmark", _LAYOUT)
    found = {part: root / name for part, name in _LISTS.items() if (root / name).is_file()}
    if "train" not in found:
        raise DataError(str(root / _LISTS["train"]), "no such file", "the benchmark's own list")
    return found


def _roots(where: Path) -> Iterator[Path]:
    """The benchmark's folder, if it is there."""
    for root in (where / below for below in _BELOW):
        if (root / IMAGES).is_dir() and any((root / n).is_dir() for n in (CLASSES, INSTANCES)):
            yield root


def read_sbd_label(path: Path, place: str) -> Bytes:
    """The classes in a file of ``cls/``, or those of the instances in one of ``inst/``.

    Raises:
        DataError: when it is missing, damaged or has no map of them.
    """
    found = matlab_structs(path, place, ("GTcls", "GTinst"), _EXPECTED)
    if "GTcls" in found:
        return _map(found["GTcls"], place)
    numbers, categories = _map(found["GTinst"], place), _categories(found["GTinst"], place)
    table = np.arange(256, dtype=np.uint8)
    table[1 : len(categories) + 1] = categories
    unknown = np.setdiff1d(numbers, [*range(len(categories) + 1), 255])
    if unknown.size:
        expected = f"at most {len(categories)}, as it has categories"
        raise DataError(place, f"instance {unknown[0]}", expected)
    return table[numbers]


def _map(fields: Fields, place: str) -> Bytes:
    """The field ``Segmentation``: (height, width), whole numbers of 8 bits."""
    found = _field(fields, "Segmentation", place)
    if found.ndim != 2 or found.dtype.kind not in "iuf" or not found.size:
        raise DataError(place, f"a Segmentation of shape {found.shape}", "(height, width) of uint8")
    if not np.array_equal(found.astype(np.uint8), found):
        raise DataError(place, "a Segmentation of other numbers than uint8", _EXPECTED)
    return np.ascontiguousarray(found, np.uint8)


def _categories(fields: Fields, place: str) -> Sequence[int]:
    """The field ``Categories``: the class of each instance, from 1 on."""
    found = _field(fields, "Categories", place).ravel().tolist()
    wrong = [each for each in found if each not in range(len(VOC_CLASSES))]
    if wrong or len(found) > 254:
        bad = f"category {wrong[0]}" if wrong else f"{len(found)} categories"
        raise DataError(place, bad, f"1..{len(VOC_CLASSES) - 1} for each instance")
    return [int(each) for each in found]


def _field(fields: Fields, name: str, place: str) -> Array:
    if name not in fields:
        raise DataError(place, f"no numbers in a field {name}", _EXPECTED)
    return fields[name]


SBD = Reader(
    open_sbd,
    sbd_parts,
    ("background",),
    lambda where: next(_roots(where), None) is not None,
    borrowed=True,
)
"""``sbd:DIR``; joined to VOC, its pictures but VOC's own give 10,582 images to train on."""
